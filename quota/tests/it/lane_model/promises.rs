//! What was promised of a lane in a [`World`](super::world::World), and what clocks show.

use quota::lane::{Lane, WINDOW, may_start, micros};
use quota::pace::Pace;

pub(super) const SECOND: u64 = 1_000_000;

/// The present.
pub(super) const NOW_US: u64 = 1_000 * SECOND;

/// What a world is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// The least time that passes; updates are under way for as long at most.
    pub(super) step_us: u64,
    /// The time that a call owns.
    pub(super) call_us: u64,
    /// How much clocks are wrong, either way, another way at every look.
    pub(super) skew_us: u64,
    /// Whether instances crash, lose replies and give time back.
    pub(super) has_faults: bool,
}

/// The time that a call owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) begins_us: u64,
    pub(super) ends_us: u64,
    pub(super) earliest_us: u64,
}

/// The times of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Times {
    pub(super) busy_until_us: u64,
    pub(super) resumed_at_us: u64,
    pub(super) idle_us: u64,
    pub(super) slices: u64,
}

/// The end of a slice that is on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Gift {
    pub(super) slice: Times,
    pub(super) from_us: u64,
    /// Whether time has passed since.
    pub(super) is_late: bool,
}

/// Moves a moment away from the present.
pub(super) fn back(time_us: &mut u64, step_us: u64) {
    *time_us = time_us.saturating_sub(step_us);
}

impl Setting {
    /// What clocks show at a moment.
    fn clocks_us(&self, at_us: u64) -> [u64; 2] {
        [at_us - self.skew_us, at_us + self.skew_us]
    }

    /// What clocks showed when updates were sent that come in now.
    pub(super) fn asked_at_us(&self) -> impl Iterator<Item = u64> {
        let [slow, fast] = self.clocks_us(NOW_US);
        [slow - self.step_us, slow].into_iter().chain((fast > slow).then_some(fast))
    }
}

impl Turn {
    /// Whether some clock says that it may start.
    pub(super) fn may_start(&self, at_us: u64, setting: &Setting) -> bool {
        let mut clocks = setting.clocks_us(at_us).into_iter();
        clocks.any(|now_us| now_us >= self.earliest_us && may_start(self.begins_us, now_us))
    }

    pub(super) fn pass(&mut self, step_us: u64) {
        back(&mut self.begins_us, step_us);
        back(&mut self.ends_us, step_us);
        back(&mut self.earliest_us, step_us);
    }
}

impl Gift {
    pub(super) fn pass(&mut self, step_us: u64) {
        self.slice.pass(step_us);
        back(&mut self.from_us, step_us);
        self.is_late = true;
    }
}

impl Times {
    pub(super) fn pass(&mut self, step_us: u64) {
        back(&mut self.busy_until_us, step_us);
        back(&mut self.resumed_at_us, step_us);
    }

    /// Forgets what makes no difference to updates of `oldest_us` and later. Calls start
    /// early for a window; one call more is looked at, for the window to be noticed.
    pub(super) fn forget(&mut self, oldest_us: u64, call_us: u64, is_final: bool) {
        self.idle_us = self.idle_us.min(micros(WINDOW));
        self.busy_until_us = self.busy_until_us.max(oldest_us - micros(WINDOW));
        let is_idle = self.busy_until_us < oldest_us;
        let is_old = self.busy_until_us >= self.resumed_at_us + micros(WINDOW) + call_us;
        if is_final && (is_idle || is_old) {
            (self.resumed_at_us, self.idle_us) = (0, 0);
        }
    }
}

impl From<Times> for Lane {
    fn from(times: Times) -> Self {
        Self {
            busy_until_us: times.busy_until_us,
            resumed_at_us: times.resumed_at_us,
            idle_us: times.idle_us,
            slices: times.slices,
            pace: Pace::default(),
            day_tokens: 0,
        }
    }
}

impl From<Lane> for Times {
    fn from(lane: Lane) -> Self {
        Self {
            busy_until_us: lane.busy_until_us,
            resumed_at_us: lane.resumed_at_us,
            idle_us: lane.idle_us,
            slices: lane.slices,
        }
    }
}
