//! A lane: a part of the quota, and the time that is promised of it.
//!
//! A lane has a pace at which it admits tokens, and a clock of promises: until
//! [`Lane::busy_until_us`], every moment belongs to somebody. Whoever wants to call the
//! model takes the next **slice** of the lane's time and starts its calls in it, one
//! after the other, each at the beginning of the time that it is worth. So all instances
//! together admit what one would that called alone, and nobody needs to know how many
//! they are.
//!
//! **The bound.** Calls that start within sixty seconds of a lane own times that begin
//! within these sixty seconds (or [`LATE`] earlier): all but the last lie in them whole.
//! The quota is spread over [`WINDOW`] and [`LATE`], less one call (`rate`), so
//! no sixty seconds hold more than the quota, wherever they begin.
//!
//! **Idle time** is not lost: a slice that is taken after the lane was idle may be spent
//! as many seconds early. Of the sixty seconds that then hold both, the idle ones make
//! room for the early calls; what is spent early is not there later.
//!
//! **Clocks.** Times are those of the instances. If the errors of any two looks at a clock
//! differ by `d` at most, sixty seconds hold less than `WINDOW + LATE + d` of the lane's
//! time, and one call: `d / 60` of the quota more. A slow instance then starts the first of
//! the calls, a fast one the last. Idle time adds nothing to that, because what a fast
//! clock takes for idle is time of the lane that nobody was promised, whatever the clock.
//!
//! **Faults.** A slice that is taken twice, or by an instance that dies, only passes
//! unused. What is given back is given back once, however often the update is repeated.
//!
//! All this is searched exhaustively for a few instances (`tests/it/lane_model.rs`); the
//! bound is reached but for [`LATE`].

use std::time::Duration;

use crate::pace::Pace;

/// Seconds in which the quota applies; AWS documents "per minute" without a shape.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How late a call may start; later its time is over, and it takes another.
pub const LATE: Duration = Duration::from_millis(250);

/// Microseconds of a day.
pub(crate) const DAY_US: u64 = 24 * 3_600 * 1_000_000;

/// A lane, as all instances see it. Times in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lane {
    /// Until when its time is promised.
    pub busy_until_us: u64,
    /// When it was last taken after nothing had been promised.
    pub resumed_at_us: u64,
    /// How long nothing had been promised then.
    pub idle_us: u64,
    /// How many slices were taken of it: none is like another.
    pub slices: u64,
    /// What part of the quota the service lets through, by experience.
    pub pace: Pace,
    /// Tokens that it admitted on the day of the question.
    pub day_tokens: u64,
}

/// Asks for a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    /// The time now.
    pub now_us: u64,
    /// Length of the slice.
    pub length_us: u64,
    /// When it must begin at the latest.
    pub latest_us: u64,
    /// Today, in days since 1970 (UTC).
    pub day: u64,
    /// Tokens that it is for.
    pub tokens: u64,
    /// What the lane may admit in a day, if the model has such a quota.
    pub tokens_per_day: Option<u64>,
    /// When a lane begins again that nobody was promised, if instances were on their own
    /// meanwhile: not all of them may know yet that they no longer are, and time that
    /// passed was not unused. Otherwise it begins at once.
    pub resumes_us: Option<u64>,
}

/// Why there is no slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// It would begin too late; the lane as it stands.
    Busy(Lane),
    /// The day's quota is used up.
    DayUsedUp,
}

impl Lane {
    /// A lane of which nobody took a slice.
    pub(crate) fn unused(now_us: u64) -> Self {
        Self {
            busy_until_us: never_busy_us(now_us),
            resumed_at_us: 0,
            idle_us: 0,
            slices: 0,
            pace: Pace::default(),
            day_tokens: 0,
        }
    }

    /// Takes a slice of a lane, of which nothing may be known: the slice ends where the
    /// lane is then busy until.
    pub fn take(before: Option<&Self>, ask: &Ask) -> Result<Self, Refusal> {
        let day_tokens = before.map_or(0, |lane| lane.day_tokens) + ask.tokens;
        if ask.tokens_per_day.is_some_and(|limit| day_tokens > limit) {
            return Err(Refusal::DayUsedUp);
        }
        // A lane that nobody has used yet has been idle for a window.
        let busy_until_us = before.map_or(never_busy_us(ask.now_us), |lane| lane.busy_until_us);
        let pace = before.map(|lane| lane.pace).unwrap_or_default();
        let slices = before.map_or(0, |lane| lane.slices) + 1;
        if busy_until_us < ask.now_us {
            let resumed_at_us = ask.resumes_us.unwrap_or(ask.now_us);
            return Ok(Self {
                busy_until_us: resumed_at_us + ask.length_us,
                resumed_at_us,
                idle_us: if ask.resumes_us.is_none() { ask.now_us - busy_until_us } else { 0 },
                slices,
                pace,
                day_tokens,
            });
        }
        match before {
            Some(lane) if busy_until_us <= ask.latest_us => {
                let busy_until_us = busy_until_us + ask.length_us;
                Ok(Self { busy_until_us, slices, day_tokens, ..*lane })
            }
            Some(lane) => Err(Refusal::Busy(*lane)),
            None => unreachable!("a lane that was never used is idle"),
        }
    }

    /// Gives the end of a slice back, from `from_us` on; `slice` is the lane as it was when
    /// the slice was taken. Nothing comes of it if it was given back already, or if
    /// somebody took a slice since: one that was taken of the time given back can end where
    /// this one did, and would be given away by a repeat.
    pub fn give_back(&self, slice: &Self, from_us: u64) -> Option<Self> {
        let is_last = self.busy_until_us == slice.busy_until_us && self.slices == slice.slices;
        is_last.then_some(Self { busy_until_us: from_us, ..*self })
    }

    /// When a call may start at the earliest that owns the time between `begins_us` and
    /// `ends_us`. `evenness` is what it is charged over its window, as a part of what it
    /// holds while it runs: many that run at once need room for that.
    pub fn earliest_us(&self, begins_us: u64, ends_us: u64, evenness: f64) -> u64 {
        let resumed_at = self.resumed_at_us;
        let idle_us = self.idle_us.min(micros(WINDOW));
        if ends_us > resumed_at + micros(WINDOW) || ends_us < resumed_at {
            return begins_us;
        }
        let needs_us = ((ends_us - resumed_at) as f64 / evenness.clamp(0.01, 1.0)).ceil() as u64;
        begins_us.min((resumed_at + needs_us).saturating_sub(idle_us))
    }
}

/// Whether a call may still start whose time begins at `begins_us`.
pub fn may_start(begins_us: u64, now_us: u64) -> bool {
    now_us <= begins_us + micros(LATE)
}

/// Until when a lane was busy that was never used.
pub(crate) fn never_busy_us(now_us: u64) -> u64 {
    now_us.saturating_sub(micros(WINDOW))
}

/// A duration in microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn ask(now_us: u64, length_us: u64) -> Ask {
        let latest_us = now_us + 30 * SECOND;
        Ask {
            now_us,
            length_us,
            latest_us,
            day: 0,
            tokens: 10,
            tokens_per_day: None,
            resumes_us: None,
        }
    }

    #[test]
    fn slices_follow_each_other_and_none_begins_too_late() {
        let now = 1_000 * SECOND;
        let first = Lane::take(None, &ask(now, 20 * SECOND)).expect("free");
        let second = Lane::take(Some(&first), &ask(now, 20 * SECOND)).expect("free");

        assert_eq!(first.busy_until_us, now + 20 * SECOND);
        assert_eq!(second.busy_until_us, now + 40 * SECOND);
        let third = Lane::take(Some(&second), &ask(now, SECOND));
        assert_eq!(third, Err(Refusal::Busy(second)));
    }

    #[test]
    fn the_day_ends_when_its_tokens_do() {
        let mut ask = ask(1_000 * SECOND, SECOND);
        ask.tokens_per_day = Some(15);
        let first = Lane::take(None, &ask).expect("free");

        assert_eq!(Lane::take(Some(&first), &ask), Err(Refusal::DayUsedUp));
    }

    #[test]
    fn after_a_pause_calls_start_as_early_as_the_pause_was_long() {
        let now = 1_000 * SECOND;
        let before = Lane::take(None, &ask(now - 100 * SECOND, 90 * SECOND)).expect("free");
        let lane = Lane::take(Some(&before), &ask(now, 30 * SECOND)).expect("free");
        let at = |second: u64| now + second * SECOND;

        assert_eq!(lane.idle_us, 10 * SECOND);
        assert_eq!(lane.earliest_us(at(5), at(6), 1.0), at(6) - 10 * SECOND);
        assert_eq!(lane.earliest_us(at(25), at(26), 1.0), at(16));
        assert_eq!(lane.earliest_us(at(25), at(26), 0.5), at(25), "it holds twice as much");
        assert_eq!(lane.earliest_us(at(60), at(61), 1.0), at(60), "a minute later it is over");
    }

    proptest! {
        /// Every call starts as early as it may; none of the windows holds more than its
        /// own length of promised time, and one call.
        #[test]
        fn no_window_holds_more_time_than_it_is_long(
            calls in prop::collection::vec((0_u64..40 * SECOND, 1_u64..5 * SECOND), 1..120)
        ) {
            let mut now = 1_000 * SECOND;
            let mut lane: Option<Lane> = None;
            let mut started = Vec::new();
            for (wait, length) in calls {
                // Mostly busy, sometimes idle for long.
                now += if wait < 30 * SECOND { 0 } else { wait };
                let asked = Ask { latest_us: u64::MAX, ..ask(now, length) };
                let taken = Lane::take(lane.as_ref(), &asked).expect("no limit");
                let begins = taken.busy_until_us - length;
                let at = taken.earliest_us(begins, taken.busy_until_us, 1.0).max(now);
                started.push((at, length));
                now = now.max(at.saturating_sub(20 * SECOND));
                lane = Some(taken);
            }
            for (from, _) in &started {
                let window = *from..from + micros(WINDOW);
                let inside: Vec<_> = started.iter().filter(|(at, _)| window.contains(at)).collect();
                let longest = inside.iter().map(|(_, length)| *length).max().unwrap_or_default();
                let sum: u64 = inside.iter().map(|(_, length)| length).sum();
                prop_assert!(sum <= micros(WINDOW) + longest, "{sum} {longest}");
            }
        }
    }
}
