//! The calls of the last minute, one by one: how a small quota is shared.
//!
//! A lane spreads calls evenly, and keeps free what they differ by. Of a quota that few
//! calls fill, that is most. So the item of a small quota has a **tally** beside the
//! lane's clock: what each call of the last sixty seconds takes of the quota, its worst
//! case until it ends, what it was settled to from then on. A call starts as soon as it
//! fits beside them.
//!
//! **The bound.** Whichever call of some sixty seconds was entered last, all others of
//! them counted in the tally then: what a call takes counts from when it is entered until
//! [`WINDOW`] after the latest that it can start ([`LATE`]). So no sixty seconds hold more
//! than the quota, whatever the calls take, and nothing is kept free. Clocks that differ by
//! `d` let a window hold what starts in `d` beside that.
//!
//! **Faults.** Every change is made under the condition that nothing changed since it was
//! looked at. A call whose end nobody told counts with its worst case; one that was
//! entered by an update whose reply was lost counts for nothing, a minute long.
//!
//! **Beside lanes.** Instances that know no tally, of the version before or with another
//! quota, take slices of the same item. The tally promises the lane's time until its last
//! call no longer counts, so slices begin after that; and what was promised since it was
//! written counts in it, by the quota's pace.

use crate::lane::{LATE, Lane, Refusal, WINDOW, micros};
use crate::settings::ModelQuota;

/// Largest quota that has a tally, in tokens a minute. Beyond it lanes use as much, and
/// take fewer updates.
const MAX_TOKENS_PER_MINUTE: u64 = 50_000;

/// Calls that have not ended, at most.
const MAX_OPEN: usize = 64;

/// What is kept of calls that ended; of more, those that started together are added up.
const MAX_ENDED: usize = 64;

/// What part of an even distance calls keep that start beyond half of the quota. If all of a
/// minute's started at once, so they would in each minute that follows, and whatever is more
/// urgent would wait for the rest of it. A smaller part is caught up with sooner.
const SPREAD: f64 = 0.75;

/// How long a call counts from when it is entered.
const COUNTS: u64 = (WINDOW.as_micros() + LATE.as_micros()) as u64;

/// Whether a quota has a tally.
pub(crate) fn is_small(quota: &ModelQuota) -> bool {
    quota.tokens_per_minute.get() <= MAX_TOKENS_PER_MINUTE
}

/// What calls take of the quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Until when they count, in microseconds since 1970.
    pub until_us: u64,
    /// The most that they take.
    pub tokens: u64,
    /// How many they are.
    pub calls: u64,
    /// The number of the one call that has not ended.
    pub open: Option<u64>,
}

/// The calls of the last minute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// What they take, in any order.
    pub entries: Vec<Entry>,
    /// Until when the lane was promised when this was written.
    pub promised_us: u64,
}

/// A call that is to start, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its number, which no other call has.
    pub number: u64,
    /// The most that it takes; once it has ended, what it took.
    pub tokens: u64,
}

/// What is to be entered.
#[derive(Debug, Clone, PartialEq)]
pub struct Entering {
    /// The time now.
    pub now_us: u64,
    /// Today, in days since 1970 (UTC).
    pub day: u64,
    /// What the account allows.
    pub quota: ModelQuota,
    /// Calls that have ended.
    pub ended: Vec<Counted>,
    /// Calls that are to start, first served first: those start that fit, up to the first
    /// that does not.
    pub calls: Vec<Counted>,
}

impl Entry {
    /// Whether it is of a call that was entered and not made.
    fn is_nothing(&self) -> bool {
        self.open.is_none() && self.tokens == 0
    }
}

impl Tally {
    /// Enters calls that are to start, and ends others, in what is known of the lane and of
    /// its calls, which may be nothing. Refused where nothing comes of it.
    pub fn enter(
        before: Option<(&Lane, &Self)>,
        entering: &Entering,
    ) -> Result<(Lane, Self), Refusal> {
        let unused = Lane::unused(entering.now_us);
        let unwritten = Self { promised_us: unused.busy_until_us, ..Self::default() };
        let (before, known) = before.unwrap_or((&unused, &unwritten));
        let (mut lane, mut tally) = (*before, known.seen(before, entering));
        let has_ended = tally.end(&mut lane, entering);
        let entered = tally.start(&mut lane, known, entering);
        match entered {
            Ok(true) => {}
            _ if has_ended => {}
            Ok(false) => return Err(Refusal::Busy(*before)),
            Err(refusal) => return Err(refusal),
        }
        tally.add_up();
        tally.promised_us = lane.busy_until_us;
        lane.slices += 1;
        Ok((lane, tally))
    }

    /// When the first of the calls has room at the latest, whatever those take that have
    /// not ended.
    pub(crate) fn room_us(&self, lane: &Lane, entering: &Entering) -> u64 {
        let mut tally = self.seen(lane, entering);
        let mut at_us = entering.now_us;
        while let Some(call) = entering.calls.first()
            && !tally.has_room(call, lane, entering, at_us)
        {
            let ends = tally.entries.iter().map(|entry| entry.until_us);
            let spread_us = Some(tally.spread_us(entering)).filter(|spread_us| *spread_us > at_us);
            at_us = ends.chain(spread_us).min().unwrap_or(at_us);
            tally.entries.retain(|entry| entry.until_us > at_us);
        }
        at_us
    }

    /// Whether a call was entered, and has not ended.
    pub(crate) fn holds(&self, number: u64) -> bool {
        self.entries.iter().any(|entry| entry.open == Some(number))
    }

    /// Notes what a call took; says what it was counted with.
    pub(crate) fn settle(&mut self, call: &Counted) -> Option<u64> {
        let entry = self.entries.iter_mut().find(|entry| entry.open == Some(call.number))?;
        entry.open = None;
        Some(std::mem::replace(&mut entry.tokens, call.tokens))
    }

    /// What counts now: with what instances were promised that enter nothing here.
    fn seen(&self, lane: &Lane, entering: &Entering) -> Self {
        let mut seen = self.clone();
        if lane.busy_until_us > self.promised_us {
            let quota = &entering.quota;
            // Of a lane that began anew it is not known what was used before.
            let is_known = lane.resumed_at_us < self.promised_us;
            let promised_us = if is_known { lane.busy_until_us - self.promised_us } else { COUNTS };
            let part = (promised_us as f64 / COUNTS as f64).min(1.0);
            let part_of = |whole: u64| (whole as f64 * part).ceil() as u64;
            seen.entries.push(Entry {
                until_us: lane.busy_until_us + COUNTS,
                tokens: part_of(quota.tokens_per_minute.get()),
                calls: quota.requests_per_minute.map_or(0, |most| part_of(most.get().into())),
                open: None,
            });
        }
        seen.entries.retain(|entry| entry.until_us > entering.now_us && !entry.is_nothing());
        seen
    }

    /// Ends calls; says whether any was open.
    fn end(&mut self, lane: &mut Lane, entering: &Entering) -> bool {
        let mut has_ended = false;
        for call in &entering.ended {
            if let Some(counted) = self.settle(call) {
                has_ended = true;
                lane.day_tokens = (lane.day_tokens + call.tokens).saturating_sub(counted);
            }
        }
        has_ended
    }

    /// Starts the calls that fit; says whether any does, or that the day is over.
    fn start(
        &mut self,
        lane: &mut Lane,
        known: &Self,
        entering: &Entering,
    ) -> Result<bool, Refusal> {
        let mut has_started = false;
        // Of an update that is repeated they are there already.
        for call in entering.calls.iter().filter(|call| !known.holds(call.number)) {
            if !self.has_room(call, lane, entering, entering.now_us) {
                break;
            }
            let day_tokens = lane.day_tokens + call.tokens;
            let limit = entering.quota.tokens_per_day;
            if limit.is_some_and(|limit| day_tokens > limit.get()) {
                return if has_started { Ok(true) } else { Err(Refusal::DayUsedUp) };
            }
            let (until_us, tokens) = (entering.now_us + COUNTS, call.tokens);
            self.entries.push(Entry { until_us, tokens, calls: 1, open: Some(call.number) });
            lane.busy_until_us = lane.busy_until_us.max(until_us);
            lane.day_tokens = day_tokens;
            has_started = true;
        }
        Ok(has_started)
    }

    /// Whether a call fits beside those that count. One that fills the quota fits alone,
    /// however slow the lane.
    fn has_room(&self, call: &Counted, lane: &Lane, entering: &Entering, at_us: u64) -> bool {
        let quota = &entering.quota;
        let pace = lane.pace.at(entering.now_us);
        let tokens = (quota.tokens_per_minute.get() as f64 * pace) as u64;
        let calls = quota.requests_per_minute.map_or(u64::MAX, |most| most.get().into());
        let open = self.entries.iter().filter(|entry| entry.open.is_some()).count();
        let fits = self.tokens() + call.tokens <= tokens
            && self.entries.iter().map(|entry| entry.calls).sum::<u64>() < calls
            && open < MAX_OPEN
            && self.spread_us(entering) <= at_us;
        fits || self.entries.is_empty()
    }

    /// When the next call may start if those that take more than half of the quota are spread.
    fn spread_us(&self, entering: &Entering) -> u64 {
        let quota = entering.quota.tokens_per_minute.get();
        if self.tokens() * 2 <= quota {
            return 0;
        }
        // What those will take that have not ended is not known.
        let ended = self.entries.iter().filter(|entry| entry.open.is_none() && entry.calls > 0);
        let [tokens, calls] = ended
            .fold([0, 0], |[tokens, calls], entry| [tokens + entry.tokens, calls + entry.calls]);
        let usual = tokens as f64 / calls.max(1) as f64;
        let distance_us = (SPREAD * micros(WINDOW) as f64 * usual / quota as f64) as u64;
        let own = self.entries.iter().filter(|entry| entry.until_us <= entering.now_us + COUNTS);
        let latest_us = own.map(|entry| entry.until_us).max().unwrap_or(COUNTS);
        latest_us.saturating_sub(COUNTS) + distance_us
    }

    fn tokens(&self) -> u64 {
        self.entries.iter().map(|entry| entry.tokens).sum()
    }

    /// Adds those up that ended and count for about as long, until they are few enough: they
    /// count as long as the last of them, the fewest tokens for the shortest time more.
    fn add_up(&mut self) {
        self.entries.sort_unstable_by_key(|entry| (entry.open, entry.until_us));
        let mut ended = self.entries.iter().filter(|entry| entry.open.is_none()).count();
        while ended > MAX_ENDED {
            let more = |place: &usize| {
                let [earlier, later] = [&self.entries[*place], &self.entries[place + 1]];
                (later.until_us - earlier.until_us).saturating_mul(earlier.tokens)
            };
            let Some(place) = (0..ended - 1).min_by_key(more) else { return };
            let earlier = self.entries.remove(place);
            self.entries[place].tokens += earlier.tokens;
            self.entries[place].calls += earlier.calls;
            ended -= 1;
        }
    }
}
