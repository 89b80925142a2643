//! Switches faults on and off, each when it is due; and off, whatever happens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use contract::local::Faults;

use super::schedule::{Period, Schedule};
use crate::system::local::{Local, LocalError};

/// Attempts at switching faults off before a person is told that they are on.
const ATTEMPTS: u32 = 5;

/// Wait between them.
const PAUSE: Duration = Duration::from_millis(500);

/// The switch of a soak.
#[derive(Debug)]
pub(super) struct Switch<'a> {
    local: &'a Local,
    start: Instant,
    /// What was on, by the moments at which it really was switched.
    periods: Mutex<Vec<Period>>,
}

impl<'a> Switch<'a> {
    pub(super) fn new(local: &'a Local, start: Instant) -> Self {
        Self { local, start, periods: Mutex::default() }
    }

    /// Follows the schedule to its end.
    pub(super) async fn follow(&self, schedule: &Schedule) -> Result<(), LocalError> {
        for period in &schedule.0 {
            sleep_until(self.start + Duration::from_secs_f64(period.from_secs)).await;
            self.local.set_faults(&period.faults()).await?;
            let now = self.start.elapsed().as_secs_f64();
            // Until it is off, it is on as long as it was meant to be.
            self.periods().push(Period { from_secs: now, ..*period });
            sleep_until(self.start + Duration::from_secs_f64(period.to_secs)).await;
            off(self.local).await?;
            self.is_off();
        }
        Ok(())
    }

    /// What is on now, in words.
    pub(super) fn on(&self) -> String {
        let now = self.start.elapsed().as_secs_f64();
        let periods = self.periods();
        let on = periods.last().filter(|period| now < period.to_secs);
        on.map_or_else(|| "quiet".to_owned(), Period::to_string)
    }

    /// What was on.
    pub(super) fn into_periods(self) -> Vec<Period> {
        self.periods.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_off(&self) {
        let now = self.start.elapsed().as_secs_f64();
        if let Some(period) = self.periods().last_mut() {
            period.to_secs = now;
        }
    }

    fn periods(&self) -> MutexGuard<'_, Vec<Period>> {
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Switches all faults off, if need be with several attempts.
pub(super) async fn off(local: &Local) -> Result<(), LocalError> {
    let mut attempt = 1;
    loop {
        match local.set_faults(&Faults::default()).await {
            Err(error) if attempt == ATTEMPTS => return Err(error),
            // What has no faults has none on.
            Err(error @ LocalError::NotThere { .. }) => return Err(error),
            Err(_) => sleep(PAUSE).await,
            Ok(()) => return Ok(()),
        }
        attempt += 1;
    }
}
