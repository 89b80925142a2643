//! The api over HTTP, as API Gateway puts it in front of the Lambda.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use api::handler::Api;
use axum::Router;
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

/// Serves the api on `listener` until `stop`.
pub fn serve(
    listener: TcpListener,
    api: Api,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let address = listener.local_addr().context("reading the bound port")?;
    let router = Router::new().fallback(look_up).with_state(api);
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "api stopped");
        }
    });
    Ok(address)
}

async fn look_up(State(api): State<Api>, request: Request) -> Response<String> {
    let uri = request.uri();
    api.handle(request.method(), uri.path(), uri.query().unwrap_or_default()).await
}
