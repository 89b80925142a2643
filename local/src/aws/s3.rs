//! The embedded S3: a folder.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ACCESS_KEY, SECRET_KEY, free_port};

pub(super) async fn serve(
    folder: &Path,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (listener, address) = free_port().await?;
    let root = folder.join("s3");
    std::fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let files = FileSystem::new(&root).map_err(|error| {
        anyhow::anyhow!("opening the embedded S3 in {}: {error:?}", root.display())
    })?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let stop = stop.clone();
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((socket, _)) = accepted else { continue };
            let (service, stop) = (service.clone(), stop.clone());
            connections.spawn(async move {
                let builder = Builder::new(TokioExecutor::new());
                let connection = builder.serve_connection(TokioIo::new(socket), service);
                if let Some(Err(error)) = stop.run_until_cancelled(connection).await {
                    tracing::debug!(error, "connection to the embedded S3 closed");
                }
            });
        }
    });
    Ok(address)
}

pub(super) async fn create_bucket(client: &Client, name: &str) -> anyhow::Result<()> {
    match client.create_bucket().bucket(name).send().await.map_err(|e| e.into_service_error()) {
        Err(error)
            if !error.is_bucket_already_exists() && !error.is_bucket_already_owned_by_you() =>
        {
            Err(error).context("creating the bucket")
        }
        _ => Ok(()),
    }
}
