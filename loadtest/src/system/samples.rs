//! Moments of a run, in bounded number: when there are too many, each two become one, and
//! from then on twice as many seconds make one.

use contract::local::Metrics;
use contract::metrics;
use serde::{Deserialize, Serialize};

/// Moments that are kept, at most: more than a chart can show.
const MAX_SAMPLES: usize = 1_200;

/// A moment of a run, or a few that were put together. Counters count since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Since the start.
    pub secs: f64,
    /// Events in the bucket.
    pub events_uploaded: u64,
    /// Events in stream records that are done with.
    pub events_done: u64,
    /// Objects that waited; the most of all moments.
    pub backlog_objects: u64,
    /// Stream records that waited; the most of all moments.
    pub backlog_records: u64,
    /// Freshness that half of all contents so far had, since the system's start.
    pub freshness_p50_ms: u64,
    /// Freshness that 99 in a hundred of all contents so far had.
    pub freshness_p99_ms: u64,
    /// Tokens of the minute before; the most of all moments.
    pub quota_used: Option<u64>,
    /// Times the model's service said no for reasons of quota.
    pub throttles: u64,
    /// Calls of the model that returned an answer.
    pub generations: u64,
    /// Look-ups that ended.
    pub look_ups: u64,
    /// What 99 in a hundred of them took at most; the worst of all seconds.
    pub look_ups_p99_ms: f64,
    /// Those among them that failed.
    pub look_ups_failed: u64,
}

impl Sample {
    /// The figures at a moment, counted since the start; of look-ups nothing is known.
    pub(crate) fn new(secs: f64, events_uploaded: u64, now: &Metrics) -> Self {
        Self {
            secs,
            events_uploaded,
            events_done: now.events_done,
            backlog_objects: now.backlog.objects,
            backlog_records: now.backlog.records,
            freshness_p50_ms: now.freshness_ms.p50,
            freshness_p99_ms: now.freshness_ms.p99,
            quota_used: now.quota.map(|quota| quota.used_last_minute),
            throttles: now.count(metrics::THROTTLES),
            generations: now.count(metrics::GENERATIONS),
            look_ups: 0,
            look_ups_p99_ms: 0.0,
            look_ups_failed: 0,
        }
    }

    /// This moment and the one before it as one.
    fn after(self, before: &Self) -> Self {
        Self {
            backlog_objects: self.backlog_objects.max(before.backlog_objects),
            backlog_records: self.backlog_records.max(before.backlog_records),
            quota_used: self.quota_used.max(before.quota_used),
            look_ups: self.look_ups + before.look_ups,
            look_ups_p99_ms: self.look_ups_p99_ms.max(before.look_ups_p99_ms),
            look_ups_failed: self.look_ups_failed + before.look_ups_failed,
            ..self
        }
    }
}

/// Moments of a run.
#[derive(Debug)]
pub(crate) struct Samples {
    samples: Vec<Sample>,
    /// Moments that make one, and those that make the next one.
    together: usize,
    pending: Option<(usize, Sample)>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { samples: Vec::new(), together: 1, pending: None }
    }
}

impl Samples {
    pub(crate) fn push(&mut self, sample: Sample) {
        let (n, sample) = match self.pending.take() {
            Some((n, before)) => (n + 1, sample.after(&before)),
            None => (1, sample),
        };
        if n < self.together {
            self.pending = Some((n, sample));
            return;
        }
        self.samples.push(sample);
        if self.samples.len() >= MAX_SAMPLES {
            let pairs = self.samples.chunks(2);
            self.samples = pairs
                .filter_map(|pair| pair.iter().copied().reduce(|before, now| now.after(&before)))
                .collect();
            self.together *= 2;
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Sample> {
        let pending = self.pending.map(|(_, sample)| sample);
        self.samples.into_iter().chain(pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_soak_keeps_few_moments_and_forgets_no_look_up_and_no_peak() {
        let mut samples = Samples::default();
        for second in 0..10_001_u32 {
            let is_peak = second == 4_321;
            samples.push(Sample {
                secs: f64::from(second),
                events_done: u64::from(second) * 10,
                quota_used: Some(if is_peak { 900 } else { 1 }),
                look_ups: 5,
                look_ups_p99_ms: if is_peak { 70.0 } else { 2.0 },
                ..Sample::default()
            });
        }

        let samples = samples.into_vec();
        assert!(samples.len() <= MAX_SAMPLES, "{}", samples.len());
        assert!(samples.is_sorted_by(|a, b| a.secs < b.secs));
        assert_eq!(samples.iter().map(|sample| sample.look_ups).sum::<u64>(), 50_005);
        assert_eq!(samples.last().expect("has samples").events_done, 100_000);
        assert!(samples.iter().any(|sample| sample.quota_used == Some(900)));
        assert!(samples.iter().any(|sample| sample.look_ups_p99_ms == 70.0));
    }
}
