//! The queues of asks: their messages under one lock, with the journal and the counters.
//!
//! At least once, like SQS: a message that was received and not deleted comes again after its
//! visibility time-out. Time is tokio's, so that tests can pause it, told in UNIX milliseconds,
//! so that another run can read it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, Put, Ticket};
use super::messages::{Figures, Message, Messages, OverLimit, Unchangeable};
use super::waiting::{Waiting, Waits};

/// Number of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueNumber(pub(super) usize);

/// A queue, before there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The path of its address.
    pub(super) path: String,
    /// By which another run knows it.
    pub(super) name: String,
}

/// Who may delete a message, or change its time: the latest to receive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) queue: QueueNumber,
    pub(super) id: u64,
    pub(super) receives: u32,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) receipt: Receipt,
    pub(super) body: String,
    pub(super) sent_ms: u64,
}

/// What is to be received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) most: usize,
    /// How long it is hidden from others.
    pub(super) hide: Duration,
    /// How long it is waited for.
    pub(super) wait: Duration,
}

/// The queues of asks.
#[derive(Debug)]
pub(super) struct Asks {
    state: Mutex<State>,
    /// Tells those who wait for messages that something changed.
    changed: Notify,
    /// How far the journal is on the disk, in bytes appended; whoever holds it waits for the
    /// disk, for all who wrote before.
    on_disk_bytes: tokio::sync::Mutex<u64>,
    clock: Clock,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    queues: Vec<Queue>,
    by_path: HashMap<String, QueueNumber>,
    waiting: Waiting,
    /// There is none where nobody will find it.
    journal: Option<Journal>,
    next_id: u64,
    /// How long a message is hidden unless the call says so.
    visibility: Duration,
    sent: u64,
    removed: u64,
}

#[derive(Debug)]
struct Queue {
    name: String,
    messages: Messages,
}

#[derive(Debug)]
struct Clock {
    began: Instant,
    began_ms: u64,
}

impl Clock {
    fn now_ms(&self) -> u64 {
        self.began_ms + millis(self.began.elapsed())
    }

    /// When tokio's clock tells `at_ms`.
    fn instant(&self, at_ms: u64) -> Instant {
        self.began + Duration::from_millis(at_ms.saturating_sub(self.began_ms))
    }
}

impl Asks {
    pub(super) fn new(stop: &CancellationToken) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            on_disk_bytes: tokio::sync::Mutex::default(),
            clock: Clock { began: Instant::now(), began_ms: millis(unix) },
            stop: stop.clone(),
        }
    }

    /// Opens the queues, the first of which takes what an earlier run left on one that is no
    /// longer there. With a folder, what it kept is there, and is kept from now on.
    pub(super) fn open(
        &self,
        queues: Vec<Named>,
        visibility: Duration,
        kept: Option<&Path>,
    ) -> anyhow::Result<()> {
        let mut state = self.state();
        anyhow::ensure!(state.queues.is_empty(), "the queues of asks are open already");
        state.visibility = visibility;
        for (number, Named { path, name }) in queues.into_iter().enumerate() {
            state.by_path.insert(path, QueueNumber(number));
            state.queues.push(Queue { name, messages: Messages::default() });
        }
        let Some(folder) = kept else { return Ok(()) };
        let (journal, left) = Journal::open(folder)?;
        state.next_id = left.iter().map(|put| put.id + 1).max().unwrap_or_default();
        let now_ms = self.clock.now_ms();
        for put in left {
            let number = state.queues.iter().position(|queue| queue.name == put.queue);
            let label = state.waiting.add(&put.body);
            let message = Message {
                body: put.body.into_owned().into_boxed_str(),
                sent_ms: put.sent_ms,
                visible_ms: put.visible_ms,
                receives: put.receives,
                label,
            };
            if let Some(queue) = state.queues.get_mut(number.unwrap_or_default()) {
                queue.messages.put(put.id, message, now_ms);
            }
        }
        state.journal = Some(journal);
        Ok(())
    }

    pub(super) fn number(&self, path: &str) -> Option<QueueNumber> {
        self.state().by_path.get(path).copied()
    }

    /// Takes messages, each with its delay; returns their ids, once they are kept.
    pub(super) async fn send(
        &self,
        queue: QueueNumber,
        bodies: Vec<(String, Duration)>,
    ) -> io::Result<Vec<u64>> {
        let (ids, ticket) = {
            let mut state = self.state();
            let ids = state.send(queue, bodies, self.clock.now_ms())?;
            (ids, state.journal.as_ref().map(Journal::ticket))
        };
        self.changed.notify_waiters();
        if let Some(ticket) = ticket {
            self.wait_for_disk(ticket).await?;
        }
        Ok(ids)
    }

    /// Receives messages, waiting for the first if that is wished.
    pub(super) async fn receive(
        &self,
        queue: QueueNumber,
        wish: Wish,
    ) -> Result<Vec<Received>, OverLimit> {
        let deadline = Instant::now() + wish.wait;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (taken, next_ms) = {
                let mut state = self.state();
                let taken = state.receive(queue, wish, self.clock.now_ms());
                (taken, state.next_visible_ms(queue))
            };
            let is_over = Instant::now() >= deadline || self.stop.is_cancelled();
            match taken {
                Ok(taken) if !taken.is_empty() || is_over => return Ok(taken),
                Err(over_limit) if wish.wait.is_zero() => return Err(over_limit),
                Err(OverLimit) if is_over => return Ok(Vec::new()),
                Ok(_) | Err(OverLimit) => {}
            }
            let next = next_ms.map_or(deadline, |at_ms| self.clock.instant(at_ms).min(deadline));
            tokio::select! {
                () = changed => {}
                () = sleep_until(next) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Deletes a message, if nobody else received it since.
    pub(super) fn delete(&self, receipt: Receipt) -> io::Result<()> {
        let mut state = self.state();
        let Some(queue) = state.queues.get_mut(receipt.queue.0) else { return Ok(()) };
        let Some(message) = queue.messages.remove(receipt.id, receipt.receives) else {
            return Ok(());
        };
        state.waiting.remove(message.label);
        state.removed += 1;
        // Where this fails the message comes again with the next run.
        state.journal.as_mut().map_or(Ok(()), |journal| journal.gone(&[receipt.id]))?;
        state.shorten()
    }

    /// Hides a message from now on for so long.
    pub(super) fn change(&self, receipt: Receipt, hide: Duration) -> Result<(), Unchangeable> {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let queue = state.queues.get_mut(receipt.queue.0).ok_or(Unchangeable::Gone)?;
        let until_ms = now_ms + millis(hide);
        queue.messages.change((receipt.id, receipt.receives), until_ms, now_ms)?;
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Lets what was received be received again at once, on all queues.
    pub(super) fn release(&self) {
        let now_ms = self.clock.now_ms();
        self.state().queues.iter_mut().for_each(|queue| queue.messages.release(now_ms));
        self.changed.notify_waiters();
    }

    pub(super) fn figures(&self, queue: QueueNumber) -> Option<Figures> {
        let now_ms = self.clock.now_ms();
        self.state().queues.get_mut(queue.0).map(|queue| queue.messages.figures(now_ms))
    }

    pub(super) fn visibility(&self) -> Duration {
        self.state().visibility
    }

    /// Who waits, on all queues.
    pub(super) fn waits(&self) -> Waits {
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        let mut waits = Waits {
            sent: state.sent,
            removed: state.removed,
            groups: state.waiting.groups(now_ms),
            ..Waits::default()
        };
        for queue in &mut state.queues {
            let Figures { visible, in_flight, delayed } = queue.messages.figures(now_ms);
            waits.asks += (visible + in_flight + delayed) as u64;
            waits.in_flight += in_flight as u64;
            waits.visible += visible as u64;
        }
        waits
    }

    /// Waits until what a ticket stands for is on the disk: one wait serves all who came
    /// while the one before was under way.
    async fn wait_for_disk(&self, ticket: Ticket) -> io::Result<()> {
        let mut on_disk_bytes = self.on_disk_bytes.lock().await;
        if *on_disk_bytes >= ticket.appended_bytes {
            return Ok(());
        }
        let latest = self.state().journal.as_ref().map(Journal::ticket);
        let Ticket { file, appended_bytes } = latest.unwrap_or(ticket);
        let synced = tokio::task::spawn_blocking(move || file.sync_data());
        synced.await.map_err(io::Error::other)??;
        *on_disk_bytes = appended_bytes;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only a lack of memory ends a change half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(
        &mut self,
        number: QueueNumber,
        bodies: Vec<(String, Duration)>,
        now_ms: u64,
    ) -> io::Result<Vec<u64>> {
        let Some(queue) = self.queues.get_mut(number.0) else { return Ok(Vec::new()) };
        let ids: Vec<u64> = (self.next_id..).take(bodies.len()).collect();
        if let Some(journal) = &mut self.journal {
            let puts = ids.iter().zip(&bodies).map(|(id, (body, delay))| Put {
                id: *id,
                queue: Cow::Borrowed(&queue.name),
                sent_ms: now_ms,
                visible_ms: now_ms + millis(*delay),
                receives: 0,
                body: Cow::Borrowed(body),
            });
            journal.put(puts)?;
        }
        self.next_id += ids.len() as u64;
        self.sent += ids.len() as u64;
        for (id, (body, delay)) in ids.iter().zip(bodies) {
            let message = Message {
                label: self.waiting.add(&body),
                body: body.into_boxed_str(),
                sent_ms: now_ms,
                visible_ms: now_ms + millis(delay),
                receives: 0,
            };
            queue.messages.put(*id, message, now_ms);
        }
        self.shorten()?;
        Ok(ids)
    }

    fn receive(
        &mut self,
        number: QueueNumber,
        wish: Wish,
        now_ms: u64,
    ) -> Result<Vec<Received>, OverLimit> {
        let Some(queue) = self.queues.get_mut(number.0) else { return Ok(Vec::new()) };
        let taken = queue.messages.take(wish.most, now_ms, now_ms + millis(wish.hide))?;
        let received = taken.into_iter().map(|(id, message)| Received {
            receipt: Receipt { queue: number, id, receives: message.receives },
            body: message.body.clone().into_string(),
            sent_ms: message.sent_ms,
        });
        let received: Vec<Received> = received.collect();
        if let Some(journal) = self.journal.as_mut().filter(|_| !received.is_empty()) {
            let ids: Vec<u64> = received.iter().map(|each| each.receipt.id).collect();
            if let Err(error) = journal.taken(&ids) {
                // What is lost is a count of deliveries.
                tracing::warn!(%error, "a delivery of asks was not written");
            }
        }
        Ok(received)
    }

    fn next_visible_ms(&self, number: QueueNumber) -> Option<u64> {
        self.queues.get(number.0)?.messages.next_visible_ms()
    }

    /// Writes the journal anew if it has become long; everybody waits that long.
    fn shorten(&mut self) -> io::Result<()> {
        let Some(journal) = self.journal.as_mut().filter(|journal| journal.is_long()) else {
            return Ok(());
        };
        let left = self.queues.iter().flat_map(|queue| {
            queue.messages.iter().map(|(id, message)| Put {
                id,
                queue: Cow::Borrowed(&queue.name),
                sent_ms: message.sent_ms,
                visible_ms: message.visible_ms,
                receives: message.receives,
                body: Cow::Borrowed(&message.body),
            })
        });
        journal.shorten(left)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use contract::ask::{Ask, Reason};

    use super::*;

    const QUEUE: QueueNumber = QueueNumber(0);
    const MINUTE: Duration = Duration::from_secs(60);

    fn named(names: &[&str]) -> Vec<Named> {
        let named = |name: &&str| Named { path: format!("/{name}"), name: (*name).to_owned() };
        names.iter().map(named).collect()
    }

    fn open(names: &[&str], kept: Option<&Path>) -> Asks {
        let asks = Asks::new(&CancellationToken::new());
        asks.open(named(names), MINUTE, kept).expect("opens");
        asks
    }

    fn ask(campaign: &str, not_before_ms: u64) -> String {
        let ask = Ask::new("u".to_owned(), campaign.to_owned(), Reason::Due, 0);
        Ask { not_before_ms, ..ask }.encode()
    }

    async fn receive(asks: &Asks, queue: QueueNumber, wait: Duration) -> Vec<Received> {
        let wish = Wish { most: 10, hide: MINUTE, wait };
        asks.receive(queue, wish).await.expect("is below the limit")
    }

    fn bodies(received: &[Received]) -> Vec<&str> {
        received.iter().map(|each| each.body.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_comes_when_its_delay_is_over_to_who_waits_for_it() {
        let asks = open(&["later"], None);
        let began = Instant::now();
        let delay = Duration::from_secs(15);
        asks.send(QUEUE, vec![("a".to_owned(), delay)]).await.expect("is sent");

        let early = receive(&asks, QUEUE, Duration::from_secs(5)).await;
        let after = began.elapsed();
        let received = receive(&asks, QUEUE, Duration::from_secs(20)).await;

        assert_eq!((early.len(), after), (0, Duration::from_secs(5)));
        assert_eq!(bodies(&received), ["a"]);
        assert_eq!(began.elapsed(), delay);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_what_is_sent_meanwhile() {
        let asks = open(&["later"], None);
        let began = Instant::now();
        let send = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            asks.send(QUEUE, vec![("a".to_owned(), Duration::ZERO)]).await
        };

        let (received, sent) = tokio::join!(receive(&asks, QUEUE, MINUTE), send);

        assert!(sent.is_ok());
        assert_eq!((bodies(&received), began.elapsed()), (vec!["a"], Duration::from_secs(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_deletes_comes_again_after_its_time_out() {
        let asks = open(&["later"], None);
        asks.send(QUEUE, vec![("a".to_owned(), Duration::ZERO)]).await.expect("is sent");
        let first = receive(&asks, QUEUE, Duration::ZERO).await;
        let began = Instant::now();

        let again = receive(&asks, QUEUE, 2 * MINUTE).await;
        asks.delete(first[0].receipt).expect("is written");
        let waits = asks.waits();

        assert_eq!((again[0].receipt.receives, began.elapsed()), (2, MINUTE));
        assert_eq!((waits.asks, waits.in_flight), (1, 1), "the first receipt deletes nothing");
        asks.delete(again[0].receipt).expect("is written");
        let waits = asks.waits();
        assert_eq!((waits.asks, waits.sent, waits.removed), (0, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_messages_once_all_stops() {
        let stop = CancellationToken::new();
        let asks = Asks::new(&stop);
        asks.open(named(&["later"]), MINUTE, None).expect("opens");
        let began = Instant::now();

        let (received, ()) = tokio::join!(receive(&asks, QUEUE, MINUTE), async { stop.cancel() });

        assert_eq!((received, began.elapsed()), (Vec::new(), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn asks_that_wait_are_told_over_all_queues() {
        let asks = open(&["later", "ready"], None);
        let soon_ms = asks.clock.now_ms() + 90_000;
        let later = vec![(ask("a", soon_ms), Duration::from_secs(90))];
        asks.send(QUEUE, later).await.expect("is sent");
        let ready = vec![(ask("b", 0), Duration::ZERO), ("no ask".to_owned(), Duration::ZERO)];
        asks.send(QueueNumber(1), ready).await.expect("is sent");

        let waits = asks.waits();
        assert_eq!((waits.asks, waits.visible, waits.in_flight, waits.due()), (3, 2, 0, 1));
        assert_eq!(waits.next_due_secs(), Some(soon_ms.div_ceil(1_000)));

        tokio::time::advance(Duration::from_secs(91)).await;
        let waits = asks.waits();
        assert_eq!((waits.visible, waits.due(), waits.next_due_secs()), (3, 2, None));
    }

    #[tokio::test(start_paused = true)]
    async fn another_run_goes_on_with_what_waits() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let asks = open(&["later", "gone"], Some(folder.path()));
        let sent = [("a", Duration::ZERO), ("b", MINUTE), ("c", Duration::ZERO)];
        let sent = sent.map(|(body, delay)| (body.to_owned(), delay));
        asks.send(QueueNumber(1), sent.to_vec()).await.expect("is sent");
        let received = receive(&asks, QueueNumber(1), Duration::ZERO).await;
        assert_eq!(bodies(&received), ["a", "c"]);
        asks.delete(received[1].receipt).expect("is written");
        drop(asks);

        let asks = open(&["later", "other"], Some(folder.path()));
        let received = receive(&asks, QUEUE, Duration::ZERO).await;

        assert_eq!(bodies(&received), ["a"], "it is where all wait whose queue is gone");
        assert_eq!(received[0].receipt.receives, 2);
        assert_eq!(asks.figures(QUEUE).map(|figures| figures.delayed), Some(1));
        let ids = asks.send(QUEUE, vec![("d".to_owned(), MINUTE)]).await.expect("is sent");
        assert_eq!(ids, [2], "no two that are there have one id");
    }
}
