//! Files of Braze Currents: what types of events there are, reading them, and writing
//! realistic ones.
//!
//! ```text
//! catalogue -> generate -> files -> read -> events as JSON
//!                (write)
//! ```
//!
//! - [`event_types`] — the names of all event types and fields; [`catalogue`] — their schemas.
//! - [`read`](mod@read) — any container, however hostile, to events, fast.
//! - [`write`](mod@write) — events to containers; [`generate`] — many of them, as they come in life.
//! - [`input`] — the files that a person names; [`lines`] — events that people wrote
//!   themselves, one a line.
//!
//! Read [`read`](mod@read) first.

#[cfg(feature = "write")]
pub mod catalogue;
mod event_types;
#[cfg(feature = "write")]
pub mod generate;
pub mod input;
#[cfg(feature = "lines")]
pub mod lines;
pub mod read;
#[cfg(feature = "write")]
pub mod write;

pub use event_types::{event_types, may_be_personal};
