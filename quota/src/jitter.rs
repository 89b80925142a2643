//! Chance: spreads waits, and tells invocations apart.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// A source of chance that a simulation can seed.
#[derive(Debug)]
pub struct Jitter(Mutex<StdRng>);

impl Jitter {
    /// The same seed gives the same chances.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Half of `wait` to all of it.
    pub fn spread(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.with(|rng| rng.random_range(0.5..1.0)))
    }

    /// Nothing to all of `wait`.
    pub fn part_of(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.with(|rng| rng.random_range(0.0..1.0)))
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&self, limit: u32) -> u32 {
        self.with(|rng| rng.random_range(0..limit.max(1)))
    }

    /// A name that nobody else has.
    pub fn name(&self) -> String {
        format!("{:032x}", self.with(|rng| rng.random::<u128>()))
    }

    /// A number that nobody else has.
    pub fn number(&self) -> u64 {
        self.with(|rng| rng.random())
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        // Drawing does not panic, so the generator is whole.
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Jitter {
    /// Seeded by the system.
    fn default() -> Self {
        Self::seeded(rand::random())
    }
}
