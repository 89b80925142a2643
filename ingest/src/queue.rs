//! Queues that this function writes to: dead letters, and the rest of large objects.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_sqs::operation::send_message::SendMessageError;
use tokio::time::{Instant, timeout_at};

/// Longest single attempt; a message takes some milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes to a queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// The queue did not take a message; the input must not be acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum NotQueued {
    /// It refused it, or could not be reached.
    #[error("message was not queued: {}", .0.code().unwrap_or("no answer"))]
    Refused(#[source] Box<SdkError<SendMessageError>>),
    /// It did not answer in the time that there was.
    #[error("message was not queued: out of time")]
    OutOfTime,
}

impl Queue {
    /// Sends to the queue at `url`.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Queues one message, in the time that the client takes.
    pub async fn send(&self, body: String) -> Result<(), NotQueued> {
        let sent = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        sent.map(drop).map_err(|error| NotQueued::Refused(Box::new(error)))
    }

    /// Queues one message by `end`, with time for a second attempt if the first is lost.
    pub async fn send_before(&self, body: String, end: Instant) -> Result<(), NotQueued> {
        let remaining = end.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(NotQueued::OutOfTime);
        }
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT.min(remaining / 2))
            .operation_timeout(remaining);
        let message = self.client.send_message().queue_url(&self.url).message_body(body);
        let limits = Builder::default().timeout_config(timeouts.build());
        // Boxed, because futures of the SDK within each other grow too deep for the compiler.
        let sent = Box::pin(message.customize().config_override(limits).send());
        let sent = timeout_at(end, sent).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NotQueued::Refused(Box::new(error))),
            Err(_) => Err(NotQueued::OutOfTime),
        }
    }
}
