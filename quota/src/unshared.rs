//! Lanes of one program: for those that share the quota with nobody.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::estimate::Lesson;
use crate::lane::{Ask, Lane, Refusal};
use crate::pace::Pace;
use crate::table::{LaneItem, LaneName, QuotaTable, Reply, TableError};

/// Lanes in memory.
#[derive(Debug, Default)]
pub struct UnsharedTable(Mutex<HashMap<LaneName, Lane>>);

impl UnsharedTable {
    fn lanes(&self) -> MutexGuard<'_, HashMap<LaneName, Lane>> {
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
        let seen = |lane| LaneItem { lane, learnt: Vec::new(), past: Vec::new() };
        Ok(match Lane::take(lanes.get(name), ask) {
            Ok(lane) => {
                lanes.insert(name.clone(), lane);
                Reply::Slice(seen(lane))
            }
            Err(Refusal::Busy(lane)) => Reply::Busy(seen(lane)),
            Err(Refusal::DayUsedUp) => Reply::DayUsedUp,
        })
    }

    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError> {
        if let Some(lane) = self.lanes().get_mut(name)
            && let Some(given) = lane.give_back(slice, from_us)
        {
            *lane = given;
        }
        Ok(())
    }

    async fn slow_down(&self, name: &LaneName, _now_us: u64, pace: Pace) -> Result<(), TableError> {
        if let Some(lane) = self.lanes().get_mut(name) {
            lane.pace = pace;
        }
        Ok(())
    }
}
