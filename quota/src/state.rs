//! What an instance knows and has promised.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::NotAdmitted;
use crate::fallback::Fallback;
use crate::forecast::Forecast;
use crate::jitter::Jitter;
use crate::lane::micros;
use crate::line::Line;
use crate::pace::Pace;
use crate::settling::Differences;
use crate::table::LaneItem;
use crate::tally::Counted;
use crate::views::Views;

/// How long a throttle counts at least for all that follow.
const THROTTLE_COUNTS: Duration = Duration::from_secs(1);

/// First pause after a throttle; doubled with each that comes before an answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause that the service can ask for; a call that waits longer goes back anyway.
const MAX_ASKED_PAUSE: Duration = Duration::from_secs(300);

/// Longest pause of our own: a minute later the quota is there again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// How long nothing is asked after the service said that the day's quota is used up.
const DAY_PAUSE: Duration = Duration::from_secs(300);

/// What an instance knows and has promised.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) line: Line,
    pub(crate) forecast: Forecast,
    pub(crate) differences: Differences,
    /// What calls took more of the day's quota than the lanes counted, or less.
    pub(crate) day_more: f64,
    pub(crate) views: Views,
    /// The lane to ask next.
    pub(crate) lane: u32,
    /// When the last call starts that has its time.
    pub(crate) booked_until_us: u64,
    pub(crate) paused_until_us: u64,
    pub(crate) next_pause: Option<Duration>,
    pub(crate) closed_until_us: u64,
    /// When a slice would begin that is asked for when the last one began, if the others
    /// that wait are as many as then.
    pub(crate) next_begins_us: u64,
    /// Until when nothing is asked, because the lanes are promised for long.
    pub(crate) busy_until_us: u64,
    /// Calls of a small quota that ended, which the table was not told yet.
    pub(crate) ended: Vec<Counted>,
    /// When the last of them started here.
    pub(crate) started_us: u64,
    pub(crate) failures: u32,
    pub(crate) fallback: Option<Fallback>,
}

impl State {
    /// Pauses all calls, longer each time, and says the new pace of the lane.
    pub(crate) fn throttled(
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
            self.paused_until_us =
                self.paused_until_us.max(now_us + micros(asked.min(MAX_ASKED_PAUSE)));
        }
        let is_counted = lane.is_some_and(|number| self.views.is_counted(number));
        let lane = match lane {
            Some(number) => self.views.lane_mut(number)?,
            None => &mut self.fallback.as_mut()?.lane,
        };
        // Where calls are counted one by one, none is promised its time.
        let promised_us = if is_counted { now_us } else { lane.busy_until_us };
        let effective_us = promised_us.max(now_us + micros(THROTTLE_COUNTS));
        lane.pace = lane.pace.slowed(now_us, effective_us)?;
        Some(lane.pace)
    }

    /// How far ahead the lanes are promised, as far as is known; nothing where the calls
    /// that wait have no time to lose.
    pub(crate) fn ahead_us(&self, now_us: u64) -> u64 {
        let lane = self.views.lane(self.lane);
        let begins_us =
            lane.map(|lane| lane.earliest_us(lane.busy_until_us, lane.busy_until_us, 1.0));
        let begins_us = begins_us.unwrap_or_default().max(self.next_begins_us);
        let ahead_us = begins_us.saturating_sub(now_us);
        let mut deadlines = self.line.iter().map(|(_, waiting)| waiting.deadline_us);
        let is_urgent = deadlines.any(|deadline_us| deadline_us < now_us + 2 * ahead_us);
        if is_urgent || self.fallback.is_some() { 0 } else { ahead_us }
    }

    /// Chooses the lane to ask next: of two that chance names, the one that was promised
    /// less far ahead when it was seen. If all asked the one that seems the best, that
    /// would be the same for all.
    pub(crate) fn choose_lane(&mut self, lanes: u32, jitter: &Jitter) {
        if lanes > 1 {
            let two = [jitter.below(lanes), jitter.below(lanes)];
            let freer = two.into_iter().min_by_key(|number| self.views.promised_us(*number));
            self.lane = freer.unwrap_or(0);
        }
    }

    /// A lane answered.
    pub(crate) fn saw(&mut self, number: u32, item: LaneItem, now_us: u64) {
        self.failures = 0;
        self.views.see(number, item, now_us);
    }

    /// The day's quota is used up: nothing is asked for a while.
    pub(crate) fn close(&mut self, now_us: u64) {
        self.closed_until_us = now_us + micros(DAY_PAUSE);
        for place in self.line.places() {
            self.line.tell(place, Err(NotAdmitted::DayUsedUp));
        }
    }

    /// The table does not answer: the instance keeps to its share.
    pub(crate) fn fall_back(&mut self, instances: NonZeroU32, now_us: u64) {
        let fallback = || Fallback::new(&self.views, instances, now_us);
        self.fallback.get_or_insert_with(fallback).put_off(now_us);
    }

    /// The table answers again: the shared lane begins, or has begun.
    pub(crate) fn came_back(&mut self, number: u32, item: LaneItem, now_us: u64) {
        if let Some(fallback) = &mut self.fallback {
            fallback.ends_us = Some(item.lane.resumed_at_us);
        }
        self.saw(number, item, now_us);
        self.end_fallback(now_us);
    }

    /// Ends the time on its own, if the shared lanes have begun.
    pub(crate) fn end_fallback(&mut self, now_us: u64) {
        self.fallback = self.fallback.filter(|fallback| !fallback.has_ended(now_us));
    }
}
