//! The embedded S3: a folder.
//!
//! `s3s-fs` keeps a file beside each object whose name holds the whole key in
//! base64, and no file system takes names as long as the keys of Currents make
//! them. [`ShortNames`] stores objects under a hash of their key instead, and the
//! keys beside them. Objects are put, read and listed; nothing else is offered.
//!
//! Programs of other processes get an endpoint of their own, which tells of every object
//! that they put, as S3 does by its notifications.

mod keys;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, ETagCondition, GetObjectInput, GetObjectOutput,
    HeadObjectInput, ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput,
    PutObjectOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ACCESS_KEY, BUCKET, SECRET_KEY, free_port};
use keys::{Keys, short};

/// Objects of one page of a listing, as S3 has them.
const PAGE: usize = 1_000;

/// An object that somebody put into [`BUCKET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreatedObject {
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
    created: Option<mpsc::Sender<CreatedObject>>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let root = folder.join("s3");
    std::fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let files = FileSystem::new(&root).map_err(|error| {
        anyhow::anyhow!("opening the embedded S3 in {}: {error:?}", root.display())
    })?;
    let keys = Keys::new(keys::beside(&root));
    let mut service = S3ServiceBuilder::new(ShortNames { files, root, keys, created });
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
    keys: Keys,
    created: Option<mpsc::Sender<CreatedObject>>,
}

impl ShortNames {
    /// Refuses a bucket that nobody created; the library would create it.
    fn check(&self, bucket: &str) -> S3Result<()> {
        let is_there = self.root.join(bucket).is_dir();
        is_there.then_some(()).ok_or_else(|| s3_error!(NoSuchBucket))
    }

    /// Refuses content that is not the one that was asked for (`If-Match`), before anything
    /// else is wrong with the request, as S3 does; the library looks at it in copies only.
    async fn check_content(&self, request: &S3Request<GetObjectInput>) -> S3Result<()> {
        let Some(ETagCondition::ETag(wanted)) = &request.input.if_match else { return Ok(()) };
        let head = S3Request {
            input: HeadObjectInput {
                bucket: request.input.bucket.clone(),
                key: request.input.key.clone(),
                ..HeadObjectInput::default()
            },
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            extensions: axum::http::Extensions::new(),
            credentials: request.credentials.clone(),
            region: request.region.clone(),
            service: request.service.clone(),
            trailing_headers: None,
        };
        let found = self.files.head_object(head).await?.output.e_tag;
        let is_same = found.is_some_and(|found| found.strong_cmp(wanted));
        is_same.then_some(()).ok_or_else(|| s3_error!(PreconditionFailed))
    }

    /// Size of an object, if it is there, and when it came.
    fn file(&self, bucket: &str, key: &str) -> Option<(u64, Option<SystemTime>)> {
        let path = self.root.join(bucket).join(short(key));
        let file = std::fs::metadata(path).ok()?;
        Some((file.len(), file.modified().ok()))
    }

    /// Tells of an object that is there now.
    async fn tell(&self, bucket: &str, key: String) {
        let Some(created) = self.created.as_ref().filter(|_| bucket == BUCKET) else { return };
        let bytes = self.file(bucket, &key).map_or(0, |(bytes, _)| bytes);
        // Nobody listens any more only when the process is stopping.
        let _ = created.send(CreatedObject { key, bytes }).await;
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
        self.check(&bucket)?;
        request.input.key = short(&key);
        self.keys.note(&bucket, &key).map_err(|error| s3_error!(error, InternalError))?;
        let response = self.files.put_object(request).await?;
        self.tell(&bucket, key).await;
        Ok(response)
    }

    async fn get_object(
        &self,
        mut request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        request.input.key = short(&request.input.key);
        self.check_content(&request).await?;
        self.files.get_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        if input.delimiter.is_some() {
            return Err(s3_error!(NotImplemented, "the embedded S3 lists without a delimiter"));
        }
        self.check(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or(input.start_after).unwrap_or_default();
        let keys = self.keys.list(&input.bucket, &prefix, &after);
        let mut keys = keys.map_err(|error| s3_error!(error, InternalError))?;
        let asked = input.max_keys.and_then(|most| usize::try_from(most).ok());
        let most = asked.unwrap_or(PAGE).min(PAGE);
        let is_truncated = keys.len() > most;
        keys.truncate(most);
        let next = keys.last().cloned().filter(|_| is_truncated);
        let object = |key: String| {
            let (bytes, modified) = self.file(&input.bucket, &key)?;
            let (size, last_modified) = (i64::try_from(bytes).ok(), modified.map(Into::into));
            Some(Object { key: Some(key), size, last_modified, ..Object::default() })
        };
        let contents: Vec<_> = keys.into_iter().filter_map(object).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: input.prefix,
            max_keys: i32::try_from(most).ok(),
            key_count: i32::try_from(contents.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(is_truncated),
            next_continuation_token: next,
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }
}
