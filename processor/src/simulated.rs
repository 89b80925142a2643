//! What stands in for the tables in tests and benchmarks.
#![allow(missing_docs, reason = "read beside the tests that use it")]

pub mod memory;
