//! What two programs must agree on.
//!
//! Everything here is pure: no AWS client, no clock, no task. If a change in
//! this crate compiles but alters bytes on the stream or in the table, a golden
//! file in `contract/golden/` must change with it.
//!
//! - [`user_record`] — what `ingest` puts on the stream and `processor` takes off.
//! - [`aggregation`] — how many of them share one stream record.
//! - [`content`] — what `processor` stores and `api` serves.
//! - [`campaign`] — what a campaign's folder says to all three Lambdas.
//! - [`dead_letter`] — what is kept of input that could not be processed.
//! - [`mod@env`] — how a program reads its settings from the environment.
//! - [`metrics`] — the names of all counters, and the sum they must add up to.
//! - [`start_up`] — how a program says that it cannot go on.
//! - [`safe_text`] — how texts are made safe for the place where a message shows them.

pub mod aggregation;
pub mod campaign;
pub mod content;
pub mod dead_letter;
pub mod env;
mod md5_lanes;
pub mod metrics;
pub mod safe_text;
pub mod start_up;
pub mod user_record;
