//! Paces the calls for slices with `governor`, on tokio's pausable clock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep};

/// Slices that all instances together ask of a lane each second at most, whatever happens:
/// an item of DynamoDB takes some hundred updates a second.
const PER_SECOND: u32 = 300;

/// Slices that one asks for each second at most: no more are of use.
const MOST_PER_SECOND: u32 = 20;

/// Lets calls go at their pace.
#[derive(Debug)]
pub(crate) struct Pacer(
    RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>,
);

impl Pacer {
    /// The pace of one of so many instances.
    pub(crate) fn new(instances: NonZeroU32, lanes: u32) -> Self {
        let share = f64::from(PER_SECOND * lanes) / f64::from(instances.get());
        let share = share.min(f64::from(MOST_PER_SECOND));
        let burst = NonZeroU32::new(share as u32).unwrap_or(NonZeroU32::MIN);
        let pace = Quota::with_period(Duration::from_secs_f64(1.0 / share));
        let pace = pace.unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        Self(RateLimiter::direct_with_clock(pace, TokioClock))
    }

    /// In what time so many instances may ask that come at once; nothing where they are few.
    pub(crate) fn spread(instances: NonZeroU32, lanes: u32) -> Option<Duration> {
        let at_once = PER_SECOND * lanes;
        let secs = f64::from(instances.get()) / f64::from(at_once);
        (instances.get() > at_once).then(|| Duration::from_secs_f64(secs))
    }

    /// Waits until the next call may go, and counts it.
    pub(crate) async fn wait(&self) {
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
    async fn an_instance_asks_no_more_often_than_its_share_of_what_an_item_takes() {
        for (instances, lanes, calls, secs) in
            [(1, 1, 60, 2), (60, 1, 15, 2), (512, 8, 12, 2), (600, 1, 5, 8)]
        {
            let pacer = Pacer::new(NonZeroU32::new(instances).expect("not zero"), lanes);
            let began = Instant::now();

            for _ in 0..calls {
                pacer.wait().await;
            }

            // Those of a second go at once, the others at their pace.
            assert_eq!(began.elapsed().as_secs_f64().round() as u64, secs, "{instances}");
        }
    }
}
