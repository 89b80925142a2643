//! Looks at the system's figures at every tick, until it is done with everything.

use std::sync::PoisonError;
use std::time::Duration;

use contract::local::Metrics;
use indicatif::ProgressBar;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::load::Load;
use super::{Plan, SoakError};
use crate::replay::upload::{UploadCount, Uploader};
use crate::system::local::{Local, LocalError};
use crate::system::{QuotaUse, Sample, Samples, System};

/// Ticks in a row without an answer after which the system is taken for gone.
const MAX_UNANSWERED: u32 = 10;

/// Failed uploads before the first that succeeded, after which the bucket is taken for wrong.
const MAX_REFUSED: u64 = 5;

/// The end of the uploads.
pub(super) struct Ending {
    pub(super) after: Duration,
}

/// What there is to look at.
pub(super) struct Watch<'a> {
    pub(super) plan: &'a Plan,
    pub(super) local: &'a Local,
    pub(super) before: &'a Metrics,
    pub(super) uploader: &'a Uploader<'a>,
    pub(super) load: &'a Load,
    pub(super) start: Instant,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Observation {
    pub(super) upload_took: Duration,
    pub(super) drain_took: Duration,
    /// Counted since the start.
    pub(super) counted: Metrics,
    pub(super) system: System,
}

impl Watch<'_> {
    /// Looks until `upload` and `calm` have ended and the system is done, or its patience is
    /// over. `on` says which fault is on.
    pub(super) async fn until_done(
        &self,
        upload: impl Future<Output = Ending>,
        calm: impl Future<Output = Result<(), SoakError>>,
        on: &dyn Fn() -> String,
        bar: &ProgressBar,
    ) -> Result<Observation, SoakError> {
        let both = async {
            let (ended, calm) = tokio::join!(upload, calm);
            calm.map(|()| ended)
        };
        tokio::pin!(both);
        let mut ticks = interval(self.plan.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut samples) = (Observation::default(), Samples::default());
        let (mut ended, mut unanswered) = (None, 0);
        loop {
            tokio::select! {
                upload = &mut both, if ended.is_none() => {
                    seen.upload_took = upload?.after;
                    ended = Some(Instant::now());
                    continue;
                }
                _ = ticks.tick() => {}
            }
            self.check_uploads(ended.is_some())?;
            let now = match self.local.metrics().await {
                Ok(now) => now.since(self.before),
                Err(LocalError::NoAnswer { .. }) if unanswered < MAX_UNANSWERED => {
                    unanswered += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            unanswered = 0;
            QuotaUse::see(&mut seen.system.quota, &now);
            seen.system.usd.clone_from(&now.usd);
            let sample = self.sample(&now);
            bar.set_position(sample.events_done);
            bar.set_message(on());
            samples.push(sample);
            seen.counted = now;
            if let Some(ended) = ended
                && self.is_over(&seen.counted, ended)
            {
                seen.drain_took = self.start.elapsed().saturating_sub(seen.upload_took);
                seen.system.samples = samples.into_vec();
                return Ok(seen);
            }
        }
    }

    fn is_over(&self, counted: &Metrics, ended: Instant) -> bool {
        let all_arrived = counted.objects.uploaded >= self.uploaded().files;
        (counted.drained && all_arrived) || ended.elapsed() > self.plan.patience
    }

    fn uploaded(&self) -> UploadCount {
        self.uploader.uploaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn check_uploads(&self, has_ended: bool) -> Result<(), SoakError> {
        let uploaded = self.uploaded();
        let enough = if has_ended { 1 } else { MAX_REFUSED };
        match uploaded.first_failure {
            Some(reason) if uploaded.files == 0 && uploaded.failed_files >= enough => {
                Err(SoakError::NoUpload { reason })
            }
            _ => Ok(()),
        }
    }

    fn sample(&self, now: &Metrics) -> Sample {
        let recent = self.load.recent();
        let secs = self.start.elapsed().as_secs_f64();
        Sample {
            look_ups: recent.count,
            look_ups_p99_ms: recent.p99_ms,
            look_ups_failed: recent.failed,
            ..Sample::new(secs, self.uploaded().events, now)
        }
    }
}
