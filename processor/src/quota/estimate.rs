//! What a campaign's calls take, learnt from the usage that comes back.

use std::time::Duration;

use super::lane::WINDOW;
use crate::model::Usage;

/// Calls after which the estimate counts; until then the worst case does.
const ENOUGH_CALLS: f64 = 2.0;

/// Calls that the estimate remembers.
const REMEMBERED_CALLS: f64 = 200.0;

/// Calls after which their spread is known.
const ENOUGH_FOR_SPREAD: f64 = 30.0;

/// Spread of what calls take, as a part of it, while it is not known.
const FIRST_SPREAD: f64 = 0.25;

/// What a campaign's calls took.
#[derive(Debug, Clone, Default)]
pub(super) struct Estimate {
    calls: f64,
    /// Input as counted by the service, as a part of what we took it for.
    input_ratio: f64,
    output_tokens: f64,
    took_secs: f64,
    /// Mean of what was settled, and mean square of its distance from what was expected.
    settled: f64,
    variance: f64,
}

/// What a call will take, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Price {
    /// What the service takes out of the quota while it runs.
    pub(super) reserved: f64,
    /// What it is settled to.
    pub(super) settled: f64,
    /// What it takes of the quota on average over the window that it counts in.
    pub(super) charged: f64,
    /// The most that it can be settled to.
    pub(super) worst: f64,
    /// Spread of what calls are settled to, as a part of it.
    pub(super) spread: f64,
}

impl Price {
    /// The price of a call that reserves, settles to, and runs for this.
    pub(super) fn new(reserved: f64, settled: f64, took: Duration, worst: f64) -> Self {
        let running = (took.as_secs_f64() / WINDOW.as_secs_f64()).min(1.0);
        let charged = settled + running * (reserved - settled).max(0.0);
        Self { reserved, settled, charged, worst, spread: 0.0 }
    }

    /// What it is charged as a part of what it holds while it runs.
    pub(super) fn evenness(&self) -> f64 {
        self.charged / self.reserved.max(self.settled).max(1.0)
    }
}

impl Estimate {
    /// Predicts what a call takes of which the input was estimated.
    pub(super) fn price(&self, input_tokens: u64, max_tokens: u32, burndown: u32) -> Price {
        let (input, most) = (input_tokens as f64, f64::from(max_tokens));
        let worst = input + most * f64::from(burndown);
        if self.calls < ENOUGH_CALLS {
            // The service reserves less than the worst case, which counts here.
            return Price::new((input + most).max(worst), worst, Duration::ZERO, worst);
        }
        let input = input * self.input_ratio;
        let output = self.output_tokens.min(most);
        let settled = (input + output * f64::from(burndown)).min(worst);
        let took = Duration::from_secs_f64(self.took_secs);
        let spread = if self.calls < ENOUGH_FOR_SPREAD {
            FIRST_SPREAD
        } else {
            self.variance.sqrt() / self.settled.max(1.0)
        };
        Price { spread, ..Price::new(input + most, settled, took, worst) }
    }

    /// Learns from a call that ended.
    pub(super) fn learn(
        &mut self,
        estimated_input: u64,
        usage: Usage,
        settled: f64,
        took: Duration,
    ) {
        let expected = self.settled;
        self.calls = (self.calls + 1.0).min(REMEMBERED_CALLS);
        let weight = 1.0 / self.calls;
        let towards = |mean: &mut f64, value: f64| *mean += weight * (value - *mean);
        towards(&mut self.input_ratio, usage.input_tokens as f64 / estimated_input.max(1) as f64);
        towards(&mut self.output_tokens, usage.output_tokens as f64);
        towards(&mut self.took_secs, took.as_secs_f64());
        towards(&mut self.settled, settled);
        if self.calls > 1.0 {
            towards(&mut self.variance, (settled - expected).powi(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_worst_case_counts_until_enough_is_known() {
        let mut estimate = Estimate::default();
        for _ in 0..2 {
            assert_eq!(estimate.price(600, 300, 5).charged, 2_100.0);
            estimate.learn(600, Usage { input_tokens: 300, output_tokens: 100 }, 800.0, SECOND);
        }

        let price = estimate.price(600, 300, 5);
        assert_eq!((price.settled, price.reserved, price.worst), (800.0, 600.0, 2_100.0));
    }

    #[test]
    fn what_a_call_reserves_in_vain_counts_for_as_long_as_it_runs() {
        let price = Price::new(1_600.0, 400.0, Duration::from_secs(6), 0.0);

        assert_eq!(price.charged, 520.0);
        assert_eq!(price.evenness(), 0.325);
    }

    #[test]
    fn the_spread_is_that_of_the_calls() {
        let mut estimate = Estimate::default();
        for call in 0..200 {
            let output_tokens = if call % 2 == 0 { 100 } else { 300 };
            let usage = Usage { input_tokens: 500, output_tokens };
            estimate.learn(500, usage, (500 + output_tokens) as f64, SECOND);
        }

        let price = estimate.price(500, 400, 1);
        assert!((price.settled - 700.0).abs() < 2.0, "{price:?}");
        assert!((price.spread - 1.0 / 7.0).abs() < 0.01, "{price:?}");
    }
}
