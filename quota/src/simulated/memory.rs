//! The quota's lanes in memory, with what a table of DynamoDB does to its callers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::estimate::{Lesson, period};
use crate::lane::{Ask, Lane, Refusal};
use crate::pace::Pace;
use crate::table::{LaneItem, LaneName, QuotaTable, Reply, TableError};
use crate::tally::{Entering, Tally};
use async_trait::async_trait;
use program::aws::CallError;
use tokio::time::{Instant, sleep};

/// Updates of one item in a second, after which it throttles.
const MAX_UPDATES_PER_SECOND: u64 = 500;

/// Lanes in memory.
#[derive(Debug, Default)]
pub struct Memory {
    latency: Duration,
    items: Mutex<HashMap<LaneName, Item>>,
    is_down: Mutex<bool>,
}

#[derive(Debug, Default)]
struct Item {
    lane: Option<Lane>,
    tally: Tally,
    learnt: Vec<Lesson>,
    day: u64,
    /// The second that is counted, and its updates; the most of any second.
    second: u64,
    updates: u64,
    most: u64,
}

impl Memory {
    /// Every call takes `latency`.
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// Most updates that an item saw in a second.
    pub fn busiest_second(&self) -> u64 {
        let items = self.items.lock().expect("whole");
        items.values().map(|item| item.most).max().unwrap_or_default()
    }

    /// Takes the table away, or brings it back.
    pub fn set_down(&self, is_down: bool) {
        *self.is_down.lock().expect("whole") = is_down;
    }

    async fn update<T>(
        &self,
        name: &LaneName,
        change: impl FnOnce(&mut Item) -> T,
    ) -> Result<T, TableError> {
        if !self.latency.is_zero() {
            sleep(self.latency / 2).await;
        }
        let changed = {
            let mut items = self.items.lock().expect("whole");
            let item = items.entry(name.clone()).or_default();
            item.count(Instant::now());
            let is_down = *self.is_down.lock().expect("whole");
            if is_down || item.updates > MAX_UPDATES_PER_SECOND {
                let code = "ProvisionedThroughputExceededException".to_owned();
                Err(TableError { attempted: "update", cause: CallError::Refused(code).into() })
            } else {
                Ok(change(item))
            }
        };
        if !self.latency.is_zero() {
            sleep(self.latency / 2).await;
        }
        changed
    }
}

impl Item {
    fn seen(&self, lane: Lane) -> LaneItem {
        let (tally, learnt) = (self.tally.clone(), self.learnt.clone());
        LaneItem { lane, tally, learnt, past: Vec::new() }
    }

    fn refused(&self, refusal: Refusal) -> Reply {
        match refusal {
            Refusal::Busy(lane) => Reply::Busy(self.seen(lane)),
            Refusal::DayUsedUp => Reply::DayUsedUp,
        }
    }

    fn begin_day(&mut self, day: u64) {
        if self.day != day {
            self.day = day;
            if let Some(lane) = &mut self.lane {
                lane.day_tokens = 0;
            }
        }
    }

    fn learn(&mut self, learnt: &[Lesson]) {
        for new in learnt {
            let of = |old: &&mut Lesson| (&old.kind, old.period) == (&new.kind, new.period);
            match self.learnt.iter_mut().find(of) {
                Some(old) => old.sums.add(&new.sums),
                None => self.learnt.push(new.clone()),
            }
        }
    }

    fn count(&mut self, now: Instant) {
        // Any moment long past serves as the beginning.
        let second = now.elapsed().as_secs() + now.duration_since(*BEGAN).as_secs();
        if second != self.second {
            (self.second, self.updates) = (second, 0);
        }
        self.updates += 1;
        self.most = self.most.max(self.updates);
    }
}

static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

#[async_trait]
impl QuotaTable for Memory {
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        learnt: &[Lesson],
        _seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        self.update(name, |item| {
            item.begin_day(ask.day);
            item.learnt.retain(|learnt| learnt.period + 1 >= period(ask.now_us));
            match Lane::take(item.lane.as_ref(), ask) {
                Ok(lane) => {
                    item.lane = Some(lane);
                    item.learn(learnt);
                    Reply::Slice(item.seen(lane))
                }
                Err(refusal) => item.refused(refusal),
            }
        })
        .await
    }

    async fn enter(
        &self,
        name: &LaneName,
        entering: &Entering,
        _seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        self.update(name, |item| {
            item.begin_day(entering.day);
            let before = item.lane.as_ref().map(|lane| (lane, &item.tally));
            match Tally::enter(before, entering) {
                Ok((lane, tally)) => {
                    (item.lane, item.tally) = (Some(lane), tally);
                    Reply::Slice(item.seen(lane))
                }
                Err(refusal) => item.refused(refusal),
            }
        })
        .await
    }

    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError> {
        self.update(name, |item| {
            if let Some(lane) = &mut item.lane
                && let Some(given) = lane.give_back(slice, from_us)
            {
                *lane = given;
            }
        })
        .await
    }

    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError> {
        self.update(name, |item| {
            if let Some(lane) = &mut item.lane
                && lane.pace.from_us <= now_us
            {
                lane.pace = pace;
            }
        })
        .await
    }
}
