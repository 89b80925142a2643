//! Faults that can be switched on and off while the system runs.
//!
//! A fault strikes every so-manieth time, so that a run can be repeated. `http` lets calls of
//! AWS fail on their way, the event source drops invocations, and the processor's clock is
//! set by `clock_skew_secs`.

mod http;
pub mod routes;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::metrics::Counts;
use processor::clock::Clock;
use serde::{Deserialize, Serialize};

pub use http::Service;

/// What goes wrong, each every so-manieth time; 0 for never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Calls of Bedrock that are refused for reasons of quota, before they reach it.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_throttle_every: u64,
    /// Calls of Bedrock whose answer is lost: they are charged all the same.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_timeout_every: u64,
    /// Calls of Bedrock that end with its own error.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_error_every: u64,
    /// Reads and writes of the stream that are refused for its throughput.
    #[serde(skip_serializing_if = "is_zero")]
    pub kinesis_throttle_every: u64,
    /// Calls of DynamoDB that end with its own error; of every other the answer is lost.
    #[serde(skip_serializing_if = "is_zero")]
    pub dynamodb_error_every: u64,
    /// Invocations of the processor that are dropped on their way; their batch comes again.
    #[serde(skip_serializing_if = "is_zero")]
    pub kill_every: u64,
    /// How far the processor's clock is ahead.
    #[serde(skip_serializing_if = "is_none")]
    pub clock_skew_secs: i64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_none(n: &i64) -> bool {
    *n == 0
}

/// Furthest that the clock can be set, in seconds.
const MAX_SKEW_SECS: i64 = 3_600;

/// A kind of fault that strikes at times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bedrock refuses a call.
    BedrockThrottle,
    /// An answer of Bedrock is lost.
    BedrockTimeout,
    /// Bedrock fails.
    BedrockError,
    /// The stream refuses a call.
    KinesisThrottle,
    /// DynamoDB fails.
    DynamodbError,
    /// An invocation is dropped.
    Kill,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::BedrockThrottle,
        Self::BedrockTimeout,
        Self::BedrockError,
        Self::KinesisThrottle,
        Self::DynamodbError,
        Self::Kill,
    ];

    /// Its name where faults are counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::BedrockThrottle => "bedrock_throttle",
            Self::BedrockTimeout => "bedrock_timeout",
            Self::BedrockError => "bedrock_error",
            Self::KinesisThrottle => "kinesis_throttle",
            Self::DynamodbError => "dynamodb_error",
            Self::Kill => "kill",
        }
    }

    fn every(self, plan: &Plan) -> u64 {
        match self {
            Self::BedrockThrottle => plan.bedrock_throttle_every,
            Self::BedrockTimeout => plan.bedrock_timeout_every,
            Self::BedrockError => plan.bedrock_error_every,
            Self::KinesisThrottle => plan.kinesis_throttle_every,
            Self::DynamodbError => plan.dynamodb_error_every,
            Self::Kill => plan.kill_every,
        }
    }
}

/// The faults of a running system.
#[derive(Debug, Clone)]
pub struct Faults(Arc<State>);

#[derive(Debug)]
struct State {
    plan: Mutex<Plan>,
    /// Chances to strike, by kind.
    chances: [AtomicU64; Kind::ALL.len()],
    struck: [AtomicU64; Kind::ALL.len()],
    skew_us: &'static AtomicI64,
}

impl Default for Faults {
    fn default() -> Self {
        // A clock is copied wherever it is needed and outlives the system; there is one for
        // each system, of eight bytes.
        let skew_us = Box::leak(Box::new(AtomicI64::new(0)));
        Self(Arc::new(State {
            plan: Mutex::default(),
            chances: Default::default(),
            struck: Default::default(),
            skew_us,
        }))
    }
}

impl Faults {
    /// Lets this go wrong from now on, and nothing else.
    pub fn set(&self, plan: Plan) -> Result<(), TooFar> {
        if plan.clock_skew_secs.abs() > MAX_SKEW_SECS {
            return Err(TooFar);
        }
        *self.plan_lock() = plan;
        self.0.skew_us.store(plan.clock_skew_secs * 1_000_000, Ordering::SeqCst);
        Ok(())
    }

    /// What goes wrong now.
    pub fn plan(&self) -> Plan {
        *self.plan_lock()
    }

    /// Takes a chance to strike; tells whether it does.
    pub fn strikes(&self, kind: Kind) -> bool {
        let every = kind.every(&self.plan_lock());
        if every == 0 {
            return false;
        }
        let chance = self.0.chances[kind as usize].fetch_add(1, Ordering::SeqCst) + 1;
        let strikes = chance.is_multiple_of(every);
        if strikes {
            self.0.struck[kind as usize].fetch_add(1, Ordering::SeqCst);
        }
        strikes
    }

    /// How often each kind struck so far.
    pub fn injected(&self) -> Counts {
        by_kind(|kind| self.struck(kind))
    }

    /// How often each kind could have struck so far: calls that came while it was on.
    pub fn chances(&self) -> Counts {
        by_kind(|kind| self.0.chances[kind as usize].load(Ordering::SeqCst))
    }

    /// How often a kind struck so far.
    pub fn struck(&self, kind: Kind) -> u64 {
        self.0.struck[kind as usize].load(Ordering::SeqCst)
    }

    /// The processor's clock.
    pub fn clock(&self) -> Clock {
        Clock::Skewed { of: &Clock::System, ahead_us: self.0.skew_us }
    }

    fn plan_lock(&self) -> MutexGuard<'_, Plan> {
        // A plan is replaced as a whole, so a panic elsewhere harms nothing.
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_kind(count: impl Fn(Kind) -> u64) -> Counts {
    let mut counts = Counts::default();
    for kind in Kind::ALL {
        counts.add(kind.name(), count(kind));
    }
    counts
}

/// The clock cannot be set that far.
#[derive(Debug, thiserror::Error)]
#[error("clock_skew_secs may be at most {MAX_SKEW_SECS}, either way")]
pub struct TooFar;

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_fault_strikes_every_so_manieth_time_while_it_is_on() {
        let faults = Faults::default();
        let strikes = || (0..6).map(|_| faults.strikes(Kind::Kill)).collect::<Vec<_>>();
        assert_eq!(strikes(), [false; 6]);

        faults.set(Plan { kill_every: 3, ..Plan::default() }).expect("is valid");
        assert_eq!(strikes(), [false, false, true, false, false, true]);

        faults.set(Plan::default()).expect("is valid");
        assert_eq!(strikes(), [false; 6]);
        assert_eq!((faults.struck(Kind::Kill), faults.struck(Kind::BedrockError)), (2, 0));
        let chances = faults.chances();
        assert_eq!((chances.get("kill"), chances.get("bedrock_error")), (6, 0));
    }

    #[test]
    fn the_clock_goes_ahead_and_back() {
        let faults = Faults::default();
        let clock = faults.clock();
        let off_by = |secs: u64, clock: Clock| {
            clock.until(SystemTime::now() + std::time::Duration::from_secs(secs)).as_secs()
        };

        faults.set(Plan { clock_skew_secs: 60, ..Plan::default() }).expect("is valid");
        assert!((39..=40).contains(&off_by(100, clock)));
        faults.set(Plan { clock_skew_secs: -60, ..Plan::default() }).expect("is valid");
        assert!((159..=160).contains(&off_by(100, clock)));
        assert!(faults.set(Plan { clock_skew_secs: 4_000, ..Plan::default() }).is_err());
    }

    #[test]
    fn a_fault_that_does_not_exist_is_refused() {
        let error = serde_json::from_str::<Plan>(r#"{"bedrock_every":3}"#).expect_err("no fault");

        assert!(error.to_string().contains("bedrock_throttle_every"), "{error}");
    }
}
