//! What calls took more or less than they were charged.
//!
//! The difference belongs to the window of the call. So it makes the next slices longer
//! or shorter as long as that window lasts, and ends with it: time that passed unused is
//! not there a minute later.

use std::collections::VecDeque;

use super::lane::{WINDOW, micros};

/// How much shorter than its calls a slice may be, as a part of it. Calls that took less
/// than expected are as frequent as those that took more; what is more than that is an
/// estimate that was wrong, and its time has passed.
const SHORTER: f64 = 0.05;

/// How much shorter a slice of few calls may be, as a part of one call.
const SHORTER_BY_CALL: f64 = 0.5;

/// How much longer than its calls a slice may be; what is left makes the next ones longer.
const LONGEST: f64 = 1.5;

/// Differences kept one by one; older ones are added up.
const MAX_KEPT: usize = 1_000;

/// Differences of a window's calls.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// When the call started, and how many tokens more it took.
    kept: VecDeque<(u64, f64)>,
}

impl Differences {
    /// Notes that a call took `tokens` more than it was charged.
    pub(super) fn add(&mut self, started_us: u64, tokens: f64) {
        if self.kept.len() == MAX_KEPT
            && let Some((_, oldest)) = self.kept.pop_front()
            && let Some((_, next)) = self.kept.front_mut()
        {
            *next += oldest;
        }
        self.kept.push_back((started_us, tokens));
    }

    /// What a slice for so many calls of `charged` tokens must be multiplied with.
    pub(super) fn factor(&mut self, calls: usize, charged: f64, now_us: u64) -> f64 {
        let shorter = (SHORTER_BY_CALL / calls.max(1) as f64).max(SHORTER);
        let oldest = now_us.saturating_sub(micros(WINDOW));
        self.kept.retain(|(started_us, _)| *started_us >= oldest);
        let sum: f64 = self.kept.iter().map(|(_, tokens)| tokens).sum();
        (1.0 + sum / charged.max(1.0)).clamp(1.0 - shorter, LONGEST)
    }

    /// Notes that a slice for calls of `charged` tokens was multiplied with `factor`.
    pub(super) fn paid(&mut self, charged: f64, factor: f64) {
        let mut paid = charged * (factor - 1.0);
        if paid < 0.0 {
            // The rest was not worth keeping.
            self.kept.clear();
            return;
        }
        // Those that took less count against those that took more.
        paid -= self.kept.iter().map(|(_, tokens)| tokens.min(0.0)).sum::<f64>();
        self.kept.retain_mut(|(_, tokens)| {
            let part = tokens.clamp(0.0, paid);
            *tokens -= part;
            paid -= part;
            // What is left of one that was paid in full is rounding.
            *tokens > 1e-6
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn what_a_call_took_more_makes_the_next_slice_longer_once() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, 150.0);
        differences.add(101 * SECOND, -50.0);

        let factor = differences.factor(10, 1_000.0, 110 * SECOND);
        assert_eq!(factor, 1.1);
        differences.paid(1_000.0, factor);
        assert_eq!(differences.factor(10, 1_000.0, 111 * SECOND), 1.0);
    }

    #[test]
    fn a_difference_ends_with_the_window_of_its_call() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, 150.0);

        assert_eq!(differences.factor(10, 1_000.0, 161 * SECOND), 1.0);
    }

    #[test]
    fn an_estimate_that_was_far_too_high_is_not_made_up_for() {
        let mut differences = Differences::default();
        differences.add(100 * SECOND, -900.0);

        let factor = differences.factor(10, 1_000.0, 101 * SECOND);
        assert_eq!(factor, 1.0 - SHORTER);
        differences.paid(1_000.0, factor);
        assert_eq!(differences.factor(10, 1_000.0, 101 * SECOND), 1.0);
    }

    proptest! {
        /// Whatever calls took more is paid by slices, to the token, if it comes in time.
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
                differences.add(SECOND, more);
                taken += more;
                pay(&mut differences, charged);
            }
            pay(&mut differences, 1e9);
            prop_assert!((taken - paid).abs() < 1e-3, "{taken} {paid}");
        }
    }
}
