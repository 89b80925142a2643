//! The program, as people use it.
//!
//! - [`asks`] — asking by hand.
//! - [`catalogs`] — catalogs from files and from Braze.
//! - [`commands`] — campaigns, and what was given up.
//! - [`cost`] — what a load costs.
//! - [`erase`], [`replay`] — users who are deleted, and files that are read once more.
//! - [`letters`], [`show`] — what was given up, and what is stored of a user.
//! - [`mistakes`] — what authors mistype.
//! - [`own_events`] — what they preview with.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod asks;
mod catalogs;
mod commands;
mod cost;
mod erase;
mod letters;
mod mistakes;
mod own_events;
mod replay;
mod show;
mod why;
