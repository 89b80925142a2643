//! Runs the Lambdas as AWS' event sources do.
//!
//! - [`bucket`] — S3 notifications, through a queue, to `ingest`.
//! - [`shards`] — the stream's records, in batches, to `processor`.
//! - [`poller`] — one sequence of batches of one shard, with its retries.
//! - `asks` — the asks that wait, to `processor`.

pub(crate) mod asks;
pub mod bucket;
pub mod poller;
pub mod shards;

use std::time::Duration;

use contract::local::Kind;
use serde::Deserialize;
use tokio::time::timeout;

use crate::faults::Faults;

/// How the stream's records become batches; the names are those of Lambda's event
/// source mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Most records of a batch.
    pub batch_size: usize,
    /// How long a batch waits to be filled.
    pub batching_window: Duration,
    /// Batches of one shard that are worked on at a time; a partition key always
    /// goes to the same of them, so that its order is kept.
    pub parallelization_factor: usize,
    /// Retries of a batch before it is given up; `None` retries until it expires.
    pub maximum_retry_attempts: Option<u32>,
    /// Age at which a record is given up.
    pub maximum_record_age: Duration,
    /// Split a batch in two when the function fails as a whole.
    pub bisect_batch_on_function_error: bool,
    /// Time limit of one invocation.
    pub function_timeout: Duration,
}

/// The mapping that is deployed, in the names of CloudFormation; the stack's tests read it too.
const DEPLOYED: &str = include_str!("../../contract/golden/event-source.json");

/// Invocations that are dropped live this long, or up to [`LIVES`] times as long: some
/// read only, some have written a part.
const SHORTEST_LIFE: Duration = Duration::from_millis(5);

/// Different lives.
const LIVES: u64 = 20;

/// Batches of a shard at a time in `prod`.
const LANES_OF_PROD: usize = 4;

/// Retries of a batch in a run of this program: records that wait for the quota of another
/// day would keep it from its end.
const RETRIES: u32 = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Deployed {
    batch_size: usize,
    bisect_batch_on_function_error: bool,
    maximum_batching_window_in_seconds: u64,
    maximum_record_age_in_seconds: u64,
    maximum_retry_attempts: Option<u32>,
    parallelization_factor: usize,
    /// Of the function.
    timeout: u64,
}

/// How long an invocation lives that a fault ends.
fn life(faults: Option<&Faults>) -> Option<Duration> {
    let faults = faults?;
    let strikes = faults.strikes(Kind::Kill);
    let nth = u32::try_from(faults.struck(Kind::Kill) % LIVES).unwrap_or_default();
    strikes.then_some(SHORTEST_LIFE * (nth + 1))
}

/// What an invocation says at its end; nothing of one that panics, or that is dropped when
/// its life is over.
async fn heard<T: Send + 'static>(
    invocation: impl Future<Output = T> + Send + 'static,
    life: Option<Duration>,
) -> Option<T> {
    let mut invocation = tokio::spawn(invocation);
    let Some(life) = life else { return invocation.await.ok() };
    // What it did counts; what it said, nobody hears.
    if timeout(life, &mut invocation).await.is_err() {
        invocation.abort();
        let _ = invocation.await;
    }
    None
}

impl Default for Mapping {
    /// As it is deployed, but that a run comes to its end.
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the file is part of the program; a test reads it")]
        let deployed: Deployed = serde_json::from_str(DEPLOYED).expect("the golden file is valid");
        Self {
            batch_size: deployed.batch_size,
            batching_window: Duration::from_secs(deployed.maximum_batching_window_in_seconds),
            parallelization_factor: deployed.parallelization_factor,
            maximum_retry_attempts: deployed.maximum_retry_attempts.or(Some(RETRIES)),
            maximum_record_age: Duration::from_secs(deployed.maximum_record_age_in_seconds),
            bisect_batch_on_function_error: deployed.bisect_batch_on_function_error,
            function_timeout: Duration::from_secs(deployed.timeout),
        }
    }
}

impl Mapping {
    /// That of `prod` for a file at a time, all of whose records are on the stream before a batch
    /// has waited for long: how long it waits is not billed.
    pub fn of_files() -> Self {
        let batching_window = Duration::from_millis(500);
        Self { batching_window, parallelization_factor: LANES_OF_PROD, ..Self::default() }
    }

    /// The deployed one, with batches that do not wait to be filled: for whoever sits before it.
    pub fn prompt() -> Self {
        let batching_window = Duration::from_millis(100);
        Self { batching_window, parallelization_factor: 2, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_mapping_that_is_deployed() {
        let mapping = Mapping::default();

        assert_eq!((mapping.batch_size, mapping.parallelization_factor), (500, 1));
        assert_eq!(mapping.batching_window, Duration::from_secs(5));
        assert!(mapping.bisect_batch_on_function_error);
    }
}
