//! What two programs must agree on.
//!
//! Everything here is pure: no AWS client, no clock, no task. If a change in
//! this crate compiles but alters bytes on the stream or in the table, a golden
//! file in `contract/golden/` must change with it.
//!
//! - [`user_record`] — what `ingest` puts on the stream and `processor` takes off.
//! - [`wanted`] — what of events and users may leave the bucket.
//! - [`frame`] — how many of them share one stream record; [`aggregation`] — how they did before.
//! - [`content`] — what `processor` stores and `api` serves; [`compact`] — what of it is packed.
//! - [`ask`] — what waits for content that could not be made at once.
//! - [`attributes`], [`catalog`] — what is known of users, and of what campaigns speak of.
//! - [`names`] — how the parts of a deployment are called where `ops` looks for them.
//! - [`guardrails`] — the guardrails that a deployment may ask.
//! - [`dead_letter`] — what is kept of input that could not be processed.
//! - [`local`] — what a running `local` tells load tests.
//! - [`mod@env`] — how a program reads its settings from the environment.
//! - [`metrics`] — the names of all counters, and the sum they must add up to.
//! - [`units`] — what AWS charges for, in the units in which it does.
//! - [`event_id`], [`digest`] — how events are named, and what must not be said.

pub mod aggregation;
pub mod ask;
pub mod attributes;
pub mod campaigns;
pub mod catalog;
pub mod compact;
pub mod content;
pub mod dead_letter;
pub mod digest;
pub mod env;
pub mod event_id;
pub mod frame;
pub mod guardrails;
pub mod local;
mod md5_lanes;
pub mod metrics;
pub mod names;
pub mod units;
pub mod user_record;
pub mod wanted;
