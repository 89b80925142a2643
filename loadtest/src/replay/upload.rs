//! Uploads the files, each when it is due.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::follow::Follow;
use super::scan::ScannedFile;
use crate::latency::Latencies;

/// What was uploaded so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadCount {
    pub(crate) files: u64,
    pub(crate) events: u64,
    pub(crate) failed_files: u64,
    /// Why the first one failed.
    pub(crate) first_failure: Option<String>,
    /// From when a file was due to when it was in the bucket.
    pub(crate) delay: Latencies,
}

/// Uploads files on their way to the bucket.
pub(crate) struct Uploader<'a> {
    pub(crate) s3: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) files: &'a [ScannedFile],
    pub(crate) follow: &'a Follow,
    pub(crate) uploaded: Mutex<UploadCount>,
}

impl Uploader<'_> {
    /// Events in the bucket.
    pub(crate) fn events(&self) -> u64 {
        self.uploaded.lock().unwrap_or_else(PoisonError::into_inner).events
    }

    /// Uploads all files of the schedule, at most `at_a_time` at a time.
    pub(crate) async fn run(
        &self,
        schedule: &[(usize, Option<Duration>)],
        start: Instant,
        at_a_time: usize,
    ) {
        let due = schedule.iter().map(|(file, after)| (*file, after.map(|after| start + after)));
        stream::iter(due)
            .then(|(file, due)| async move {
                if let Some(due) = due {
                    sleep_until(due).await;
                }
                (file, due)
            })
            .map(|(file, due)| self.upload(file, due))
            .buffer_unordered(at_a_time)
            .collect::<()>()
            .await;
        self.follow.uploads_ended();
    }

    async fn upload(&self, index: usize, due: Option<Instant>) {
        let file = &self.files[index];
        let due = due.unwrap_or_else(Instant::now);
        let result = self.put(file).await;
        let mut uploaded = self.uploaded.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => {
                uploaded.files += 1;
                uploaded.events += file.events;
                uploaded.delay.record(due.elapsed());
                self.follow.uploaded(index, due);
            }
            Err(reason) => {
                uploaded.failed_files += 1;
                uploaded.first_failure.get_or_insert(reason);
            }
        }
    }

    async fn put(&self, file: &ScannedFile) -> Result<(), String> {
        let body = ByteStream::from_path(&file.path).await.map_err(|error| error.to_string())?;
        let put = self.s3.put_object().bucket(self.bucket).key(&file.key).body(body);
        let sent = put.send().await;
        sent.map(drop).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    }
}
