//! The calls of this instance that wait for their time, in the order they are served.
//!
//! First come, first served; a call of a higher priority counts as having come earlier, by
//! [`HEAD_START`] for each step. So it goes first, and still nobody waits for ever: what
//! comes later by more than its head start is served later. A large call takes its turn
//! like a small one.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::NotAdmitted;
use crate::estimate::Price;
use crate::lane::micros;

/// How much earlier a call of the next higher priority counts as having come.
const HEAD_START: Duration = Duration::from_secs(10);

/// Steps of priority that count, up and down.
const MAX_STEPS: i32 = 6;

/// The time that a call owns, and what it is charged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    /// Number of the lane; none where the instance is on its own.
    pub(crate) lane: Option<u32>,
    /// Its number in the tally, if calls are counted one by one.
    pub(crate) number: Option<u64>,
    /// When it may start.
    pub(crate) earliest_us: u64,
    /// When its time begins; it may start a little later than that.
    pub(crate) begins_us: u64,
    pub(crate) price: Price,
}

/// Places in the line, first served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    counts_from_us: i64,
    number: u64,
}

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) kind: String,
    pub(crate) input_tokens: u64,
    pub(crate) max_tokens: u32,
    /// When it must have started.
    pub(crate) deadline_us: u64,
    told: oneshot::Sender<Result<Turn, NotAdmitted>>,
}

/// All calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<Place, Waiting>,
    next: u64,
}

impl Waiting {
    pub(crate) fn new(
        kind: &str,
        input_tokens: u64,
        max_tokens: u32,
        deadline_us: u64,
    ) -> (Self, oneshot::Receiver<Result<Turn, NotAdmitted>>) {
        let (told, turn) = oneshot::channel();
        let kind = kind.to_owned();
        (Self { kind, input_tokens, max_tokens, deadline_us, told }, turn)
    }
}

impl Line {
    /// Adds a call that came at `came_us`.
    pub(crate) fn add(&mut self, came_us: u64, priority: i32, waiting: Waiting) -> Place {
        let steps = i64::from(priority.clamp(-MAX_STEPS, MAX_STEPS));
        let head_start = i64::try_from(micros(HEAD_START)).unwrap_or(i64::MAX);
        let came = i64::try_from(came_us).unwrap_or(i64::MAX);
        let place = Place { counts_from_us: came - steps * head_start, number: self.next };
        self.next += 1;
        self.waiting.insert(place, waiting);
        place
    }

    /// The calls in the order they are served.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &Waiting)> {
        self.waiting.iter().map(|(place, waiting)| (*place, waiting))
    }

    /// The places of all calls.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.waiting.keys().copied().collect()
    }

    /// Number of calls.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a call out of the line that nobody waits for any more.
    pub(crate) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Tells a call what became of it; `false` if nobody listens.
    pub(crate) fn tell(&mut self, place: Place, turn: Result<Turn, NotAdmitted>) -> bool {
        let waiting = self.waiting.remove(&place);
        waiting.is_some_and(|waiting| waiting.told.send(turn).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn served(calls: &[(u64, i32)]) -> Vec<u64> {
        let mut line = Line::default();
        for (came, priority) in calls {
            let waiting = Waiting::new(&came.to_string(), 0, 0, 0).0;
            line.add(came * SECOND, *priority, waiting);
        }
        line.iter().map(|(_, waiting)| waiting.kind.parse().expect("a number")).collect()
    }

    #[test]
    fn who_comes_first_is_served_first() {
        assert_eq!(served(&[(3, 0), (1, 0), (2, 0)]), [1, 2, 3]);
    }

    #[test]
    fn a_higher_priority_goes_first_and_starves_nobody() {
        let calls = [(1, 0), (2, 1), (9, 1), (12, 1), (30, i32::MAX), (90, i32::MAX)];

        assert_eq!(served(&calls), [30, 2, 9, 1, 12, 90]);
    }
}
