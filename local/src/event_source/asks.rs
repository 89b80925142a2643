//! The asks that wait, to `processor`: on AWS a schedule invokes it each minute.
//!
//! Here it is invoked as soon as an ask can be received, one invocation at a time; one that
//! came to nothing is followed by the next after a while, which is longer each time. Faults
//! drop it as they drop others; on AWS, what one had in hand that was dropped comes again
//! after its visibility time-out, here at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::ask::Reason;
use contract::units::Function;
use processor::handler::{Invocation, Processor, Report, Source};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{heard, life};
use crate::aws::{Queues, Waits};
use crate::faults::Faults;
use crate::totals::Totals;

/// Time limit of one invocation. It is shorter than deployed: what an invocation did is told
/// at its end, and somebody watches.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(45);

/// How long an ask that was taken is hidden from others: twice that long, as deployed.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(2 * FUNCTION_TIMEOUT.as_secs());

/// How often it is looked whether an ask can be received.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How often jobs are looked after while anybody waits for one; on AWS every five minutes.
const LOOK_AT_JOBS: Duration = Duration::from_secs(1);

/// Waits after invocations that came to nothing: asks of a model whose quota of the day is
/// used up can be received all the time, and nobody takes them.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(LOOK_INTERVAL)
    .with_max_delay(Duration::from_secs(2))
    .without_max_times();

/// Under what the records of an invocation that go back are noted.
const NOTED_AS: &str = "asks";

/// Invokes the processor for the asks that wait.
#[derive(Debug)]
pub(crate) struct Asks {
    pub(crate) processor: Arc<Processor>,
    pub(crate) queues: Queues,
    pub(crate) totals: Arc<Totals>,
    pub(crate) faults: Option<Faults>,
}

impl Asks {
    /// Starts until `stop`.
    pub(crate) fn start(self, tasks: &TaskTracker, stop: &CancellationToken) {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(self.run()).await });
    }

    async fn run(self) {
        let mut waits = BACKOFF.build();
        let mut looked = Instant::now();
        loop {
            let waits_now = self.queues.waits();
            if looked.elapsed() >= LOOK_AT_JOBS && has_jobs(&waits_now) {
                self.invoke(Source::Jobs).await;
                looked = Instant::now();
                continue;
            }
            if waits_now.visible == 0 {
                sleep(LOOK_INTERVAL).await;
                continue;
            }
            if self.invoke(Source::Asks).await {
                waits = BACKOFF.build();
            }
            sleep(waits.next().unwrap_or_default()).await;
        }
    }

    /// Invokes it once; tells whether that came to anything.
    async fn invoke(&self, source: Source) -> bool {
        let before = self.queues.waits();
        self.totals.asks_at_work.store(true, Ordering::SeqCst);
        let (processor, deadline) = (Arc::clone(&self.processor), SystemTime::now());
        let deadline = deadline + FUNCTION_TIMEOUT;
        let invocation = async move {
            let (source, records) = (Some(source), Vec::new());
            processor.invoke(Invocation { source, records }, deadline).await
        };
        let began = Instant::now();
        let report = heard(invocation, life(self.faults.as_ref())).await;
        let after = self.queues.waits();
        let removed = after.removed - before.removed;
        match report {
            Some(report) => {
                self.totals.billing.invoked(Function::AsksWorker, began.elapsed(), &report.counts);
                self.take(report);
            }
            // What it did counts; what it said, nobody hears. Nobody else receives asks here,
            // so that what it had in hand need not wait until its time is over.
            None => {
                self.totals.asks_unheard.fetch_add(removed, Ordering::SeqCst);
                self.queues.release();
            }
        }
        self.totals.asks_removed.fetch_add(removed, Ordering::SeqCst);
        self.totals.asks_at_work.store(false, Ordering::SeqCst);
        removed > 0
    }

    fn take(&self, report: Report) {
        self.totals.add(&report.counts);
        let returned = report.counts.get(contract::metrics::AskFate::Returned.metric());
        let returned = usize::try_from(returned).unwrap_or(usize::MAX);
        let returned = report.returned_for.map(|reason| (reason, returned));
        self.totals.note_returned(NOTED_AS, returned.filter(|(_, n)| *n > 0));
    }
}

/// Whether something waits for a job, or to be in one.
fn has_jobs(waits: &Waits) -> bool {
    waits.groups.iter().any(|group| group.reason == Reason::Job)
}
