//! What an instance knows and has promised.

use std::collections::HashMap;
use std::time::Duration;

use crate::alone::Alone;
use crate::drift::Drifts;
use crate::estimate::{Learnt, Sums};
use crate::jitter::Jitter;
use crate::lane::micros;
use crate::line::Line;
use crate::pace::Pace;
use crate::rate::Largest;
use crate::settling::Differences;
use crate::slices::MAX_AHEAD;
use crate::table::Seen;

/// How long a throttle counts at least for all that follow.
const THROTTLE_COUNTS: Duration = Duration::from_secs(1);

/// First pause after a throttle; doubled with each that comes before an answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause that the service can ask for; a call that waits longer goes back anyway.
const MAX_ASKED_PAUSE: Duration = Duration::from_secs(300);

/// Longest pause of our own: a minute later the quota is there again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// What an instance knows and has promised.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) line: Line,
    pub(crate) differences: Differences,
    /// What calls took more of the day's quota than the lanes counted, or less.
    pub(crate) day_more: f64,
    /// What was learnt here that the lanes do not know yet, by kind.
    pub(crate) own: HashMap<String, Sums>,
    /// What of it is on its way.
    pub(crate) sent: Vec<Learnt>,
    /// until when kinds wait for their first calls, of which nothing is known.
    pub(crate) tried_until_us: HashMap<String, u64>,
    pub(crate) drifts: Drifts,
    /// What the latest calls of each kind were charged, and can be settled to, and when.
    pub(crate) latest: HashMap<String, (Largest, u64)>,
    /// Lanes as they were seen last.
    pub(crate) lanes: HashMap<u32, View>,
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
    pub(crate) failures: u32,
    pub(crate) alone: Option<Alone>,
}

/// A lane as it was seen last.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) seen: Seen,
    pub(crate) at_us: u64,
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
    pub(crate) fn ahead_us(&self, now_us: u64) -> u64 {
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

    /// Chooses the lane to ask next: of two that chance names, the one that was promised
    /// less far ahead when it was seen. If all asked the one that seems the best, that
    /// would be the same for all.
    pub(crate) fn choose_lane(&mut self, lanes: u32, jitter: &Jitter) {
        if lanes > 1 {
            let two = [jitter.below(lanes), jitter.below(lanes)];
            self.lane = two.into_iter().min_by_key(|number| self.promised_us(*number)).unwrap_or(0);
        }
    }

    /// How far ahead a lane was promised when it was seen.
    pub(crate) fn promised_us(&self, lane: u32) -> u64 {
        let view = self.lanes.get(&lane);
        view.map_or(0, |view| view.seen.lane.busy_until_us.saturating_sub(view.at_us))
    }

    /// A lane answered.
    pub(crate) fn saw(&mut self, number: u32, seen: Seen, now_us: u64) {
        self.sent.clear();
        self.failures = 0;
        self.lanes.insert(number, View { seen, at_us: now_us });
    }

    /// A lane is promised for long; says whether another seems free.
    pub(crate) fn is_another_free(
        &mut self,
        number: u32,
        seen: Seen,
        lanes: u32,
        now_us: u64,
    ) -> bool {
        self.keep_news();
        self.saw(number, seen, now_us);
        let best = (0..lanes).min_by_key(|number| self.promised_us(*number));
        self.lane = best.unwrap_or(0);
        self.promised_us(self.lane) <= micros(MAX_AHEAD)
    }
}
