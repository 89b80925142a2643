//! The shape of an answer, as `answer.schema.json` says it.
//!
//! - `faults` — what makes it unusable.
//! - [`places`] — what it says of one place in a value.
//! - [`travelling`] — the part of it that the service takes.

mod faults;
pub(crate) mod places;
pub(crate) mod travelling;

pub(crate) use faults::faults;
