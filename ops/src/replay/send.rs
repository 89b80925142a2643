//! Puts notifications on the queue of uploads, and remembers how far it came.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;
use ingest::trigger::created::CreatedObject;
use tokio::time::{Duration, sleep};

use super::choice::File;

/// Messages of one request (AWS limit).
pub(super) const MAX_MESSAGES: usize = 10;

/// Attempts at messages that the queue does not take.
const MAX_ATTEMPTS: u32 = 5;

/// Wait before the second attempt; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Who sends, as the notification has it.
const SENDER: &str = "replay";

/// Sends notifications.
pub(super) struct Sender<'s> {
    sqs: &'s aws_sdk_sqs::Client,
    queue_url: &'s str,
    state: Mutex<State>,
}

struct State {
    sent: u64,
    /// The last key up to which all were taken.
    last: Option<String>,
}

impl<'s> Sender<'s> {
    /// Sends to a queue, of keys behind `after`.
    pub(super) fn new(
        sqs: &'s aws_sdk_sqs::Client,
        queue_url: &'s str,
        after: Option<String>,
    ) -> Self {
        Self { sqs, queue_url, state: Mutex::new(State { sent: 0, last: after }) }
    }

    /// Notifications that were sent.
    pub(super) fn sent(&self) -> u64 {
        self.with(|state| state.sent)
    }

    /// What to say to one who stopped it.
    pub(super) fn how_to_go_on(&self) -> String {
        self.with(|State { sent, last }| match last {
            Some(key) => format!("{sent} notifications were sent; go on with --after '{key}'"),
            None => "nothing was sent".to_owned(),
        })
    }

    /// Tells of some files, as many as one request takes.
    pub(super) async fn send(&self, bucket: &str, files: &[File]) -> anyhow::Result<()> {
        let (mut left, mut wait): (Vec<&File>, _) = (files.iter().collect(), FIRST_WAIT);
        for attempt in 1.. {
            left = self.send_once(bucket, left).await?;
            if left.is_empty() {
                break;
            }
            if attempt == MAX_ATTEMPTS {
                bail!("the queue refuses notifications");
            }
            sleep(wait).await;
            wait *= 2;
        }
        self.with(|state| {
            state.sent += files.len() as u64;
            state.last = files.last().map(|file| file.key.clone());
        });
        Ok(())
    }

    /// Sends once, and returns those that the queue did not take.
    async fn send_once<'f>(
        &self,
        bucket: &str,
        files: Vec<&'f File>,
    ) -> anyhow::Result<Vec<&'f File>> {
        const FAILED: &str = "sending notifications";
        let entries = files.iter().enumerate().map(|(n, file)| {
            let File { key, bytes, at, .. } = file;
            let created = CreatedObject { bucket, key, bytes: *bytes, at: *at };
            Entry::builder().id(n.to_string()).message_body(created.notification(SENDER)).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().context(FAILED)?;
        let send = self.sqs.send_message_batch().queue_url(self.queue_url);
        let sent = send.set_entries(Some(entries)).send().await.context(FAILED)?;
        let refused = sent.failed().iter().filter_map(|failure| failure.id().parse().ok());
        Ok(refused.filter_map(|n: usize| files.get(n).copied()).collect())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
