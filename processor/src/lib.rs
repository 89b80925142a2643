//! Turns users' events into content, within the model's quota.
//!
//! One invocation is one Kinesis batch:
//!
//! ```text
//! batch -> deletions -> decide ----> answer ------> conclude -> table
//!   |                   |  state,    one for each      |  ^
//!   +-- poison          |  rules,    distinct prompt:  |  | what changed meanwhile
//!                       |  prompt    cache, lease,     +--+ is decided anew
//!                       +-- skipped  quota, model
//! ```
//!
//! Every event leaves with exactly one [`Fate`](contract::metrics::Fate). What
//! could not be done goes back to the stream by its sequence number, and Kinesis
//! delivers again from the lowest one: every step is safe to repeat, and a
//! repeat finds the events remembered and asks the model for nothing.
//!
//! - [`handler`] — one invocation. Read this first, then `stages`, which joins the three.
//! - `decide`, [`answers`], `conclude` — the stages; [`eligibility`] is what decides.
//! - [`failure`] — what any failure leads to.
//! - [`store`], [`coordination`], [`dead_letters`], [`model`] — the ports and their adapters.

pub mod answers;
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
pub mod history;
pub mod model;
pub mod settings;
#[cfg(feature = "simulated")]
pub mod simulated;
mod stages;
pub mod store;
