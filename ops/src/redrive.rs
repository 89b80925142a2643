//! Sends again what was given up.
//!
//! - [`folder`] — by a run of `local`.
//! - [`queue`] — dead letters on AWS: events go back to the stream, asks to their queue.
//! - [`bucket`] — what the event source itself gave up, on AWS.

pub mod bucket;
pub mod folder;
pub mod queue;

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use anyhow::Context as _;
use ingest::stream::again::{Stays, Target};
use serde_json::json;

use crate::arguments::Redrive;
use crate::output::{answer, say};

/// Sends dead letters once more.
pub async fn redrive(arguments: &Redrive) -> anyhow::Result<ExitCode> {
    let pick = &arguments.pick;
    if let Some(folder) = &arguments.data {
        return folder::redrive(folder, pick, arguments.dry_run);
    }
    let stream = arguments.stream.clone().filter(|name| !name.is_empty());
    // Who only looks needs none.
    let stream = match arguments.dry_run {
        true => stream.unwrap_or_default(),
        false => stream.context("--stream is missing: name the stream")?,
    };
    let config = program::aws::account(program::aws::environment()).await?;
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let target = Target::new(kinesis, stream, arguments.stream_buckets);
    let only_looks = arguments.dry_run;
    let left = match (&arguments.queue_url, &arguments.bucket) {
        (Some(queue_url), _) => {
            let sqs = aws_sdk_sqs::Client::new(&config);
            let asks = arguments.queues.clone();
            let queue =
                queue::Queue { sqs, target, queue_url: queue_url.clone(), asks, only_looks };
            let sent = queue.redrive(pick).await?;
            say(&sent);
            answer(json!({ "sent": sent.sent, "left": left_by_reason(&sent.left) }));
            sent.left()
        }
        (None, Some(name)) => {
            let s3 = aws_sdk_s3::Client::new(&config);
            let sent =
                bucket::Bucket { s3, target, name: name.clone(), only_looks }.redrive().await?;
            say(&sent);
            let left = left_by_reason(&sent.left);
            answer(json!({ "batches": sent.batches, "records": sent.records, "left": left }));
            sent.left()
        }
        (None, None) => anyhow::bail!("name a folder, or a queue or bucket and a stream"),
    };
    Ok(if left == 0 || only_looks { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn left_by_reason(left: &BTreeMap<Stays, u64>) -> BTreeMap<String, u64> {
    left.iter().map(|(stays, count)| (stays.to_string(), *count)).collect()
}

/// Writes how many stay for which reason, and ends the sentence.
fn write_left(left: &BTreeMap<Stays, u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (n, (stays, count)) in left.iter().enumerate() {
        write!(f, "{} {count} {stays}", if n == 0 { ":" } else { "," })?;
    }
    write!(f, ".")
}
