//! One rate, held for a while.
//!
//! A thread keeps the schedule: whenever look-ups are due, it lets as many of the
//! waiting tasks go. Where all tasks are busy, what is due waits, and its latency
//! goes on counting.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::mix::Mix;
use super::result::{Counts, Step};
use super::users::{Users, stranger};
use super::{MAX_FAILED_SHARE, Plan};
use crate::client::{Client, Kind, TIMEOUT};
use crate::latency::Latencies;
use crate::random::mixed;

/// How often the schedule is looked at: what is due is late by no more.
const TICK: Duration = Duration::from_micros(200);

/// Most look-ups of a step, so that its numbers stay exact.
const MAX_LOOKUPS: f64 = 1e12;

/// Look-ups of a step.
pub(super) fn total(rate: f64, step: Duration) -> u64 {
    (rate * step.as_secs_f64()).round().clamp(1.0, MAX_LOOKUPS) as u64
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Tally {
    latencies: Latencies,
    delays: Latencies,
    counts: Counts,
}

/// The moments at which look-ups are due.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    start: Instant,
    rate: f64,
    total: u64,
}

impl Schedule {
    /// When the `n`th look-up is due, from 0.
    fn due(&self, n: u64) -> Instant {
        self.start + Duration::from_secs_f64(n as f64 / self.rate)
    }

    /// Look-ups that are due by `now`.
    fn due_by(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        ((elapsed * self.rate) as u64).saturating_add(1).min(self.total)
    }

    /// When no look-up is begun any more: those that are late by then fail in any case.
    fn end(&self) -> Instant {
        self.due(self.total) + TIMEOUT
    }
}

struct Running {
    mix: Mix,
    seed: u64,
    client: Client,
    users: Arc<Users>,
    schedule: Schedule,
    next: AtomicU64,
    tally: Mutex<Tally>,
    bar: ProgressBar,
}

/// Holds a rate, and says what it came to.
pub(super) async fn run(
    plan: &Plan,
    client: &Client,
    users: &Arc<Users>,
    rate: f64,
    bar: &ProgressBar,
) -> Step {
    let schedule = Schedule { start: Instant::now(), rate, total: total(rate, plan.step) };
    let (due, stop) = (Arc::new(Semaphore::new(0)), Stop(Arc::default()));
    let clock = keep(schedule, Arc::clone(&due), Arc::clone(&stop.0));
    let running = Arc::new(Running {
        mix: plan.mix,
        seed: plan.seed,
        client: client.clone(),
        users: Arc::clone(users),
        schedule,
        next: AtomicU64::default(),
        tally: Mutex::default(),
        bar: bar.clone(),
    });
    // No more tasks than look-ups: each of them has at least one to make.
    let tasks = plan.in_flight.min(usize::try_from(schedule.total).unwrap_or(usize::MAX)).max(1);
    let mut set = JoinSet::new();
    for _ in 0..tasks {
        set.spawn(Arc::clone(&running).task(Arc::clone(&due)));
    }
    while set.join_next().await.is_some() {}
    let took = schedule.start.elapsed();
    drop(stop);
    let _ = clock.join();
    let tally = running.tally.lock().unwrap_or_else(PoisonError::into_inner);
    outcome(plan, rate, took, &tally)
}

/// Ends the thread, also where the run itself is dropped.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts the thread that keeps the schedule.
fn keep(schedule: Schedule, due: Arc<Semaphore>, stop: Arc<AtomicBool>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut released = 0;
        while released < schedule.total && !stop.load(Ordering::Relaxed) {
            let due_now = schedule.due_by(Instant::now());
            due.add_permits(usize::try_from(due_now - released).unwrap_or(usize::MAX));
            released = due_now;
            thread::sleep(TICK);
        }
        // Whoever still waits learns that there is nothing left.
        due.add_permits(Semaphore::MAX_PERMITS / 2);
    })
}

impl Running {
    async fn task(self: Arc<Self>, due: Arc<Semaphore>) {
        while let Ok(permit) = due.acquire().await {
            permit.forget();
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if n >= self.schedule.total {
                return;
            }
            self.look_up(n).await;
            self.bar.inc(1);
        }
    }

    async fn look_up(&self, n: u64) {
        let (due, now) = (self.schedule.due(n), Instant::now());
        let delay = now.saturating_duration_since(due);
        if now > self.schedule.end() {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.counts.not_sent += 1;
            tally.latencies.record(delay);
            return;
        }
        let random = mixed(self.seed ^ mixed(n));
        let expected = self.mix.pick(random >> 32);
        let reply = match expected {
            Kind::Hit => self.client.look_up(self.users.any(self.seed, n), None).await,
            Kind::Miss => self.client.look_up(&stranger(random), None).await,
            _ => self.client.look_up_as_stranger(&stranger(random)).await,
        };
        let latency = due.elapsed();
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.latencies.record(latency);
        tally.delays.record(delay);
        tally.counts.add(expected, reply.kind);
    }
}

fn outcome(plan: &Plan, rate: f64, took: Duration, tally: &Tally) -> Step {
    let latency = tally.latencies.summary();
    let failed_share = tally.counts.failed() as f64 / latency.count.max(1) as f64;
    let in_time = tally.latencies.quantile(0.99) <= plan.bound;
    Step {
        rate,
        answered_per_second: tally.counts.answered() as f64 / took.as_secs_f64().max(1e-9),
        kept: in_time && failed_share <= MAX_FAILED_SHARE,
        counts: tally.counts,
        latency,
        sending_delay: tally.delays.summary(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_ups_are_due_by_the_clock_alone() {
        let start = Instant::now();
        let schedule = Schedule { start, rate: 1_000.0, total: 500 };
        let after = |ms| start + Duration::from_millis(ms);

        assert_eq!(schedule.due(250), after(250));
        assert_eq!([0, 100, 10_000].map(|ms| schedule.due_by(after(ms))), [1, 101, 500]);
        assert_eq!(schedule.end(), after(500) + TIMEOUT);
    }
}
