//! The processor against tables, a model and a stream that misbehave.
//!
//! - [`world`] — the stand-ins, with and without faults.
//! - [`simulation`] — thousands of seeded runs; every run is checked against the invariants.
//! - [`interleavings`] — every order of event, deletion, replay and generation of one user.
//! - [`tables`] — the stand-ins behave as DynamoDB does.
//! - [`announcements`] — asks that were announced and were not sent.
//! - [`answers`] — one generation for each distinct prompt, and budgets.
//! - [`forms`] — plain and compact items, and those that cannot be read.
//! - [`failures`] — what the model's failures cost, and whom they harm.
//! - [`lost_replies`] — a reply of DynamoDB that never comes charges nobody twice.
//! - [`published`] — campaigns that are switched or paused meanwhile.
//! - [`stages`] — nothing waits for what has nothing to do with it.
//! - [`rules`] — answers that break a rule of their campaign.
//! - [`start`] — what a start that fails says.
//! - [`injection`] — event values stay data.
//! - [`others`] — another library reads what is packed.
//! - [`versions`] — what another version wrote is read, and brought to its end.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod announcements;
mod answers;
mod asks;
mod failures;
mod forms;
mod grounds;
mod injection;
mod interleavings;
mod jobs;
mod lost_replies;
mod others;
mod published;
mod rules;
mod simulation;
mod stages;
mod start;
mod suspects;
mod tables;
mod versions;
mod world;
