//! The api over HTTP, as API Gateway puts it in front of the Lambda, and beside it the door for
//! what is posted; and, for a browser that asks for nothing of the api, the page.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use api::handler::{Api, Call};
use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use contract::metrics::Counts;
use ingest::handler::Ingest;
use ingest::posts::{MAX_BODY_BYTES, PUT_TIME};
use program::credentials::{Gate, Secret, ValidSecrets};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::page::{self, Page};
use crate::totals::Totals;

/// Binds the port that people use; 0 takes a free one.
pub async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!(
                "port {port} is in use: choose another with --port, or 0 for a free one"
            )
        }
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Credentials of the api on this machine, as `user:password`. They are no secret: it listens
/// on loopback only, and a line to type must work as it is printed.
pub const CREDENTIALS: &str = "braze:local";

/// Lets in whoever sends [`CREDENTIALS`].
pub fn gate() -> Gate {
    let (username, password) = CREDENTIALS.split_once(':').unwrap_or_default();
    let secret = Secret { username: username.to_owned(), password: password.to_owned() };
    Gate::Fixed(ValidSecrets::new(&[secret]))
}

/// Takes what is posted, from whom it lets in.
type Door = (Arc<Ingest>, Arc<Gate>);

/// Serves the api and the page on `listener` until `stop`.
pub fn serve(
    listener: TcpListener,
    (api, posts): (Arc<Api>, Door),
    totals: Arc<Totals>,
    page: Arc<Page>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let address = listener.local_addr().context("reading the bound port")?;
    let local = page::guarded(page::routes(page));
    let of_posts = any(post).layer(DefaultBodyLimit::disable()).with_state((posts, totals.clone()));
    let router = Router::new().fallback(look_up).with_state((api, totals)).merge(local);
    let router = router.route(EVENTS_PATH, of_posts);
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "api stopped");
        }
    });
    Ok(address)
}

/// Lines for a shell that look a user up: as Braze gets it, and in natural JSON. The campaign
/// is named where there are several.
pub fn curl_lines(
    address: SocketAddr,
    (user_id, campaign): (&str, Option<&str>),
    no_credentials: bool,
) -> [String; 2] {
    let options = if no_credentials { String::new() } else { format!(" -u {CREDENTIALS}") };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("user_id", user_id);
    query.extend_pairs(campaign.map(|campaign| ("campaign", campaign)));
    let query = query.finish();
    let line = |more: &str| format!("curl 'http://{address}/?{query}{more}'{options}");
    [line(""), line("&format=plain")]
}

async fn look_up(
    State((api, totals)): State<(Arc<Api>, Arc<Totals>)>,
    request: Request,
) -> Response {
    let uri = request.uri();
    if is_for_the_page(&request) {
        return page::index();
    }
    let call = Call {
        method: request.method(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: request.headers(),
        has_body: !request.body().is_end_stream(),
    };
    let (mut counts, began) = (Counts::default(), Instant::now());
    let response = api.answer(&call, &mut counts).await;
    tracing::debug!(counts = counts.to_json(), "invocation done");
    totals.billing.looked_up(began.elapsed(), &counts, response.body().len());
    totals.add(&counts);
    response.into_response()
}

/// Where events are posted.
pub const EVENTS_PATH: &str = "/events";

async fn post(
    State(((ingest, gate), totals)): State<(Door, Arc<Totals>)>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    // More is refused all the same.
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES + 1).await;
    let body = body.map_or_else(|_| vec![b' '; MAX_BODY_BYTES + 1], |body| body.to_vec());
    let now_ms = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
    let mut counts = Counts::default();
    let (method, headers) = (head.method, head.headers);
    let request = ingest::posts::Request { method, headers, body, id: String::new() };
    let began = Instant::now();
    let posts = ingest.now().await.door(gate);
    let answer = posts.answer(&request, now_ms, Instant::now() + PUT_TIME, &mut counts).await;
    tracing::debug!(counts = counts.to_json(), "invocation done");
    totals.billing.posted(began.elapsed(), &counts);
    totals.add(&counts);
    let headers = [(header::CONTENT_TYPE, "application/json")].into_iter().chain(answer.headers);
    let mut response = (answer.status, answer.body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Tells whether a browser on this machine opens the bare address. With a query, even an empty
/// one, it is the api's.
fn is_for_the_page(request: &Request) -> bool {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_bare = request.uri().path() == "/" && request.uri().query().is_none();
    is_read && is_bare && page::wants_html(request.headers()) && page::is_local(request.headers())
}
