//! What stands in for the tables in tests and benchmarks.
#![expect(clippy::expect_used, reason = "a simulation that cannot go on has failed")]
#![allow(missing_docs, reason = "read beside the tests that use it")]

pub mod memory;
