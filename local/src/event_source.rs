//! Runs the Lambdas as AWS' event sources do.
//!
//! - [`bucket`] — S3 notifications, through a queue, to `ingest`.
//! - [`shards`] — the stream's records, in batches, to `processor`.
//! - [`lane`] — one sequence of batches of one shard, with its retries.

pub mod bucket;
pub mod lane;
pub mod shards;

use std::time::Duration;

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

impl Default for Mapping {
    fn default() -> Self {
        Self {
            batch_size: 500,
            batching_window: Duration::from_millis(100),
            parallelization_factor: 2,
            maximum_retry_attempts: Some(50),
            maximum_record_age: Duration::from_secs(24 * 3_600),
            bisect_batch_on_function_error: true,
            function_timeout: Duration::from_secs(120),
        }
    }
}
