//! Makes load that looks like Braze Currents, and tells what a load costs.
//!
//! ```text
//! catalogue (94 event types) --> sample (one event) --> writer (Avro file, Currents' key)
//!                                   ^
//!                      generate (who, what, when; by seed)
//! ```
//!
//! Everything is decided by the seed: the same call writes the same bytes.
//!
//! Read [`generate`] first; [`cost`] stands by itself.

pub mod catalogue;
pub mod cost;
pub mod generate;
pub mod layout;
pub mod sample;
pub mod writer;
