//! The third drive: workers that take asks off, beside the shards' deliveries and after them.

use std::time::Duration;

use contract::metrics;
use processor::handler::{Processor, Report};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, sleep};

use super::{Run, Seen};
use crate::world::gate::{Faults, Gate};
use crate::world::{FUNCTION_TIMEOUT, SCHEDULE};

/// Looks for asks, after the last delivery, with faults.
const PATIENCE: u32 = 6;

/// Deliveries of a message from which on no worker fails: after some more it is given up.
const MOST_DELIVERIES: u32 = 3;

/// How long an ask may wait in all; after two weeks it would be given up.
const STALL: Duration = Duration::from_secs(13 * 24 * 3_600);

/// How often, at most, the time to the next look is doubled while there is nothing to do: to
/// the longest that an ask is hidden.
const MAX_IDLE: u32 = 4;

/// The workers of a run.
pub(super) struct Works<'a> {
    run: &'a Run,
    rng: StdRng,
    seen: Seen,
    /// An instance that lived through its last invocation.
    warm: Option<Instance>,
}

struct Instance {
    gate: Gate,
    processor: Processor,
}

impl<'a> Works<'a> {
    pub(super) fn new(run: &'a Run, rng: StdRng) -> Self {
        Self { run, rng, seen: Seen::default(), warm: None }
    }

    /// Works until everything is delivered and no ask waits.
    pub(super) async fn drive(mut self) -> Result<Seen, String> {
        let began = Instant::now();
        let (mut after_end, mut idle, mut was_empty) = (0, 0, false);
        loop {
            let asks = &self.run.world.asks;
            let (is_end, is_empty) = (self.run.is_delivered(), asks.next_visible().is_none());
            // What an instance sent whose process ended may still be on its way.
            if is_end && is_empty && was_empty {
                return Ok(self.seen);
            }
            was_empty = is_end && is_empty;
            if began.elapsed() > STALL {
                return Err(format!("asks wait for ever: {:?}", asks.asks()));
            }
            let is_calm = after_end > PATIENCE || asks.most_deliveries() >= MOST_DELIVERIES;
            after_end += u32::from(is_end);
            let done = self.work(is_calm).await?;
            idle = if done > 0 { 0 } else { (idle + 1).min(MAX_IDLE) };
            let wait = match is_end {
                true => SCHEDULE * 2_u32.pow(idle),
                false => Duration::from_millis(self.rng.random_range(0..10_000)),
            };
            sleep(wait).await;
        }
    }

    /// One look for asks, or two at once; tells how much was done.
    async fn work(&mut self, is_calm: bool) -> Result<u64, String> {
        let one = self.instance(is_calm);
        let mut done = 0;
        if self.rng.random_bool(0.15) {
            let other = self.fresh(is_calm);
            let (first, second) =
                futures::future::join(self.invoke(&one), self.invoke(&other)).await;
            done += self.ended(one, first)?;
            done += self.ended(other, second)?;
        } else {
            let report = self.invoke(&one).await;
            done += self.ended(one, report)?;
        }
        self.run.check_now()?;
        Ok(done)
    }

    /// Mostly one that is warm.
    fn instance(&mut self, is_calm: bool) -> Instance {
        let is_warm = self.rng.random_bool(0.8);
        match self.warm.take() {
            Some(warm) if is_warm && (!is_calm || warm.gate.is_calm()) => warm,
            _ => self.fresh(is_calm),
        }
    }

    fn fresh(&mut self, is_calm: bool) -> Instance {
        let faults = if is_calm { Faults::default() } else { self.run.faults };
        let gate = Gate::new(self.rng.random(), faults);
        let processor = self.run.world.instance(&gate, self.run.seed ^ gate.seed);
        Instance { gate, processor }
    }

    /// One invocation; `None` if its process ended, or it took too long.
    async fn invoke(&self, Instance { gate, processor }: &Instance) -> Option<Report> {
        tokio::select! {
            biased;
            report = processor.work(self.run.world.deadline()) => Some(report),
            () = gate.crashed.notified() => None,
            () = sleep(FUNCTION_TIMEOUT) => None,
        }
    }

    /// Checks the books of an invocation.
    fn ended(&mut self, instance: Instance, report: Option<Report>) -> Result<u64, String> {
        self.seen.works += 1;
        self.seen.faults += std::mem::take(&mut *instance.gate.injected.lock().expect("whole"));
        let Some(report) = report else {
            self.seen.crashes += 1;
            self.seen.works_cut_off += 1;
            return Ok(1);
        };
        let counts = report.counts;
        if counts.ask_fates() != counts.get(metrics::ASKS_RECEIVED) {
            return Err(format!("an ask has no fate: {}", counts.to_json()));
        }
        self.run.books.borrow_mut().merge(&counts);
        self.warm = Some(instance);
        Ok(counts.get(metrics::ASKS_RECEIVED) + counts.get(metrics::ASKS_MOVED))
    }
}
