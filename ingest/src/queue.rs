//! Queues that this function writes to: dead letters, and the rest of large objects.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;

/// Writes to a queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// The queue did not take a message; the input must not be acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("message was not queued: {}", .0.code().unwrap_or("no answer"))]
pub struct NotQueued(Box<SdkError<SendMessageError>>);

impl Queue {
    /// Sends to the queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Queues one message.
    pub async fn send(&self, body: String) -> Result<(), NotQueued> {
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| NotQueued(Box::new(error)))
    }
}
