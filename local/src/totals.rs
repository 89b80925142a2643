//! What has happened so far, added up over all invocations.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::metrics::{self, Counts, Distribution};

use crate::billing::Billing;

/// Most event types that are told apart: Currents has 94.
const MAX_EVENT_TYPES: usize = 200;

/// Counters that every part of the process adds to.
#[derive(Debug, Default)]
pub struct Totals {
    counts: Mutex<Counts>,
    /// Events in the records that are done with, by type.
    event_types: Mutex<BTreeMap<String, u64>>,
    /// Records that go back for a reason and have not come through since, by shard.
    returned: Mutex<BTreeMap<String, (String, usize)>>,
    /// Objects uploaded, each of which was notified of.
    pub uploaded: AtomicU64,
    /// Notifications sent: of uploads, and of the rest of large objects.
    pub notified: AtomicU64,
    /// Notifications that were handled to their end.
    pub notifications_done: AtomicU64,
    /// Stream records taken off the shards.
    pub records_taken: AtomicU64,
    /// Stream records that are done with: processed, or given up with a dead letter.
    pub records_done: AtomicU64,
    /// Events in the records that are done with.
    pub events_done: AtomicU64,
    /// Bytes of the records that are done with.
    pub bytes_done: AtomicU64,
    /// Messages that the queues of asks had taken when this began at zero.
    pub asks_sent_before: AtomicU64,
    /// Messages that invocations removed from the queues of asks.
    pub asks_removed: AtomicU64,
    /// Those of them that invocations removed which nobody heard of any more.
    pub asks_unheard: AtomicU64,
    /// What AWS would charge for.
    pub billing: Arc<Billing>,
    /// Whether an invocation for asks is under way, which is counted at its end.
    pub asks_at_work: AtomicBool,
}

impl Totals {
    /// Counts from zero on, beside what `billing` counts.
    pub fn beside(billing: &Arc<Billing>) -> Self {
        Self { billing: Arc::clone(billing), ..Self::default() }
    }

    /// Begins again at zero; only while nothing is under way. The queues of asks had taken
    /// `asks_sent` messages by then.
    pub fn restart(&self, asks_sent: u64) {
        *locked(&self.counts) = Counts::default();
        locked(&self.event_types).clear();
        locked(&self.returned).clear();
        self.billing.restart();
        for counter in [
            &self.uploaded,
            &self.notified,
            &self.notifications_done,
            &self.records_taken,
            &self.records_done,
            &self.events_done,
            &self.bytes_done,
            &self.asks_removed,
            &self.asks_unheard,
        ] {
            counter.store(0, Ordering::SeqCst);
        }
        self.asks_sent_before.store(asks_sent, Ordering::SeqCst);
    }

    /// Adds an invocation's counters.
    pub fn add(&self, counts: &Counts) {
        locked(&self.counts).merge(counts);
    }

    /// Adds events of a type that are done with; of files that hold very many types, which
    /// Currents does not have, some are not told apart.
    pub fn add_events_of(&self, event_type: &str, n: u64) {
        let mut types = locked(&self.event_types);
        if types.contains_key(event_type) || types.len() < MAX_EVENT_TYPES {
            *types.entry(event_type.to_owned()).or_default() += n;
        }
    }

    /// Events that are done with, by type.
    pub fn event_types(&self) -> BTreeMap<String, u64> {
        locked(&self.event_types).clone()
    }

    /// Notes how many records of a shard go back and why, or that none does any more.
    pub fn note_returned(&self, shard: &str, returned: Option<(String, usize)>) {
        match returned {
            Some(returned) => drop(locked(&self.returned).insert(shard.to_owned(), returned)),
            None => drop(locked(&self.returned).remove(shard)),
        }
    }

    /// How many records go back, by reason.
    pub fn returned(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for (reason, n) in locked(&self.returned).values() {
            *reasons.entry(reason.clone()).or_default() += n;
        }
        reasons
    }

    /// Bytes that stand on the stream: put there by invocations that have ended, and not done.
    pub fn backlog_bytes(&self) -> u64 {
        let done = get(&self.bytes_done);
        locked(&self.counts).get(metrics::STREAM_BYTES).saturating_sub(done)
    }

    /// All counters as they are now.
    pub fn counts(&self) -> Counts {
        locked(&self.counts).clone()
    }

    /// Contents whose freshness is known.
    pub fn freshness_count(&self) -> u64 {
        self.with_freshness(Distribution::count)
    }

    /// The freshness that `quantile` (0 to 1) of all contents had or bettered.
    pub fn freshness(&self, quantile: f64) -> Duration {
        Duration::from_millis(self.with_freshness(|times| times.quantile(quantile)))
    }

    fn with_freshness(&self, read: impl FnOnce(&Distribution) -> u64) -> u64 {
        let counts = locked(&self.counts);
        counts.all().times.get(metrics::FRESHNESS).map_or(0, read)
    }
}

/// Adds to a counter and lets every reader see it.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::SeqCst);
}

/// Reads a counter.
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counters are whole after every statement, so a panic elsewhere harms nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
