//! Instances that share a lane: they crash, stall, lose replies, and their clocks differ.
//!
//! Every call owns the same length of time. Time passes in steps, and is seen from the
//! present: it stands still, and what was moves away. All lengths are multiples of a step
//! but [`LATE`], and the latest start is tried, so nothing is lost between the steps.

use quota::lane::{Ask, LATE, Lane, WINDOW, may_start, micros};

use super::promises::{Gift, NOW_US, SECOND, Setting, Times, Turn, back};

/// Turns that an instance holds at most.
const MAX_HELD: usize = 2;

/// How far ahead time is promised.
const MAX_AHEAD_US: u64 = 60 * SECOND;

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    lane: Option<Times>,
    /// The turns that instances hold.
    instances: Vec<Vec<Turn>>,
    /// When the calls of the last sixty seconds started.
    started_us: Vec<u64>,
    gift: Option<Gift>,
    /// Until when time belongs to somebody who did not give it back.
    promised_until_us: u64,
    was_promised_twice: bool,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Time passes.
    Wait,
    /// An update that was sent when the clock showed `now_us` comes in.
    Take { instance: usize, now_us: u64, calls: u64, reply: Reply },
    /// A call starts, or does so after the check, [`LATE`] at most.
    Start { instance: usize, turn: usize, is_late: bool },
    /// Unused time comes back to the table, for the first time or again.
    GiftArrives,
    /// An instance forgets its turns.
    Crash { instance: usize },
}

/// What comes of an update that was applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reply {
    /// The instance has the slice.
    Comes,
    /// The instance has it, and sends the last call's time back.
    ComesForOneLess,
    /// The instance does not know that it has it.
    IsLost,
}

impl World {
    /// Nothing was promised yet.
    pub(super) fn new(instances: usize, setting: &Setting) -> Self {
        Self {
            lane: None,
            instances: vec![Vec::new(); instances],
            started_us: Vec::new(),
            gift: None,
            promised_until_us: 0,
            was_promised_twice: false,
        }
        .seen_from_now(setting)
    }

    /// What can happen next.
    pub(super) fn steps(&self, setting: &Setting, steps: &mut Vec<Step>) {
        steps.push(Step::Wait);
        if self.gift.is_some() {
            steps.push(Step::GiftArrives);
        }
        for (instance, held) in self.instances.iter().enumerate() {
            for now_us in setting.asked_at_us() {
                let mut take = |calls, reply| {
                    steps.push(Step::Take { instance, now_us, calls, reply });
                };
                if setting.has_faults {
                    take(1, Reply::IsLost);
                }
                if held.len() < MAX_HELD {
                    take(1, Reply::Comes);
                }
                if held.len() < MAX_HELD && setting.has_faults {
                    take(2, Reply::ComesForOneLess);
                }
                if held.is_empty() {
                    take(2, Reply::Comes);
                }
            }
            for (turn, own) in held.iter().enumerate() {
                if own.may_start(NOW_US, setting) {
                    steps.push(Step::Start { instance, turn, is_late: false });
                    if !own.may_start(NOW_US + setting.step_us, setting) {
                        steps.push(Step::Start { instance, turn, is_late: true });
                    }
                }
            }
            if setting.has_faults && !held.is_empty() {
                steps.push(Step::Crash { instance });
            }
        }
    }

    /// The state after a step, if it is possible.
    pub(super) fn after(&self, step: Step, setting: &Setting) -> Option<Self> {
        let mut next = self.clone();
        match step {
            Step::Wait => next.pass(setting.step_us),
            Step::Take { instance, now_us, calls, reply } => {
                next.take(instance, now_us, setting.call_us, calls, reply)?;
            }
            Step::Start { instance, turn, is_late } => {
                next.instances[instance].remove(turn);
                next.started_us.push(NOW_US + if is_late { micros(LATE) } else { 0 });
            }
            Step::GiftArrives => {
                let (lane, gift) = (Lane::from(next.lane?), next.gift?);
                next.lane = Some(lane.give_back(&gift.slice.into(), gift.from_us)?.into());
            }
            Step::Crash { instance } => next.instances[instance].clear(),
        }
        Some(next.seen_from_now(setting))
    }

    fn take(
        &mut self,
        instance: usize,
        now_us: u64,
        call_us: u64,
        calls: u64,
        reply: Reply,
    ) -> Option<()> {
        let ask = Ask {
            now_us,
            length_us: calls * call_us,
            latest_us: now_us + MAX_AHEAD_US,
            day: 0,
            tokens: 0,
            tokens_per_day: None,
            resumes_us: None,
        };
        let lane = Lane::take(self.lane.map(Lane::from).as_ref(), &ask).ok()?;
        let (begins_us, ends_us) = (lane.busy_until_us - ask.length_us, lane.busy_until_us);
        self.lane = Some(lane.into());
        self.was_promised_twice |= begins_us < self.promised_until_us;
        self.promised_until_us = ends_us;
        let used = match reply {
            Reply::Comes => calls,
            Reply::IsLost => 0,
            Reply::ComesForOneLess => {
                let from_us = ends_us - call_us;
                self.gift = Some(Gift { slice: lane.into(), from_us, is_late: false });
                self.promised_until_us = from_us;
                calls - 1
            }
        };
        for call in 0..used {
            let begins_us = begins_us + call * call_us;
            let ends_us = begins_us + call_us;
            let earliest_us = lane.earliest_us(begins_us, ends_us, 1.0);
            self.instances[instance].push(Turn { begins_us, ends_us, earliest_us });
        }
        Some(())
    }

    fn pass(&mut self, step_us: u64) {
        if let Some(lane) = &mut self.lane {
            lane.pass(step_us);
        }
        self.gift = self.gift.filter(|gift| !gift.is_late);
        if let Some(gift) = &mut self.gift {
            gift.pass(step_us);
        }
        for turn in self.instances.iter_mut().flatten() {
            turn.pass(step_us);
        }
        self.started_us.iter_mut().for_each(|at| back(at, step_us));
        back(&mut self.promised_until_us, step_us);
    }

    /// Forgets what can make no difference any more, so that states repeat.
    fn seen_from_now(mut self, setting: &Setting) -> Self {
        let slowest_us = NOW_US - setting.skew_us;
        // No update that is under way is older.
        let oldest_us = slowest_us - setting.step_us;
        self.started_us.retain(|at| *at > NOW_US - micros(WINDOW));
        self.started_us.sort_unstable();
        for held in &mut self.instances {
            held.retain(|turn| may_start(turn.begins_us, slowest_us));
            for turn in held.iter_mut() {
                turn.earliest_us = turn.earliest_us.max(slowest_us);
            }
            held.sort_unstable();
        }
        self.instances.sort_unstable();
        self.promised_until_us = self.promised_until_us.max(oldest_us);
        if let Some(lane) = &mut self.lane {
            lane.forget(oldest_us, setting.call_us, self.gift.is_none());
            // Slices count from the one that the gift is of.
            let first = self.gift.map_or(lane.slices, |gift| gift.slice.slices);
            lane.slices -= first;
        }
        if let Some(gift) = &mut self.gift {
            (gift.slice.resumed_at_us, gift.slice.idle_us, gift.slice.slices) = (0, 0, 0);
        }
        self
    }

    /// Calls that started in the sixty seconds that end with the last of them.
    pub(super) fn calls_of_the_window(&self) -> u64 {
        let last_us = self.started_us.last().copied().unwrap_or_default();
        let inside = self.started_us.iter().filter(|at| **at + micros(WINDOW) > last_us);
        inside.count() as u64
    }

    /// Whether a slice began before the one before it ended.
    pub(super) fn was_promised_twice(&self) -> bool {
        self.was_promised_twice
    }

    /// The most of any sixty seconds that instances hold together.
    pub(super) fn most_leased_us(&self) -> u64 {
        let held = || self.instances.iter().flatten();
        let inside = |from_us: u64| {
            let until_us = from_us + micros(WINDOW);
            held()
                .map(|turn| turn.ends_us.min(until_us).saturating_sub(turn.begins_us.max(from_us)))
                .sum()
        };
        held().map(|turn| inside(turn.begins_us)).max().unwrap_or_default()
    }
}
