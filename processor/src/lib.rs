//! Turns users' events into content, within the model's quota.
//!
//! One invocation is one Kinesis batch, or some of the asks that wait:
//!
//! ```text
//! batch -> deletions -> decide ----> answer ------> conclude -> table
//!   |                   |  state,    one for each    |  |  ^
//!   +-- poison          |  rules,    distinct prompt:|  |  | what changed meanwhile
//!                       |  prompt    cache, lease,   |  +--+ is decided anew
//!                       +-- skipped  quota, model    |
//!          asks ------> decide ...                   +-> not now: an ask, which waits
//! ```
//!
//! Every event leaves with exactly one [`Fate`](contract::metrics::Fate), every ask with one
//! [`AskFate`](contract::metrics::AskFate). What cannot be answered now is remembered, and an
//! ask waits for it; only where tables or queues cannot be reached do events go back to the
//! stream by their sequence number, and Kinesis delivers again from the lowest one. Every step
//! is safe to repeat, and a repeat finds the events remembered and asks the model for nothing.
//!
//! - [`handler`] — one invocation. Read this first, then `stages`, which joins the three.
//! - `decide`, [`answers`], `conclude` — the stages; [`eligibility`] is what decides.
//! - [`attributes`] — what Braze knows of a user, brought up to date before all that.
//! - [`failure`] — what any failure leads to; `suspects` finds what ends the function.
//! - [`asks`] — what waits, and who takes it up; [`jobs`] — what waits to be asked at half the price.
//! - [`store`], [`coordination`], [`dead_letters`], [`model`] — the ports and their adapters.

pub mod answers;
pub mod asks;
pub mod attributes;
pub mod batch;
mod conclude;
pub mod coordination;
pub mod dead_letters;
pub mod deadline;
mod decide;
pub mod deletion;
pub mod eligibility;
pub mod failure;
pub mod handler;
pub mod held;
pub mod history;
pub mod jobs;
pub mod model;
pub mod settings;
#[cfg(feature = "simulated")]
pub mod simulated;
mod stages;
pub mod store;
mod suspects;
