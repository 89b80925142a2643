//! Takes slices for the calls that wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::lane::{Lane, micros};
use crate::limiter::{FUTILE_WAIT, Limiter, NotAdmitted};
use crate::plan::Plan;
use crate::table::{Seen, Taken};

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

impl Limiter {
    /// Into how many parts the quota is split: by lanes, or by instances on their own.
    pub(crate) fn shares(&self, lane: Option<u32>) -> u32 {
        lane.map_or(self.instance.instances.get(), |_| self.lanes)
    }

    /// Takes the next slice, and gives the calls that wait their times in it.
    pub(crate) async fn take_slice(&self) {
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
                let is_another_free =
                    self.state().is_another_free(number, seen, self.lanes, now_us);
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
                state.go_alone(self.instance.instances, now_us);
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
    pub(crate) async fn turn_away(&self, plan: &Plan) {
        let all = self.state().line.places();
        sleep(self.instance.jitter.spread(FUTILE_WAIT)).await;
        let mut state = self.state();
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
