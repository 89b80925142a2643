//! What calls took more or less than they were charged.
//!
//! - **Debts**: calls that took more than their kind does, because little was known or
//!   because they were cut off. They make the next slices longer until they are paid, or
//!   until the window of the call is over: what is not there a minute later is nobody's.
//! - **Chance**: calls take more and less than others of their kind. It evens out, and the
//!   sooner the next slice begins the more of it, so it counts by the part of a window that
//!   call and slice have in common. What a slice that begins a minute later would make up
//!   for has long left the window.

use std::collections::VecDeque;

use crate::lane::{WINDOW, micros};

/// How much shorter than its calls a slice may be, as a part of it.
const SHORTER: f64 = 0.05;

/// How much shorter a slice of few calls may be, as a part of one call.
const SHORTER_BY_CALL: f64 = 0.5;

/// How much longer than its calls a slice may be; debts that are left make the next ones
/// longer.
const LONGEST: f64 = 4.0;

/// Differences kept one by one; older ones are added up.
const MAX_KEPT: usize = 1_000;

/// Differences of a window's calls.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    debts: Kept,
    chance: Kept,
    /// What of the last factor was chance, in tokens.
    counted: f64,
}

/// When calls started, and how many tokens more they took.
#[derive(Debug, Default)]
struct Kept(VecDeque<(u64, f64)>);

impl Differences {
    /// Notes that a call took `debt` tokens more than it was charged, and beside that
    /// `chance` more than others of its kind do, or less.
    pub(crate) fn add(&mut self, started_us: u64, debt: f64, chance: f64) {
        if debt > 0.0 {
            self.debts.add(started_us, debt);
        }
        self.chance.add(started_us, chance);
    }

    /// What a slice for so many calls of `charged` tokens must be multiplied with that
    /// begins at `begins_us`.
    pub(crate) fn factor(&mut self, calls: usize, charged: f64, begins_us: u64) -> f64 {
        self.debts.forget_before(begins_us.saturating_sub(micros(WINDOW)));
        self.chance.forget_before(begins_us.saturating_sub(micros(WINDOW)));
        let in_common = |started_us: u64| {
            1.0 - begins_us.saturating_sub(started_us) as f64 / micros(WINDOW) as f64
        };
        let chance = self.chance.0.iter();
        self.counted = chance.map(|(started_us, tokens)| in_common(*started_us) * tokens).sum();
        let sum = self.counted + self.debts.sum();
        let shorter = (SHORTER_BY_CALL / calls.max(1) as f64).max(SHORTER);
        (1.0 + sum / charged.max(1.0)).clamp(1.0 - shorter, LONGEST)
    }

    /// Notes that a slice for calls of `charged` tokens was multiplied with `factor`.
    pub(crate) fn paid(&mut self, charged: f64, factor: f64) {
        self.chance.0.clear();
        let mut paid = (charged * (factor - 1.0) - std::mem::take(&mut self.counted)).max(0.0);
        self.debts.0.retain_mut(|(_, tokens)| {
            let part = tokens.min(paid);
            *tokens -= part;
            paid -= part;
            // What is left of one that was paid in full is rounding.
            *tokens > 1e-6
        });
    }
}

impl Kept {
    fn add(&mut self, started_us: u64, tokens: f64) {
        if self.0.len() == MAX_KEPT
            && let Some((_, oldest)) = self.0.pop_front()
            && let Some((_, next)) = self.0.front_mut()
        {
            *next += oldest;
        }
        self.0.push_back((started_us, tokens));
    }

    fn forget_before(&mut self, oldest_us: u64) {
        self.0.retain(|(started_us, _)| *started_us >= oldest_us);
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, tokens)| tokens).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_debt_makes_the_next_slice_longer_once() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, 100.0, 0.0);

        let factor = differences.factor(10, 1_000.0, 110 * SECOND);
        assert_eq!(factor, 1.1);
        differences.paid(1_000.0, factor);
        assert_eq!(differences.factor(10, 1_000.0, 111 * SECOND), 1.0);
    }

    #[test]
    fn a_debt_ends_with_the_window_of_its_call() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, 150.0, 0.0);

        assert_eq!(differences.factor(10, 1_000.0, 161 * SECOND), 1.0);
    }

    #[test]
    fn chance_counts_the_less_the_later_it_could_even_out() {
        let after = |secs: u64| {
            let mut differences = Differences::default();
            differences.add(100 * SECOND, 0.0, 40.0);
            differences.factor(10, 1_000.0, (100 + secs) * SECOND)
        };

        assert_eq!([after(0), after(30), after(60)], [1.04, 1.02, 1.0]);
    }

    #[test]
    fn calls_that_took_far_less_are_not_made_up_for() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, 0.0, -900.0);

        let factor = differences.factor(10, 1_000.0, 101 * SECOND);
        assert_eq!(factor, 1.0 - SHORTER);
        differences.paid(1_000.0, factor);
        assert_eq!(differences.factor(10, 1_000.0, 101 * SECOND), 1.0);
    }

    proptest! {
        /// Debts are paid by slices, to the token, if they come in time.
        #[test]
        fn tokens_are_conserved(
            calls in prop::collection::vec((0.0_f64..400.0, 100.0_f64..2_000.0), 1..200)
        ) {
            let mut differences = Differences::default();
            let (mut taken, mut paid) = (0.0, 0.0);
            let mut pay = |differences: &mut Differences, charged: f64| {
                let factor = differences.factor(1, charged, SECOND);
                differences.paid(charged, factor);
                paid += charged * (factor - 1.0);
            };
            for (more, charged) in calls {
                differences.add(SECOND, more, 0.0);
                taken += more;
                pay(&mut differences, charged);
            }
            pay(&mut differences, 1e9);
            prop_assert!((taken - paid).abs() < 1e-3, "{taken} {paid}");
        }
    }
}
