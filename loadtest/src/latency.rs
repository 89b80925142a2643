//! Latencies, counted in a histogram of fixed size.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest latency that is told apart: a day.
const MAX_US: u64 = 24 * 3_600 * 1_000_000;

/// Significant digits: a latency is off by less than a thousandth.
const DIGITS: u8 = 3;

/// Quantiles that a distribution is drawn from, ever closer to the end.
const QUANTILES: [f64; 15] =
    [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 1.0];

/// A histogram of latencies.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// What is written of a histogram. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencySummary {
    /// How many were counted.
    pub count: u64,
    /// Half were no longer.
    pub p50_ms: f64,
    /// Nine in ten were no longer.
    pub p90_ms: f64,
    /// 99 in a hundred were no longer.
    pub p99_ms: f64,
    /// 999 in a thousand were no longer.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Pairs of quantile and latency, rising.
    pub distribution: Vec<(f64, f64)>,
}

impl Default for Latencies {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants that are valid")]
        Self(Histogram::new_with_max(MAX_US, DIGITS).expect("bounds are valid"))
    }
}

impl Latencies {
    /// Counts a latency; one above a day counts as a day.
    pub fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(MAX_US);
        self.0.saturating_record(us);
    }

    /// The latency that this part of all does not exceed.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }

    /// What is written of it.
    pub fn summary(&self) -> LatencySummary {
        let at = |quantile| self.quantile(quantile).as_secs_f64() * 1e3;
        LatencySummary {
            count: self.0.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: self.0.max() as f64 / 1e3,
            distribution: QUANTILES.map(|quantile| (quantile, at(quantile))).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_counted() {
        let mut latencies = Latencies::default();
        for ms in 1..=1_000 {
            latencies.record(Duration::from_millis(ms));
        }

        let summary = latencies.summary();
        let near = |ms: f64, expected: f64| (ms - expected).abs() <= expected / 500.0;
        assert_eq!(summary.count, 1_000);
        assert!(near(summary.p50_ms, 500.0) && near(summary.p99_ms, 990.0), "{summary:?}");
        assert!(near(summary.max_ms, 1_000.0), "{summary:?}");
    }
}
