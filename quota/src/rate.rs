//! How much of a lane's time a call is worth.

use crate::estimate::Price;
use crate::lane::{LATE, WINDOW, micros};
use crate::settings::ModelQuota;

/// Tokens per minute that one lane carries. A lane's item takes no more updates than the
/// instances' pace lets through (`pacer`), so more lanes are only needed where a slice
/// could no longer carry enough; and the fewer there are, the more evenly they are used.
const TOKENS_PER_LANE: u64 = 40_000_000;

/// Most lanes: instances look at all of them in turn.
const MAX_LANES: u64 = 16;

/// Requests per minute that a lane has at least.
const REQUESTS_PER_LANE: u64 = 600;

/// Calls in a window below which they are counted one by one: so few do not fill the
/// quota evenly, and one more or less is much of it.
const FEW_CALLS: f64 = 16.0;

/// How many times the spread of a window's calls is kept free: calls settle to more or
/// less than expected, and the sum of a window's must not exceed the quota.
const SPREADS: f64 = 5.0;

/// Number of lanes of a model, the same for all instances.
pub(crate) fn lanes(quota: &ModelQuota) -> u32 {
    let by_tokens = quota.tokens_per_minute.get().div_ceil(TOKENS_PER_LANE).min(MAX_LANES);
    let by_requests = quota
        .requests_per_minute
        .map_or(MAX_LANES, |requests| (u64::from(requests.get()) / REQUESTS_PER_LANE).max(1));
    u32::try_from(by_tokens.min(by_requests)).unwrap_or(1)
}

/// The largest calls among those that share a quota.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Largest {
    /// What one is charged.
    pub(crate) charged: f64,
    /// What one can be settled to.
    pub(crate) worst: f64,
}

impl Largest {
    /// Takes a call in.
    pub(crate) fn or(self, charged: f64, worst: f64) -> Self {
        Self { charged: self.charged.max(charged), worst: self.worst.max(worst) }
    }
}

/// The pace at which a lane's time, or an instance's share, is given to calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate<'a> {
    pub(crate) quota: &'a ModelQuota,
    /// Into how many parts the quota is split.
    pub(crate) shares: u32,
    pub(crate) largest: Largest,
    /// What part of the quota the service lets through.
    pub(crate) pace: f64,
}

impl Rate<'_> {
    /// The time that a call is worth, in microseconds. `factor` corrects its tokens; a
    /// request is a request.
    pub(crate) fn worth_us(&self, price: &Price, factor: f64) -> u64 {
        (self.worth_at_full_pace_us(price, factor) as f64 / self.pace) as u64
    }

    fn worth_at_full_pace_us(&self, price: &Price, factor: f64) -> u64 {
        let window = micros(WINDOW + LATE) as f64;
        let quota = self.quota;
        let (whole, shares) = (quota.tokens_per_minute.get() as f64, f64::from(self.shares));
        let largest = self.largest.or(price.charged.max(1.0), price.worst.max(1.0));
        let kept_free = SPREADS * price.spread * (price.settled / whole).sqrt();
        let usable = whole * (1.0 - kept_free.min(0.5)) / shares;
        // As many as fit whatever they take, or as are expected to fit.
        let calls =
            (usable / largest.charged).floor().max((whole / shares / largest.worst).floor());
        let by_tokens = if calls < 1.0 {
            window * largest.charged / usable
        } else if calls < FEW_CALLS {
            window / calls
        } else {
            window * price.charged / (usable - largest.charged)
        };
        let by_requests = quota.requests_per_minute.map_or(0.0, |requests| {
            let share = f64::from(requests.get()) / shares;
            window / if share < 1.0 { share } else { share.floor() }
        });
        (by_tokens * factor).max(by_requests).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    const WHOLE: f64 = 60_250_000.0;

    fn price(tokens: f64, spread: f64) -> Price {
        Price { spread, ..Price::new(tokens, tokens, Duration::ZERO, tokens) }
    }

    /// At full pace, beside calls of at most `largest` tokens.
    fn worth(quota: &ModelQuota, shares: u32, price: Price, largest: f64, factor: f64) -> f64 {
        let largest = Largest { charged: largest, worst: largest };
        Rate { quota, shares, largest, pace: 1.0 }.worth_us(&price, factor) as f64
    }

    #[test]
    fn a_window_of_calls_is_worth_the_quota_less_one_call() {
        let quota = ModelQuota::of_tokens(1_000_000);

        let worth = worth(&quota, 1, price(1_000.0, 0.0), 5_000.0, 1.0);

        assert_eq!(worth, (WHOLE * 1_000.0 / 995_000.0).ceil());
    }

    #[test]
    fn calls_of_different_length_leave_room_for_their_spread() {
        let quota = ModelQuota::of_tokens(1_000_000);

        let (even, uneven) = (price(1_000.0, 0.0), price(1_000.0, 0.25));
        let [even, uneven] = [even, uneven].map(|price| worth(&quota, 1, price, 0.0, 1.0));

        assert!((uneven / even - 1.0 / (1.0 - 5.0 * 0.25 / 1_000_f64.sqrt())).abs() < 1e-3);
    }

    #[test]
    fn few_large_calls_are_counted() {
        let quota = ModelQuota::of_tokens(10_000);
        let alone = |tokens| worth(&quota, 1, price(tokens, 0.0), 0.0, 1.0);

        assert_eq!(alone(9_000.0), WHOLE);
        assert_eq!(alone(3_000.0), (WHOLE / 3.0).ceil());
        assert_eq!(worth(&quota, 4, price(5_000.0, 0.0), 0.0, 1.0), WHOLE * 2.0);
    }

    #[test]
    fn requests_have_a_quota_of_their_own() {
        let requests_per_minute = NonZeroU32::new(30);
        let quota = ModelQuota { requests_per_minute, ..ModelQuota::of_tokens(1_000_000) };

        assert_eq!(worth(&quota, 1, price(1.0, 0.0), 0.0, 0.5), (WHOLE / 30.0).ceil());
        assert_eq!(lanes(&quota), 1);
    }

    #[test]
    fn large_quotas_have_more_lanes() {
        let lanes = |tokens| lanes(&ModelQuota::of_tokens(tokens));

        assert_eq!([lanes(1_000), lanes(40_000_001), lanes(900_000_000)], [1, 2, 16]);
    }
}
