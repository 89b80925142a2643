//! The queue that keeps what could not be processed.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use contract::dead_letter::DeadLetter;
use contract::metrics::{self, Counts};
use program::aws::CallError;
use program::build::BUILD;
use program::causes;
use quota::clock::Clock;

use crate::coordination::Coordination;
use crate::store::DAY_SECS;

/// How long input that was given up is known to have its dead letter, in seconds: as long
/// as the longest retention of a stream.
const MARK_SECS: i64 = 365 * DAY_SECS;

/// Why something that was given up goes back.
pub(crate) const NO_LETTER: &str = "dead letter was not queued in time";

/// Keeps what could not be processed.
#[async_trait]
pub trait DeadLetterQueue: Debug + Send + Sync {
    /// Queues one letter.
    async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued>;
}

/// The dead-letter queue on SQS.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    queue_url: String,
}

/// The queue did not take a letter; its input must go back to the stream.
#[derive(Debug, thiserror::Error)]
#[error("dead letter was not queued")]
pub struct NotQueued(#[source] pub CallError);

impl Sqs {
    /// Sends to the queue at `queue_url`.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

#[async_trait]
impl DeadLetterQueue for Sqs {
    async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued> {
        let message = self.client.send_message().queue_url(&self.queue_url);
        let sent = message.message_body(letter.encode()).send().await;
        sent.map(drop).map_err(|error| NotQueued(CallError::from(&error)))
    }
}

/// Writes dead letters, each once through all deliveries.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    pub(crate) queue: Arc<dyn DeadLetterQueue>,
    /// Knows which are written.
    pub(crate) marks: Arc<dyn Coordination>,
    pub(crate) clock: Clock,
    /// Number of the publication of campaigns, of which letters tell.
    pub(crate) publication: u64,
}

impl Letters {
    /// Writes the dead letter of what `name` identifies through all deliveries, unless an
    /// earlier one did; `false` means that its input must go back instead.
    pub(crate) async fn bury_once(
        &self,
        name: &str,
        letter: &DeadLetter,
        counts: &mut Counts,
    ) -> bool {
        match self.marks.is_marked(name).await {
            Ok(true) => return true,
            Ok(false) => {}
            // Twice is better than never.
            Err(error) => {
                tracing::debug!(error = causes::told(&error), "dead letter may come twice");
            }
        }
        let (build, publication) = (BUILD.to_owned(), self.publication);
        let letter = DeadLetter { build, publication, ..letter.clone() };
        if let Err(error) = self.queue.send(&letter).await {
            tracing::warn!(error = causes::told(&error), "input goes back");
            return false;
        }
        counts.add(metrics::DEAD_LETTERS, 1);
        let expires_at = self.clock.now_secs() + MARK_SECS;
        if let Err(error) = self.marks.mark(name, expires_at).await {
            tracing::debug!(error = causes::told(&error), "dead letter may come twice");
        }
        true
    }
}
