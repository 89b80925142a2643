//! Looks at the figures of the system, where it tells them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contract::local::Metrics;
use tokio::time::{Instant, sleep};

use crate::client::Target;
use crate::system::local::Local;
use crate::system::{QuotaUse, Sample, Samples, System};

/// Time between two looks: `local` answers in a few milliseconds.
const PAUSE: Duration = Duration::from_secs(1);

/// A system that tells its figures, or none.
pub(super) struct Look {
    told: Option<(Local, Metrics)>,
    seen: Mutex<Observation>,
}

#[derive(Default)]
struct Observation {
    quota: Option<QuotaUse>,
    usd: BTreeMap<String, f64>,
    samples: Samples,
}

impl Look {
    /// Asks once; a system that does not answer, as on AWS, is not asked again.
    pub(super) async fn new(api: &Target) -> Self {
        let told = match Local::new(api) {
            Ok(local) => local.metrics().await.ok().map(|before| (local, before)),
            Err(_) => None,
        };
        Self { told, seen: Mutex::default() }
    }

    /// Looks again and again, until it is dropped.
    pub(super) async fn each_second(&self, start: Instant, events: &impl Fn() -> u64) {
        loop {
            self.once(start, events).await;
            sleep(PAUSE).await;
        }
    }

    /// Looks, while so many events are in the bucket. A system that is busy is left alone.
    pub(super) async fn once(&self, start: Instant, events: &impl Fn() -> u64) {
        let Some((local, before)) = &self.told else { return };
        let Ok(now) = local.metrics().await else { return };
        let now = now.since(before);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        QuotaUse::see(&mut seen.quota, &now);
        seen.usd.clone_from(&now.usd);
        seen.samples.push(Sample::new(start.elapsed().as_secs_f64(), events(), &now));
    }

    /// What was seen.
    pub(super) fn into_system(self) -> Option<System> {
        self.told.as_ref()?;
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(System { quota: seen.quota, usd: seen.usd, samples: seen.samples.into_vec() })
    }
}
