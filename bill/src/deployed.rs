//! What of the bill follows from how the stack is deployed, in `prod`; the stack's tests hold
//! `deployed.json` against it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use contract::units::Function;
use serde::Deserialize;

/// Share of invocations of which X-Ray records a trace, beyond the first of each second.
pub const TRACED: f64 = 0.05;

/// Requests of SQS that a notification takes: EventBridge sends it, and Lambda receives and
/// removes it.
pub const REQUESTS_OF_A_NOTIFICATION: f64 = 3.0;

/// What the settings say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// Memory of each function, in MiB.
    pub memory_mib: BTreeMap<Function, u32>,
    /// Days that Currents' files are kept.
    pub object_days: u32,
    /// Days that the stream keeps records, of which the first is in its price.
    pub stream_days: u32,
}

/// The settings of `prod`.
pub fn deployed() -> &'static Deployed {
    static DEPLOYED: LazyLock<Deployed> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "the file is part of the program; a test reads it")]
        serde_json::from_str(include_str!("../deployed.json")).expect("deployed.json is valid")
    });
    &DEPLOYED
}

/// Memory of a function, in MiB.
pub fn memory_mib(function: Function) -> u32 {
    deployed().memory_mib.get(&function).copied().unwrap_or_default()
}
