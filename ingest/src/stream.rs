//! Puts user records on the stream, wherever they come from.
//!
//! - [`packing`] — user records, aggregated into stream records.
//! - [`again`] — what was given up, on its way back.
//! - `put` — stream records, written with PutRecords until all are acknowledged.

#[cfg(feature = "aws")]
pub mod again;
pub mod packing;
#[cfg(feature = "aws")]
mod put;

#[cfg(feature = "aws")]
pub use put::{MAX_ENTRIES, MAX_REQUEST_BYTES, Put, PutError, Stream};
