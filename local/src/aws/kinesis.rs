//! The embedded Kinesis.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::StreamStatus;
use axum::extract::DefaultBodyLimit;
use ferrokinesis::store::{DurableStateOptions, StoreOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Options, free_port};

/// How often the embedded Kinesis writes a snapshot; a log covers what is between.
const SNAPSHOT_INTERVAL_SECS: u64 = 30;

/// Longest time for the stream to become active.
const CREATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest request: the 5 MiB of PutRecords in base64, with room for its frame. The
/// HTTP library's own limit of 2 MB would refuse requests that AWS takes.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Most record bytes that the stream retains in memory.
const MAX_RETAINED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

pub(super) async fn serve(
    folder: &Path,
    options: &Options,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let (listener, address) = free_port().await?;
    let (router, _store) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 0,
        shard_limit: u32::try_from(options.shards).context("number of shards")?,
        enforce_limits: options.enforce_limits,
        durable: Some(DurableStateOptions {
            state_dir: folder.join("kinesis"),
            snapshot_interval_secs: SNAPSHOT_INTERVAL_SECS,
            max_retained_bytes: Some(MAX_RETAINED_BYTES),
        }),
        ..StoreOptions::default()
    });
    let router = router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = ferrokinesis::serve_plain_http(listener, router, stop).await {
            tracing::error!(%error, "embedded Kinesis stopped");
        }
    });
    Ok(address)
}

pub(super) async fn create_stream(client: &Client, name: &str, shards: i32) -> anyhow::Result<()> {
    let created = client.create_stream().stream_name(name).shard_count(shards).send().await;
    if let Err(error) = created {
        let error = error.into_service_error();
        anyhow::ensure!(error.is_resource_in_use_exception(), "creating the stream: {error}");
    }
    let active = async {
        loop {
            let described = client.describe_stream_summary().stream_name(name).send().await?;
            let summary = described.stream_description_summary;
            if summary.is_some_and(|s| *s.stream_status() == StreamStatus::Active) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(CREATION_TIMEOUT, active).await.context("stream does not start")?
}
