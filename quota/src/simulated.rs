//! What stands in for the world in tests and benchmarks, in virtual time.
//!
//! - [`account`] — an account's quota, counted as AWS describes it.
//! - [`memory`] — lanes in memory, with what a table of DynamoDB does to its callers.
//! - [`dynamodb`] — the real DynamoDB's stand-in, for what the real adapters do.
//! - [`load`] — instances that work off more than the quota allows.
#![expect(clippy::expect_used, reason = "a simulation that cannot go on has failed")]
#![allow(missing_docs, reason = "read beside the tests that use it")]

pub mod account;
pub mod dynamodb;
pub mod ideal;
pub mod load;
pub mod memory;
