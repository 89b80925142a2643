//! How much more calls take of late than all usually do.
//!
//! What all have learnt follows a change of the answers in minutes. So an instance compares
//! its own last calls with it, in the order in which they started: short ones end first, so
//! in the order in which they end the last ones would always seem to take more.

use std::collections::{HashMap, VecDeque};

/// Calls that a drift is the mean of.
const CALLS: f64 = 20.0;

/// Spreads of one call at which a mean of so many is no chance: four of its own.
const NOTABLE: f64 = 0.64;

/// Calls that are waited for; the oldest is given up then.
const MAX_OPEN: usize = 10_000;

/// Drifts of an instance's kinds.
#[derive(Debug, Default)]
pub(crate) struct Drifts {
    /// Number of the first of the calls.
    first: u64,
    calls: VecDeque<Outcome>,
    /// What calls took more, as a part, by kind.
    means: HashMap<String, f64>,
}

#[derive(Debug)]
enum Outcome {
    Open,
    /// It says nothing.
    None,
    Took {
        kind: String,
        more: f64,
    },
}

impl Drifts {
    /// A call started; its number.
    pub(crate) fn start(&mut self) -> u64 {
        if self.calls.len() == MAX_OPEN {
            self.calls.pop_front();
            self.first += 1;
        }
        self.calls.push_back(Outcome::Open);
        self.first + self.calls.len() as u64 - 1
    }

    /// A call ended that took a part more than usual.
    pub(crate) fn took(&mut self, number: u64, kind: &str, more: f64) {
        self.end(number, Outcome::Took { kind: kind.to_owned(), more });
    }

    /// A call ended of which nothing is known.
    pub(crate) fn lost(&mut self, number: u64) {
        self.end(number, Outcome::None);
    }

    /// How much more calls of a kind take, as a part of what is usual; nothing where that
    /// may be chance.
    pub(crate) fn of(&self, kind: &str, spread: f64) -> f64 {
        let mean = self.means.get(kind).copied().unwrap_or_default();
        if mean > NOTABLE * spread { mean } else { 0.0 }
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| self.calls.get_mut(place)) {
            *call = outcome;
        }
        while !matches!(self.calls.front(), None | Some(Outcome::Open)) {
            self.first += 1;
            if let Some(Outcome::Took { kind, more }) = self.calls.pop_front() {
                let mean = self.means.entry(kind).or_default();
                *mean += (more - *mean) / CALLS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that start together and end by what they took.
    fn batches(drifts: &mut Drifts, took: &[f64]) {
        for _ in 0..4 {
            let mut calls: Vec<_> = took.iter().map(|more| (drifts.start(), *more)).collect();
            calls.sort_by(|one, other| one.1.total_cmp(&other.1));
            for (number, more) in calls {
                drifts.took(number, "k", more);
            }
        }
    }

    #[test]
    fn that_long_calls_end_last_is_no_drift() {
        let mut drifts = Drifts::default();
        let even: Vec<f64> = (0..64).map(|call| if call % 2 == 0 { 0.2 } else { -0.2 }).collect();

        batches(&mut drifts, &even);
        assert_eq!(drifts.of("k", 0.2), 0.0);
        batches(&mut drifts, &[0.5; 64]);
        assert!((drifts.of("k", 0.2) - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_call_that_never_ends_holds_back_no_more_than_so_many() {
        let mut drifts = Drifts::default();
        drifts.start();
        for _ in 0..MAX_OPEN + 100 {
            let call = drifts.start();
            drifts.took(call, "k", 1.0);
        }

        assert!(drifts.calls.len() <= MAX_OPEN);
        assert!(drifts.of("k", 0.2) > 0.9);
    }
}
