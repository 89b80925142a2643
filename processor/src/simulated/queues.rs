//! The queues of asks in memory, as SQS keeps them: at least once, hidden for a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use contract::ask::{Ask, Queue};
use tokio::time::Instant;

use crate::asks::{AskQueue, Delivery, QueueError, queues_of_others};

/// How long a message is hidden that was taken.
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(600);

/// All queues.
#[derive(Debug, Default)]
pub struct Queues(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    queues: HashMap<Queue, Messages>,
    counted: Counted,
}

/// What was done with the queues.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Asks that were put on a queue.
    pub sent: u64,
    /// Messages that were taken.
    pub taken: u64,
    /// Requests of any kind.
    pub requests: u64,
}

#[derive(Debug, Default)]
struct Messages {
    /// By when they may be seen, and then by number.
    by_time: BTreeMap<(Instant, u64), Message>,
    /// When each may be seen, by its number.
    times: HashMap<u64, Instant>,
}

#[derive(Debug)]
struct Message {
    ask: Ask,
    deliveries: u32,
}

impl Queues {
    /// The asks that wait, whatever for, the queue of each beside it.
    pub fn asks(&self) -> Vec<(Queue, Ask)> {
        let state = self.state();
        let of = |(queue, messages): (&Queue, &Messages)| {
            let asks = messages.by_time.values().map(|message| message.ask.clone());
            asks.map(|ask| (queue.clone(), ask)).collect::<Vec<_>>()
        };
        state.queues.iter().flat_map(of).collect()
    }

    /// When the next ask may be seen; none if nothing waits.
    pub fn next_visible(&self) -> Option<Instant> {
        let state = self.state();
        state.queues.values().filter_map(|of| Some(of.by_time.first_key_value()?.0.0)).min()
    }

    /// How often the message was taken that was taken most often, of those that are there.
    pub fn most_deliveries(&self) -> u32 {
        let state = self.state();
        let messages = state.queues.values().flat_map(|of| of.by_time.values());
        messages.map(|message| message.deliveries).max().unwrap_or_default()
    }

    /// What was done so far.
    pub fn counted(&self) -> Counted {
        self.state().counted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Messages {
    fn put(&mut self, number: u64, at: Instant, message: Message) {
        self.times.insert(number, at);
        self.by_time.insert((at, number), message);
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let at = self.times.remove(&number)?;
        self.by_time.remove(&(at, number))
    }
}

#[async_trait]
impl AskQueue for Queues {
    async fn send(
        &self,
        queue: &Queue,
        asks: &[(Ask, Duration)],
    ) -> Result<Vec<usize>, QueueError> {
        let mut state = self.state();
        state.counted.requests += 1;
        for (ask, delay) in asks {
            let number = state.next;
            state.next += 1;
            state.counted.sent += 1;
            let message = Message { ask: ask.clone(), deliveries: 0 };
            let of_queue = state.queues.entry(queue.clone()).or_default();
            of_queue.put(number, Instant::now() + *delay, message);
        }
        Ok(Vec::new())
    }

    async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Delivery>, QueueError> {
        let mut state = self.state();
        state.counted.requests += 1;
        let now = Instant::now();
        let Some(messages) = state.queues.get_mut(queue) else { return Ok(Vec::new()) };
        let visible = messages.by_time.range(..=(now, u64::MAX)).map(|((_, number), _)| *number);
        let mut numbers: Vec<u64> = visible.take(most).collect();
        numbers.sort_unstable();
        let mut taken = Vec::new();
        for number in numbers {
            let Some(mut message) = messages.remove(number) else { continue };
            message.deliveries += 1;
            taken.push(Delivery {
                body: message.ask.encode(),
                ask: Ok(message.ask.clone()),
                receipt: number.to_string(),
                deliveries: message.deliveries,
            });
            messages.put(number, now + VISIBILITY_TIMEOUT, message);
        }
        state.counted.taken += taken.len() as u64;
        Ok(taken)
    }

    fn queues_beside(&self, models: &BTreeSet<&str>) -> Vec<Queue> {
        let state = self.state();
        let known = state.queues.keys().filter_map(|queue| match queue {
            Queue::Ready { model_id, .. } => Some(model_id.as_str()),
            Queue::Later | Queue::Jobs => None,
        });
        let known: BTreeSet<&str> = known.collect();
        queues_of_others(known.into_iter(), models)
    }

    async fn delete(&self, queue: &Queue, receipts: &[String]) -> Result<(), QueueError> {
        let mut state = self.state();
        state.counted.requests += 1;
        let Some(messages) = state.queues.get_mut(queue) else { return Ok(()) };
        for receipt in receipts {
            receipt.parse().ok().and_then(|number| messages.remove(number));
        }
        Ok(())
    }
}
