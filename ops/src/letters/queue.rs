//! A dead-letter queue on AWS, as people read it: to its end, and no letter twice.
//!
//! While somebody reads, what was received is hidden, so that it does not stand before what was
//! not seen yet; at the end what stays is shown again, and a quarter of an hour later if this is
//! killed.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as ShownEntry,
    DeleteMessageBatchRequestEntry as DeletedEntry, Message, MessageSystemAttributeName,
};
use futures::future::{join_all, try_join_all};

/// Messages of one request (AWS limit).
const MESSAGES: i32 = 10;

/// Requests for messages at a time.
const RECEIVERS: usize = 8;

/// How long messages are kept from other receivers, in seconds: longer than it takes to send
/// as many as can be hidden.
const VISIBILITY_SECS: i32 = 900;

/// How long a request waits for messages, in seconds: one that does not wait asks only some
/// of SQS' servers, and can find nothing where there is something.
const WAIT_SECS: i32 = 2;

/// Rounds of requests in turn that bring nothing new before the queue counts as read: also
/// one that waits can miss what was put or shown a moment ago.
const QUIET_ROUNDS: u32 = 3;

/// Most messages that are remembered because they stay. SQS hides no more than 120,000 of a
/// queue at a time; with their handles these take some 60 MB.
const MAX_HIDDEN: usize = 100_000;

/// Attempts at removing letters.
const MAX_DELETE_ATTEMPTS: u32 = 4;

/// A dead-letter queue.
#[derive(Debug, Clone)]
pub(crate) struct LetterQueue {
    /// Reads it.
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// Its address.
    pub(crate) url: String,
}

/// One pass over a queue.
#[derive(Debug)]
pub(crate) struct Reading<'q> {
    queue: &'q LetterQueue,
    /// Messages that stay, with their latest handles.
    hidden: HashMap<String, String>,
    quiet: u32,
}

impl LetterQueue {
    /// Begins to read.
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading { queue: self, hidden: HashMap::new(), quiet: 0 }
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(MESSAGES)
            .visibility_timeout(VISIBILITY_SECS)
            .wait_time_seconds(WAIT_SECS)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send();
        Ok(received.await.context("reading the dead-letter queue")?.messages.unwrap_or_default())
    }

    /// Removes messages, by their handles.
    pub(crate) async fn delete(&self, handles: Vec<String>) -> anyhow::Result<()> {
        let mut left = handles;
        for _ in 0..MAX_DELETE_ATTEMPTS {
            let batches = left.chunks(MESSAGES as usize).map(|batch| self.delete_batch(batch));
            left = try_join_all(batches).await?.concat();
            if left.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("{} letters could not be removed", left.len())
    }

    /// Removes messages and returns the handles of those that are still there.
    async fn delete_batch(&self, handles: &[String]) -> anyhow::Result<Vec<String>> {
        let failed = "removing letters";
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            DeletedEntry::builder().id(n.to_string()).receipt_handle(handle).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().context(failed)?;
        let delete = self.sqs.delete_message_batch().queue_url(&self.url);
        let deleted = delete.set_entries(Some(entries)).send().await.context(failed)?;
        let left = deleted.failed().iter().filter_map(|failure| failure.id().parse().ok());
        Ok(left.filter_map(|n: usize| handles.get(n).cloned()).collect())
    }

    async fn show_batch(&self, handles: &[&String]) -> anyhow::Result<()> {
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            let entry = ShownEntry::builder().id(n.to_string()).receipt_handle(*handle);
            entry.visibility_timeout(0).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let show = self.sqs.change_message_visibility_batch().queue_url(&self.url);
        show.set_entries(Some(entries)).send().await?;
        Ok(())
    }
}

impl Reading<'_> {
    /// Messages that were not seen yet; `None` when there are no more. Whoever removes none of
    /// them says that it stays.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Message>>> {
        while self.quiet < QUIET_ROUNDS && !self.is_cut() {
            let received = try_join_all((0..RECEIVERS).map(|_| self.queue.receive())).await?;
            let new = self.new_of(received.into_iter().flatten());
            if !new.is_empty() {
                self.quiet = 0;
                return Ok(Some(new));
            }
            self.quiet += 1;
        }
        Ok(None)
    }

    /// Whether more letters stay than can be remembered: there may be others behind them.
    pub(crate) fn is_cut(&self) -> bool {
        self.hidden.len() >= MAX_HIDDEN
    }

    /// What was not received before, each message once.
    fn new_of(&mut self, received: impl Iterator<Item = Message>) -> Vec<Message> {
        let mut new: Vec<Message> = Vec::new();
        for message in received {
            let id = id_of(&message);
            if let Some(handle) = self.hidden.get_mut(&id) {
                // Only the latest handle can show it again.
                *handle = message.receipt_handle.unwrap_or_default();
            } else if !new.iter().any(|other| id_of(other) == id) {
                new.push(message);
            }
        }
        new
    }

    /// Says that a message stays.
    pub(crate) fn stays(&mut self, message: &Message) {
        self.hidden.insert(id_of(message), message.receipt_handle.clone().unwrap_or_default());
    }

    /// The latest handle of a message that stays, which then does not stay any more.
    pub(crate) fn take(&mut self, id: &str) -> Option<String> {
        self.hidden.remove(id)
    }

    /// Shows what stays to others again. Where that fails, time does it.
    pub(crate) async fn end(&self) {
        let handles: Vec<&String> = self.hidden.values().collect();
        let batches: Vec<_> = handles.chunks(MESSAGES as usize).collect();
        for some in batches.chunks(RECEIVERS) {
            let shown = join_all(some.iter().map(|batch| self.queue.show_batch(batch))).await;
            if let Some(Err(error)) = shown.into_iter().find(Result::is_err) {
                tracing::debug!(%error, "letters stay hidden for a while");
                return;
            }
        }
    }
}

/// The id of a message.
pub(crate) fn id_of(message: &Message) -> String {
    message.message_id.clone().unwrap_or_default()
}

/// When a message was put on the queue, in UNIX milliseconds.
pub(crate) fn sent_ms(message: &Message) -> Option<u64> {
    message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
}
