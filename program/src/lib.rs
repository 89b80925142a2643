//! What every program does alike.
//!
//! - [`aws`] — how it reaches AWS, and says what a call failed with.
//! - [`build`] — which build it is.
//! - `credentials` — who may call it over HTTP.
//! - [`causes`] — how it tells an error with all its causes.
//! - [`start_up`] — how a function says that it cannot go on.
//! - `telemetry` — what a function tells of itself: its log, and metrics.

pub mod aws;
pub mod build;
pub mod causes;
#[cfg(feature = "credentials")]
pub mod credentials;
pub mod start_up;
#[cfg(feature = "telemetry")]
pub mod telemetry;
