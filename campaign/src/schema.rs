//! The shape of an answer, as `answer.schema.json` says it.
//!
//! - `faults` — what makes it unusable: `contradictions` (no answer fits), `references` (they
//!   lead nowhere), `keywords` (slips of the hand), and what leaves the model a choice that
//!   nobody checks.
//! - `validator` — how answers are held against it; `refused` — why none can be.
//! - [`parts`] — all schemas within it. [`places`] — what it says of one place in a value.
//! - [`travelling`] — the part of it that the service takes.

mod contradictions;
mod faults;
mod keywords;
pub(crate) mod parts;
pub(crate) mod places;
mod references;
mod refused;
pub(crate) mod travelling;
mod validator;

pub(crate) use contradictions::contradictions;
pub(crate) use faults::faults;
pub(crate) use parts::step;
pub(crate) use validator::{compiled, unknown_formats, validator};
