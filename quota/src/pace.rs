//! What part of the quota the service lets through, by experience.
//!
//! The quota may be shared with other applications, which nobody tells us. A throttle
//! takes the pace down by a part of it, and it recovers by a constant amount per second.
//! Near the pace at which the last throttle came both steps are small, so that a lasting
//! neighbour costs little; far from it they are large.

/// What a throttle leaves of a pace that was not known to be too much.
const LEFT: f64 = 0.9;

/// What a throttle leaves of a pace near the one that was too much before.
const LEFT_NEAR: f64 = 0.98;

/// How near the earlier pace is near.
const NEAR: f64 = 0.05;

/// Recovery up to where the last throttle came, per second.
const RECOVERY: f64 = 0.000_5;

/// Recovery beyond it, per second: whoever took the quota is gone.
const FAST_RECOVERY: f64 = 0.004;

/// The lowest pace: enough to find out that there is room again.
const LOWEST: f64 = 0.02;

/// A pace, as a part of the quota; it recovers by itself. Times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The pace at `from_us`, and before.
    pub part: f64,
    /// When it begins to recover. Before, it is not slowed down again: what it admits was
    /// promised at the pace before.
    pub from_us: u64,
    /// The pace at which the last throttle came.
    pub ceiling: f64,
}

impl Default for Pace {
    /// All of it.
    fn default() -> Self {
        Self { part: 1.0, from_us: 0, ceiling: 1.0 }
    }
}

impl Pace {
    /// The pace now.
    pub fn at(&self, now_us: u64) -> f64 {
        let secs = now_us.saturating_sub(self.from_us) as f64 / 1e6;
        let slow = self.part + RECOVERY * secs;
        let knee = self.ceiling * 1.01;
        if slow <= knee {
            return slow.min(1.0);
        }
        let until_knee = ((knee - self.part) / RECOVERY).max(0.0);
        (self.part.max(knee) + FAST_RECOVERY * (secs - until_knee)).min(1.0)
    }

    /// The pace after a throttle, unless the last one is still taking effect.
    /// `effective_us` is when the first slice of the new pace begins.
    pub fn slowed(&self, now_us: u64, effective_us: u64) -> Option<Self> {
        if now_us < self.from_us {
            return None;
        }
        let before = self.at(now_us);
        let is_near = self.ceiling < 1.0 && (before - self.ceiling).abs() <= NEAR * self.ceiling;
        let left = if is_near { LEFT_NEAR } else { LEFT };
        Some(Self { part: (before * left).max(LOWEST), from_us: effective_us, ceiling: before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_throttle_takes_a_part_and_time_gives_it_back() {
        let pace = Pace::default().slowed(10 * SECOND, 20 * SECOND).expect("first");

        assert_eq!(pace.at(15 * SECOND), 0.9);
        assert!((pace.at(120 * SECOND) - 0.95).abs() < 1e-9);
        assert_eq!(pace.at(1_000 * SECOND), 1.0);
    }

    #[test]
    fn throttles_of_what_was_promised_before_count_once() {
        let pace = Pace::default().slowed(10 * SECOND, 20 * SECOND).expect("first");

        assert_eq!(pace.slowed(19 * SECOND, 30 * SECOND), None);
        assert_eq!(pace.slowed(20 * SECOND, 30 * SECOND).map(|pace| pace.part), Some(0.81));
    }

    #[test]
    fn near_the_pace_that_was_too_much_the_step_is_small_and_beyond_it_recovery_is_fast() {
        let near = Pace { part: 0.69, from_us: 0, ceiling: 0.7 };

        let slowed = near.slowed(20 * SECOND, 20 * SECOND).expect("is due");
        assert!((slowed.part - 0.7 * LEFT_NEAR).abs() < 1e-9);
        // 34 seconds to 0.707, and 4 in a thousand each second from there.
        assert!((near.at(44 * SECOND) - 0.747).abs() < 1e-9, "{}", near.at(44 * SECOND));
    }
}
