//! Paces requests with `governor`, on tokio's pausable clock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep};

use super::WINDOW_SECS;

/// Share of the requests-per-minute quota that may go at once, as a divisor.
const BURST_DIVISOR: u32 = 10;

/// Lets requests go at the pace of a quota.
#[derive(Debug)]
pub(super) struct Pacer(
    RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<TokioInstant>>,
);

impl Pacer {
    /// No sixty seconds hold more than `per_minute` requests.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        // The burst is taken out of the refill, or a window could hold both.
        let burst = NonZeroU32::new(per_minute.get() / BURST_DIVISOR).unwrap_or(NonZeroU32::MIN);
        let refill = per_minute.get().saturating_sub(burst.get()).max(1);
        let period = Duration::from_secs(WINDOW_SECS) / refill;
        let pace = Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(per_minute));
        Self(RateLimiter::direct_with_clock(pace.allow_burst(burst), TokioClock))
    }

    /// Waits until the next request may go, and counts it.
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
