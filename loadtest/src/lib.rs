//! Makes load that looks like Braze's, measures what became of it, and tells what it costs.
//!
//! ```text
//! generate --> files --> replay --> (bucket ... api) <-- lookups
//!                \-----> soak ---> (all of it, and its faults)
//!                          |                                |
//!                          +-------> measured (JSON) <------+
//!                                         |
//!                                      report (HTML)
//! ```
//!
//! A run is decided by its seed: `generate` writes the same bytes, `lookups` asks for
//! the same users in the same order, `replay` follows the same ones.
//!
//! Read [`generate`] first for the making of files, and [`lookups`] and [`replay`]
//! for the measuring, [`soak`] for both at once under faults; [`cost`] stands by itself.

pub mod arguments;
pub mod bucket;
pub mod catalogue;
pub mod client;
pub mod commands;
pub mod cost;
pub mod credentials;
pub mod encode;
pub mod generate;
pub mod input;
pub mod latency;
pub mod layout;
pub mod lookups;
pub mod measured;
pub mod progress;
mod random;
pub mod replay;
pub mod report;
pub mod sample;
pub mod soak;
pub mod system;
pub mod traffic;
pub mod trigger;
pub mod writer;
