//! Dead letters of a queue on AWS.
//!
//! A message is deleted once its records are on the stream. What holds no record
//! (objects, notifications) stays in the queue: SQS' own redrive, or an upload of the
//! object, brings it back.

use std::collections::HashSet;
use std::fmt;

use anyhow::Context as _;
use aws_sdk_sqs::types::Message;
use contract::dead_letter::DeadLetter;

/// Messages of one request (AWS limit).
const MESSAGES: i32 = 10;

/// How long messages are kept from other receivers, in seconds: longer than they take.
const VISIBILITY_SECS: i32 = 60;

/// How long a request waits for messages, in seconds, so that all of SQS' servers are
/// asked.
const WAIT_SECS: i32 = 2;

/// A dead-letter queue, and where its records go.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Reads the queue.
    pub sqs: aws_sdk_sqs::Client,
    /// Takes the records.
    pub kinesis: aws_sdk_kinesis::Client,
    /// The dead-letter queue.
    pub queue_url: String,
    /// The stream.
    pub stream: String,
}

/// What became of a queue's letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Letters that were sent again and are gone from the queue.
    pub sent: u64,
    /// Letters that stay: of another reason, without a record, or unreadable.
    pub left: u64,
}

impl Queue {
    /// Sends letters again until the queue shows none that was not seen.
    pub async fn redrive(&self, reason: Option<&str>) -> anyhow::Result<Redriven> {
        let mut redriven = Redriven::default();
        let mut seen = HashSet::new();
        loop {
            let received = self
                .sqs
                .receive_message()
                .queue_url(&self.queue_url)
                .max_number_of_messages(MESSAGES)
                .visibility_timeout(VISIBILITY_SECS)
                .wait_time_seconds(WAIT_SECS);
            let messages = received.send().await.context("reading the dead-letter queue")?.messages;
            let mut is_new = false;
            for message in messages.unwrap_or_default() {
                if !seen.insert(message.message_id.clone()) {
                    continue;
                }
                is_new = true;
                if self.send(&message, reason).await? {
                    redriven.sent += 1;
                } else {
                    redriven.left += 1;
                }
            }
            if !is_new {
                return Ok(redriven);
            }
        }
    }

    async fn send(&self, message: &Message, reason: Option<&str>) -> anyhow::Result<bool> {
        let Ok(letter) = serde_json::from_str::<DeadLetter>(message.body().unwrap_or_default())
        else {
            return Ok(false);
        };
        if reason.is_some_and(|reason| letter.reason != reason)
            || !super::put(&self.kinesis, &self.stream, &letter.input).await?
        {
            return Ok(false);
        }
        let delete = self.sqs.delete_message().queue_url(&self.queue_url);
        let delete = delete.set_receipt_handle(message.receipt_handle.clone());
        delete.send().await.context("removing a letter that was sent again")?;
        Ok(true)
    }
}

impl fmt::Display for Redriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, left } = self;
        write!(f, "Sent {sent} dead letters again; {left} stay in the queue.")
    }
}
