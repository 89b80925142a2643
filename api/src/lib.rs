//! Serves one user's content to Braze Connected Content, at send time.
//!
//! ```text
//! GET /?user_id=... -> credentials -> query -> cache -> table -> answer
//!                      (Gate)                 (or fallback content)
//! ```
//!
//! Braze renders an empty string on an error status and gives up after two
//! seconds, so an answer from fallback content always beats an error: an unknown
//! user, expired content, a table that cannot be read and secrets that cannot be
//! read all get it. Errors are for whoever set the call up.
//!
//! Read [`handler`] first; [`start`] builds it from the settings.

pub mod answer;
pub mod cache;
pub mod content;
pub mod handler;
pub mod path;
pub mod query;
pub mod settings;
pub mod start;
pub mod table;

use std::time::Duration;

/// How long an instance gathers what it measured: a line for each look-up would cost more than the
/// look-up.
pub const GATHER: Duration = Duration::from_secs(10);
