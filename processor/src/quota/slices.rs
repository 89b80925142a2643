//! Takes slices for the calls that wait, and gives each its own time.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::estimate::{Estimate, Price};
use super::lane::{Ask, Lane, Refused, WINDOW, micros};
use super::line::{Line, Place, Turn};
use super::pace::Pace;
use super::rate::Largest;
use super::settling::Differences;
use super::{Call, FUTILE_WAIT, Limiter, ModelQuota, NotAdmitted, rate};

/// How far ahead time is promised. An instance that dies, or calls that give up, leave
/// their time unused; a pace that changes takes effect behind it.
const MAX_AHEAD: Duration = Duration::from_secs(60);

/// Longest slice, unless one call alone is worth more: others wait meanwhile.
const MAX_SLICE: Duration = Duration::from_secs(5);

/// Part of a slice that is worth an update to give back.
const WORTH_GIVING_BACK: f64 = 0.2;

/// Longest call of the table.
const TABLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls of the table that fail one after the other before an instance keeps to its share:
/// one that is only busy answers the next.
const MAX_FAILURES: u32 = 3;

/// Wait between them.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// First time after which a table that did not answer is asked again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest time after which it is asked again.
const MAX_RETRY: Duration = Duration::from_secs(15);

/// First pause after a throttle; doubled with each that comes before an answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause, whatever the service asks for: a minute later the quota is there again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Microseconds of a day.
const DAY_US: u64 = 24 * 3_600 * 1_000_000;

/// What an instance knows and has promised.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) line: Line,
    pub(super) estimates: HashMap<String, Estimate>,
    pub(super) differences: Differences,
    /// What the campaigns' latest calls were charged, and can be settled to.
    latest: HashMap<String, (f64, f64)>,
    /// Lanes as they were seen last.
    lanes: HashMap<u32, Lane>,
    /// When the last call starts that has its time.
    pub(super) booked_until_us: u64,
    pub(super) paused_until_us: u64,
    pub(super) next_pause: Option<Duration>,
    pub(super) closed_until_us: u64,
    /// When a slice would begin that is asked for when the last one began, if the others
    /// that wait are as many as then.
    next_begins_us: u64,
    /// Until when nothing is asked, because the lanes are promised for long.
    busy_until_us: u64,
    failures: u32,
    alone: Option<Alone>,
    /// Until when it was on its own, if it was.
    was_alone_until_us: u64,
}

/// An instance that does not reach the table keeps to its share.
#[derive(Debug, Clone, Copy)]
struct Alone {
    /// Its own lane, of which nobody else takes slices.
    lane: Lane,
    retry_at_us: u64,
    next_retry: Duration,
}

/// What is asked for those that wait.
#[derive(Debug)]
struct Plan {
    /// Number of the lane; none where the instance is on its own.
    lane: Option<u32>,
    ask: Ask,
    charged: f64,
    factor: f64,
    pace: f64,
    calls: Vec<Place>,
    is_limited_by_deadlines: bool,
}

impl State {
    /// What a call will take.
    pub(super) fn price(&self, call: &Call<'_>, quota: &ModelQuota) -> Price {
        let estimate = self.estimates.get(call.campaign).cloned().unwrap_or_default();
        estimate.price(call.input_tokens, call.max_tokens, quota.output_burndown.get())
    }

    /// Pauses all calls, longer each time, and says the new pace of the lane.
    pub(super) fn throttled(
        &mut self,
        lane: Option<u32>,
        now_us: u64,
        retry_after: Option<Duration>,
    ) -> Option<Pace> {
        // Calls that were in flight together are told no together: that is one no.
        if self.paused_until_us <= now_us {
            let pause = self.next_pause.unwrap_or(FIRST_PAUSE).min(MAX_PAUSE);
            self.paused_until_us = now_us + micros(pause);
            self.next_pause = Some(pause * 2);
        }
        if let Some(asked) = retry_after {
            self.paused_until_us = self.paused_until_us.max(now_us + micros(asked.min(MAX_PAUSE)));
        }
        let lane = match lane {
            Some(number) => self.lanes.get_mut(&number)?,
            None => &mut self.alone.as_mut()?.lane,
        };
        let effective_us = lane.busy_until_us.max(now_us + micros(FIRST_RETRY));
        lane.pace = lane.pace.slowed(now_us, effective_us)?;
        Some(lane.pace)
    }

    /// How far ahead the lanes are promised, as far as is known; nothing where the calls
    /// that wait have no time to lose.
    pub(super) fn ahead_us(&self, lanes: u32, now_us: u64) -> u64 {
        let begins_us = self
            .lanes
            .get(&self.least_busy(lanes))
            .map(|lane| lane.earliest_us(lane.busy_until_us, lane.busy_until_us, 1.0));
        let begins_us = begins_us.unwrap_or_default().max(self.next_begins_us);
        let ahead_us = begins_us.saturating_sub(now_us);
        let mut deadlines = self.line.iter().map(|(_, waiting)| waiting.deadline_us);
        let is_urgent = deadlines.any(|deadline_us| deadline_us < now_us + 2 * ahead_us);
        if is_urgent || self.alone.is_some() { 0 } else { ahead_us }
    }

    /// The calls that wait with what they will take and their deadlines, first served first.
    fn priced(&self, quota: &ModelQuota) -> Vec<(Place, Price, u64)> {
        let (burndown, unknown) = (quota.output_burndown.get(), Estimate::default());
        let priced = self.line.iter().map(|(place, waiting)| {
            let estimate = self.estimates.get(&waiting.campaign).unwrap_or(&unknown);
            let price = estimate.price(waiting.input_tokens, waiting.max_tokens, burndown);
            (place, price, waiting.deadline_us)
        });
        priced.collect()
    }

    /// What to ask for the calls that wait, first served first.
    fn plan(&mut self, limiter: &Limiter, now_us: u64) -> Plan {
        let quota = &limiter.quota;
        let is_alone = self.alone.is_some_and(|alone| now_us < alone.retry_at_us);
        let lane = if is_alone { None } else { Some(self.least_busy(limiter.lanes)) };
        let seen = match lane {
            Some(number) => self.lanes.get(&number),
            None => self.alone.as_ref().map(|alone| &alone.lane),
        };
        let begins_us = seen.map_or(now_us, |lane| lane.busy_until_us.max(now_us));
        let pace = seen.map_or(1.0, |lane| lane.pace.at(begins_us));
        let shares = if is_alone { limiter.instance.instances.get() } else { limiter.lanes };

        let prices = self.priced(quota);
        for (place, price, _) in &prices {
            if let Some(waiting) = self.line.get(*place) {
                self.latest.insert(waiting.campaign.clone(), (price.charged, price.worst));
            }
        }
        let largest = self.largest();
        let now_and_more = now_us + micros(MAX_AHEAD);
        let (mut length_us, mut charged, mut latest_us) = (0, 0.0, now_and_more);
        let mut calls = Vec::new();
        for (place, price, deadline_us) in prices {
            let worth_us = (rate::worth_us(quota, shares, &price, largest) as f64 / pace) as u64;
            if !calls.is_empty() && length_us + worth_us > micros(MAX_SLICE) {
                break;
            }
            // Nothing is asked for a call that cannot start in time.
            if deadline_us < begins_us + length_us {
                continue;
            }
            latest_us = latest_us.min(deadline_us - length_us);
            length_us += worth_us;
            charged += price.charged;
            calls.push(place);
        }
        let factor = self.differences.factor(charged, now_us);
        let shares_of_day = u64::from(shares);
        let ask = Ask {
            now_us,
            length_us: (length_us as f64 * factor).ceil() as u64,
            latest_us,
            day: now_us / DAY_US,
            tokens: charged.ceil() as u64,
            tokens_per_day: quota.tokens_per_day.map(|tokens| tokens.get() / shares_of_day),
            is_idle_unused: is_alone || self.was_alone_until_us + micros(WINDOW) < now_us,
        };
        let is_limited_by_deadlines = latest_us < now_and_more;
        Plan { lane, ask, charged, factor, pace, calls, is_limited_by_deadlines }
    }

    /// The largest calls of those that share the quota.
    fn largest(&self) -> Largest {
        let latest = self.latest.values();
        latest.fold(Largest::default(), |largest, (charged, worst)| largest.or(*charged, *worst))
    }

    /// The lane that seems the least busy; one that was never seen is looked at first.
    fn least_busy(&self, lanes: u32) -> u32 {
        let busy = |number: &u32| self.lanes.get(number).map_or(0, |lane| lane.busy_until_us);
        (0..lanes).min_by_key(busy).unwrap_or(0)
    }

    /// Gives the calls that wait their times in a slice; says when the last one ends.
    fn give_turns(&mut self, limiter: &Limiter, plan: &Plan, lane: &Lane) -> u64 {
        let quota = &limiter.quota;
        let is_alone = plan.lane.is_none();
        let shares = if is_alone { limiter.instance.instances.get() } else { limiter.lanes };
        let ends_us = lane.busy_until_us;
        let mut next_us = ends_us - plan.ask.length_us;
        let waited_us = next_us.saturating_sub(plan.ask.now_us);
        self.next_begins_us = next_us.min(plan.ask.now_us) + 2 * waited_us;
        // Somebody may have slowed down meanwhile: fewer calls fit then.
        let pace = plan.pace.min(lane.pace.at(next_us)) / plan.factor;
        let largest = self.largest();
        let waiting = self.priced(quota);
        let mut is_first = true;
        for (place, price, _) in waiting {
            let worth_us = (rate::worth_us(quota, shares, &price, largest) as f64 / pace) as u64;
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
            }
        }
        self.differences.paid(plan.charged, plan.factor);
        next_us
    }

    /// The table does not answer.
    fn on_its_own(&mut self, now_us: u64) {
        let known_us = self.lanes.values().map(|lane| lane.busy_until_us).max().unwrap_or_default();
        let before = self.alone.take();
        let next_retry = before.map_or(FIRST_RETRY, |alone| (alone.next_retry * 2).min(MAX_RETRY));
        let retry_at_us = now_us + micros(next_retry);
        // What others were promised is spent until then.
        let busy_until_us = known_us.clamp(now_us, now_us + micros(MAX_AHEAD));
        let first = Lane {
            busy_until_us,
            resumed_at_us: 0,
            idle_us: 0,
            pace: Pace::default(),
            day_tokens: 0,
        };
        let lane = before.map_or(first, |alone| alone.lane);
        self.was_alone_until_us = retry_at_us;
        self.alone = Some(Alone { lane, retry_at_us, next_retry });
    }
}

impl Limiter {
    /// Takes the next slice, and gives the calls that wait their times in it.
    pub(super) async fn take_slice(&self) {
        let now_us = self.now_us();
        let plan = self.state().plan(self, now_us);
        let is_busy = plan.lane.is_some() && now_us < self.state().busy_until_us;
        if plan.calls.is_empty() || is_busy {
            return self.turn_away(&plan).await;
        }
        let Some(number) = plan.lane else { return self.take_of_own_share(&plan).await };
        let name = self.lane(number);
        let seen = self.state().lanes.get(&number).copied();
        self.slices.fetch_add(1, Ordering::Relaxed);
        let taken = self.instance.table.take(&name, &plan.ask, seen.as_ref());
        match timeout(TABLE_TIMEOUT, taken).await {
            Ok(Ok(Ok(lane))) => {
                let unused_from_us = {
                    let mut state = self.state();
                    state.alone = None;
                    state.failures = 0;
                    state.lanes.insert(number, lane);
                    state.give_turns(self, &plan, &lane)
                };
                let unused_us = lane.busy_until_us.saturating_sub(unused_from_us);
                if unused_us as f64 > plan.ask.length_us as f64 * WORTH_GIVING_BACK {
                    self.give_back(number, unused_from_us, lane.busy_until_us).await;
                }
            }
            Ok(Ok(Err(Refused::Busy(lane)))) => {
                let is_limited = plan.is_limited_by_deadlines;
                {
                    let mut state = self.state();
                    state.alone = None;
                    state.failures = 0;
                    state.lanes.insert(number, lane);
                    if !is_limited {
                        let pause = self.instance.jitter.spread(MAX_AHEAD);
                        state.busy_until_us = now_us + micros(pause);
                    }
                }
                self.turn_away(&plan).await;
            }
            Ok(Ok(Err(Refused::DayUsedUp))) => {
                self.day_used_up();
                self.turn_away(&plan).await;
            }
            Ok(Err(error)) => self.failed(&error.to_string(), now_us).await,
            Err(_) => self.failed("no answer", now_us).await,
        }
    }

    async fn failed(&self, reason: &str, now_us: u64) {
        let is_on_its_own = {
            let mut state = self.state();
            state.failures += 1;
            let is_on_its_own = state.failures >= MAX_FAILURES;
            if is_on_its_own {
                state.on_its_own(now_us);
            }
            is_on_its_own
        };
        if is_on_its_own {
            tracing::warn!(reason, "keeping to the static share of the quota");
        } else {
            sleep(self.instance.jitter.spread(FAILURE_WAIT)).await;
        }
    }

    async fn take_of_own_share(&self, plan: &Plan) {
        let taken = {
            let mut state = self.state();
            let Some(alone) = &mut state.alone else { return };
            let taken = Lane::take(Some(&alone.lane), &plan.ask);
            if let Ok(lane) = taken {
                alone.lane = lane;
                state.give_turns(self, plan, &lane);
            }
            taken
        };
        if taken.is_err() {
            self.turn_away(plan).await;
        }
    }

    /// Waits, and tells the calls that they cannot start in time: whoever only waits costs
    /// as much as whoever works, and whoever tries again at once costs reads.
    async fn turn_away(&self, plan: &Plan) {
        sleep(self.instance.jitter.spread(FUTILE_WAIT)).await;
        let mut state = self.state();
        let all: Vec<Place> = state.line.iter().map(|(place, _)| place).collect();
        let asked = if plan.calls.is_empty() { &all } else { &plan.calls };
        for place in asked {
            state.line.tell(*place, Err(NotAdmitted::OutOfTime));
        }
    }

    async fn give_back(&self, number: u32, from_us: u64, to_us: u64) {
        self.slices.fetch_add(1, Ordering::Relaxed);
        let given = self.instance.table.give_back(&self.lane(number), from_us, to_us).await;
        match given {
            Ok(()) => {
                if let Some(lane) = self.state().lanes.get_mut(&number)
                    && lane.busy_until_us == to_us
                {
                    lane.busy_until_us = from_us;
                }
            }
            Err(error) => tracing::debug!(%error, "unused time was not given back"),
        }
    }
}
