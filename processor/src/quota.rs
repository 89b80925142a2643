//! Keeps the calls of this instance inside the model's quota.
//!
//! The service charges a request its input and its whole output allowance when
//! the request starts, and settles to what was really used when it ends. The
//! [`Limiter`] does the same: [`Limiter::reserve`] waits for the worst case to
//! fit, [`Reservation::settle`] corrects it.
//!
//! No sixty seconds admit more than the quota, wherever they begin. A bucket
//! with that promise has to take its burst out of its refill and so wastes half
//! the quota at a burst of half; the ledger in `window` keeps what was charged
//! in each second instead and loses only the rounding of one second in sixty-one.
//! Requests are paced by `governor`, which needs no giving back.

mod pace;
mod window;

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use pace::Pacer;
use window::Window;

/// Seconds in which the quota applies; AWS documents "per minute" without a shape.
const WINDOW_SECS: u64 = 60;

/// First pause after a throttle.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause: after a minute the whole quota is there again, and a quarter
/// of that is enough to find out.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// What the account allows this instance, per model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Tokens in any sixty seconds.
    pub tokens_per_minute: NonZeroU32,
    /// Requests in any sixty seconds; newer models have no such quota.
    pub requests_per_minute: Option<NonZeroU32>,
    /// What an output token counts when a call is settled: 1, 5, 10 or 15 by model.
    pub output_burndown: NonZeroU32,
}

/// Tokens and requests of one model.
#[derive(Debug)]
pub struct Limiter {
    quota: Quota,
    window: Mutex<Window>,
    pause: Mutex<Pause>,
    /// Told whenever tokens come back, so that a waiting call looks again.
    settled: Notify,
    /// Held while waiting, so that callers are served in the order they came and
    /// a large call is not starved by small ones.
    turnstile: tokio::sync::Mutex<()>,
    requests: Option<Pacer>,
}

/// Tokens taken for a call that has not ended.
///
/// Dropping it without [`Reservation::settle`] keeps the worst case charged,
/// which is what the service does to a call that is cut off.
#[derive(Debug)]
#[must_use = "settle the reservation when the call ends"]
pub struct Reservation<'a> {
    limiter: &'a Limiter,
    second: u64,
    tokens: u64,
}

/// Why a call may not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The call can never fit, however long it waits.
    #[error("a call of up to {wanted} tokens does not fit in {tokens_per_minute} tokens a minute")]
    NeverFits {
        /// Tokens asked for.
        wanted: u64,
        /// The quota.
        tokens_per_minute: NonZeroU32,
    },
    /// The quota is used up until after the deadline.
    #[error("quota is used up until after the deadline")]
    OutOfTime,
}

impl Limiter {
    /// Starts with nothing charged.
    pub fn new(quota: Quota) -> Self {
        Self {
            quota,
            window: Mutex::new(Window::new(u64::from(quota.tokens_per_minute.get()))),
            pause: Mutex::new(Pause { until: Instant::now(), next: FIRST_PAUSE }),
            settled: Notify::new(),
            turnstile: tokio::sync::Mutex::new(()),
            requests: quota.requests_per_minute.map(Pacer::new),
        }
    }

    /// What a call is charged at most: its input, and its whole allowance of
    /// output at the rate that settling will use.
    pub fn worst_case(&self, input_tokens: u64, max_tokens: u32) -> u64 {
        input_tokens + u64::from(max_tokens) * u64::from(self.quota.output_burndown.get())
    }

    /// What a finished call is charged: input, cache writes, and output times burndown.
    pub fn settlement(&self, input_tokens: u64, output_tokens: u64) -> u64 {
        input_tokens + output_tokens * u64::from(self.quota.output_burndown.get())
    }

    /// Waits until a call of up to `wanted` tokens may start, and charges it.
    pub async fn reserve(
        &self,
        wanted: u64,
        deadline: Instant,
    ) -> Result<Reservation<'_>, NotAdmitted> {
        let tokens_per_minute = self.quota.tokens_per_minute;
        if wanted > u64::from(tokens_per_minute.get()) {
            return Err(NotAdmitted::NeverFits { wanted, tokens_per_minute });
        }
        timeout_at(deadline, self.wait_for(wanted)).await.map_err(|_| NotAdmitted::OutOfTime)
    }

    async fn wait_for(&self, wanted: u64) -> Reservation<'_> {
        let _turn = self.turnstile.lock().await;
        if let Some(requests) = &self.requests {
            requests.wait().await;
        }
        loop {
            let paused_until = locked(&self.pause).until;
            if paused_until > Instant::now() {
                sleep_until(paused_until).await;
            }
            // Asked for before looking, so that no settlement slips between.
            let settled = self.settled.notified();
            let fits_at = match locked(&self.window).charge(wanted, Instant::now()) {
                Ok(second) => return Reservation { limiter: self, second, tokens: wanted },
                Err(fits_at) => fits_at,
            };
            tokio::select! {
                // In order, so that a run can be repeated.
                biased;
                () = settled => {}
                () = sleep_until(fits_at) => {}
            }
        }
    }

    /// Pauses all calls after the service said no; longer each time it repeats.
    pub fn throttled(&self) {
        let mut pause = locked(&self.pause);
        let now = Instant::now();
        // Calls that were in flight together are told no together: that is one no.
        if pause.until <= now {
            pause.until = now + pause.next;
            pause.next = (pause.next * 2).min(MAX_PAUSE);
        }
    }

    /// Ends the memory of throttles after the service said yes.
    pub fn admitted(&self) {
        locked(&self.pause).next = FIRST_PAUSE;
    }
}

impl Reservation<'_> {
    /// Ends the call: `used` tokens stay charged, be it less or more than reserved.
    pub fn settle(self, used: u64) {
        locked(&self.limiter.window).correct(self.second, self.tokens, used);
        self.limiter.settled.notify_one();
    }
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    next: Duration,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds these locks, so what they guard is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    const FAR: Duration = Duration::from_secs(3_600);

    fn limiter(tokens_per_minute: u32, requests_per_minute: u32) -> Limiter {
        Limiter::new(Quota {
            tokens_per_minute: NonZeroU32::new(tokens_per_minute).expect("not zero"),
            requests_per_minute: NonZeroU32::new(requests_per_minute),
            output_burndown: NonZeroU32::MIN,
        })
    }

    async fn reserve(limiter: &Limiter, tokens: u64) -> Reservation<'_> {
        limiter.reserve(tokens, Instant::now() + FAR).await.expect("fits in time")
    }

    /// The most that any sixty seconds hold, of calls given as (start, tokens).
    fn busiest_minute(calls: &[(Instant, u64)]) -> u64 {
        let minute = Duration::from_secs(WINDOW_SECS);
        let from = |start: Instant| {
            calls
                .iter()
                .filter(move |(at, _)| (start..start + minute).contains(at))
                .map(|(_, tokens)| tokens)
                .sum()
        };
        calls.iter().map(|(start, _)| from(*start)).max().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_quota_may_go_at_once_and_then_nothing_for_its_minute() {
        let limiter = limiter(1_000, 0);
        let start = Instant::now();

        for _ in 0..10 {
            let _ = reserve(&limiter, 100).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);

        let _ = reserve(&limiter, 1).await;
        assert_eq!(start.elapsed(), Duration::from_secs(61), "one second of rounding");
    }

    #[tokio::test(start_paused = true)]
    async fn settling_lets_a_waiting_call_go_at_once() {
        let limiter = limiter(1_000, 0);
        let start = Instant::now();
        let first = reserve(&limiter, 1_000).await;

        let settle_later = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            first.settle(400);
        };
        let (second, ()) = tokio::join!(reserve(&limiter, 600), settle_later);

        assert_eq!(start.elapsed(), Duration::from_secs(2));
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn settling_above_the_reservation_is_charged_too() {
        let limiter = limiter(1_000, 0);
        let start = Instant::now();
        reserve(&limiter, 100).await.settle(950);

        let _ = reserve(&limiter, 100).await;

        assert_eq!(start.elapsed(), Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_cut_off_stays_charged() {
        let limiter = limiter(1_000, 0);
        let start = Instant::now();
        drop(reserve(&limiter, 1_000).await);

        let _ = reserve(&limiter, 1).await;

        assert_eq!(start.elapsed(), Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_call_does_not_overtake_a_large_one() {
        let limiter = limiter(1_000, 0);
        let _ = reserve(&limiter, 600).await;
        let start = Instant::now();
        let served_at = async |tokens| {
            let _ = reserve(&limiter, tokens).await;
            start.elapsed()
        };

        let (large, small) = tokio::join!(served_at(500), served_at(1));

        assert!(large <= small, "large at {large:?}, small at {small:?}");
        assert_eq!(large, Duration::from_secs(61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_cannot_start_in_time_is_told_so() {
        let limiter = limiter(1_000, 0);
        let _ = reserve(&limiter, 1_000).await;
        let deadline = Instant::now() + Duration::from_secs(5);

        let refused = limiter.reserve(1, deadline).await.err();

        assert_eq!(refused, Some(NotAdmitted::OutOfTime));
        assert_eq!(Instant::now(), deadline);
        assert!(matches!(
            limiter.reserve(1_001, deadline).await,
            Err(NotAdmitted::NeverFits { wanted: 1_001, .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_holds_more_requests_than_the_quota() {
        let limiter = limiter(1_000_000, 30);
        let mut calls = Vec::new();

        for _ in 0..100 {
            reserve(&limiter, 1).await.settle(1);
            calls.push((Instant::now(), 1));
        }

        let busiest = busiest_minute(&calls);
        assert!((28..=30).contains(&busiest), "{busiest} requests in one minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_pauses_every_call_and_longer_each_time() {
        let limiter = limiter(1_000, 0);
        let start = Instant::now();

        limiter.throttled();
        limiter.throttled();
        let _ = reserve(&limiter, 1).await;
        assert_eq!(start.elapsed(), FIRST_PAUSE, "two at once are one");

        limiter.throttled();
        let _ = reserve(&limiter, 1).await;
        assert_eq!(start.elapsed(), FIRST_PAUSE * 3);
    }

    proptest! {
        #[test]
        fn no_minute_admits_more_than_the_quota(
            calls in prop::collection::vec((0_u64..5_000, 1_u64..400, 0_u64..=400), 1..300)
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("runtime");
            let admitted = runtime.block_on(async {
                let limiter = limiter(1_000, 0);
                let mut admitted = Vec::new();
                for (wait_ms, reserved, used) in calls {
                    advance(Duration::from_millis(wait_ms)).await;
                    let reservation = reserve(&limiter, reserved).await;
                    admitted.push((Instant::now(), used.min(reserved)));
                    reservation.settle(used.min(reserved));
                }
                admitted
            });
            prop_assert!(busiest_minute(&admitted) <= 1_000);
        }
    }
}
