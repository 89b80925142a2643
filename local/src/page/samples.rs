//! `GET /local/samples`: the figures of the last minutes, so that a page that is opened late
//! shows what has happened.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Page, answer};
use crate::metrics::Metrics;

/// Time between two samples: short enough for a run of some seconds to have a shape.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// Most samples that are kept: ten minutes in which always something happens.
const MAX_SAMPLES: usize = 1_200;

/// What a sample keeps of the metrics; the charts show nothing else.
const KEPT: [&str; 5] = ["uptime_ms", "events_done", "backlog", "freshness_ms", "quota"];

/// The counters that a sample keeps.
const KEPT_COUNTS: [&str; 3] = ["events_read", "throttles", "generations"];

/// The key of a sample that tells it from an equal one.
const TIME: &str = "uptime_ms";

/// The latest samples, oldest first.
#[derive(Debug, Default)]
pub struct Samples(Mutex<VecDeque<Value>>);

pub(super) async fn list(State(page): State<Arc<Page>>) -> Response {
    answer(&json!({ "samples": page.samples.all() }))
}

impl Samples {
    /// Adds a sample every [`INTERVAL`] until `stop`.
    pub fn start(metrics: Metrics, tasks: &TaskTracker, stop: &CancellationToken) -> Arc<Self> {
        let samples = Arc::new(Self::default());
        let kept = Arc::clone(&samples);
        let follow = async move {
            let mut ticks = interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                kept.add(&json!(metrics.now()));
            }
        };
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(follow).await });
        samples
    }

    /// Keeps a sample. Of equal ones in a row the first two, which tell that everything came to
    /// rest, and the last are kept, so quiet time takes no room.
    fn add(&self, metrics: &Value) {
        let sample = kept(metrics);
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest = samples.iter().rev();
        let is_quiet = |before: Option<&Value>| before.is_some_and(|b| is_equal(b, &sample));
        if (0..3).all(|_| is_quiet(latest.next())) {
            samples.pop_back();
        }
        if samples.len() == MAX_SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The part of the metrics that the charts show, in the form of the metrics.
fn kept(metrics: &Value) -> Value {
    let mut sample: serde_json::Map<String, Value> =
        KEPT.iter().map(|name| ((*name).to_owned(), metrics[*name].clone())).collect();
    let counts =
        KEPT_COUNTS.iter().map(|name| ((*name).to_owned(), metrics["counts"][*name].clone()));
    sample.insert("counts".to_owned(), counts.collect());
    Value::Object(sample)
}

/// Tells whether nothing but time passed between two samples.
fn is_equal(one: &Value, other: &Value) -> bool {
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return false };
    one.iter().all(|(name, value)| name == TIME || other.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(uptime_ms: u64, events_done: u64) -> Value {
        json!({ "uptime_ms": uptime_ms, "events_done": events_done, "lost": 0,
                "counts": { "events_read": 7, "other": 1 } })
    }

    fn times(samples: &Samples) -> Vec<u64> {
        samples.all().iter().filter_map(|sample| sample[TIME].as_u64()).collect()
    }

    #[test]
    fn a_sample_has_the_form_of_the_metrics() {
        let samples = Samples::default();
        samples.add(&metrics(1, 2));

        let sample = &samples.all()[0];

        assert_eq!(sample["events_done"], 2);
        assert_eq!(sample["counts"]["events_read"], 7);
        assert!(sample["counts"].get("other").is_none() && sample.get("lost").is_none());
    }

    #[test]
    fn quiet_time_takes_no_room() {
        let samples = Samples::default();
        for (at, done) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 9), (7, 9)] {
            samples.add(&metrics(at, done));
        }

        assert_eq!(times(&samples), [1, 2, 5, 6, 7]);
    }

    #[test]
    fn no_run_is_too_long_to_be_kept() {
        let samples = Samples::default();
        for n in 0..MAX_SAMPLES as u64 + 10 {
            samples.add(&metrics(n, n));
        }

        let times = times(&samples);

        assert_eq!((times.len(), times[0]), (MAX_SAMPLES, 10));
    }
}
