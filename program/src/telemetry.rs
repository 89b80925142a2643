//! What a function tells of itself: lines of its log, of which CloudWatch makes metrics too.
//!
//! - [`log`] — lines as JSON, of this project's own crates.
//! - [`meter`] — one line for what invocations measured, in CloudWatch's embedded metric format.

pub mod log;
pub mod meter;

use contract::env::Env;
use tracing::Level;

/// What metrics stand under in CloudWatch where nothing else is said.
const DEFAULT_NAMESPACE: &str = "BrazeContent";

/// What an operator says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// What lines of this project's own crates are written: `error`, `warn`, `info` or `debug`.
    pub level: Level,
    /// What the metrics stand under in CloudWatch.
    pub namespace: String,
}

impl TelemetrySettings {
    /// Reads the settings that all functions have.
    pub fn read(env: &mut Env<'_>) -> Option<Self> {
        let level = env.optional("LOG_LEVEL", log::DEFAULT);
        let namespace = env.optional("METRICS_NAMESPACE", DEFAULT_NAMESPACE.to_owned());
        Some(Self { level: level?, namespace: namespace? })
    }
}
