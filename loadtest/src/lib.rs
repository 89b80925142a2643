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
//! Files are made by the crate `currents`. Read [`lookups`] and [`replay`] first for the
//! measuring, and [`soak`] for both at once under faults.

pub mod arguments;
pub mod bucket;
pub mod client;
pub mod commands;
pub mod credentials;
pub mod latency;
pub mod lookups;
pub mod measured;
pub mod progress;
mod random;
pub mod replay;
pub mod report;
pub mod soak;
pub mod system;
pub mod trigger;
