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
use std::time::Duration;

use crate::lane::{Ask, DAY_US, Lane, Refusal, micros};
use crate::pace::Pace;
use crate::scheduler::MAX_SLICE;
use crate::views::Views;

/// First time after which the table is asked again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest time after which it is asked again.
const MAX_RETRY: Duration = Duration::from_secs(15);

/// After what time a lane begins again: everybody has asked again by then.
const RETURN: Duration = Duration::from_secs(MAX_RETRY.as_secs() + 1);

/// The share of an instance that is on its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fallback {
    /// Its own lane, of which nobody else takes slices.
    pub(crate) lane: Lane,
    /// The day that its tokens are of.
    day: u64,
    retry_at_us: u64,
    next_retry: Duration,
    /// When the shared lanes begin again, once that is known.
    pub(crate) ends_us: Option<u64>,
}

/// Why there is no slice of an instance's own share.
#[derive(Debug)]
pub(crate) enum NoShare {
    /// What was promised now would overlap with the lanes.
    EndsSoon,
    /// It is used up for long.
    UsedUp,
}

impl Fallback {
    /// Leaves the lanes, as they were seen last.
    pub(crate) fn new(views: &Views, instances: NonZeroU32, now_us: u64) -> Self {
        let lane = Lane {
            busy_until_us: now_us + views.promised_ahead_us(now_us),
            resumed_at_us: 0,
            idle_us: 0,
            slices: 0,
            pace: Pace::default(),
            // Its share of what all have used of the day.
            day_tokens: views.day_tokens() / u64::from(instances.get()),
        };
        let day = now_us / DAY_US;
        Self { lane, day, retry_at_us: 0, next_retry: FIRST_RETRY, ends_us: None }
    }

    /// The table did not answer: it is asked again later.
    pub(crate) fn put_off(&mut self, now_us: u64) {
        self.retry_at_us = now_us + micros(self.next_retry);
        self.next_retry = (self.next_retry * 2).min(MAX_RETRY);
    }

    /// Whether it is time to ask the table again.
    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        self.ends_us.is_none() && self.retry_at_us <= now_us
    }

    /// Whether the shared lanes have begun again.
    pub(crate) fn has_ended(&self, now_us: u64) -> bool {
        self.ends_us.is_some_and(|ends_us| ends_us <= now_us)
    }

    /// What a lane is asked by whoever comes back: no time, but to begin again.
    pub(crate) fn return_ask(now_us: u64) -> Ask {
        Ask {
            now_us,
            length_us: 0,
            latest_us: u64::MAX,
            day: 0,
            tokens: 0,
            tokens_per_day: None,
            resumes_us: Some(now_us + micros(RETURN)),
        }
    }

    /// Until when nothing is taken of a share that few calls fill: it would be promised so far
    /// ahead that the lanes may have begun again by then.
    pub(crate) fn waits_until_us(&self, now_us: u64) -> Option<u64> {
        let begins_us = self.lane.busy_until_us.max(now_us);
        let soon_us = begins_us.saturating_sub(micros(MAX_SLICE));
        match self.ends_us {
            Some(ends_us) => (ends_us <= begins_us + micros(MAX_SLICE)).then_some(ends_us),
            None => (soon_us > now_us).then(|| soon_us.min(self.retry_at_us)),
        }
    }

    /// Takes a slice of the instance's own share.
    pub(crate) fn take(&mut self, ask: &Ask) -> Result<Lane, NoShare> {
        let until_us = self.ends_us.map(|ends_us| ends_us.saturating_sub(micros(MAX_SLICE)));
        if until_us.is_some_and(|until_us| until_us <= ask.now_us) {
            return Err(NoShare::EndsSoon);
        }
        if self.day != ask.day {
            (self.day, self.lane.day_tokens) = (ask.day, 0);
        }
        let taken = Lane::take(Some(&self.lane), ask);
        self.lane = taken.map_err(|(Refusal::Busy(_) | Refusal::DayUsedUp)| NoShare::UsedUp)?;
        Ok(self.lane)
    }
}
