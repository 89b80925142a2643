//! What came of the look-ups, as it is written and read again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MAX_UNEXPECTED_SHARE;
use super::mix::Mix;
use crate::client::Kind;
use crate::latency::LatencySummary;

/// A whole run of look-ups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupsResult {
    /// Address of the api.
    pub url: String,
    /// What was asked.
    pub mix: Mix,
    /// How long each rate was held.
    pub step_secs: f64,
    /// What the 99th percentile had to keep.
    pub bound_ms: f64,
    /// Look-ups under way at a time, at most.
    pub in_flight: usize,
    /// Whether connections were used again.
    pub reuses_connections: bool,
    /// Whether rates were searched or given.
    pub searched: bool,
    /// The highest rate that was kept; none if none was.
    pub highest_rate: Option<f64>,
    /// Every rate that was tried, in order.
    pub steps: Vec<Step>,
}

/// One rate, held for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Look-ups a second, as scheduled.
    pub rate: f64,
    /// Look-ups answered a second.
    pub answered_per_second: f64,
    /// Whether the bound was kept, with hardly any failure.
    pub kept: bool,
    /// What was answered.
    pub counts: Counts,
    /// From the scheduled moment to the whole answer.
    pub latency: LatencySummary,
    /// From the scheduled moment to when it was sent: where this is long, the load
    /// test itself, or its number of look-ups under way, is the limit.
    pub sending_delay: LatencySummary,
}

/// Answers by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Content.
    pub hit: u64,
    /// Fallback content.
    pub miss: u64,
    /// Refused for its credentials.
    pub unauthorised: u64,
    /// Answered, otherwise than its kind had to be; also counted above.
    pub unexpected: u64,
    /// Another status than those above.
    pub bad_status: u64,
    /// No answer of the api.
    pub bad_body: u64,
    /// No answer within two seconds.
    pub timed_out: u64,
    /// No connection, or one that broke.
    pub broken: u64,
    /// Not sent at all: due, but everything was busy until after the end.
    pub not_sent: u64,
}

impl Counts {
    /// Counts an answer.
    pub(crate) fn add(&mut self, expected: Kind, got: Kind) {
        let counter = match got {
            Kind::Hit => &mut self.hit,
            Kind::Miss => &mut self.miss,
            Kind::Unauthorised => &mut self.unauthorised,
            Kind::BadStatus | Kind::Unchanged => &mut self.bad_status,
            Kind::BadBody => &mut self.bad_body,
            Kind::TimedOut => &mut self.timed_out,
            Kind::Broken => &mut self.broken,
        };
        *counter += 1;
        self.unexpected += u64::from(!got.is_failure() && got != expected);
    }

    /// Look-ups that Braze would have got something for.
    pub fn answered(&self) -> u64 {
        self.hit + self.miss + self.unauthorised
    }

    /// Look-ups that Braze would have got nothing for.
    pub fn failed(&self) -> u64 {
        self.bad_status + self.bad_body + self.timed_out + self.broken + self.not_sent
    }
}

impl LookupsResult {
    /// Whether a rate was kept (every one, where they were given), and every answer was of
    /// the kind that was asked for.
    pub fn is_good(&self) -> bool {
        let expected = self.steps.iter().all(|step| {
            step.counts.unexpected as f64 <= MAX_UNEXPECTED_SHARE * step.latency.count as f64
        });
        let kept = self.highest_rate.is_some()
            && (self.searched || self.steps.iter().all(|step| step.kept));
        expected && kept
    }
}

impl fmt::Display for LookupsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>10}  {:>10}  {:>9}  {:>9}  {:>9}  {:>9}  {:>8}  {:>10}",
            "rate /s",
            "answered/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "failed",
            "unexpected"
        )?;
        for step in &self.steps {
            let latency = &step.latency;
            writeln!(
                f,
                "{:>10.0}  {:>10.0}  {:>9.2}  {:>9.2}  {:>9.2}  {:>9.2}  {:>8}  {:>10}  {}",
                step.rate,
                step.answered_per_second,
                latency.p50_ms,
                latency.p99_ms,
                latency.p999_ms,
                latency.max_ms,
                step.counts.failed(),
                step.counts.unexpected,
                if step.kept { "kept" } else { "not kept" }
            )?;
        }
        match self.highest_rate {
            Some(rate) => {
                write!(f, "highest rate with p99 within {} ms: {rate:.0}/s", self.bound_ms)
            }
            None => write!(f, "no rate kept p99 within {} ms", self.bound_ms),
        }
    }
}
