//! No faster than is said.

use std::num::NonZeroU32;

use tokio::time::{Duration, Instant, sleep_until};

/// Lets so many of something go in a second at most.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: NonZeroU32,
    next: Instant,
}

impl Pace {
    /// Lets `rate` go in a second, the first ones at once.
    pub(crate) fn new(rate: NonZeroU32) -> Self {
        Self { rate, next: Instant::now() }
    }

    /// Waits until those before have had their time; then `some` may go. Time in which nothing
    /// went is not made up for.
    pub(crate) async fn turn(&mut self, some: usize) {
        sleep_until(self.next).await;
        self.next = Instant::now() + Duration::from_secs(some as u64) / self.rate.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn as_many_go_in_a_second_as_is_said_and_none_is_made_up_for() {
        let mut pace = Pace::new(NonZeroU32::new(20).expect("is not zero"));
        let begun = Instant::now();

        for expected_ms in [0, 500, 1_000] {
            pace.turn(10).await;
            assert_eq!(begun.elapsed(), Duration::from_millis(expected_ms));
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        pace.turn(10).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(61));
        pace.turn(10).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(61_500));
    }
}
