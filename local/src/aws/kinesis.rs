//! The embedded Kinesis.
//!
//! It holds its records in memory, so whoever is done with some says so
//! ([`StreamContents::forget`]). AWS keeps them for a day; nobody here reads them again.
//!
//! [`one_writer`] keeps two of its faults away. It numbers records before it stores them, so
//! that of two puts at once a reader could see the higher numbers first, and would pass the
//! lower ones by. And a read that waits for a shard's lock holds one that makes the threads
//! of puts wait, until none is left that could give the shard free.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::StreamStatus;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use ferrokinesis::sequence::{resolve_shard_id, shard_ix_to_hex};
use ferrokinesis::store::{DurableStateOptions, Store, StoreOptions};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Options, STREAM, free_port};

/// How often the embedded Kinesis writes a snapshot; a log covers what is between.
const SNAPSHOT_INTERVAL_SECS: u64 = 30;

/// Longest time for the stream to become active.
const CREATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest request: the 5 MiB of PutRecords in base64, with room for its frame. The
/// HTTP library's own limit of 2 MB would refuse requests that AWS takes.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Most record bytes that the stream retains in memory.
const MAX_RETAINED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Records that are forgotten together: each time, a stream that is kept is written.
const FORGOTTEN_TOGETHER: usize = 256;

/// Many read the records, or one changes them.
type Gate = Arc<RwLock<()>>;

/// What the stream holds.
#[derive(Clone)]
pub(crate) struct StreamContents {
    store: Store,
    gate: Gate,
    /// Keys of records that nobody reads again.
    done: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for StreamContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamContents").finish_non_exhaustive()
    }
}

impl StreamContents {
    /// Forgets records of a shard sooner or later.
    pub(crate) async fn forget(&self, shard_id: &str, sequence_numbers: &[String]) {
        let Ok((_, shard)) = resolve_shard_id(shard_id) else { return };
        let shard = shard_ix_to_hex(shard);
        let keys = {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.extend(sequence_numbers.iter().map(|number| format!("{shard}/{number}")));
            if done.len() < FORGOTTEN_TOGETHER {
                return;
            }
            std::mem::take(&mut *done)
        };
        let _turn = self.gate.write().await;
        self.store.delete_record_keys(STREAM, &keys).await;
    }

    /// Record bytes that the stream holds, as it stores them.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.store.metrics().retained_bytes()
    }
}

pub(super) async fn serve(
    folder: &Path,
    options: &Options,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(SocketAddr, StreamContents)> {
    let (listener, address) = free_port().await?;
    let (router, store) = ferrokinesis::create_app(StoreOptions {
        create_stream_ms: 0,
        shard_limit: u32::try_from(options.shards).context("number of shards")?,
        enforce_limits: options.enforce_limits,
        durable: options.kept.then(|| DurableStateOptions {
            state_dir: folder.join("kinesis"),
            snapshot_interval_secs: SNAPSHOT_INTERVAL_SECS,
            max_retained_bytes: Some(MAX_RETAINED_BYTES),
        }),
        max_retained_bytes: Some(MAX_RETAINED_BYTES),
        ..StoreOptions::default()
    });
    let gate = Gate::default();
    let router = router
        .layer(from_fn_with_state(Arc::clone(&gate), one_writer))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    let stop = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "embedded Kinesis stopped");
        }
    });
    Ok((address, StreamContents { store, gate, done: Arc::default() }))
}

/// Lets records be read, or put by one at a time.
async fn one_writer(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let Some((_, operation)) = target.and_then(|target| target.split_once('.')) else {
        return next.run(request).await;
    };
    let is_put = matches!(operation, "PutRecord" | "PutRecords");
    if !is_put && operation != "GetRecords" {
        return next.run(request).await;
    }
    // Nobody waits for another's body.
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(head, Body::from(body));
    if is_put {
        let _turn = gate.write().await;
        next.run(request).await
    } else {
        let _turn = gate.read().await;
        next.run(request).await
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::ControlFlow;

    use aws_sdk_kinesis::primitives::Blob;
    use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};

    use super::*;
    use crate::aws::{Pace, config_for};

    const SHARD: &str = "shardId-000000000000";

    struct Running {
        client: Client,
        retained: StreamContents,
        stop: CancellationToken,
        _folder: tempfile::TempDir,
    }

    async fn start() -> Running {
        let folder = tempfile::tempdir().expect("temporary folder");
        let options = Options {
            shards: 1,
            enforce_limits: false,
            kept: false,
            faults: None,
            pace: Pace::Fast,
        };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (address, retained) =
            serve(folder.path(), &options, &tasks, &stop).await.expect("starts");
        let client = Client::new(&config_for(address));
        create_stream(&client, STREAM, 1).await.expect("is created");
        Running { client, retained, stop, _folder: folder }
    }

    /// Puts records of a hundred bytes, and returns their numbers.
    async fn put(client: &Client, records: usize) -> Vec<String> {
        let entry = PutRecordsRequestEntry::builder().partition_key("p").data(Blob::new([7; 100]));
        let entries = vec![entry.build().expect("is whole"); records];
        let put = client.put_records().stream_name(STREAM).set_records(Some(entries));
        let put = put.send().await.expect("are put").records;
        put.into_iter().filter_map(|put| put.sequence_number).collect()
    }

    #[tokio::test]
    async fn records_that_nobody_reads_again_are_forgotten() {
        let Running { client, retained, stop, _folder } = start().await;
        let numbers = put(&client, FORGOTTEN_TOGETHER).await;
        let before = retained.bytes();

        retained.forget(SHARD, &numbers[1..]).await;
        assert_eq!(retained.bytes(), before, "they are forgotten together");
        retained.forget(SHARD, &numbers[..1]).await;

        assert!(before > 0);
        assert_eq!(retained.bytes(), 0);
        stop.cancel();
    }

    /// Reads on from an iterator; breaks where there was nothing.
    async fn read(
        client: &Client,
        iterator: &mut String,
        seen: &mut BTreeSet<String>,
    ) -> ControlFlow<()> {
        let read = client.get_records().shard_iterator(&*iterator).send().await.expect("is read");
        *iterator = read.next_shard_iterator.expect("the shard is open");
        let is_empty = read.records.is_empty();
        seen.extend(read.records.into_iter().map(|record| record.sequence_number));
        if is_empty { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_passes_no_record_by_of_those_that_many_put_at_once() {
        const WRITERS: usize = 8;
        const REQUESTS: usize = 40;
        let Running { client, stop, _folder, .. } = start().await;
        let iterator = client.get_shard_iterator().stream_name(STREAM).shard_id(SHARD);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon);
        let iterator = iterator.send().await.expect("is there").shard_iterator;
        let (mut iterator, mut seen) = (iterator.expect("is there"), BTreeSet::new());
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    let mut numbers = Vec::new();
                    for records in 1..=REQUESTS {
                        numbers.extend(put(&client, records).await);
                    }
                    numbers
                })
            })
            .collect();

        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            let _ = read(&client, &mut iterator, &mut seen).await;
        }
        while read(&client, &mut iterator, &mut seen).await.is_continue() {}

        let mut written = BTreeSet::new();
        for writer in writers {
            written.extend(writer.await.expect("ends"));
        }
        assert_eq!(written.len(), WRITERS * REQUESTS * (REQUESTS + 1) / 2);
        assert_eq!(written.difference(&seen).count(), 0, "records were passed by");
        stop.cancel();
    }
}
