//! Dead letters of a queue on AWS.
//!
//! A message is deleted once its records are on the stream, or its ask is on the queue of those
//! that wait, from where the processor's worker moves it to its model's. What cannot be sent (objects,
//! notifications, letters of another reason) stays in the queue: SQS' own redrive, or an
//! upload of the object, brings it back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::types::Message;
use contract::ask::{self, Ask, QueueUrls};
use contract::dead_letter::{DeadLetter, Input, VERSION};
use ingest::stream::again::{Record, Sent, Stays, Target, records_of};
use processor::asks::{self, AskQueue as _};

use crate::letters::Pick;
use crate::letters::queue::{LetterQueue, Reading};
use crate::now_ms;

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
#[derive(Debug)]
struct Pass<'q> {
    redriven: RedriveReport,
    reading: Reading<'q>,
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
    pub async fn redrive(&self, pick: &Pick) -> anyhow::Result<RedriveReport> {
        let letters = LetterQueue { sqs: self.sqs.clone(), url: self.queue_url.clone() };
        let mut pass = Pass { redriven: RedriveReport::default(), reading: letters.read() };
        let ended = self.run(pick, &letters, &mut pass).await;
        pass.reading.end().await;
        pass.redriven.is_cut = pass.reading.is_cut();
        let sent = pass.redriven.sent;
        ended.with_context(|| format!("{sent} dead letters were sent again before"))?;
        Ok(pass.redriven)
    }

    async fn run(
        &self,
        pick: &Pick,
        queue: &LetterQueue,
        pass: &mut Pass<'_>,
    ) -> anyhow::Result<()> {
        while let Some(new) = pass.reading.next().await? {
            let mut letters = Vec::with_capacity(new.len());
            for message in new {
                match self.again(&message, pick) {
                    Ok(_) if self.only_looks => pass.hide(&message, Stays::Looked),
                    Ok(again) => letters.push(Letter { message, again }),
                    Err(stays) => pass.hide(&message, stays),
                }
            }
            self.send(letters, queue, pass).await?;
        }
        Ok(())
    }

    /// What of a message is sent again.
    fn again(&self, message: &Message, pick: &Pick) -> Result<Again, Stays> {
        let body = message.body().unwrap_or_default();
        let letter: DeadLetter = serde_json::from_str(body).map_err(|_| Stays::Unreadable)?;
        if letter.v > VERSION {
            return Err(Stays::Unreadable);
        }
        if !pick.takes(&letter) {
            return Err(Stays::OtherReason);
        }
        match letter.input {
            Input::Ask { ask, .. } if self.asks.is_some() => Ok(Again::Ask(ask.again(now_ms()))),
            input => records_of(&input, now_ms()).map(Again::Records),
        }
    }

    /// Sends letters together, or, where the stream refuses one of them, each by itself.
    async fn send(
        &self,
        letters: Vec<Letter>,
        queue: &LetterQueue,
        pass: &mut Pass<'_>,
    ) -> anyhow::Result<()> {
        let (asks, letters): (Vec<Letter>, Vec<Letter>) =
            letters.into_iter().partition(|letter| matches!(letter.again, Again::Ask(_)));
        self.ask_again(asks, queue, pass).await?;
        let all = letters.iter().flat_map(Letter::records);
        let sent = match self.target.send(all).await.context(AGAIN)? {
            Sent::All => letters,
            Sent::Refused => {
                let mut sent = Vec::with_capacity(letters.len());
                for letter in letters {
                    match self.target.send(letter.records()).await.context(AGAIN)? {
                        Sent::All => sent.push(letter),
                        Sent::Refused => pass.hide(&letter.message, Stays::Refused),
                    }
                }
                sent
            }
        };
        pass.redriven.sent += sent.len() as u64;
        let handles = sent.into_iter().filter_map(|letter| letter.message.receipt_handle);
        queue.delete(handles.collect()).await
    }

    /// Puts asks back on a queue.
    async fn ask_again(
        &self,
        letters: Vec<Letter>,
        letters_queue: &LetterQueue,
        pass: &mut Pass<'_>,
    ) -> anyhow::Result<()> {
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
                    pass.hide(&letter.message, Stays::Refused);
                } else {
                    handles.extend(letter.message.receipt_handle);
                }
            }
            pass.redriven.sent += handles.len() as u64;
            letters_queue.delete(handles).await?;
        }
        Ok(())
    }
}

impl Pass<'_> {
    fn hide(&mut self, message: &Message, stays: Stays) {
        *self.redriven.left.entry(stays).or_default() += 1;
        self.reading.stays(message);
    }
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
