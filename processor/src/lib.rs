//! Turns users' events into content, within the model's quota.
//!
//! One invocation is one Kinesis batch:
//!
//! ```text
//! batch -> deletions -> state -> eligibility -> prompt -> answer -> table
//!   |                               |             |  ^
//!   +-- poison                      +-- skipped   |  | one for each distinct prompt:
//!                                                 v  | cache, lease, quota, model
//! ```
//!
//! Every event leaves with exactly one [`Fate`](contract::metrics::Fate). What
//! could not be done goes back to the stream by its sequence number, and Kinesis
//! delivers again from the lowest one: every step is safe to repeat, and a
//! repeat finds the events remembered and asks the model for nothing.
//!
//! Read [`handler`] first, then [`eligibility`], `unit`, `answers` and [`quota`].

pub mod answer;
mod answers;
pub mod batch;
mod budget;
pub mod campaign;
pub mod clock;
pub mod coordination;
pub mod dead_letters;
mod deadline;
mod deletion;
pub mod eligibility;
pub mod failure;
pub mod generation;
mod group;
pub mod handler;
pub mod health;
pub mod history;
pub mod jitter;
pub mod latency;
pub mod lookout;
pub mod model;
pub mod prompt;
pub mod quota;
pub mod refusals;
pub mod settings;
pub mod store;
mod structured;
mod unit;
