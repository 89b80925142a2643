//! The processor against tables, a model and a stream that misbehave.
//!
//! - [`world`] — the stand-ins, with and without faults.
//! - [`simulation`] — thousands of seeded runs; every run is checked against the invariants.
//! - [`interleavings`] — every order of event, deletion, replay and generation of one user.
//! - [`tables`] — the stand-ins behave as DynamoDB does.
//! - [`answers`] — one generation for each distinct prompt, and budgets.
//! - [`failures`] — what the model's failures cost, and whom they harm.
//! - [`lost_replies`] — a reply of DynamoDB that never comes charges nobody twice.
//! - [`lease_model`] — every way in which instances can share a lane.
//! - [`quota`] — the quota across instances: never exceeded, used up, shared.
//! - [`quota_fairness`], [`quota_ledger`] — whose turn it is, and what calls are charged.
//! - [`start`] — what a start that fails says.
//! - [`injection`] — event values stay data.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../../benches/quota/account.rs"]
mod account;
mod answers;
mod failures;
mod injection;
mod interleavings;
#[path = "world/lanes.rs"]
mod lanes;
mod lease_model;
#[path = "../../benches/quota/load.rs"]
mod load;
mod lost_replies;
mod quota;
mod quota_fairness;
mod quota_ledger;
mod simulation;
mod start;
mod tables;
mod world;
