//! Brings what arrives to the stream: the events of Braze Currents in the bucket, and what is
//! posted.
//!
//! ```text
//! notification -> object -> events -> user records -> stream records -> PutRecords
//!  (trigger)      (object)  (crate     (grouping)      (stream::packing) (stream)
//!                           currents)
//!                              |
//!                              +-- damage -> dead letter, what came before it stays delivered
//! ```
//!
//! Delivery is at least once: an object is done when Kinesis has acknowledged
//! every one of its user records, and anything short of that makes the queue
//! deliver its notification again.
//!
//! Files of catalogs lie in the same bucket and go another way: checked as a whole, then into the
//! table of catalogs (`catalogs`).
//!
//! A second door takes events and attributes over HTTP (`posts`).
//!
//! [`stream`] stands by itself: it takes user records from whoever has some.
//!
//! Read [`handler`] first, then [`decode`](mod@decode) and [`stream`].

#[cfg(feature = "aws")]
pub mod catalogs;
#[cfg(feature = "aws")]
pub mod deadline;
pub mod decode;
#[cfg(feature = "aws")]
pub mod delivery;
pub mod grouping;
#[cfg(feature = "aws")]
pub mod handler;
#[cfg(feature = "aws")]
pub mod object;
#[cfg(feature = "aws")]
pub mod posts;
#[cfg(feature = "aws")]
pub mod queue;
pub mod settings;
pub mod stream;
#[cfg(feature = "aws")]
pub mod trigger;
