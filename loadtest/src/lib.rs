//! Makes load that looks like Braze Currents.
//!
//! ```text
//! catalogue (94 event types) --> sample (one event) --> writer (Avro file, Currents' key)
//!                                   ^
//!                      generate (who, what, when; by seed)
//! ```
//!
//! Everything is decided by the seed: the same call writes the same bytes.
//!
//! Read [`generate`] first.

pub mod catalogue;
pub mod generate;
pub mod layout;
pub mod sample;
pub mod writer;
