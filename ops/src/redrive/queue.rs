//! Dead letters of a queue on AWS.
//!
//! A message is deleted once its records are on the stream, or its ask is on the queue of those
//! that wait, from where the processor's worker moves it to its model's. What cannot be sent (objects,
//! notifications, letters of another reason) stays in the queue: SQS' own redrive, or an
//! upload of the object, brings it back. While this runs it is hidden, so that it does not
//! stand before what was not seen yet; at the end it is shown again, and a quarter of an hour
//! later if this is killed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as ShownEntry,
    DeleteMessageBatchRequestEntry as DeletedEntry, Message,
};
use contract::ask::{self, Ask, QueueUrls};
use contract::dead_letter::{DeadLetter, Input, VERSION};
use futures::future::{join_all, try_join_all};
use ingest::stream::again::{Record, Sent, Stays, Target, records_of};
use processor::asks::{self, AskQueue as _};

use crate::now_ms;

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

/// Attempts at removing letters that were sent.
const MAX_DELETE_ATTEMPTS: u32 = 4;

/// What fails where the stream does not take records.
const AGAIN: &str = "putting records on the stream again";

/// A dead-letter queue, and where its records go.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Reads the queue.
    pub sqs: aws_sdk_sqs::Client,
    /// Takes the records.
    pub target: Target,
    /// The dead-letter queue.
    pub queue_url: String,
    /// Where asks go back to; without it they stay.
    pub asks: Option<QueueUrls>,
    /// Whether it is only looked what can be sent.
    pub only_looks: bool,
}

/// What became of a queue's letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Letters that were sent again and are gone from the queue.
    pub sent: u64,
    /// Letters that stay, by the reason.
    pub left: BTreeMap<Stays, u64>,
    /// Whether more letters stay than can be remembered: there may be others behind them.
    pub is_cut: bool,
}

impl RedriveReport {
    /// Letters that stay.
    pub fn left(&self) -> u64 {
        self.left.values().sum()
    }
}

/// One pass over a queue.
#[derive(Debug, Default)]
struct Pass {
    redriven: RedriveReport,
    /// Messages that stay, with their latest handles.
    hidden: HashMap<String, String>,
}

/// A letter that can be sent.
struct Letter {
    message: Message,
    again: Again,
}

/// What of a letter is sent again.
enum Again {
    /// To the stream.
    Records(Vec<Record>),
    /// To a queue of asks.
    Ask(Ask),
}

impl Queue {
    /// Sends letters again until the queue shows none that was not seen.
    pub async fn redrive(&self, reason: Option<&str>) -> anyhow::Result<RedriveReport> {
        let mut pass = Pass::default();
        let ended = self.run(reason, &mut pass).await;
        self.show(&pass).await;
        let sent = pass.redriven.sent;
        ended.with_context(|| format!("{sent} dead letters were sent again before"))?;
        Ok(pass.redriven)
    }

    async fn run(&self, reason: Option<&str>, pass: &mut Pass) -> anyhow::Result<()> {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            if pass.hidden.len() >= MAX_HIDDEN {
                pass.redriven.is_cut = true;
                break;
            }
            let received = try_join_all((0..RECEIVERS).map(|_| self.receive())).await?;
            let new = pass.new_of(received.into_iter().flatten());
            quiet = if new.is_empty() { quiet + 1 } else { 0 };
            let mut letters = Vec::with_capacity(new.len());
            for message in new {
                match self.again(&message, reason) {
                    Ok(_) if self.only_looks => pass.hide(message, Stays::Looked),
                    Ok(again) => letters.push(Letter { message, again }),
                    Err(stays) => pass.hide(message, stays),
                }
            }
            self.send(letters, pass).await?;
        }
        Ok(())
    }

    /// What of a message is sent again.
    fn again(&self, message: &Message, reason: Option<&str>) -> Result<Again, Stays> {
        let body = message.body().unwrap_or_default();
        let letter: DeadLetter = serde_json::from_str(body).map_err(|_| Stays::Unreadable)?;
        if letter.v > VERSION {
            return Err(Stays::Unreadable);
        }
        if reason.is_some_and(|reason| letter.reason != reason) {
            return Err(Stays::OtherReason);
        }
        match letter.input {
            Input::Ask { ask, .. } if self.asks.is_some() => Ok(Again::Ask(ask.again(now_ms()))),
            input => records_of(&input, now_ms()).map(Again::Records),
        }
    }

    async fn receive(&self) -> anyhow::Result<Vec<Message>> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(MESSAGES)
            .visibility_timeout(VISIBILITY_SECS)
            .wait_time_seconds(WAIT_SECS)
            .send();
        Ok(received.await.context("reading the dead-letter queue")?.messages.unwrap_or_default())
    }

    /// Sends letters together, or, where the stream refuses one of them, each by itself.
    async fn send(&self, letters: Vec<Letter>, pass: &mut Pass) -> anyhow::Result<()> {
        let (asks, letters): (Vec<Letter>, Vec<Letter>) =
            letters.into_iter().partition(|letter| matches!(letter.again, Again::Ask(_)));
        self.ask_again(asks, pass).await?;
        let all = letters.iter().flat_map(Letter::records);
        let sent = match self.target.send(all).await.context(AGAIN)? {
            Sent::All => letters,
            Sent::Refused => {
                let mut sent = Vec::with_capacity(letters.len());
                for letter in letters {
                    match self.target.send(letter.records()).await.context(AGAIN)? {
                        Sent::All => sent.push(letter),
                        Sent::Refused => pass.hide(letter.message, Stays::Refused),
                    }
                }
                sent
            }
        };
        pass.redriven.sent += sent.len() as u64;
        let handles = sent.into_iter().filter_map(|letter| letter.message.receipt_handle);
        self.delete(handles.collect()).await
    }

    /// Puts asks back on a queue.
    async fn ask_again(&self, letters: Vec<Letter>, pass: &mut Pass) -> anyhow::Result<()> {
        let Some(urls) = self.asks.clone() else { return Ok(()) };
        let queue = asks::Sqs::new(self.sqs.clone(), urls);
        let mut letters = letters.into_iter().peekable();
        while letters.peek().is_some() {
            let some: Vec<Letter> = letters.by_ref().take(asks::MAX_MESSAGES).collect();
            let of = |letter: &Letter| match &letter.again {
                Again::Ask(ask) => Some((ask.clone(), Duration::ZERO)),
                Again::Records(_) => None,
            };
            let bodies: Vec<(Ask, Duration)> = some.iter().filter_map(of).collect();
            let refused = queue.send(&ask::Queue::Later, &bodies).await;
            let refused = refused.context("putting asks on their queue again")?;
            let mut handles = Vec::with_capacity(some.len());
            for (place, letter) in some.into_iter().enumerate() {
                if refused.contains(&place) {
                    pass.hide(letter.message, Stays::Refused);
                } else {
                    handles.extend(letter.message.receipt_handle);
                }
            }
            pass.redriven.sent += handles.len() as u64;
            self.delete(handles).await?;
        }
        Ok(())
    }

    async fn delete(&self, handles: Vec<String>) -> anyhow::Result<()> {
        let mut left = handles;
        for _ in 0..MAX_DELETE_ATTEMPTS {
            let batches = left.chunks(MESSAGES as usize).map(|batch| self.delete_batch(batch));
            left = try_join_all(batches).await?.concat();
            if left.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("{} letters that were sent again could not be removed", left.len())
    }

    /// Removes messages and returns the handles of those that are still there.
    async fn delete_batch(&self, handles: &[String]) -> anyhow::Result<Vec<String>> {
        let failed = "removing letters that were sent again";
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            DeletedEntry::builder().id(n.to_string()).receipt_handle(handle).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().context(failed)?;
        let delete = self.sqs.delete_message_batch().queue_url(&self.queue_url);
        let deleted = delete.set_entries(Some(entries)).send().await.context(failed)?;
        let left = deleted.failed().iter().filter_map(|failure| failure.id().parse().ok());
        Ok(left.filter_map(|n: usize| handles.get(n).cloned()).collect())
    }

    /// Shows what stays to others again. Where that fails, time does it.
    async fn show(&self, pass: &Pass) {
        let handles: Vec<&String> = pass.hidden.values().collect();
        let batches: Vec<_> = handles.chunks(MESSAGES as usize).collect();
        for some in batches.chunks(RECEIVERS) {
            let shown = join_all(some.iter().map(|batch| self.show_batch(batch))).await;
            if let Some(Err(error)) = shown.into_iter().find(Result::is_err) {
                tracing::debug!(%error, "letters stay hidden for a while");
                return;
            }
        }
    }

    async fn show_batch(&self, handles: &[&String]) -> anyhow::Result<()> {
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            let entry = ShownEntry::builder().id(n.to_string()).receipt_handle(*handle);
            entry.visibility_timeout(0).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let show = self.sqs.change_message_visibility_batch().queue_url(&self.queue_url);
        show.set_entries(Some(entries)).send().await?;
        Ok(())
    }
}

impl Pass {
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

    fn hide(&mut self, message: Message, stays: Stays) {
        *self.redriven.left.entry(stays).or_default() += 1;
        self.hidden.insert(id_of(&message), message.receipt_handle.unwrap_or_default());
    }
}

fn id_of(message: &Message) -> String {
    message.message_id.clone().unwrap_or_default()
}

impl Letter {
    /// What goes to the stream.
    fn records(&self) -> &[Record] {
        match &self.again {
            Again::Records(records) => records,
            Again::Ask(_) => &[],
        }
    }
}

impl fmt::Display for RedriveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, left) = (self.sent, self.left());
        write!(f, "Sent {sent} dead letters again; {left} stay in the queue")?;
        super::write_left(&self.left, f)?;
        if self.is_cut {
            write!(f, "\nThere may be more behind them: take out what stays, and run this again.")?;
        }
        Ok(())
    }
}
