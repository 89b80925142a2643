//! Until when an invocation may do what.

use std::time::{Duration, SystemTime};

use quota::clock::Clock;
use tokio::time::{Instant, timeout_at};

/// Longest call of DynamoDB or SQS, the SDK's own retries included; the SDK by itself sets
/// no limit.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Why something goes back for which no time is left.
pub(crate) const OUT_OF_TIME: &str = "out of time";

/// Time kept back before the invocation's deadline: one call that takes its longest,
/// and the answer.
const DEADLINE_MARGIN: Duration = OPERATION_TIMEOUT.saturating_add(Duration::from_secs(2));

/// Time in which the invocation answers, whatever is not done then.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Time past the end of work in which a write may still begin: one that takes its longest
/// ends before the invocation does.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Until when an invocation may do what.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    began: Instant,
    /// Until when it works; the rest of its time is for writing and answering.
    work_until: Instant,
    /// When it answers: what is not done then is cut off and goes back, however many calls
    /// follow one look at the clock.
    answer_by: Instant,
    /// When it is over for sure, in UNIX milliseconds.
    pub(crate) over_at_ms: u64,
}

impl Deadline {
    /// Of an invocation that begins now and is over at `end`.
    pub fn new(clock: &Clock, end: SystemTime) -> Self {
        let remaining = clock.until(end);
        let began = Instant::now();
        let remaining_ms = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        Self {
            began,
            work_until: began + remaining.saturating_sub(DEADLINE_MARGIN),
            answer_by: began + remaining.saturating_sub(LAST_WORDS),
            over_at_ms: clock.now_ms() + remaining_ms,
        }
    }

    /// The same, but work ends within `patience` from now.
    pub(crate) fn within(&self, patience: Duration) -> Self {
        Self { work_until: self.work_until.min(Instant::now() + patience), ..*self }
    }

    /// Until when it works.
    pub(crate) fn work_until(&self) -> Instant {
        self.work_until
    }

    /// Tells whether nothing new may begin.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.work_until
    }

    /// Tells whether work may go on after a wait.
    pub(crate) fn allows(&self, wait: Duration) -> bool {
        Instant::now() + wait < self.work_until
    }

    /// Tells whether what was worked out may still be written.
    pub(crate) fn may_write(&self) -> bool {
        Instant::now() < self.work_until + LAST_WRITES
    }

    /// Until when something that lasts `expected` may start. Half of the invocation
    /// always remains: what lasts longer than expected once must not stop all that follows.
    pub(crate) fn start_by(&self, expected: Duration) -> Instant {
        let whole = self.work_until.saturating_duration_since(self.began);
        self.began + whole.saturating_sub(expected).max(whole / 2)
    }

    /// What a piece of work comes to, if it ends while there is time to work.
    pub(crate) async fn while_working<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.work_until, work).await.ok()
    }

    /// What a piece of work comes to, if it ends before the invocation must answer. Whatever
    /// is cut off then is cut off here.
    pub(crate) async fn before_the_answer<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.answer_by, work).await.ok()
    }
}
