//! The queue that keeps what could not be processed.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::SendMessageError;
use contract::dead_letter::DeadLetter;

/// Writes to the dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    queue_url: String,
}

/// The queue did not take a letter; its input must go back to the stream.
#[derive(Debug, thiserror::Error)]
#[error("dead letter was not queued")]
pub struct NotQueued(#[source] Box<SdkError<SendMessageError>>);

impl DeadLetters {
    /// Sends to the queue at `queue_url`.
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }

    /// Queues one letter.
    pub async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued> {
        let message = self.client.send_message().queue_url(&self.queue_url);
        let sent = message.message_body(letter.encode()).send().await;
        sent.map(drop).map_err(|error| NotQueued(Box::new(error)))
    }
}
