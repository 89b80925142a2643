//! The api over HTTP, as API Gateway puts it in front of the Lambda.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use api::credentials::{Accepted, Gate, Secret};
use api::handler::{Api, Call};
use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    Gate::Fixed(Accepted::new(&[secret]))
}

/// Serves the api on `listener` until `stop`.
pub fn serve(
    listener: TcpListener,
    api: Api,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let address = listener.local_addr().context("reading the bound port")?;
    let router = Router::new().fallback(look_up).with_state(Arc::new(api));
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "api stopped");
        }
    });
    Ok(address)
}

/// Lines for a shell that look a user up: as Braze gets it, and in natural JSON.
pub fn curl_lines(address: SocketAddr, user_id: &str, no_credentials: bool) -> [String; 2] {
    let options = if no_credentials { String::new() } else { format!(" -u {CREDENTIALS}") };
    let line = |more: &str| format!("curl 'http://{address}/?user_id={user_id}{more}'{options}");
    [line(""), line("&format=plain")]
}

async fn look_up(State(api): State<Arc<Api>>, request: Request) -> Response<String> {
    let uri = request.uri();
    let call = Call {
        method: request.method(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: request.headers(),
        has_body: !request.body().is_end_stream(),
    };
    api.handle(&call).await
}
