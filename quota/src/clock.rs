//! Where the time of day comes from.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day: the system's, one that follows tokio's pausable clock, or one that is off.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The system's.
    System,
    /// Began at `epoch_ms` (UNIX milliseconds) when tokio's clock showed `started`.
    Tokio {
        /// When it began, by tokio's clock.
        started: Instant,
        /// When it began, in UNIX milliseconds.
        epoch_ms: u64,
    },
    /// Off by an error that changes.
    Skewed {
        /// The right time.
        of: &'static Clock,
        /// How far it is ahead of that, in microseconds.
        ahead_us: &'static AtomicI64,
    },
}

impl Clock {
    /// The time now, in UNIX milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1_000
    }

    /// The time now, in UNIX microseconds.
    pub fn now_us(&self) -> u64 {
        match self {
            Self::System => system_us(),
            Self::Tokio { started, epoch_ms } => epoch_ms * 1_000 + micros(started.elapsed()),
            Self::Skewed { of, ahead_us } => {
                of.now_us().saturating_add_signed(ahead_us.load(Ordering::Relaxed))
            }
        }
    }

    /// The time now, in UNIX seconds.
    pub fn now_secs(&self) -> i64 {
        i64::try_from(self.now_ms() / 1_000).unwrap_or(i64::MAX)
    }

    /// The time from now to `then`; nothing if it is past.
    pub fn until(&self, then: SystemTime) -> Duration {
        let then = millis(then.duration_since(UNIX_EPOCH).unwrap_or_default());
        Duration::from_millis(then.saturating_sub(self.now_ms()))
    }

    /// The time since `then_ms`; nothing if it is to come.
    pub fn since_ms(&self, then_ms: u64) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(then_ms))
    }
}

fn system_us() -> u64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
