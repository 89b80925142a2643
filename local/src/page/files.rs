//! The page's own files, which are part of the program: nothing is fetched from elsewhere.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::error;

/// What the page may do: load its own files and ask its own host, and nothing else.
///
/// Styles within elements are for the e-mails: the frame in which one is shown inherits this
/// policy, and an e-mail brings its styles with it. Pictures of other hosts stay away for the
/// same reason that they do in mail programs. Scripts come from files only.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const INDEX: &str = include_str!("../../page/index.html");

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and text of every file.
const FILES: [(&str, &str, &str); 18] = [
    ("page.css", CSS, include_str!("../../page/page.css")),
    ("user.css", CSS, include_str!("../../page/user.css")),
    ("main.js", JAVASCRIPT, include_str!("../../page/main.js")),
    ("dom.js", JAVASCRIPT, include_str!("../../page/dom.js")),
    ("numbers.js", JAVASCRIPT, include_str!("../../page/numbers.js")),
    ("status.js", JAVASCRIPT, include_str!("../../page/status.js")),
    ("series.js", JAVASCRIPT, include_str!("../../page/series.js")),
    ("charts.js", JAVASCRIPT, include_str!("../../page/charts.js")),
    ("flow.js", JAVASCRIPT, include_str!("../../page/flow.js")),
    ("asks.js", JAVASCRIPT, include_str!("../../page/asks.js")),
    ("bill.js", JAVASCRIPT, include_str!("../../page/bill.js")),
    ("users.js", JAVASCRIPT, include_str!("../../page/users.js")),
    ("user.js", JAVASCRIPT, include_str!("../../page/user.js")),
    ("why.js", JAVASCRIPT, include_str!("../../page/why.js")),
    ("stored.js", JAVASCRIPT, include_str!("../../page/stored.js")),
    ("mail.js", JAVASCRIPT, include_str!("../../page/mail.js")),
    ("liquid.js", JAVASCRIPT, include_str!("../../page/liquid.js")),
    ("lines.js", JAVASCRIPT, include_str!("../../page/lines.js")),
];

/// The page itself.
pub(crate) fn index() -> Response {
    serve(HTML, INDEX)
}

/// One of its files.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => serve(kind, text),
        None => error(StatusCode::NOT_FOUND, "no_such_file", "the page has no such file"),
    }
}

fn serve(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), kind),
        (header::CONTENT_SECURITY_POLICY.as_str(), POLICY),
        (header::X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff"),
        (header::REFERRER_POLICY.as_str(), "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // The next build has other files under the same names.
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // The api answers at the page's address as well.
        (header::VARY.as_str(), "accept"),
    ];
    (headers, text).into_response()
}
