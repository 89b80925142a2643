//! Which faults are on, and when: decided by the seed and the length alone.
//!
//! ```text
//! |  slot  |  slot  |  slot  | ...              | last quarter |
//!    ####     ######    ###    one kind a slot,    all is quiet
//!                              quiet around it
//! ```
//!
//! Every kind gets a slot in every round, in an order of its own.

use std::fmt;
use std::time::Duration;

use contract::local::{Faults, Kind};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// Part of the soak that has faults: what they left behind must be done in the rest.
const PART_WITH_FAULTS: f64 = 0.75;

/// Shortest slot that is worth a round more: a backlog needs a while to be seen.
const SHORTEST_SLOT: Duration = Duration::from_secs(60);

/// Most rounds: more bands could not be read in a chart.
const MAX_ROUNDS: usize = 5;

/// Part of its slot that a fault is on.
const PART_ON: std::ops::Range<f64> = 0.4..0.7;

/// How far the processor's clock is set, in seconds: further than machines of AWS are off.
const SKEW_SECS: std::ops::RangeInclusive<i64> = 20..=120;

/// A fault, and the time that it is on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// What goes wrong.
    pub fault: Kind,
    /// How strong: every so-manieth time, or by so many seconds.
    pub strength: i64,
    /// When it is switched on, in seconds since the start.
    pub from_secs: f64,
    /// When it is switched off.
    pub to_secs: f64,
}

/// The periods of a soak, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule(pub Vec<Period>);

impl Period {
    /// The faults that are on during the period.
    pub fn faults(&self) -> Faults {
        self.fault.alone(self.strength)
    }
}

/// A strength that hurts and can be lived with.
fn strength(kind: Kind, rng: &mut StdRng) -> i64 {
    match kind {
        Kind::BedrockThrottle | Kind::BedrockError => rng.random_range(3..=6),
        // A lost answer costs the whole time limit of a call.
        Kind::BedrockTimeout => rng.random_range(5..=10),
        // One call takes up to 500 records, so there are few.
        Kind::KinesisThrottle => rng.random_range(3..=5),
        Kind::DynamodbError => rng.random_range(10..=20),
        Kind::Kill => rng.random_range(3..=5),
        Kind::ClockSkew => {
            let secs = rng.random_range(SKEW_SECS);
            if rng.random() { secs } else { -secs }
        }
    }
}

impl Schedule {
    /// The periods of a soak of this length.
    pub fn new(seed: u64, length: Duration) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let with_faults = length.as_secs_f64() * PART_WITH_FAULTS;
        let round = SHORTEST_SLOT.as_secs_f64() * Kind::ALL.len() as f64;
        let rounds = ((with_faults / round) as usize).clamp(1, MAX_ROUNDS);
        let slot = with_faults / (rounds * Kind::ALL.len()) as f64;
        let mut periods = Vec::new();
        for _ in 0..rounds {
            let mut order = Kind::ALL;
            order.shuffle(&mut rng);
            for fault in order {
                let on = slot * rng.random_range(PART_ON);
                let from_secs = slot * periods.len() as f64 + (slot - on) / 2.0;
                let strength = strength(fault, &mut rng);
                periods.push(Period { fault, strength, from_secs, to_secs: from_secs + on });
            }
        }
        Self(periods)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.fault.name();
        if self.fault.is_counted() {
            write!(f, "{name}, every {}", self.strength)
        } else {
            write!(f, "{name} {:+} s", self.strength)
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faults, in seconds since the start")?;
        for period in &self.0 {
            write!(f, "\n{:>9.1} to {:>7.1}  {period}", period.from_secs, period.to_secs)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(seed: u64, secs: u64) -> Vec<Period> {
        Schedule::new(seed, Duration::from_secs(secs)).0
    }

    #[test]
    fn the_seed_decides_the_schedule() {
        assert_eq!(schedule(7, 600), schedule(7, 600));
        assert_ne!(schedule(7, 600), schedule(8, 600));
    }

    #[test]
    fn every_kind_comes_with_quiet_between_and_the_last_quarter_is_quiet() {
        for (seed, secs) in (0..50).flat_map(|seed| [2, 60, 900, 7_200].map(|secs| (seed, secs))) {
            let periods = schedule(seed, secs);

            for kind in Kind::ALL {
                assert!(periods.iter().any(|period| period.fault == kind), "{seed} {kind:?}");
            }
            assert!(periods[0].from_secs > 0.0);
            assert!(periods.windows(2).all(|pair| pair[0].to_secs < pair[1].from_secs));
            assert!(periods.iter().all(|period| period.from_secs < period.to_secs));
            let end = periods.last().expect("has periods").to_secs;
            assert!(end < secs as f64 * 0.75, "{seed} {secs}: {end}");
        }
    }

    #[test]
    fn a_longer_soak_has_more_rounds_in_bounded_number() {
        let counts = [60, 1_200, 86_400].map(|secs| schedule(1, secs).len());

        assert_eq!(counts, [7, 14, 35]);
    }
}
