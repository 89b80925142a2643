//! Serves one user's content to Braze Connected Content, at send time.
//!
//! ```text
//! GET /?user_id=... -> query -> table -> answer (stored content, or the fallback)
//! ```
//!
//! Braze renders an empty string on an error status and gives up after two
//! seconds, so an answer from fallback content always beats an error: an unknown
//! user, expired content and a table that cannot be read all get it.
//!
//! Read [`handler`] first.

pub mod answer;
pub mod handler;
pub mod query;
pub mod settings;
pub mod table;
