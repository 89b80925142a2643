//! Keeps all instances' calls together inside the models' quotas, and uses them up.
//!
//! The service takes a call's input and its whole output allowance out of the quota when
//! the call starts, and settles to what it used, output times burndown, when it ends. So
//! a call is charged what it is expected to take of the quota over the minute that it
//! counts in, learnt by the kind of call ([`estimate`]), and the difference to what it
//! took is charged or credited as long as that minute lasts.
//!
//! ```text
//! reserve -> line -> slice of a lane -> the call's own time in it -> start -> settle
//!            first come,   one conditional      the lane's pace          learns
//!            first served  update of the table  keeps the quota
//! ```
//!
//! - [`lane`] — the shared clock of promises, and why no sixty seconds exceed the quota.
//!   Read this first.
//! - [`tally`] — how a small quota is shared instead: its calls one by one. `counting` — an
//!   instance's part of that.
//! - `scheduler`, `state`, `bid` — takes slices: what an instance knows, and asks for.
//! - `forecast`, [`estimate`], `drift` — what calls will take; `settling` — what they took.
//! - `rate` — how much of a lane's time a call is worth.
//! - `line` — whose turn it is within an instance.
//! - [`pace`] — throttles, which teach all instances that somebody else uses the quota.
//! - [`table`], [`dynamodb`] — where lanes are kept.
//! - [`clock`], [`jitter`] — time and chance, which are passed in.
//! - `fallback` — the share of an instance that does not reach the table.

mod bid;
pub mod clock;
mod counting;
mod drift;
pub mod dynamodb;
pub mod estimate;
mod fallback;
mod forecast;
pub mod jitter;
pub mod lane;
mod limiter;
mod line;
pub mod pace;
mod pacer;
mod rate;
mod reservation;
mod scheduler;
mod settings;
mod settling;
#[cfg(feature = "simulated")]
pub mod simulated;
mod state;
pub mod table;
pub mod tally;
pub mod unshared;
mod views;

pub use estimate::Tokens;
pub use limiter::{Call, Instance, Limiter, NoQuota, NotAdmitted, Quotas};
pub use reservation::Reservation;
pub use settings::{ModelQuota, ModelQuotas};
