//! How often what was measured, to within a sixteenth, in memory that is bounded by the
//! number of different sizes and not by the number of measurements.

use std::collections::BTreeMap;

/// Binary digits of a value that are kept behind its first.
const KEPT_BITS: u32 = 3;

/// Values and how often each was measured.
///
/// A value stands for all whose first four binary digits are its own, and is in their middle: it
/// is off by a sixteenth at most. Below 16 each stands for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution(BTreeMap<u64, u64>);

impl Distribution {
    /// Adds a value.
    pub fn add(&mut self, value: u64) {
        *self.0.entry(rounded(value)).or_default() += 1;
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        for (value, times) in &other.0 {
            *self.0.entry(*value).or_default() += times;
        }
    }

    /// Each value with how often it was measured, in order.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(value, times)| (*value, *times))
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The value that `quantile` (0 to 1) of all do not exceed; 0 if there are none.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let wanted = (quantile * self.count() as f64).ceil().max(1.0) as u64;
        let mut so_far = 0;
        let reached = self.0.iter().find(|(_, times)| {
            so_far += **times;
            so_far >= wanted
        });
        reached.map_or(0, |(value, _)| *value)
    }
}

/// The value that stands for all with the same first digits.
fn rounded(value: u64) -> u64 {
    let digits = u64::BITS - value.leading_zeros();
    let Some(dropped) = digits.checked_sub(KEPT_BITS + 1).filter(|dropped| *dropped > 0) else {
        return value;
    };
    (value >> dropped << dropped) | (1 << (dropped - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_stands_for_a_value_is_off_by_a_sixteenth_at_most(value in any::<u64>()) {
            let off = rounded(value).abs_diff(value);

            prop_assert!(off <= value / 16, "{value} became {}", rounded(value));
        }
    }

    #[test]
    fn a_week_of_milliseconds_takes_few_values() {
        let mut week = Distribution::default();
        for seconds in 0..7 * 24 * 3_600 {
            week.add(seconds * 1_000 + seconds % 1_000);
        }

        assert_eq!(week.count(), 604_800);
        assert!(week.values().count() <= 200, "{}", week.values().count());
    }

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut times = Distribution::default();
        (1..=10).for_each(|value| times.add(value));
        let mut other = Distribution::default();
        other.add(1_000);
        times.merge(&other);

        assert_eq!([0.0, 0.5, 1.0].map(|of| times.quantile(of)), [1, 6, 992]);
        assert_eq!(Distribution::default().quantile(0.5), 0);
    }
}
