//! Brings the events of Braze Currents from the bucket to the stream.
//!
//! ```text
//! notification -> object -> container -> user records -> PutRecords
//!  (trigger)      (S3)      (Avro)        (grouping)      (stream)
//!                              |
//!                              +-- damage -> dead letter, what came before it stays delivered
//! ```
//!
//! Delivery is at least once: an object is done when Kinesis has acknowledged
//! every one of its user records, and anything short of that makes the queue
//! deliver its notification again.
//!
//! Read [`handler`] first, then [`container`] and [`stream`].

pub mod container;
pub mod dead_letters;
pub mod grouping;
pub mod handler;
pub mod object;
pub mod settings;
pub mod stream;
pub mod trigger;
mod value;
