//! Sends many asks in few requests: those of a moment go together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::ask::{Ask, Queue};
use futures::future::join_all;
use program::causes;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{AskQueue, MAX_MESSAGES, NOT_SENT};

/// How long asks gather: short beside the write that came before each.
const GATHER: Duration = Duration::from_millis(20);

/// Sends asks.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    queue: Arc<dyn AskQueue>,
    waiting: Arc<Mutex<HashMap<Queue, Vec<Outgoing>>>>,
}

#[derive(Debug)]
struct Outgoing {
    ask: Ask,
    delay: Duration,
    told: oneshot::Sender<bool>,
}

impl Outbox {
    /// Sends to these queues.
    pub(crate) fn new(queue: Arc<dyn AskQueue>) -> Self {
        Self { queue, waiting: Arc::default() }
    }

    /// Sends an ask together with others of the same moment; tells whether it was taken.
    pub(crate) async fn send(&self, queue: Queue, ask: Ask, delay: Duration) -> bool {
        let (told, sent) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let of_queue = waiting.entry(queue.clone()).or_default();
            of_queue.push(Outgoing { ask, delay, told });
            of_queue.len() == 1
        };
        if is_first {
            // A task of its own: the others must not wait for one who may go away.
            let (outbox, waiting) = (self.clone(), Arc::clone(&self.waiting));
            tokio::spawn(async move {
                sleep(GATHER).await;
                let gathered = {
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    waiting.remove(&queue).unwrap_or_default()
                };
                outbox.send_all(&queue, gathered).await;
            });
        }
        sent.await.unwrap_or(false)
    }

    async fn send_all(&self, queue: &Queue, mut gathered: Vec<Outgoing>) {
        let mut requests = Vec::new();
        while !gathered.is_empty() {
            let some = gathered.split_off(gathered.len().saturating_sub(MAX_MESSAGES));
            requests.push(self.send_some(queue, some));
        }
        join_all(requests).await;
    }

    async fn send_some(&self, queue: &Queue, some: Vec<Outgoing>) {
        let asks: Vec<(Ask, Duration)> =
            some.iter().map(|each| (each.ask.clone(), each.delay)).collect();
        let refused = match self.queue.send(queue, &asks).await {
            Ok(refused) => refused,
            Err(error) => {
                tracing::warn!(error = causes::told(&error), asks = asks.len(), NOT_SENT);
                (0..asks.len()).collect()
            }
        };
        for (place, each) in some.into_iter().enumerate() {
            // Who went away needs no answer: what it stands for comes again.
            let _ = each.told.send(!refused.contains(&place));
        }
    }
}
