//! What one shard takes, with AWS' limits enforced; written to `target/bench/shard.json`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use std::fs;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::Duration;

use ingest::stream::packing::{Format, Packer};
use ingest::stream::{Put, Stream};
use local::aws::{EmbeddedAws, Options, Pace, STREAM};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// User records that are put, and the bytes of each.
const USER_RECORDS: u32 = 20_000;
const USER_RECORD_BYTES: usize = 300;

/// Longest time that is waited for them.
const DEADLINE: Duration = Duration::from_secs(120);

fn main() {
    let report = fill();
    println!("{report:#}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/shard.json");
    fs::write(&path, report.to_string()).expect("is written");
}

/// Fills a shard for some seconds and tells how much it took.
fn fill() -> Value {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = Options {
            shards: 1,
            enforce_limits: true,
            kept: false,
            faults: None,
            pace: Pace::Fast,
        };
        let (aws, _notifications) =
            EmbeddedAws::start(folder.path(), &options, &tasks, &stop).await.expect("starts");
        let mut packer = Packer::new(NonZeroU16::new(256).expect("not zero"), Format::Kpl);
        for user in 0..USER_RECORDS {
            let write = |out: &mut Vec<u8>| out.extend([b'x'; USER_RECORD_BYTES]);
            packer.add(&format!("{user:024x}"), USER_RECORD_BYTES, write);
        }
        let records = packer.take();
        let bytes: usize = records.iter().map(|record| record.data.len()).sum();
        let mut put = Put::default();
        let start = Instant::now();
        let stream = Stream::new(aws.kinesis.clone(), STREAM.to_owned());
        stream.put(records, start + DEADLINE, &mut put).await.expect("is put");
        let seconds = start.elapsed().as_secs_f64();
        stop.cancel();
        json!({
            "user_record_bytes": USER_RECORD_BYTES,
            "user_records_per_second": f64::from(USER_RECORDS) / seconds,
            "mib_per_second": bytes as f64 / seconds / 1_048_576.0,
            "entries_refused_and_sent_again": put.resent,
        })
    })
}
