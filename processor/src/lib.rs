//! Turns users' events into content, within the model's quota.
//!
//! One invocation is one Kinesis batch:
//!
//! ```text
//! batch -> deletions -> eligibility -> prompt -> quota -> model -> answer -> store
//!   |                        |                                        |
//!   +-- poison               +-- skipped, with a reason               +-- dead letter
//! ```
//!
//! Every event leaves with exactly one [`Fate`](contract::metrics::Fate). What
//! could not be done goes back to the stream by its sequence number, and Kinesis
//! delivers again from the lowest one: every step is safe to repeat, and a
//! repeat finds the content stored and asks the model for nothing.
//!
//! Read [`handler`] first, then [`eligibility`] and [`quota`].

pub mod answer;
pub mod batch;
pub mod campaign;
pub mod dead_letters;
pub mod eligibility;
mod generation;
pub mod handler;
pub mod model;
pub mod prompt;
pub mod quota;
pub mod settings;
pub mod store;
mod structured;
