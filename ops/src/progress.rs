//! How far something is that takes long, on standard error.

use tokio::time::{Duration, Instant};

/// How often it is told how far it is.
const INTERVAL: Duration = Duration::from_secs(10);

/// Tells at times how far it is.
pub(crate) struct Progress {
    next: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self { next: Instant::now() + INTERVAL }
    }
}

impl Progress {
    /// Says that so many are done, if it is time to.
    pub(crate) fn tell(&mut self, did: &str, n: u64) {
        if Instant::now() >= self.next {
            eprintln!("{did} {n}");
            self.next = Instant::now() + INTERVAL;
        }
    }
}
