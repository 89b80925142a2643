//! Keeps the valid secrets at hand.
//!
//! They are read again when they are `REFRESH_SECS` old, and when credentials do not fit,
//! because there may be a new secret; but never more often than every `RETRY_SECS`, however
//! many calls try. While Secrets Manager is out of reach the last known secrets stay valid.
//!
//! Ages are by the clock on the wall: a function stands still between its invocations, and
//! other clocks may stand still with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::secrets_manager::SecretsManager;
use super::{Accepted, Presented, Verdict};

/// Age at which secrets are read again: how long a secret that was taken back can stay valid.
const REFRESH_SECS: i64 = 300;

/// Least time between two readings: whoever guesses passwords must not use up the quota of
/// Secrets Manager, nor make every call wait for it.
const RETRY_SECS: i64 = 10;

/// The secrets in Secrets Manager, as last read.
#[derive(Debug)]
pub struct Managed {
    source: SecretsManager,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    accepted: Option<Accepted>,
    /// When they were read, in UNIX seconds.
    read_at: i64,
    /// When they were last asked for, successfully or not.
    asked_at: i64,
}

impl Managed {
    /// Knows nothing yet; see [`Managed::warm`].
    pub fn new(source: SecretsManager) -> Self {
        Self { source, known: Mutex::default() }
    }

    /// Reads the secrets before the first call needs them.
    pub async fn warm(&self, now: i64) {
        self.known().asked_at = now;
        self.read(now).await;
    }

    /// Judges credentials; `now` is in UNIX seconds.
    pub async fn judge(&self, presented: &Presented, now: i64) -> Verdict {
        let first = self.compare(presented);
        if self.turn_to_read(first, now) {
            self.read(now).await;
            return self.compare(presented);
        }
        first
    }

    fn compare(&self, presented: &Presented) -> Verdict {
        match &self.known().accepted {
            Some(accepted) if accepted.accepts(presented) => Verdict::Granted,
            Some(_) => Verdict::Refused,
            None => Verdict::Unverifiable,
        }
    }

    /// Whether this call is the one that reads the secrets again.
    fn turn_to_read(&self, verdict: Verdict, now: i64) -> bool {
        let mut known = self.known();
        let is_old = now >= known.read_at + REFRESH_SECS;
        let may_ask = now >= known.asked_at + RETRY_SECS;
        let is_turn = may_ask && (is_old || verdict != Verdict::Granted);
        if is_turn {
            known.asked_at = now;
        }
        is_turn
    }

    async fn read(&self, now: i64) {
        match self.source.read().await {
            Ok(accepted) => {
                let mut known = self.known();
                known.accepted = Some(accepted);
                known.read_at = now;
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "secrets not read, the last known ones stay valid");
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
