//! A call that was admitted, until it is known what it took.

use std::time::Duration;

use crate::estimate::{Price, Sums, Tokens};
use crate::limiter::Call;
use crate::line::Turn;
use crate::scheduler::Scheduler;

/// Tokens taken for a call that has not ended.
///
/// Dropping it without [`Reservation::settle`] keeps the worst case charged, which is
/// what the service may do to a call that is cut off.
#[derive(Debug)]
#[must_use = "settle the reservation when the call ends"]
pub struct Reservation<'a> {
    scheduler: &'a Scheduler,
    kind: String,
    input_tokens: u64,
    turn: Turn,
    started_us: u64,
    /// Its number among the calls that started here.
    number: u64,
    is_open: bool,
}

impl<'a> Reservation<'a> {
    pub(crate) fn new(scheduler: &'a Scheduler, call: &Call<'_>, turn: Turn) -> Self {
        let started_us = scheduler.now_us();
        let (kind, input_tokens) = (call.kind.to_owned(), call.input_tokens);
        let number = scheduler.state().forecast.drifts.start();
        Self { scheduler, kind, input_tokens, turn, started_us, number, is_open: true }
    }

    /// Ends the call with what the service counted, be it less or more than charged.
    pub fn settle(mut self, tokens: Tokens) {
        self.is_open = false;
        let burndown = self.scheduler.quota.output_burndown.get();
        let settled = tokens.input + tokens.output * u64::from(burndown);
        let mut state = self.scheduler.state();
        state.next_pause = None;
        if let Some(number) = self.turn.number {
            state.forecast.drifts.lost(self.number);
            drop(state);
            return self.scheduler.ended(number, settled);
        }
        let settled = settled as f64;
        let took_us = self.scheduler.now_us().saturating_sub(self.started_us);
        let took = Duration::from_micros(took_us);
        let charged = self.turn.price.charged;
        let reserved = self.turn.price.reserved.min(self.turn.price.worst);
        let took_tokens = Price::new(reserved, settled, took, settled).charged;
        let known = state.forecast.known(&state.views, &self.kind, self.started_us);
        let learnt = Sums::of_call(&known, self.input_tokens, tokens, burndown, took);
        state.forecast.learn(&self.kind, &learnt);
        // Nobody gets back what a call was charged because little was known: its time has
        // passed.
        let usual = known.usual(self.input_tokens, burndown).unwrap_or(settled);
        state.forecast.drifts.took(self.number, &self.kind, settled / usual.max(1.0) - 1.0);
        let drift = state.forecast.drifts.of(&self.kind, self.turn.price.spread);
        let chance = settled - usual * (1.0 + drift);
        state.differences.add(self.started_us, took_tokens - charged - chance, chance);
        state.day_more += settled - charged;
    }

    /// Ends a call that the service does not charge: it was refused, or never left.
    pub fn release(self) {
        self.forget();
    }

    /// What was charged is not charged any more; of a lane its time passed unused.
    pub(crate) fn forget(mut self) -> Option<u32> {
        self.is_open = false;
        let mut state = self.scheduler.state();
        state.forecast.drifts.lost(self.number);
        if self.turn.number.is_none() {
            state.day_more -= self.turn.price.charged;
        }
        drop(state);
        self.scheduler.pass(&self.turn);
        self.turn.lane
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.is_open {
            let more = self.turn.price.worst - self.turn.price.charged;
            let mut state = self.scheduler.state();
            state.forecast.drifts.lost(self.number);
            if self.turn.number.is_none() {
                state.differences.add(self.started_us, more, 0.0);
                state.day_more += more;
            }
        }
    }
}
