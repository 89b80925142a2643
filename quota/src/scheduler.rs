//! Takes slices for the calls that wait, of the lanes or of the instance's own share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use program::causes;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::bid::Bid;
use crate::fallback::{Fallback, NoShare};
use crate::lane::{Lane, micros};
use crate::limiter::{Instance, NotAdmitted};
use crate::pace::Pace;
use crate::rate;
use crate::settings::ModelQuota;
use crate::state::State;
use crate::table::{LaneItem, LaneName, Reply};
use crate::tally::is_small;

/// How far ahead time is promised. An instance that dies, or calls that give up, leave
/// their time unused; a pace that changes takes effect behind it.
pub(crate) const MAX_AHEAD: Duration = Duration::from_secs(60);

/// Longest slice, unless one call alone is worth more: others wait meanwhile.
pub(crate) const MAX_SLICE: Duration = Duration::from_secs(5);

/// Part of a slice that is worth an update to give back.
const WORTH_GIVING_BACK: f64 = 0.2;

/// Longest call of the table.
pub(crate) const TABLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls of the table that fail one after the other before an instance keeps to its share:
/// one that is only busy answers the next.
const MAX_FAILURES: u32 = 3;

/// Wait between them.
const FAILURE_WAIT: Duration = Duration::from_millis(500);

/// How often an instance on its own looks at its share of a small quota at most.
const SHARE_POLL: Duration = Duration::from_millis(100);

/// How long a call is held back that cannot start in time, before it is told so: whoever
/// tries again at once would only cost reads.
pub(crate) const FUTILE_WAIT: Duration = Duration::from_secs(5);

/// Longest sleep until a time of day, before the clock is looked at again.
const CLOCK_POLL: Duration = Duration::from_secs(1);

/// What an instance has of a model's quota, and takes of it.
#[derive(Debug)]
pub(crate) struct Scheduler {
    model_id: String,
    pub(crate) quota: ModelQuota,
    pub(crate) lanes: u32,
    pub(crate) instance: Instance,
    state: Mutex<State>,
    /// A call came, or one ended.
    pub(crate) changed: Notify,
    /// Calls of the table.
    pub(crate) table_calls: AtomicU64,
}

impl Scheduler {
    pub(crate) fn new(model_id: &str, quota: ModelQuota, instance: Instance) -> Self {
        let (model_id, lanes) = (model_id.to_owned(), rate::lanes(&quota));
        let (state, changed, table_calls) = Default::default();
        Self { model_id, quota, lanes, instance, state, changed, table_calls }
    }

    /// Into how many parts the quota is split: by lanes, or by instances on their own.
    pub(crate) fn shares(&self, lane: Option<u32>) -> u32 {
        lane.map_or(self.instance.instances.get(), |_| self.lanes)
    }

    /// Whether calls wait, and all of them for the first ones of their kind.
    pub(crate) fn are_all_tried(&self) -> bool {
        let state = self.state();
        state.forecast.are_all_tried(&state.line, &state.views, self.now_us())
    }

    /// Takes the next slice, and gives the calls that wait their times in it.
    pub(crate) async fn take_slice(&self) {
        self.come_back().await;
        if self.is_counted() {
            return;
        }
        let now_us = self.now_us();
        let bid = Bid::new(&mut self.state(), self, now_us);
        let is_busy = bid.lane.is_some() && now_us < self.state().busy_until_us;
        if bid.calls.is_empty() || is_busy {
            return self.turn_away(&bid).await;
        }
        let Some(number) = bid.lane else { return self.take_of_own_share(&bid).await };
        let (news, before) = {
            let mut state = self.state();
            (state.forecast.news(now_us), state.views.item(number).cloned())
        };
        let name = self.lane(number);
        let taken = self.instance.table.take(&name, &bid.ask, &news, before.as_ref());
        match timeout(TABLE_TIMEOUT, taken).await {
            Ok(Ok(Reply::Slice(item))) => self.taken(number, item, &bid),
            Ok(Ok(Reply::Busy(item))) => self.busy(number, item, &bid).await,
            Ok(Ok(Reply::DayUsedUp)) => {
                self.state().forecast.keep_news();
                self.state().close(now_us);
            }
            Ok(Err(error)) => self.failed(&causes::told(&error), now_us).await,
            Err(_) => self.failed("no answer", now_us).await,
        }
    }

    /// A slice was taken: the calls get their times, and what is left goes back.
    fn taken(&self, number: u32, item: LaneItem, bid: &Bid) {
        let lane = item.lane;
        let unused_from_us = {
            let mut state = self.state();
            state.forecast.forget_news();
            state.saw(number, item, bid.ask.now_us);
            bid.give_turns(&mut state, self, &lane)
        };
        let unused_us = lane.busy_until_us.saturating_sub(unused_from_us);
        if unused_us as f64 > bid.ask.length_us as f64 * WORTH_GIVING_BACK {
            self.give_back(number, lane, unused_from_us);
        }
    }

    /// The lane is promised for long: another is asked if one seems free.
    async fn busy(&self, number: u32, item: LaneItem, bid: &Bid) {
        let is_another_free = {
            let mut state = self.state();
            state.forecast.keep_news();
            state.saw(number, item, bid.ask.now_us);
            state.lane = state.views.freest(self.lanes);
            state.views.promised_us(state.lane) <= micros(MAX_AHEAD)
        };
        let is_limited = bid.is_limited_by_deadlines;
        if is_another_free && !is_limited {
            return;
        }
        if !is_limited {
            let pause = self.instance.jitter.spread(MAX_AHEAD);
            self.state().busy_until_us = bid.ask.now_us + micros(pause);
        }
        self.turn_away(bid).await;
    }

    pub(crate) async fn failed(&self, reason: &str, now_us: u64) {
        let is_on_its_own = {
            let mut state = self.state();
            state.forecast.keep_news();
            state.failures += 1;
            let is_on_its_own = state.failures >= MAX_FAILURES;
            if is_on_its_own {
                state.fall_back(self.instance.instances, now_us);
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
    async fn turn_away(&self, bid: &Bid) {
        let all = self.state().line.places();
        sleep(self.instance.jitter.spread(FUTILE_WAIT)).await;
        let mut state = self.state();
        let asked = if bid.calls.is_empty() { &all } else { &bid.calls };
        for place in asked {
            state.line.tell(*place, Err(NotAdmitted::OutOfTime));
        }
    }

    /// Gives the end of a slice back, in a task of its own: the call that took the slice
    /// starts meanwhile, and with it ends what it does for the others. Should the update
    /// be late, or fail, time passes unused.
    fn give_back(&self, number: u32, slice: Lane, from_us: u64) {
        if let Some(lane) = self.state().views.lane_mut(number)
            && let Some(given) = lane.give_back(&slice, from_us)
        {
            *lane = given;
        }
        let (name, table) = (self.lane(number), Arc::clone(&self.instance.table));
        tokio::spawn(async move {
            let given = timeout(TABLE_TIMEOUT, table.give_back(&name, &slice, from_us)).await;
            if !matches!(given, Ok(Ok(()))) {
                tracing::debug!(?given, "unused time was not given back");
            }
        });
    }

    /// Asks the table again, if the instance is on its own and it is time to.
    async fn come_back(&self) {
        let now_us = self.now_us();
        let is_due = {
            let mut state = self.state();
            state.end_fallback(now_us);
            state.fallback.is_some_and(|fallback| fallback.is_due(now_us))
        };
        if !is_due {
            return;
        }
        let ask = Fallback::return_ask(now_us);
        for number in 0..self.lanes {
            let name = self.lane(number);
            let taken = self.instance.table.take(&name, &ask, &[], None);
            match timeout(TABLE_TIMEOUT, taken).await {
                Ok(Ok(Reply::Slice(item))) => self.state().came_back(number, item, now_us),
                Ok(Ok(Reply::Busy(_) | Reply::DayUsedUp)) => {}
                Ok(Err(_)) | Err(_) => {
                    return self.state().fall_back(self.instance.instances, now_us);
                }
            }
        }
    }

    /// Takes a slice of the instance's own share.
    async fn take_of_own_share(&self, bid: &Bid) {
        let fallback = self.state().fallback.filter(|_| is_small(&self.quota));
        if let Some(until_us) = fallback.and_then(|own| own.waits_until_us(bid.ask.now_us)) {
            // Others come along, and may give up meanwhile.
            return self.sleep_until(until_us.max(bid.ask.now_us + micros(SHARE_POLL))).await;
        }
        let taken = {
            let mut state = self.state();
            let Some(fallback) = &mut state.fallback else { return };
            let taken = fallback.take(&bid.ask);
            if let Ok(lane) = taken {
                bid.give_turns(&mut state, self, &lane);
            }
            taken
        };
        match taken {
            Ok(_) => {}
            Err(NoShare::UsedUp) => self.turn_away(bid).await,
            Err(NoShare::EndsSoon) => {
                let ends_us = self.state().fallback.and_then(|fallback| fallback.ends_us);
                self.sleep_until(ends_us.unwrap_or_default()).await;
                // Not all come back in the same moment.
                sleep(self.instance.jitter.part_of(MAX_SLICE)).await;
            }
        }
    }

    /// Tells all instances that a lane is to be slower.
    pub(crate) async fn slow_down(&self, number: u32, now_us: u64, pace: Pace) {
        let name = self.lane(number);
        let slowed = self.instance.table.slow_down(&name, now_us, pace);
        let slowed = timeout(TABLE_TIMEOUT, slowed).await;
        if !matches!(slowed, Ok(Ok(()))) {
            tracing::debug!(?slowed, "other instances do not hear of a throttle");
        }
    }

    /// Names a lane for a call of the table, which counts.
    pub(crate) fn lane(&self, number: u32) -> LaneName {
        self.table_calls.fetch_add(1, Ordering::Relaxed);
        LaneName { model_id: self.model_id.clone(), number }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.instance.clock.now_us()
    }

    /// Sleeps until the clock shows a time, even if the clock is set meanwhile.
    pub(crate) async fn sleep_until(&self, then_us: u64) {
        loop {
            let left = Duration::from_micros(then_us.saturating_sub(self.now_us()));
            if left.is_zero() {
                return;
            }
            sleep(left.min(CLOCK_POLL)).await;
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock, so what it guards is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
