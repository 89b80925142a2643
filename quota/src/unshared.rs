//! Lanes of one program: for those that share the quota with nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::estimate::Lesson;
use crate::lane::{Ask, Lane, Refusal};
use crate::pace::Pace;
use crate::table::{LaneItem, LaneName, QuotaTable, Reply, TableError};
use crate::tally::{Entering, Tally};

/// Lanes in memory.
#[derive(Debug, Default)]
pub struct UnsharedTable(Mutex<HashMap<LaneName, (Lane, Tally)>>);

impl UnsharedTable {
    fn lanes(&self) -> MutexGuard<'_, HashMap<LaneName, (Lane, Tally)>> {
        // Nothing panics while it holds this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl QuotaTable for UnsharedTable {
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        _learnt: &[Lesson],
        _seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        let mut lanes = self.lanes();
        let (lane, tally) = lanes.get(name).cloned().unzip();
        let taken = Lane::take(lane.as_ref(), ask);
        Ok(keep(&mut lanes, name, taken.map(|lane| (lane, tally.unwrap_or_default()))))
    }

    async fn enter(
        &self,
        name: &LaneName,
        entering: &Entering,
        _seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        let mut lanes = self.lanes();
        let before = lanes.get(name).map(|(lane, tally)| (lane, tally));
        let entered = Tally::enter(before, entering);
        Ok(keep(&mut lanes, name, entered))
    }

    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError> {
        if let Some((lane, _)) = self.lanes().get_mut(name)
            && let Some(given) = lane.give_back(slice, from_us)
        {
            *lane = given;
        }
        Ok(())
    }

    async fn slow_down(&self, name: &LaneName, _now_us: u64, pace: Pace) -> Result<(), TableError> {
        if let Some((lane, _)) = self.lanes().get_mut(name) {
            lane.pace = pace;
        }
        Ok(())
    }
}

/// Keeps what came of a call, and says it.
fn keep(
    lanes: &mut HashMap<LaneName, (Lane, Tally)>,
    name: &LaneName,
    changed: Result<(Lane, Tally), Refusal>,
) -> Reply {
    let seen = |lane, tally| LaneItem { lane, tally, learnt: Vec::new(), past: Vec::new() };
    match changed {
        Ok((lane, tally)) => {
            lanes.insert(name.clone(), (lane, tally.clone()));
            Reply::Slice(seen(lane, tally))
        }
        Err(Refusal::Busy(lane)) => {
            let tally = lanes.get(name).map(|(_, tally)| tally.clone());
            Reply::Busy(seen(lane, tally.unwrap_or_default()))
        }
        Err(Refusal::DayUsedUp) => Reply::DayUsedUp,
    }
}
