//! The queue that keeps what could not be processed.

use std::fmt::Debug;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use contract::dead_letter::DeadLetter;

use crate::failure::brief;

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
#[error("dead letter was not queued: {0}")]
pub struct NotQueued(pub String);

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
        sent.map(drop).map_err(|error| NotQueued(brief(&error)))
    }
}
