//! What is asked for the calls that wait, and how a slice is given to them.

use std::collections::HashMap;

use crate::estimate::Price;
use crate::forecast::Trial;
use crate::lane::{Ask, DAY_US, Lane, micros};
use crate::line::{Place, Turn, Waiting};
use crate::rate::Rate;
use crate::scheduler::{MAX_AHEAD, MAX_SLICE, Scheduler};
use crate::settings::ModelQuota;
use crate::state::State;
use crate::tally::is_small;

/// What is asked for those that wait.
#[derive(Debug)]
pub(crate) struct Bid {
    /// Number of the lane; none where the instance is on its own.
    pub(crate) lane: Option<u32>,
    pub(crate) ask: Ask,
    factor: f64,
    pace: f64,
    pub(crate) calls: Vec<Place>,
    pub(crate) is_limited_by_deadlines: bool,
}

/// A call that waits, and what it will take.
struct Wish<'a> {
    place: Place,
    waiting: &'a Waiting,
    price: Price,
}

impl Bid {
    /// What to ask for the calls that wait, first served first.
    pub(crate) fn new(state: &mut State, scheduler: &Scheduler, now_us: u64) -> Self {
        let quota = &scheduler.quota;
        let (lane, seen) = next_lane(state);
        let shares = scheduler.shares(lane);
        let begins_us = seen.map_or(now_us, |lane| lane.busy_until_us.max(now_us));
        let pace = seen.map_or(1.0, |lane| lane.pace.at(begins_us));

        note_sizes(state, quota, now_us);
        let rate = Rate { quota, shares, largest: state.forecast.largest(), pace };
        let now_and_more = now_us + micros(MAX_AHEAD);
        let (mut length_us, mut latest_us) = (0, now_and_more);
        let (mut calls, mut asked) = (Vec::new(), Vec::new());
        let mut trial = Trial::new(scheduler.instance.instances.get());
        for Wish { place, waiting, price } in wishes(state, quota, now_us) {
            let worth_us = rate.worth_us(&price, 1.0);
            if !calls.is_empty() && length_us + worth_us > micros(MAX_SLICE) {
                break;
            }
            let (forecast, kind) = (&state.forecast, &waiting.kind);
            if !trial.may_ask(forecast, &state.views, kind, now_us, worth_us) {
                continue;
            }
            if lane.is_none() && !fits_a_share(&price, quota, shares) {
                continue;
            }
            // Nothing is asked for a call that cannot start in time.
            if waiting.deadline_us < begins_us + length_us {
                continue;
            }
            latest_us = latest_us.min(waiting.deadline_us - length_us);
            length_us += worth_us;
            calls.push(place);
            asked.push(price);
        }
        state.forecast.try_first(trial, begins_us, now_us);
        let charged = asked.iter().map(|price| price.charged).sum();
        let next_us = begins_us.max(state.next_begins_us);
        let factor = state.differences.factor(calls.len(), charged, next_us);
        let ask = Ask {
            now_us,
            length_us: asked.iter().map(|price| rate.worth_us(price, factor)).sum(),
            latest_us,
            day: now_us / DAY_US,
            tokens: (charged + state.day_more).max(0.0).ceil() as u64,
            tokens_per_day: quota.tokens_per_day.map(|tokens| tokens.get() / u64::from(shares)),
            resumes_us: None,
        };
        let is_limited_by_deadlines = latest_us < now_and_more;
        Self { lane, ask, factor, pace, calls, is_limited_by_deadlines }
    }

    /// Gives the calls that wait their times in a slice; says when the last one ends.
    pub(crate) fn give_turns(&self, state: &mut State, scheduler: &Scheduler, lane: &Lane) -> u64 {
        let (quota, shares) = (&scheduler.quota, scheduler.shares(self.lane));
        let (ends_us, now_us) = (lane.busy_until_us, self.ask.now_us);
        let mut next_us = ends_us - self.ask.length_us;
        let waited_us = next_us.saturating_sub(now_us);
        state.next_begins_us = next_us.min(now_us) + 2 * waited_us;
        // Somebody may have slowed down meanwhile: fewer calls fit then.
        let pace = self.pace.min(lane.pace.at(next_us));
        let rate = Rate { quota, shares, largest: state.forecast.largest(), pace };
        let wishes = wishes(state, quota, now_us).map(|wish| (wish.place, wish.price));
        let (mut is_first, mut charged) = (true, 0.0);
        for (place, price) in wishes.collect::<Vec<_>>() {
            let worth_us = rate.worth_us(&price, self.factor);
            // Rounding may not cost the last call its time.
            if next_us + worth_us > ends_us + worth_us / 50 && !is_first {
                break;
            }
            is_first = false;
            let earliest_us = lane.earliest_us(next_us, next_us + worth_us, price.evenness());
            let turn =
                Turn { lane: self.lane, number: None, earliest_us, begins_us: next_us, price };
            if state.line.tell(place, Ok(turn)) {
                state.booked_until_us = state.booked_until_us.max(earliest_us);
                next_us += worth_us;
                charged += price.charged;
            }
        }
        // What is not used may go back, and pays nothing then.
        state.differences.paid(charged, self.factor);
        state.day_more += charged - self.ask.tokens as f64;
        next_us
    }
}

/// Whether an instance may make a call on its own. Of a small quota none may that its share
/// does not hold: all instances together would make one each, at once.
fn fits_a_share(price: &Price, quota: &ModelQuota, shares: u32) -> bool {
    !is_small(quota) || price.worst <= quota.tokens_per_minute.get() as f64 / f64::from(shares)
}

/// The calls that wait with what they will take, first served first.
fn wishes<'s>(
    state: &'s State,
    quota: &ModelQuota,
    now_us: u64,
) -> impl Iterator<Item = Wish<'s>> + use<'s> {
    let burndown = quota.output_burndown.get();
    let mut known = HashMap::new();
    state.line.iter().map(move |(place, waiting)| {
        let kind = waiting.kind.as_str();
        let known =
            known.entry(kind).or_insert_with(|| state.forecast.known(&state.views, kind, now_us));
        Wish { place, waiting, price: state.forecast.price(known, waiting, burndown) }
    })
}

/// The lane to ask next, if the instance is not on its own, and as it was seen last.
fn next_lane(state: &State) -> (Option<u32>, Option<Lane>) {
    match &state.fallback {
        Some(fallback) => (None, Some(fallback.lane)),
        None => (Some(state.lane), state.views.lane(state.lane)),
    }
}

/// Notes how large the calls that wait are, and forgets those that are gone.
fn note_sizes(state: &mut State, quota: &ModelQuota, now_us: u64) {
    let sizes = wishes(state, quota, now_us).map(|wish| (wish.waiting.kind.clone(), wish.price));
    let sizes: Vec<_> = sizes.collect();
    state.forecast.note_sizes(sizes, now_us);
}
