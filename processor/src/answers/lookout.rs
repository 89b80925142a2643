//! Looks for the answers of others, for all who wait: one read asks for many.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use program::causes;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::coordination::{Coordination, Entry};
use quota::clock::Clock;

/// How long looks gather, which is as long as the first wait between two of them: an answer
/// takes seconds. Sixty prompts that wait ten seconds take 819 reads by themselves, 242 where
/// looks gather for 30 ms, and 90 so.
const GATHER: Duration = Duration::from_millis(100);

/// Looks that are read together.
#[derive(Debug, Default)]
pub(crate) struct Lookout(Arc<Mutex<Vec<Look>>>);

#[derive(Debug)]
struct Look {
    hash: String,
    found: oneshot::Sender<Found>,
}

/// What is known of a prompt, or why that could not be read.
type Found = Result<Option<Entry>, String>;

impl Lookout {
    /// Reads what is known of a prompt, together with others who look within a moment.
    pub(crate) async fn look(
        &self,
        coordination: &Arc<dyn Coordination>,
        clock: &Clock,
        hash: &str,
    ) -> Found {
        let (found, looked) = oneshot::channel();
        let is_first = {
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            looks.push(Look { hash: hash.to_owned(), found });
            looks.len() == 1
        };
        if is_first {
            // A task of its own: the others must not wait for one who may go away.
            let (looks, coordination) = (Arc::clone(&self.0), Arc::clone(coordination));
            let clock = *clock;
            tokio::spawn(async move {
                sleep(GATHER).await;
                let looks =
                    std::mem::take(&mut *looks.lock().unwrap_or_else(PoisonError::into_inner));
                read(coordination.as_ref(), &clock, looks).await;
            });
        }
        looked.await.unwrap_or_else(|_| Err("answers were not read".to_owned()))
    }
}

async fn read(coordination: &dyn Coordination, clock: &Clock, looks: Vec<Look>) {
    let mut hashes: Vec<String> = looks.iter().map(|look| look.hash.clone()).collect();
    hashes.sort_unstable();
    // DynamoDB refuses a read that names a key twice.
    hashes.dedup();
    let read = coordination.answers(&hashes, clock.now_secs()).await;
    let read = read.map_err(|error| causes::told(&error));
    for Look { hash, found } in looks {
        let entry = read.as_ref().map(|known| known.get(&hash).cloned());
        // Who went away needs no answer.
        let _ = found.send(entry.map_err(Clone::clone));
    }
}
