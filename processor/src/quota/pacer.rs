//! Paces the calls for slices with `governor`, on tokio's pausable clock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep};

/// Slices that an instance asks for each second at most, whatever happens: an item of
/// DynamoDB takes some hundred updates a second, and other instances ask for the same.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Slices that it may ask for at once after a while.
const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Lets calls go at their pace.
#[derive(Debug)]
pub(super) struct Pacer(
    RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>,
);

impl Default for Pacer {
    fn default() -> Self {
        let pace = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self(RateLimiter::direct_with_clock(pace, TokioClock))
    }
}

impl Pacer {
    /// Waits until the next call may go, and counts it.
    pub(super) async fn wait(&self) {
        while let Err(refused) = self.0.check() {
            sleep(refused.wait_time_from(TokioClock.now())).await;
        }
    }
}

/// Tokio's clock for `governor`, so that both follow the same, pausable time.
#[derive(Debug, Clone)]
struct TokioClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TokioInstant(Instant);

impl Clock for TokioClock {
    type Instant = TokioInstant;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }
}

impl Reference for TokioInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl std::ops::Add<Nanos> for TokioInstant {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_calls_go_at_once_and_then_twenty_a_second() {
        let pacer = Pacer::default();
        let began = Instant::now();

        for _ in 0..BURST.get() + 40 {
            pacer.wait().await;
        }

        assert_eq!(
            began.elapsed().as_millis().div_ceil(10),
            Duration::from_secs(2).as_millis() / 10
        );
    }
}
