//! A running `local` as load tests see it: its figures, moments of them, and its faults.

pub mod local;
mod samples;

use std::collections::BTreeMap;

use contract::local::Metrics;
use serde::{Deserialize, Serialize};

pub use samples::Sample;
pub(crate) use samples::Samples;

/// How a run of load went on in the system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The quota's use, where it is known.
    pub quota: Option<QuotaUse>,
    /// What AWS would charge for the run, in US dollars, by the lines of a bill.
    #[serde(default)]
    pub usd: BTreeMap<String, f64>,
    /// How it went on.
    pub samples: Vec<Sample>,
}

/// The quota, and its use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaUse {
    /// Tokens a minute.
    pub tokens_per_minute: u64,
    /// Most tokens of any minute before a moment.
    pub highest: u64,
    /// Moments that were looked at.
    pub moments: u64,
    /// Moments above the quota.
    pub over: u64,
    /// Calls that were above it, and refused: not those that a fault refused.
    pub refused: u64,
}

impl QuotaUse {
    /// Adds a moment.
    pub(crate) fn see(seen: &mut Option<Self>, now: &Metrics) {
        let Some(quota) = now.quota else { return };
        let seen = seen.get_or_insert_default();
        seen.tokens_per_minute = quota.tokens_per_minute;
        seen.highest = seen.highest.max(quota.used_last_minute);
        seen.moments += 1;
        seen.over += u64::from(quota.used_last_minute > quota.tokens_per_minute);
        seen.refused = now.stand_in.unwrap_or_default().throttled;
    }
}
