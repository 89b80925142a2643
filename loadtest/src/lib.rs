//! Makes load that looks like Braze's, and measures what became of it.
//!
//! ```text
//! generate --> files --> (bucket)          lookups --> (api)
//!                                             |
//!                                          measured (JSON)
//! ```
//!
//! A run is decided by its seed: `generate` writes the same bytes, `lookups` asks for
//! the same users in the same order.
//!
//! Read [`generate`] first for the making of files, and [`lookups`] for the measuring.

pub mod arguments;
pub mod catalogue;
pub mod client;
pub mod commands;
pub mod credentials;
pub mod generate;
pub mod input;
pub mod latency;
pub mod layout;
pub mod lookups;
pub mod measured;
pub mod progress;
mod random;
pub mod sample;
pub mod writer;
