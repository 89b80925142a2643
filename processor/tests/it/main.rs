//! The processor against tables, a model and a stream that misbehave.
//!
//! - [`world`] — the stand-ins, with and without faults.
//! - [`simulation`] — thousands of seeded runs; every run is checked against the invariants.
//! - [`interleavings`] — every order of event, deletion, replay and generation of one user.
//! - [`tables`] — the stand-ins behave as DynamoDB does.
//! - [`answers`] — one generation for each distinct prompt, and budgets.
//! - [`injection`] — event values stay data.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod answers;
mod injection;
mod interleavings;
mod simulation;
mod tables;
mod world;
