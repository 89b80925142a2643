//! The queues of asks, a port: what cannot be answered now waits there.
//!
//! - [`sqs`] — the queues on SQS.
//! - `place` — which queue an ask waits on, and how long it is hidden there.
//! - `outbox` — sends many asks in few requests.
//! - `worker` — takes asks up whose time has come.

mod outbox;
mod place;
pub mod sqs;
mod worker;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use contract::ask::{Ask, Class, EVERY_OTHER, Queue, Undecodable};
use program::aws::CallError;

pub(crate) use outbox::Outbox;
pub use place::{announced_until_ms, place};
pub use sqs::Sqs;
pub(crate) use worker::Worker;

/// Most messages of one request (AWS limit).
pub const MAX_MESSAGES: usize = 10;

/// Why events go back whose ask could not be sent.
pub(crate) const NOT_SENT: &str = "ask was not sent in time";

/// Keeps asks.
#[async_trait]
pub trait AskQueue: Debug + Send + Sync {
    /// Puts up to [`MAX_MESSAGES`] asks on a queue, each hidden for so long; tells the places
    /// of those that it did not take.
    async fn send(&self, queue: &Queue, asks: &[(Ask, Duration)])
    -> Result<Vec<usize>, QueueError>;

    /// Takes up to [`MAX_MESSAGES`] messages, which are hidden from others meanwhile, those that
    /// came first first as far as the service keeps that. Waits for none.
    async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Delivery>, QueueError>;

    /// The queues of models that are none of these: campaigns named them once.
    fn queues_beside(&self, models: &BTreeSet<&str>) -> Vec<Queue>;

    /// Removes up to [`MAX_MESSAGES`] messages that were taken.
    async fn delete(&self, queue: &Queue, receipts: &[String]) -> Result<(), QueueError>;
}

/// One message that was taken.
#[derive(Debug)]
pub struct Delivery {
    /// What it asks.
    pub ask: Result<Ask, Undecodable>,
    /// As it came.
    pub body: String,
    /// By what it is removed.
    pub receipt: String,
    /// How often it was taken, this time included.
    pub deliveries: u32,
}

/// A queue did not do it.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct QueueError {
    /// What was not done.
    pub attempted: &'static str,
    /// Why.
    #[source]
    pub cause: CallError,
}

/// The queues of those `known` models that are none of `models`.
pub(crate) fn queues_of_others<'k>(
    known: impl Iterator<Item = &'k str>,
    models: &BTreeSet<&str>,
) -> Vec<Queue> {
    let others = known.filter(|model_id| *model_id != EVERY_OTHER && !models.contains(model_id));
    let queues = others.flat_map(|model_id| {
        Class::ALL.map(|class| Queue::Ready { model_id: model_id.to_owned(), class })
    });
    queues.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queues_of_every_other_model_are_no_models_own() {
        let known = ["a", "b", EVERY_OTHER].into_iter();

        let others = queues_of_others(known, &BTreeSet::from(["a"]));

        let of_b =
            |queue: &Queue| matches!(queue, Queue::Ready { model_id, .. } if model_id == "b");
        assert_eq!((others.len(), others.iter().all(of_b)), (Class::ALL.len(), true));
    }
}
