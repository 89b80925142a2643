//! The queues of asks on SQS.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, SendMessageBatchRequestEntry,
};
use contract::ask::{Ask, MAX_DELAY, Queue, QueueUrls};
use program::aws::CallError;

use super::{AskQueue, Delivery, MAX_MESSAGES, QueueError, queues_of_others};

/// The queues on SQS.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    urls: QueueUrls,
}

impl Sqs {
    /// Works on the queues at `urls`.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    fn url(&self, queue: &Queue, attempted: &'static str) -> Result<&str, QueueError> {
        let failed = || QueueError { attempted, cause: CallError::NotSent(Some(NO_QUEUE.into())) };
        self.urls.url(queue).ok_or_else(failed)
    }
}

/// Why nothing is sent to a queue that nobody made.
const NO_QUEUE: &str = "the model has no queue of asks: name it in ASK_QUEUES";

#[async_trait]
impl AskQueue for Sqs {
    async fn send(
        &self,
        queue: &Queue,
        asks: &[(Ask, Duration)],
    ) -> Result<Vec<usize>, QueueError> {
        let attempted = "asks were not sent";
        let mut batch = self.client.send_message_batch().queue_url(self.url(queue, attempted)?);
        for (place, (ask, delay)) in asks.iter().enumerate() {
            // Up to the next second: one that comes too early would only be put back.
            let secs = delay.min(&MAX_DELAY).as_millis().div_ceil(1_000);
            let entry = SendMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .message_body(ask.encode())
                .delay_seconds(i32::try_from(secs).unwrap_or_default());
            batch = batch.entries(entry.build().map_err(not_built(attempted))?);
        }
        let sent = batch.send().await;
        let sent = sent.map_err(|error| QueueError { attempted, cause: (&error).into() })?;
        let refused = sent.failed().iter().filter_map(|entry| entry.id().parse().ok());
        Ok(refused.collect())
    }

    async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Delivery>, QueueError> {
        let attempted = "asks were not received";
        if *queue == Queue::Jobs && self.urls.jobs.is_none() {
            return Ok(Vec::new());
        }
        let most = i32::try_from(most.clamp(1, MAX_MESSAGES)).unwrap_or(1);
        let receive = self
            .client
            .receive_message()
            .queue_url(self.url(queue, attempted)?)
            .max_number_of_messages(most)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .wait_time_seconds(0);
        let received = receive.send().await;
        let received =
            received.map_err(|error| QueueError { attempted, cause: (&error).into() })?;
        let deliveries = received.messages.unwrap_or_default().into_iter().filter_map(|message| {
            let counted = MessageSystemAttributeName::ApproximateReceiveCount;
            let counted = message.attributes.as_ref().and_then(|all| all.get(&counted));
            let body = message.body.unwrap_or_default();
            Some(Delivery {
                ask: Ask::decode(&body),
                body,
                receipt: message.receipt_handle?,
                deliveries: counted.and_then(|count| count.parse().ok()).unwrap_or(1),
            })
        });
        Ok(deliveries.collect())
    }

    fn queues_beside(&self, models: &BTreeSet<&str>) -> Vec<Queue> {
        queues_of_others(self.urls.ready.keys().map(String::as_str), models)
    }

    async fn delete(&self, queue: &Queue, receipts: &[String]) -> Result<(), QueueError> {
        let attempted = "asks were not removed";
        let mut batch = self.client.delete_message_batch().queue_url(self.url(queue, attempted)?);
        for (place, receipt) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(place.to_string())
                .receipt_handle(receipt);
            batch = batch.entries(entry.build().map_err(not_built(attempted))?);
        }
        let deleted = batch.send().await;
        // One that stays is taken up again, and found to be over.
        deleted.map(drop).map_err(|error| QueueError { attempted, cause: (&error).into() })
    }
}

fn not_built<E>(attempted: &'static str) -> impl FnOnce(E) -> QueueError {
    move |_| QueueError { attempted, cause: CallError::NotBuilt }
}
