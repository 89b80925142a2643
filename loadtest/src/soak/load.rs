//! Look-ups while everything else goes on: open loop, at one rate, until the end.
//!
//! Asked are users of the files (content or fallback, as they may have none yet), users whom
//! nobody knows, and callers with wrong credentials.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::result::{Failure, LookUps};
use crate::client::{Client, Kind};
use crate::latency::Latencies;
use crate::lookups::mix::Mix;
use crate::lookups::result::Counts;
use crate::lookups::users::{Users, stranger};
use crate::random::mixed;

/// Who is asked for.
const MIX: Mix = Mix { hit: 80, miss: 18, unauthorised: 2 };

/// Look-ups under way at a time; one that is due beyond them counts as failed.
const IN_FLIGHT: u32 = 512;

/// Failures that are kept one by one.
const MAX_FAILURES: usize = 20;

/// What was counted so far.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    latencies: Latencies,
    /// Since the last moment.
    recent: Latencies,
    recent_failed: u64,
    failures: Vec<Failure>,
}

/// The latencies of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Recent {
    pub(super) count: u64,
    pub(super) p99_ms: f64,
    pub(super) failed: u64,
}

/// Look-ups at a rate.
pub(super) struct Load {
    client: Client,
    users: Users,
    rate: f64,
    seed: u64,
    start: Instant,
    slots: Arc<Semaphore>,
    tally: Arc<Mutex<Tally>>,
}

impl Load {
    /// Look-ups that begin at `start`; none at the rate 0.
    pub(super) fn new(client: Client, users: Users, rate: f64, seed: u64, start: Instant) -> Self {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT as usize));
        Self { client, users, rate, seed, start, slots, tally: Arc::default() }
    }

    /// Looks users up until it is dropped.
    pub(super) async fn run(&self) {
        if self.rate <= 0.0 {
            return std::future::pending().await;
        }
        for n in 0_u64.. {
            let due = self.start + Duration::from_secs_f64(n as f64 / self.rate);
            sleep_until(due).await;
            self.look_up(n, due);
        }
    }

    fn look_up(&self, n: u64, due: Instant) {
        let (tally, start) = (Arc::clone(&self.tally), self.start);
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            locked(&tally).counts.not_sent += 1;
            return;
        };
        let random = mixed(self.seed ^ mixed(n));
        let (client, asked) = (self.client.clone(), MIX.pick(random >> 32));
        let user = match asked {
            Kind::Hit => self.users.any(self.seed, n).to_owned(),
            _ => stranger(random),
        };
        tokio::spawn(async move {
            let got = match asked {
                Kind::Unauthorised => client.look_up_as_stranger(&user).await.kind,
                _ => client.look_up(&user, None).await.kind,
            };
            locked(&tally).count(asked, got, due, start);
            drop(slot);
        });
    }

    /// Waits for what is under way; each ends within the client's own time limit.
    pub(super) async fn finish(self) -> LookUps {
        // Closed by nobody.
        let _ = self.slots.acquire_many(IN_FLIGHT).await;
        let tally = locked(&self.tally);
        LookUps {
            counts: tally.counts,
            latency: tally.latencies.summary(),
            failures: tally.failures.clone(),
        }
    }

    /// What ended since this was asked before.
    pub(super) fn recent(&self) -> Recent {
        let mut tally = locked(&self.tally);
        let latencies = std::mem::take(&mut tally.recent);
        let failed = std::mem::take(&mut tally.recent_failed);
        let summary = latencies.summary();
        Recent { count: summary.count, p99_ms: summary.p99_ms, failed }
    }
}

impl Tally {
    fn count(&mut self, asked: Kind, got: Kind, due: Instant, start: Instant) {
        // A user of the files may have no content yet, or no more.
        let is_known = asked == Kind::Hit && matches!(got, Kind::Hit | Kind::Miss);
        let expected = if is_known { got } else { asked };
        self.counts.add(expected, got);
        let latency = due.elapsed();
        self.latencies.record(latency);
        self.recent.record(latency);
        self.recent_failed += u64::from(got.is_failure());
        if got != expected && self.failures.len() < MAX_FAILURES {
            let secs = due.saturating_duration_since(start).as_secs_f64();
            self.failures.push(Failure { secs, kind: got });
        }
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_the_files_may_have_content_or_not_and_anything_else_is_listed() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        let mut count = |asked, got| tally.count(asked, got, now, now);
        count(Kind::Hit, Kind::Hit);
        count(Kind::Hit, Kind::Miss);
        count(Kind::Miss, Kind::Miss);
        count(Kind::Unauthorised, Kind::Unauthorised);
        count(Kind::Miss, Kind::Hit);
        count(Kind::Unauthorised, Kind::Miss);
        count(Kind::Hit, Kind::TimedOut);

        assert_eq!((tally.counts.unexpected, tally.counts.failed()), (2, 1));
        let listed: Vec<Kind> = tally.failures.iter().map(|failure| failure.kind).collect();
        assert_eq!(listed, [Kind::Hit, Kind::Miss, Kind::TimedOut]);
        assert_eq!(tally.recent_failed, 1);
    }
}
