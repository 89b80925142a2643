//! How long generations take, so that none starts that cannot end in time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Generations that are remembered.
const REMEMBERED: usize = 200;

/// What a generation is taken to last before any was seen: a few hundred tokens of a
/// small model take two to five seconds.
const FIRST_GUESS: Duration = Duration::from_secs(10);

/// The latest generations' times.
#[derive(Debug, Default)]
pub(crate) struct Latency(Mutex<VecDeque<Duration>>);

impl Latency {
    /// Remembers how long a generation took.
    pub(crate) fn record(&self, took: Duration) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(took);
    }

    /// What ninety-nine of a hundred generations stay below.
    pub(crate) fn p99(&self) -> Duration {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = recent.iter().copied().collect();
        sorted.sort_unstable();
        let place = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or(FIRST_GUESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_a_hundred_is_expected_and_what_is_long_past_forgotten() {
        let latency = Latency::default();
        assert_eq!(latency.p99(), FIRST_GUESS);

        latency.record(Duration::from_secs(60));
        for n in 1..=200 {
            latency.record(Duration::from_millis(n));
        }

        assert_eq!(latency.p99(), Duration::from_millis(198));
    }
}
