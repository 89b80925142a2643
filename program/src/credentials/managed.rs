//! Keeps the valid secrets at hand.
//!
//! They are read again when they are `REFRESH_SECS` old, and when credentials do not fit,
//! because there may be a new secret; but never more often than every `RETRY_SECS`, however
//! many calls try. While Secrets Manager is out of reach the last known secrets stay valid;
//! a secret that it says is gone is not.
//!
//! While none is known every call gets fallback content, so the next reading is due after a
//! second already.
//!
//! Ages are by the clock on the wall: a function stands still between its invocations, and
//! other clocks may stand still with it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::causes;

use super::secrets_manager::{Reading, SecretsManager, Unreadable};
use super::{Access, CallCredentials, ValidSecrets};

/// Age at which secrets are read again: how long a secret that was taken back can stay valid.
const REFRESH_SECS: i64 = 300;

/// Least time between two readings: whoever guesses passwords must not use up the quota of
/// Secrets Manager, nor make every call wait for it.
const RETRY_SECS: i64 = 10;

/// The same while no secret is known. Times are whole seconds, so one second passes at least:
/// the call that the start kept waiting does not wait for a second reading.
const RETRY_UNKNOWN_SECS: i64 = 2;

/// Longest reading in a call, which may have to wait for the table afterwards, and for which
/// Braze waits two seconds.
const READ_LIMIT: Duration = Duration::from_millis(500);

/// Longest reading before the first call: a connection must be opened for it, and without a
/// secret the call gets fallback content. The call may be waiting for the start, so that this
/// and the longest look-up must leave some of Braze's two seconds.
const WARM_UP: Duration = Duration::from_millis(600);

/// The secrets in Secrets Manager, as last read.
#[derive(Debug)]
pub struct ManagedSecrets {
    source: SecretsManager,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    current: Option<ValidSecrets>,
    previous: Option<ValidSecrets>,
    /// When both were read, in UNIX seconds.
    read_at: i64,
    /// When they were last asked for, successfully or not.
    asked_at: i64,
}

impl ManagedSecrets {
    /// Knows nothing yet; see [`ManagedSecrets::warm`].
    pub fn new(source: SecretsManager) -> Self {
        Self { source, known: Mutex::default() }
    }

    /// Reads the secrets before the first call needs them.
    pub async fn warm(&self, now: i64) {
        self.known().asked_at = now;
        self.read(WARM_UP, now).await;
    }

    /// Judges credentials; `now` is in UNIX seconds.
    pub async fn judge(&self, presented: &CallCredentials, now: i64) -> Access {
        let first = self.known().compare(presented);
        if self.known().turn_to_read(first, now) {
            self.read(READ_LIMIT, now).await;
            return self.known().compare(presented);
        }
        first
    }

    async fn read(&self, within: Duration, now: i64) {
        let reading = self.source.read(within).await;
        self.known().take(reading, now);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn compare(&self, presented: &CallCredentials) -> Access {
        let Some(current) = &self.current else { return Access::Unverifiable };
        // With both, whichever fits.
        let is_previous = self.previous.as_ref().is_some_and(|known| known.accepts(presented));
        if current.accepts(presented) | is_previous { Access::Granted } else { Access::Refused }
    }

    /// Whether this call is the one that reads the secrets again.
    fn turn_to_read(&mut self, access: Access, now: i64) -> bool {
        let is_old = now >= self.read_at + REFRESH_SECS;
        let pause = if self.current.is_some() { RETRY_SECS } else { RETRY_UNKNOWN_SECS };
        let may_ask = now >= self.asked_at + pause;
        let is_turn = may_ask && (is_old || access != Access::Granted);
        if is_turn {
            self.asked_at = now;
        }
        is_turn
    }

    /// Takes over what was read; what could not be read stays as it is known.
    fn take(&mut self, Reading { current, previous }: Reading, now: i64) {
        let current = match current {
            Ok(Some(current)) => current,
            Ok(None) => {
                tracing::error!("there is no secret any more, so none is valid");
                (self.current, self.previous) = (None, None);
                return;
            }
            Err(error) => return unread(&error),
        };
        match previous {
            Ok(previous) => {
                self.previous = previous;
                self.read_at = now;
            }
            Err(error) => {
                unread(&error);
                // Secrets Manager makes the version before of what was current until now.
                if self.current.as_ref().is_some_and(|known| *known != current) {
                    self.previous = self.current.take();
                }
            }
        }
        self.current = Some(current);
    }
}

fn unread(error: &Unreadable) {
    tracing::error!(error = causes::told(error), "secret not read, what is known stays valid");
}
