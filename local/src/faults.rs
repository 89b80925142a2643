//! Faults that can be switched on and off while the system runs.
//!
//! A fault strikes every so-manieth time, so that a run can be repeated. `http` lets calls of
//! AWS fail on their way, the event source drops invocations, and the processor's clock is
//! set by `clock_skew_secs`.

mod http;
pub mod routes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::local::{self, FaultFigures, Kind};
use quota::clock::Clock;

pub use http::Service;

/// Furthest that the clock can be set, in seconds.
const MAX_SKEW_SECS: i64 = 3_600;

/// The faults of a running system.
#[derive(Debug, Clone)]
pub struct Faults(Arc<State>);

#[derive(Debug)]
struct State {
    plan: Mutex<local::Faults>,
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
    pub fn set(&self, plan: local::Faults) -> Result<(), TooFar> {
        if plan.clock_skew_secs.abs() > MAX_SKEW_SECS {
            return Err(TooFar);
        }
        *self.plan_lock() = plan;
        self.0.skew_us.store(plan.clock_skew_secs * 1_000_000, Ordering::SeqCst);
        Ok(())
    }

    /// What goes wrong now.
    pub fn plan(&self) -> local::Faults {
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

    /// What goes wrong, and how often it did so far.
    pub fn figures(&self) -> FaultFigures {
        FaultFigures {
            on: Some(self.plan()),
            chances: by_kind(|kind| self.0.chances[kind as usize].load(Ordering::SeqCst)),
            injected: by_kind(|kind| self.struck(kind)),
        }
    }

    /// How often a kind struck so far.
    pub fn struck(&self, kind: Kind) -> u64 {
        self.0.struck[kind as usize].load(Ordering::SeqCst)
    }

    /// The processor's clock.
    pub fn clock(&self) -> Clock {
        Clock::Skewed { of: &Clock::System, ahead_us: self.0.skew_us }
    }

    fn plan_lock(&self) -> MutexGuard<'_, local::Faults> {
        // A plan is replaced as a whole, so a panic elsewhere harms nothing.
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_kind(count: impl Fn(Kind) -> u64) -> BTreeMap<String, u64> {
    let counted = Kind::ALL.into_iter().filter(|kind| kind.is_counted());
    counted.map(|kind| (kind.name().to_owned(), count(kind))).collect()
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

        faults.set(local::Faults { kill_every: 3, ..local::Faults::default() }).expect("is valid");
        assert_eq!(strikes(), [false, false, true, false, false, true]);

        faults.set(local::Faults::default()).expect("is valid");
        assert_eq!(strikes(), [false; 6]);
        assert_eq!((faults.struck(Kind::Kill), faults.struck(Kind::BedrockError)), (2, 0));
        let chances = faults.figures().chances;
        assert_eq!((chances["kill"], chances["bedrock_error"]), (6, 0));
    }

    #[test]
    fn the_clock_goes_ahead_and_back() {
        let faults = Faults::default();
        let clock = faults.clock();
        let off_by = |secs: u64, clock: Clock| {
            clock.until(SystemTime::now() + std::time::Duration::from_secs(secs)).as_secs()
        };

        faults
            .set(local::Faults { clock_skew_secs: 60, ..local::Faults::default() })
            .expect("is valid");
        assert!((39..=40).contains(&off_by(100, clock)));
        faults
            .set(local::Faults { clock_skew_secs: -60, ..local::Faults::default() })
            .expect("is valid");
        assert!((159..=160).contains(&off_by(100, clock)));
        assert!(
            faults
                .set(local::Faults { clock_skew_secs: 4_000, ..local::Faults::default() })
                .is_err()
        );
    }
}
