//! An instance that does not reach the table: it keeps to its share of the quota, the
//! quota divided by the number of instances, and comes back.
//!
//! **Leaving.** What others were promised is spent first: its own share begins as far ahead
//! as the lanes were promised when they were seen last.
//!
//! **Coming back.** Others may still be on their own. So whoever reaches the table first
//! lets the lane begin again only after [`RETURN`], by when all have asked again, and
//! everybody keeps to their share until the lane begins.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::Limiter;
use crate::lane::{Ask, Lane, micros};
use crate::pace::Pace;
use crate::plan::{DAY_US, Plan};
use crate::slices::{MAX_AHEAD, MAX_SLICE, TABLE_TIMEOUT};
use crate::state::{State, View};
use crate::table::Taken;

/// First time after which the table is asked again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest time after which it is asked again.
const MAX_RETRY: Duration = Duration::from_secs(15);

/// After what time a lane begins again: everybody has asked again by then.
const RETURN: Duration = Duration::from_secs(MAX_RETRY.as_secs() + 1);

/// The share of an instance that is on its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alone {
    /// Its own lane, of which nobody else takes slices.
    pub(crate) lane: Lane,
    /// The day that its tokens are of.
    day: u64,
    retry_at_us: u64,
    next_retry: Duration,
    /// When the shared lanes begin again, once that is known.
    ends_us: Option<u64>,
}

impl State {
    /// The table does not answer.
    pub(crate) fn go_alone(&mut self, instances: NonZeroU32, now_us: u64) {
        // Its share of what all have used of the day, as far as is known.
        let used: u64 = self.lanes.values().map(|view| view.seen.lane.day_tokens).sum();
        let alone = self.alone.get_or_insert_with(|| {
            let busy_until_us = now_us + promised_ahead_us(self.lanes.values(), now_us);
            let pace = Pace::default();
            let lane = Lane {
                busy_until_us,
                resumed_at_us: 0,
                idle_us: 0,
                slices: 0,
                pace,
                day_tokens: used / u64::from(instances.get()),
            };
            let day = now_us / DAY_US;
            Alone { lane, day, retry_at_us: 0, next_retry: FIRST_RETRY, ends_us: None }
        });
        alone.retry_at_us = now_us + micros(alone.next_retry);
        alone.next_retry = (alone.next_retry * 2).min(MAX_RETRY);
    }

    /// The table answers again: the shared lane begins, or has begun.
    fn came_back(&mut self, lane: &Lane, now_us: u64) {
        if let Some(alone) = &mut self.alone {
            alone.ends_us = Some(lane.resumed_at_us);
        }
        self.failures = 0;
        self.end_alone(now_us);
    }

    fn end_alone(&mut self, now_us: u64) {
        let ends_us = self.alone.and_then(|alone| alone.ends_us);
        if ends_us.is_some_and(|ends_us| ends_us <= now_us) {
            self.alone = None;
        }
    }
}

/// How far ahead of now others may be promised time: as far as when that was seen last, if
/// that is not long ago.
fn promised_ahead_us<'a>(views: impl Iterator<Item = &'a View>, now_us: u64) -> u64 {
    let most_us = micros(MAX_AHEAD);
    let ahead = views.map(|view| {
        let is_old = view.at_us + most_us < now_us;
        let ahead_us = view.seen.lane.busy_until_us.saturating_sub(view.at_us);
        if is_old { most_us } else { ahead_us.min(most_us) }
    });
    ahead.max().unwrap_or(most_us)
}

impl Limiter {
    /// Asks the table again, if the instance is on its own and it is time to.
    pub(crate) async fn come_back(&self) {
        let now_us = self.now_us();
        let is_due = {
            let mut state = self.state();
            state.end_alone(now_us);
            state.alone.is_some_and(|alone| alone.ends_us.is_none() && alone.retry_at_us <= now_us)
        };
        if !is_due {
            return;
        }
        let ask = Ask {
            now_us,
            length_us: 0,
            latest_us: u64::MAX,
            day: 0,
            tokens: 0,
            tokens_per_day: None,
            resumes_us: Some(now_us + micros(RETURN)),
        };
        for number in 0..self.lanes {
            let name = self.lane(number);
            self.slices.fetch_add(1, Ordering::Relaxed);
            let taken = self.instance.table.take(&name, &ask, &[], None);
            match timeout(TABLE_TIMEOUT, taken).await {
                Ok(Ok(Taken::Slice(seen))) => {
                    let lane = seen.lane;
                    let mut state = self.state();
                    state.lanes.insert(number, View { seen, at_us: now_us });
                    state.came_back(&lane, now_us);
                }
                Ok(Ok(Taken::Busy(_) | Taken::DayUsedUp)) => {}
                Ok(Err(_)) | Err(_) => {
                    return self.state().go_alone(self.instance.instances, now_us);
                }
            }
        }
    }

    /// Takes a slice of the instance's own share.
    pub(crate) async fn take_of_own_share(&self, plan: &Plan) {
        let taken = {
            let mut state = self.state();
            let Some(alone) = &mut state.alone else { return };
            let until_us = alone.ends_us.map(|ends_us| ends_us.saturating_sub(micros(MAX_SLICE)));
            if until_us.is_some_and(|until_us| until_us <= plan.ask.now_us) {
                // What is promised now would overlap with the lanes.
                None
            } else {
                if alone.day != plan.ask.day {
                    (alone.day, alone.lane.day_tokens) = (plan.ask.day, 0);
                }
                let taken = Lane::take(Some(&alone.lane), &plan.ask);
                if let Ok(lane) = taken {
                    alone.lane = lane;
                    state.give_turns(self, plan, &lane);
                }
                Some(taken)
            }
        };
        match taken {
            Some(Ok(_)) => {}
            Some(Err(_)) => self.turn_away(plan).await,
            None => {
                let ends_us = self.state().alone.and_then(|alone| alone.ends_us);
                self.sleep_until(ends_us.unwrap_or_default()).await;
                // Not all come back in the same moment.
                sleep(self.instance.jitter.part_of(MAX_SLICE)).await;
            }
        }
    }
}
