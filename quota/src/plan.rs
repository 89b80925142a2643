//! What is asked for the calls that wait, and how a slice is given to them.

use std::collections::HashMap;
use std::time::Duration;

use crate::estimate::Price;
use crate::known::Unknown;
use crate::lane::{Ask, Lane, micros};
use crate::line::{Place, Turn};
use crate::rate::{Largest, Rate};
use crate::slices::{MAX_AHEAD, MAX_SLICE};
use crate::state::State;
use crate::{Limiter, ModelQuota};

/// How long the size of calls of a kind counts: a window that held one, twice over.
const LATEST_COUNTS: Duration = Duration::from_secs(120);

/// Microseconds of a day.
pub(crate) const DAY_US: u64 = 24 * 3_600 * 1_000_000;

/// What is asked for those that wait.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Number of the lane; none where the instance is on its own.
    pub(crate) lane: Option<u32>,
    pub(crate) ask: Ask,
    factor: f64,
    pace: f64,
    pub(crate) calls: Vec<Place>,
    pub(crate) is_limited_by_deadlines: bool,
}

impl State {
    /// What to ask for the calls that wait, first served first.
    pub(crate) fn plan(&mut self, limiter: &Limiter, now_us: u64) -> Plan {
        let quota = &limiter.quota;
        let (lane, seen) = self.next_lane();
        let shares = limiter.shares(lane);
        let begins_us = seen.map_or(now_us, |lane| lane.busy_until_us.max(now_us));
        let pace = seen.map_or(1.0, |lane| lane.pace.at(begins_us));

        let prices = self.priced(quota, now_us);
        self.note_sizes(&prices, now_us);
        let rate = Rate { quota, shares, largest: self.largest(), pace };
        let now_and_more = now_us + micros(MAX_AHEAD);
        let (mut length_us, mut latest_us) = (0, now_and_more);
        let (mut calls, mut asked) = (Vec::new(), Vec::new());
        let mut unknown = Unknown::new(limiter.instance.instances.get());
        for (place, price, deadline_us) in prices {
            let worth_us = rate.worth_us(&price, 1.0);
            if !calls.is_empty() && length_us + worth_us > micros(MAX_SLICE) {
                break;
            }
            if !unknown.may_ask(self, place, now_us, worth_us) {
                continue;
            }
            // Nothing is asked for a call that cannot start in time.
            if deadline_us < begins_us + length_us {
                continue;
            }
            latest_us = latest_us.min(deadline_us - length_us);
            length_us += worth_us;
            calls.push(place);
            asked.push(price);
        }
        self.try_first(unknown, begins_us, now_us);
        let charged = asked.iter().map(|price| price.charged).sum();
        let factor =
            self.differences.factor(calls.len(), charged, begins_us.max(self.next_begins_us));
        let shares_of_day = u64::from(shares);
        let ask = Ask {
            now_us,
            length_us: asked.iter().map(|price| rate.worth_us(price, factor)).sum(),
            latest_us,
            day: now_us / DAY_US,
            tokens: (charged + self.day_more).max(0.0).ceil() as u64,
            tokens_per_day: quota.tokens_per_day.map(|tokens| tokens.get() / shares_of_day),
            resumes_us: None,
        };
        let is_limited_by_deadlines = latest_us < now_and_more;
        Plan { lane, ask, factor, pace, calls, is_limited_by_deadlines }
    }

    /// The calls that wait with what they will take and their deadlines, first served first.
    fn priced(&self, quota: &ModelQuota, now_us: u64) -> Vec<(Place, Price, u64)> {
        let burndown = quota.output_burndown.get();
        let mut known = HashMap::new();
        let priced = self.line.iter().map(|(place, waiting)| {
            let kind = waiting.kind.as_str();
            let sums = known.entry(kind).or_insert_with(|| self.known(kind, now_us));
            let price = sums.price(waiting.input_tokens, waiting.max_tokens, burndown);
            let price = price.drifted(self.drifts.of(kind, price.spread));
            (place, price, waiting.deadline_us)
        });
        priced.collect()
    }

    /// The lane to ask next, if the instance is not on its own, and as it was seen last.
    fn next_lane(&self) -> (Option<u32>, Option<Lane>) {
        match &self.alone {
            Some(alone) => (None, Some(alone.lane)),
            None => (Some(self.lane), self.lanes.get(&self.lane).map(|view| view.seen.lane)),
        }
    }

    /// Notes how large calls of each kind are, and forgets those that are gone.
    fn note_sizes(&mut self, prices: &[(Place, Price, u64)], now_us: u64) {
        self.latest.retain(|_, (_, at_us)| *at_us + micros(LATEST_COUNTS) > now_us);
        for (place, price, _) in prices {
            if let Some(waiting) = self.line.get(*place) {
                let call = Largest { charged: price.charged, worst: price.worst };
                self.latest.insert(waiting.kind.clone(), (call, now_us));
            }
        }
    }

    /// The largest calls of those that share the quota.
    fn largest(&self) -> Largest {
        let latest = self.latest.values();
        latest.fold(Largest::default(), |all, (call, _)| all.or(call.charged, call.worst))
    }

    /// Gives the calls that wait their times in a slice; says when the last one ends.
    pub(crate) fn give_turns(&mut self, limiter: &Limiter, plan: &Plan, lane: &Lane) -> u64 {
        let (quota, shares) = (&limiter.quota, limiter.shares(plan.lane));
        let ends_us = lane.busy_until_us;
        let mut next_us = ends_us - plan.ask.length_us;
        let waited_us = next_us.saturating_sub(plan.ask.now_us);
        self.next_begins_us = next_us.min(plan.ask.now_us) + 2 * waited_us;
        // Somebody may have slowed down meanwhile: fewer calls fit then.
        let pace = plan.pace.min(lane.pace.at(next_us));
        let rate = Rate { quota, shares, largest: self.largest(), pace };
        let waiting = self.priced(quota, plan.ask.now_us);
        let (mut is_first, mut charged) = (true, 0.0);
        for (place, price, _) in waiting {
            let worth_us = rate.worth_us(&price, plan.factor);
            // Rounding may not cost the last call its time.
            if next_us + worth_us > ends_us + worth_us / 50 && !is_first {
                break;
            }
            is_first = false;
            let earliest_us = lane.earliest_us(next_us, next_us + worth_us, price.evenness());
            let turn = Turn { lane: plan.lane, earliest_us, begins_us: next_us, price };
            if self.line.tell(place, Ok(turn)) {
                self.booked_until_us = self.booked_until_us.max(earliest_us);
                next_us += worth_us;
                charged += price.charged;
            }
        }
        // What is not used may go back, and pays nothing then.
        self.differences.paid(charged, plan.factor);
        self.day_more += charged - plan.ask.tokens as f64;
        next_us
    }
}
