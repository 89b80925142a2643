//! The quota across instances, in virtual time, and the tables that lanes are kept in.
//!
//! - [`instances`] — never exceeded, used up, shared.
//! - [`fairness`], [`ledger`] — whose turn it is, and what calls are charged.
//! - [`lane_model`] — every way in which instances can share a lane.
//! - [`table`] — the lanes in memory behave as those on DynamoDB do.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod fairness;
mod instances;
mod lane_model;
mod ledger;
mod small;
mod table;
mod tally;
