//! What stands in for the tables and queues in tests and benchmarks.
#![allow(missing_docs, reason = "read beside the tests that use it")]

pub mod jobs;
pub mod memory;
pub mod queues;
