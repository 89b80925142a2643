//! Brings the events of Braze Currents from the bucket to the stream.
//!
//! ```text
//! notification -> object -> container -> events -> user records -> stream records -> PutRecords
//!  (trigger)      (object)  (container,  (plan,     (grouping)      (packing)         (stream)
//!                            codec)       projector)
//!                              |
//!                              +-- damage -> dead letter, what came before it stays delivered
//! ```
//!
//! Delivery is at least once: an object is done when Kinesis has acknowledged
//! every one of its user records, and anything short of that makes the queue
//! deliver its notification again.
//!
//! Read [`handler`] first, then [`decode`](mod@decode) and [`stream`].

pub mod codec;
pub mod container;
mod cursor;
#[cfg(feature = "aws")]
pub mod deadline;
pub mod decode;
#[cfg(feature = "aws")]
pub mod delivery;
pub mod grouping;
#[cfg(feature = "aws")]
pub mod handler;
mod header_schema;
mod json;
mod lenient;
#[cfg(feature = "aws")]
pub mod object;
pub mod packing;
mod plan;
mod projector;
#[cfg(feature = "aws")]
pub mod queue;
pub mod settings;
#[cfg(feature = "aws")]
pub mod stream;
#[cfg(feature = "aws")]
pub mod trigger;
mod walk;

pub use crate::cursor::Malformed;
pub use crate::header_schema::{InvalidSchema, MAX_FIELDS};
pub use crate::json::embedded;
pub use crate::plan::{MAX_EVENT_TYPE_BYTES, Unusable};
pub use crate::projector::{MAX_AHEAD_SECS, MAX_EVENT_BYTES};
pub use crate::walk::{MAX_DEPTH, MAX_EMPTY_ITEMS};
