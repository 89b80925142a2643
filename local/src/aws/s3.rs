//! The embedded S3: a folder.
//!
//! `s3s-fs` keeps a file beside each object whose name holds the whole key in
//! base64, and no file system takes names as long as the keys of Currents make
//! them. [`ShortNames`] stores objects under a hash of their key instead, so
//! listing is not offered.
//!
//! Programs of other processes get an endpoint of their own, which tells of every object
//! that they put, as S3 does by its notifications.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_sdk_s3::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, GetObjectInput, GetObjectOutput, PutObjectInput,
    PutObjectOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ACCESS_KEY, BUCKET, SECRET_KEY, free_port};

/// An object that somebody put into [`BUCKET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    pub(crate) key: String,
    pub(crate) bytes: u64,
}

pub(super) async fn serve(
    folder: &Path,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (listener, address) = free_port().await?;
    serve_on(listener, folder, None, tasks, stop)?;
    Ok(address)
}

/// Serves the objects of `folder` on `listener`, and tells of those that are put into
/// [`BUCKET`].
pub(crate) fn serve_on(
    listener: TcpListener,
    folder: &Path,
    created: Option<mpsc::Sender<Created>>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let root = folder.join("s3");
    std::fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let files = FileSystem::new(&root).map_err(|error| {
        anyhow::anyhow!("opening the embedded S3 in {}: {error:?}", root.display())
    })?;
    let mut service = S3ServiceBuilder::new(ShortNames { files, root, created });
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
    Ok(())
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

/// A folder of objects, each under a hash of its key.
struct ShortNames {
    files: FileSystem,
    root: PathBuf,
    created: Option<mpsc::Sender<Created>>,
}

impl ShortNames {
    /// Tells of an object that is there now.
    async fn tell(&self, bucket: &str, key: String) {
        let Some(created) = self.created.as_ref().filter(|_| bucket == BUCKET) else { return };
        let path = self.root.join(bucket).join(short(&key));
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        // Nobody listens any more only when the process is stopping.
        let _ = created.send(Created { key, bytes }).await;
    }
}

#[async_trait::async_trait]
impl S3 for ShortNames {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await
    }

    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        request.input.key = short(&key);
        let response = self.files.put_object(request).await?;
        self.tell(&bucket, key).await;
        Ok(response)
    }

    async fn get_object(
        &self,
        mut request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        request.input.key = short(&request.input.key);
        self.files.get_object(request).await
    }
}

fn short(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}
