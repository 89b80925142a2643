//! Who may use the page: a person at this machine, and no other site in their browser.
//!
//! There is no password, because the page must work by being opened. That is safe, since
//!
//! - the port listens on loopback, so no other machine reaches it;
//! - a site that gives its own name this machine's address (DNS rebinding) is told by `Host`,
//!   which a browser lets no page choose: only names of loopback are answered;
//! - any other site that sends a request here is told by `Origin` and `Sec-Fetch-Site`, and
//!   could not read the answer: no header gives it leave to (CORS);
//! - a request with a body must say it is JSON, which a form of another site cannot.
//!
//! Other accounts of this machine can read the page, as they can the api, whose credentials
//! here are no secret either.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::error;

/// Names of this machine that nobody else can have.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Says where a request comes from (W3C Fetch Metadata).
const FETCH_SITE: &str = "sec-fetch-site";

/// From the page itself, and from a person's address bar.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

/// Answers what comes from this machine's own pages, and refuses everything else.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let foreign = |message| error(StatusCode::FORBIDDEN, "foreign", message);
    if !is_local(headers) {
        return foreign("open the page by 127.0.0.1 or localhost");
    }
    if !is_own(headers) {
        return foreign("other sites may not ask");
    }
    let is_json = is(headers, header::CONTENT_TYPE.as_str(), &["application/json"]);
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !is_json {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return error(status, "not_json", "send application/json");
    }
    next.run(request).await
}

/// Tells whether a request names this machine by a name of loopback.
pub(crate) fn is_local(headers: &HeaderMap) -> bool {
    let Some(host) = host(headers) else { return false };
    let without_port = host.rsplit_once(':').filter(|(_, port)| is_port(port));
    LOOPBACK.contains(&without_port.map_or(host, |(name, _)| name))
}

/// Tells whether a request comes from a page of its own host, or from none.
fn is_own(headers: &HeaderMap) -> bool {
    let own = host(headers).map(|host| format!("http://{host}")).unwrap_or_default();
    let has = |name: &str| headers.contains_key(name);
    (!has(header::ORIGIN.as_str()) || is(headers, header::ORIGIN.as_str(), &[&own]))
        && (!has(FETCH_SITE) || is(headers, FETCH_SITE, &OWN_SITES))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is(headers: &HeaderMap, name: &str, allowed: &[&str]) -> bool {
    let mut values = headers.get_all(name).iter();
    let only = values.next().and_then(|value| value.to_str().ok());
    values.next().is_none() && only.is_some_and(|value| allowed.contains(&value))
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_names_of_loopback_are_local() {
        let is_local = |host| is_local(&headers(&[("host", host)]));

        for host in ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "[::1]:8080", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example:8080", "127.0.0.1.evil.example", "localhost:x", "", "::1"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_foreign() {
        let host = ("host", "127.0.0.1:8080");
        let is_own = |pair| is_own(&headers(&[host, pair]));

        assert!(is_own(("origin", "http://127.0.0.1:8080")));
        assert!(is_own(("sec-fetch-site", "none")));
        assert!(is_own(("accept", "*/*")));
        for origin in
            ["http://127.0.0.1:9999", "http://evil.example", "null", "https://127.0.0.1:8080"]
        {
            assert!(!is_own(("origin", origin)), "{origin}");
        }
        assert!(!is_own(("sec-fetch-site", "cross-site")));
        assert!(!is_own(("sec-fetch-site", "same-site")));
    }
}
