//! The program, as people use it.
//!
//! - [`commands`] — campaigns, and what was given up.
//! - [`cost`] — what a load costs.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod commands;
mod cost;
