//! A lane that counts what is taken of it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use quota::estimate::Lesson;
use quota::lane::{Ask, LATE, Lane, Refusal, WINDOW};
use quota::pace::Pace;
use quota::table::{LaneItem, LaneName, QuotaTable, Reply, TableError};
use quota::tally::{Entering, Tally};
use tokio::time::sleep;

/// Time of an answer.
pub(super) const LATENCY: Duration = Duration::from_millis(20);

/// A lane that counts what is taken of it.
#[derive(Debug)]
pub(super) struct Counted {
    /// Tokens that are worth a window.
    tokens: f64,
    kept: Mutex<Kept>,
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Kept {
    lane: Option<Lane>,
    learnt: Vec<Lesson>,
    /// What was taken and not given back, in tokens.
    pub(super) taken: f64,
}

impl Counted {
    /// A lane that nobody used, of which a window is worth some tokens.
    pub(super) fn new(tokens: u64) -> Self {
        let kept = Kept { lane: None, learnt: Vec::new(), taken: 0.0 };
        Self { tokens: tokens as f64, kept: Mutex::new(kept) }
    }

    /// What was counted so far.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("whole")
    }

    fn tokens(&self, length_us: u64) -> f64 {
        length_us as f64 * self.tokens / (WINDOW + LATE).as_micros() as f64
    }
}

#[async_trait]
impl QuotaTable for Counted {
    async fn take(
        &self,
        _: &LaneName,
        ask: &Ask,
        learnt: &[Lesson],
        _: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        sleep(LATENCY / 2).await;
        let (taken, learnt) = {
            let mut kept = self.kept();
            let taken = Lane::take(kept.lane.as_ref(), ask);
            if let Ok(lane) = taken {
                kept.lane = Some(lane);
                kept.learnt.extend_from_slice(learnt);
                kept.taken += self.tokens(ask.length_us);
            }
            (taken, kept.learnt.clone())
        };
        sleep(LATENCY / 2).await;
        let seen = |lane| LaneItem { lane, tally: Tally::default(), learnt, past: Vec::new() };
        Ok(match taken {
            Ok(lane) => Reply::Slice(seen(lane)),
            Err(Refusal::Busy(lane)) => Reply::Busy(seen(lane)),
            Err(Refusal::DayUsedUp) => Reply::DayUsedUp,
        })
    }

    async fn enter(
        &self,
        _: &LaneName,
        _: &Entering,
        _: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        unreachable!("the quota is large")
    }

    async fn give_back(&self, _: &LaneName, slice: &Lane, from_us: u64) -> Result<(), TableError> {
        sleep(LATENCY / 2).await;
        let mut kept = self.kept();
        if let Some(given) = kept.lane.and_then(|lane| lane.give_back(slice, from_us)) {
            kept.lane = Some(given);
            kept.taken -= self.tokens(slice.busy_until_us - from_us);
        }
        Ok(())
    }

    async fn slow_down(&self, _: &LaneName, _: u64, _: Pace) -> Result<(), TableError> {
        unreachable!("nothing is throttled")
    }
}
