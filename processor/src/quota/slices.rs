//! Takes slices for the calls that wait, and gives each its own time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::alone::Alone;
use super::estimate::{Learnt, Price, Sums, period};
use super::lane::{Ask, Lane, micros};
use super::line::{Line, Place, Turn};
use super::pace::Pace;
use super::rate::Largest;
use super::settling::Differences;
use super::table::{Seen, Taken};
use super::{Call, FUTILE_WAIT, Limiter, ModelQuota, NotAdmitted, rate};
use crate::jitter::Jitter;

/// How far ahead time is promised. An instance that dies, or calls that give up, leave
/// their time unused; a pace that changes takes effect behind it.
pub(super) const MAX_AHEAD: Duration = Duration::from_secs(60);

/// Longest slice, unless one call alone is worth more: others wait meanwhile.
pub(super) const MAX_SLICE: Duration = Duration::from_secs(5);

/// Part of a slice that is worth an update to give back.
const WORTH_GIVING_BACK: f64 = 0.2;

/// Longest call of the table.
pub(super) const TABLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls of the table that fail one after the other before an instance keeps to its share:
/// one that is only busy answers the next.
const MAX_FAILURES: u32 = 3;

/// Wait between them.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// How long a throttle counts at least for all that follow.
const THROTTLE_COUNTS: Duration = Duration::from_secs(1);

/// Calls after which something is known of a campaign.
const ENOUGH_CALLS: f64 = 30.0;

/// Calls after which what others learnt meanwhile changes little.
const WELL_KNOWN_CALLS: f64 = 300.0;

/// Age of what others are known to have learnt at which there may be news.
const NEWS_AGE: Duration = Duration::from_secs(10);

/// How long the size of a campaign's calls counts: a window that held one, twice over.
const LATEST_COUNTS: Duration = Duration::from_secs(120);

/// Time that all instances together ask for, for calls of which nothing is known. They are
/// charged the worst case, so the rest waits until the first have ended.
const MAX_UNKNOWN: Duration = Duration::from_secs(6);

/// How long the rest waits at most.
const UNKNOWN_WAIT: Duration = Duration::from_secs(2);

/// Campaigns of which one update says what was learnt.
const MAX_NEWS: usize = 8;

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
    pub(super) differences: Differences,
    /// What was learnt here that the lanes do not know yet, by campaign.
    own: HashMap<String, Sums>,
    /// What of it is on its way.
    sent: Vec<Learnt>,
    /// Until when campaigns wait for their first calls, of which nothing is known.
    tried_until_us: HashMap<String, u64>,
    /// What the campaigns' latest calls were charged, and can be settled to, and when.
    latest: HashMap<String, (Largest, u64)>,
    /// Lanes as they were seen last.
    pub(super) lanes: HashMap<u32, View>,
    /// The lane to ask next.
    lane: u32,
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
    pub(super) alone: Option<Alone>,
}

/// A lane as it was seen last.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) seen: Seen,
    pub(super) at_us: u64,
}

/// What is asked for those that wait.
#[derive(Debug)]
pub(super) struct Plan {
    /// Number of the lane; none where the instance is on its own.
    lane: Option<u32>,
    pub(super) ask: Ask,
    factor: f64,
    pace: f64,
    pub(super) calls: Vec<Place>,
    is_limited_by_deadlines: bool,
}

impl State {
    /// What a call will take.
    pub(super) fn price(&self, call: &Call<'_>, quota: &ModelQuota, now_us: u64) -> Price {
        let known = self.known(call.campaign, now_us);
        known.price(call.input_tokens, call.max_tokens, quota.output_burndown.get())
    }

    /// What all instances are known to have learnt of a campaign, and this one.
    pub(super) fn known(&self, campaign: &str, now_us: u64) -> Sums {
        let mut sums = self.own.get(campaign).copied().unwrap_or_default();
        let shared = self.lanes.values().flat_map(|view| &view.seen.learnt).chain(&self.sent);
        let this_period = period(now_us);
        for learnt in shared {
            if learnt.campaign == campaign && learnt.period + 1 >= this_period {
                sums.add(&learnt.sums);
            }
        }
        sums
    }

    /// Learns from a call that ended.
    pub(super) fn learn(&mut self, campaign: &str, call: &Sums) {
        if let Some(sums) = self.own.get_mut(campaign) {
            sums.add(call);
        } else {
            self.own.insert(campaign.to_owned(), *call);
        }
    }

    /// Whether a campaign waits for its first calls to end.
    fn is_tried(&self, campaign: &str, now_us: u64) -> bool {
        let until_us = self.tried_until_us.get(campaign).copied().unwrap_or_default();
        until_us > now_us && self.is_unknown(campaign, now_us)
    }

    fn is_unknown(&self, campaign: &str, now_us: u64) -> bool {
        let seen_us = self.lanes.values().map(|view| view.at_us).max().unwrap_or_default();
        let is_old = seen_us + micros(NEWS_AGE) < now_us;
        self.known(campaign, now_us).calls < if is_old { WELL_KNOWN_CALLS } else { ENOUGH_CALLS }
    }

    /// Whether calls wait, and all of them for the first ones of their campaign.
    pub(super) fn are_all_tried(&self, now_us: u64) -> bool {
        let mut waiting = self.line.iter().map(|(_, waiting)| &waiting.campaign);
        self.line.len() > 0 && waiting.all(|campaign| self.is_tried(campaign, now_us))
    }

    /// What the lanes do not know yet, to be told with the next slice.
    fn news(&mut self, now_us: u64) -> Vec<Learnt> {
        let campaigns: Vec<String> = self.own.keys().take(MAX_NEWS).cloned().collect();
        let told = campaigns.into_iter().filter_map(|campaign| {
            let sums = self.own.remove(&campaign)?;
            Some(Learnt { campaign, period: period(now_us), sums })
        });
        self.sent = told.collect();
        self.sent.clone()
    }

    /// The news did not arrive, as far as is known.
    fn keep_news(&mut self) {
        for learnt in std::mem::take(&mut self.sent) {
            self.own.entry(learnt.campaign).or_default().add(&learnt.sums);
        }
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
            Some(number) => &mut self.lanes.get_mut(&number)?.seen.lane,
            None => &mut self.alone.as_mut()?.lane,
        };
        let effective_us = lane.busy_until_us.max(now_us + micros(THROTTLE_COUNTS));
        lane.pace = lane.pace.slowed(now_us, effective_us)?;
        Some(lane.pace)
    }

    /// How far ahead the lanes are promised, as far as is known; nothing where the calls
    /// that wait have no time to lose.
    pub(super) fn ahead_us(&self, now_us: u64) -> u64 {
        let begins_us = self.lanes.get(&self.lane).map(|view| {
            let lane = &view.seen.lane;
            lane.earliest_us(lane.busy_until_us, lane.busy_until_us, 1.0)
        });
        let begins_us = begins_us.unwrap_or_default().max(self.next_begins_us);
        let ahead_us = begins_us.saturating_sub(now_us);
        let mut deadlines = self.line.iter().map(|(_, waiting)| waiting.deadline_us);
        let is_urgent = deadlines.any(|deadline_us| deadline_us < now_us + 2 * ahead_us);
        if is_urgent || self.alone.is_some() { 0 } else { ahead_us }
    }

    /// The calls that wait with what they will take and their deadlines, first served first.
    fn priced(&self, quota: &ModelQuota, now_us: u64) -> Vec<(Place, Price, u64)> {
        let burndown = quota.output_burndown.get();
        let mut known = HashMap::new();
        let priced = self.line.iter().map(|(place, waiting)| {
            let campaign = waiting.campaign.as_str();
            let sums = known.entry(campaign).or_insert_with(|| self.known(campaign, now_us));
            let price = sums.price(waiting.input_tokens, waiting.max_tokens, burndown);
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

    /// What to ask for the calls that wait, first served first.
    fn plan(&mut self, limiter: &Limiter, now_us: u64) -> Plan {
        let quota = &limiter.quota;
        let (lane, seen) = self.next_lane();
        let shares = limiter.shares(lane);
        let begins_us = seen.map_or(now_us, |lane| lane.busy_until_us.max(now_us));
        let pace = seen.map_or(1.0, |lane| lane.pace.at(begins_us));

        let prices = self.priced(quota, now_us);
        self.latest.retain(|_, (_, at_us)| *at_us + micros(LATEST_COUNTS) > now_us);
        for (place, price, _) in &prices {
            if let Some(waiting) = self.line.get(*place) {
                let call = Largest { charged: price.charged, worst: price.worst };
                self.latest.insert(waiting.campaign.clone(), (call, now_us));
            }
        }
        let largest = self.largest();
        let now_and_more = now_us + micros(MAX_AHEAD);
        let (mut length_us, mut charged, mut latest_us) = (0, 0.0, now_and_more);
        let mut calls = Vec::new();
        let mut unknown = Unknown::new(limiter.instance.instances.get());
        for (place, price, deadline_us) in prices {
            let worth_us = (rate::worth_us(quota, shares, &price, largest) as f64 / pace) as u64;
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
            charged += price.charged;
            calls.push(place);
        }
        let until_us = begins_us + micros(UNKNOWN_WAIT);
        self.tried_until_us.retain(|_, until_us| *until_us > now_us);
        self.tried_until_us.extend(unknown.asked.into_keys().map(|campaign| (campaign, until_us)));
        let factor = self.differences.factor(calls.len(), charged, now_us);
        let shares_of_day = u64::from(shares);
        let ask = Ask {
            now_us,
            length_us: (length_us as f64 * factor).ceil() as u64,
            latest_us,
            day: now_us / DAY_US,
            tokens: charged.ceil() as u64,
            tokens_per_day: quota.tokens_per_day.map(|tokens| tokens.get() / shares_of_day),
            resumes_us: None,
        };
        let is_limited_by_deadlines = latest_us < now_and_more;
        Plan { lane, ask, factor, pace, calls, is_limited_by_deadlines }
    }

    /// The largest calls of those that share the quota.
    fn largest(&self) -> Largest {
        let latest = self.latest.values();
        latest.fold(Largest::default(), |all, (call, _)| all.or(call.charged, call.worst))
    }

    /// Chooses the lane to ask next: of two that chance names, the one that was promised
    /// less far ahead when it was seen. If all asked the one that seems the best, that
    /// would be the same for all.
    pub(super) fn choose_lane(&mut self, lanes: u32, jitter: &Jitter) {
        if lanes > 1 {
            let two = [jitter.below(lanes), jitter.below(lanes)];
            self.lane = two.into_iter().min_by_key(|number| self.promised_us(*number)).unwrap_or(0);
        }
    }

    /// How far ahead a lane was promised when it was seen.
    fn promised_us(&self, lane: u32) -> u64 {
        let view = self.lanes.get(&lane);
        view.map_or(0, |view| view.seen.lane.busy_until_us.saturating_sub(view.at_us))
    }

    /// Gives the calls that wait their times in a slice; says when the last one ends.
    pub(super) fn give_turns(&mut self, limiter: &Limiter, plan: &Plan, lane: &Lane) -> u64 {
        let (quota, shares) = (&limiter.quota, limiter.shares(plan.lane));
        let ends_us = lane.busy_until_us;
        let mut next_us = ends_us - plan.ask.length_us;
        let waited_us = next_us.saturating_sub(plan.ask.now_us);
        self.next_begins_us = next_us.min(plan.ask.now_us) + 2 * waited_us;
        // Somebody may have slowed down meanwhile: fewer calls fit then.
        let pace = plan.pace.min(lane.pace.at(next_us)) / plan.factor;
        let largest = self.largest();
        let waiting = self.priced(quota, plan.ask.now_us);
        let (mut is_first, mut charged) = (true, 0.0);
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
                charged += price.charged;
            }
        }
        // What is not used may go back, and pays nothing then.
        self.differences.paid(charged, plan.factor);
        next_us
    }

    /// A lane answered.
    fn saw(&mut self, number: u32, seen: Seen, now_us: u64) {
        self.sent.clear();
        self.failures = 0;
        self.lanes.insert(number, View { seen, at_us: now_us });
    }

    /// A lane is promised for long; says whether another seems free.
    fn is_another_free(&mut self, number: u32, seen: Seen, limiter: &Limiter, now_us: u64) -> bool {
        self.keep_news();
        self.saw(number, seen, now_us);
        let best = (0..limiter.lanes).min_by_key(|number| self.promised_us(*number));
        self.lane = best.unwrap_or(0);
        self.promised_us(self.lane) <= micros(MAX_AHEAD)
    }
}

/// What is asked for campaigns of which nothing is known.
struct Unknown {
    most_us: u64,
    asked: HashMap<String, u64>,
}

impl Unknown {
    fn new(instances: u32) -> Self {
        Self { most_us: micros(MAX_UNKNOWN) / u64::from(instances), asked: HashMap::new() }
    }

    /// Whether a slice may hold a call, which counts then.
    fn may_ask(&mut self, state: &State, place: Place, now_us: u64, worth_us: u64) -> bool {
        let Some(waiting) = state.line.get(place) else { return false };
        let campaign = &waiting.campaign;
        if !state.is_unknown(campaign, now_us) {
            return true;
        }
        let asked_us = self.asked.get(campaign).copied();
        let is_enough = asked_us.is_some_and(|asked_us| asked_us + worth_us > self.most_us);
        if is_enough || state.is_tried(campaign, now_us) {
            return false;
        }
        self.asked.insert(campaign.clone(), asked_us.unwrap_or_default() + worth_us);
        true
    }
}

impl Limiter {
    /// Into how many parts the quota is split: by lanes, or by instances on their own.
    fn shares(&self, lane: Option<u32>) -> u32 {
        lane.map_or(self.instance.instances.get(), |_| self.lanes)
    }

    /// Takes the next slice, and gives the calls that wait their times in it.
    pub(super) async fn take_slice(&self) {
        self.come_back().await;
        let now_us = self.now_us();
        let plan = self.state().plan(self, now_us);
        let is_busy = plan.lane.is_some() && now_us < self.state().busy_until_us;
        if plan.calls.is_empty() || is_busy {
            return self.turn_away(&plan).await;
        }
        let Some(number) = plan.lane else { return self.take_of_own_share(&plan).await };
        let (news, seen) = {
            let mut state = self.state();
            (state.news(now_us), state.lanes.get(&number).map(|view| view.seen.clone()))
        };
        let name = self.lane(number);
        self.slices.fetch_add(1, Ordering::Relaxed);
        let taken = self.instance.table.take(&name, &plan.ask, &news, seen.as_ref());
        match timeout(TABLE_TIMEOUT, taken).await {
            Ok(Ok(Taken::Slice(seen))) => self.taken(number, seen, &plan),
            Ok(Ok(Taken::Busy(seen))) => {
                let is_another_free = self.state().is_another_free(number, seen, self, now_us);
                let is_limited = plan.is_limited_by_deadlines;
                if is_another_free && !is_limited {
                    return;
                }
                if !is_limited {
                    let pause = self.instance.jitter.spread(MAX_AHEAD);
                    self.state().busy_until_us = now_us + micros(pause);
                }
                self.turn_away(&plan).await;
            }
            Ok(Ok(Taken::DayUsedUp)) => {
                self.state().keep_news();
                self.day_used_up();
                self.turn_away(&plan).await;
            }
            Ok(Err(error)) => self.failed(&error.to_string(), now_us).await,
            Err(_) => self.failed("no answer", now_us).await,
        }
    }

    /// A slice was taken: the calls get their times, and what is left goes back.
    fn taken(&self, number: u32, seen: Seen, plan: &Plan) {
        let lane = seen.lane;
        let unused_from_us = {
            let mut state = self.state();
            state.saw(number, seen, plan.ask.now_us);
            state.give_turns(self, plan, &lane)
        };
        let unused_us = lane.busy_until_us.saturating_sub(unused_from_us);
        if unused_us as f64 > plan.ask.length_us as f64 * WORTH_GIVING_BACK {
            self.give_back(number, lane, unused_from_us);
        }
    }

    async fn failed(&self, reason: &str, now_us: u64) {
        let is_on_its_own = {
            let mut state = self.state();
            state.keep_news();
            state.failures += 1;
            let is_on_its_own = state.failures >= MAX_FAILURES;
            if is_on_its_own {
                state.go_alone(now_us);
            }
            is_on_its_own
        };
        if is_on_its_own {
            tracing::warn!(reason, "keeping to the static share of the quota");
        } else {
            sleep(self.instance.jitter.spread(FAILURE_WAIT)).await;
        }
    }

    /// Waits, and tells the calls that they cannot start in time: whoever only waits costs
    /// as much as whoever works, and whoever tries again at once costs reads.
    pub(super) async fn turn_away(&self, plan: &Plan) {
        sleep(self.instance.jitter.spread(FUTILE_WAIT)).await;
        let mut state = self.state();
        let all: Vec<Place> = state.line.iter().map(|(place, _)| place).collect();
        let asked = if plan.calls.is_empty() { &all } else { &plan.calls };
        for place in asked {
            state.line.tell(*place, Err(NotAdmitted::OutOfTime));
        }
    }

    /// Gives the end of a slice back, in a task of its own: the call that took the slice
    /// starts meanwhile, and with it ends what it does for the others. Should the update
    /// be late, or fail, time passes unused.
    fn give_back(&self, number: u32, slice: Lane, from_us: u64) {
        self.slices.fetch_add(1, Ordering::Relaxed);
        if let Some(view) = self.state().lanes.get_mut(&number)
            && let Some(given) = view.seen.lane.give_back(&slice, from_us)
        {
            view.seen.lane = given;
        }
        let (table, name) = (Arc::clone(&self.instance.table), self.lane(number));
        tokio::spawn(async move {
            let given = timeout(TABLE_TIMEOUT, table.give_back(&name, &slice, from_us)).await;
            if !matches!(given, Ok(Ok(()))) {
                tracing::debug!(?given, "unused time was not given back");
            }
        });
    }
}
