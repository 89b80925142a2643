//! The lanes, as this instance saw them last.

use std::collections::HashMap;

use crate::estimate::Lesson;
use crate::lane::{DAY_US, Lane, micros};
use crate::scheduler::MAX_AHEAD;
use crate::table::LaneItem;
use crate::tally::Tally;

/// Lanes as they were seen last.
#[derive(Debug, Default)]
pub(crate) struct Views(HashMap<u32, View>);

/// A lane as it was seen last.
#[derive(Debug, Clone)]
struct View {
    item: LaneItem,
    at_us: u64,
}

impl Views {
    /// A lane was seen.
    pub(crate) fn see(&mut self, number: u32, item: LaneItem, at_us: u64) {
        self.0.insert(number, View { item, at_us });
    }

    /// What the table has of a lane, as far as is known.
    pub(crate) fn item(&self, number: u32) -> Option<&LaneItem> {
        self.0.get(&number).map(|view| &view.item)
    }

    /// The same, if it was seen today: what was used of the day is that day's.
    pub(crate) fn item_of_today(&self, number: u32, now_us: u64) -> Option<&LaneItem> {
        let view = self.0.get(&number)?;
        (view.at_us / DAY_US == now_us / DAY_US).then_some(&view.item)
    }

    /// A lane, if it was seen.
    pub(crate) fn lane(&self, number: u32) -> Option<Lane> {
        self.item(number).map(|item| item.lane)
    }

    /// A lane, to be changed with what was done to it since.
    pub(crate) fn lane_mut(&mut self, number: u32) -> Option<&mut Lane> {
        self.0.get_mut(&number).map(|view| &mut view.item.lane)
    }

    /// The calls of a lane, to be changed with what became of them since.
    pub(crate) fn tally_mut(&mut self, number: u32) -> Option<&mut Tally> {
        self.0.get_mut(&number).map(|view| &mut view.item.tally)
    }

    /// Whether a lane's calls are counted one by one.
    pub(crate) fn is_counted(&self, number: u32) -> bool {
        self.0.get(&number).is_some_and(View::is_counted)
    }

    /// How far ahead a lane was promised when it was seen.
    pub(crate) fn promised_us(&self, number: u32) -> u64 {
        self.0.get(&number).map_or(0, View::promised_us)
    }

    /// The one of so many lanes that was promised least far ahead.
    pub(crate) fn freest(&self, lanes: u32) -> u32 {
        (0..lanes).min_by_key(|number| self.promised_us(*number)).unwrap_or(0)
    }

    /// How far ahead of now others may be promised time: as far as when that was seen last,
    /// if that is not long ago.
    pub(crate) fn promised_ahead_us(&self, now_us: u64) -> u64 {
        let most_us = micros(MAX_AHEAD);
        let ahead = self.0.values().map(|view| {
            let is_old = view.at_us + most_us < now_us;
            // Calls that others entered since count for a minute.
            if is_old || view.is_counted() { most_us } else { view.promised_us().min(most_us) }
        });
        ahead.max().unwrap_or(most_us)
    }

    /// When any lane was seen last.
    pub(crate) fn latest_us(&self) -> u64 {
        self.0.values().map(|view| view.at_us).max().unwrap_or_default()
    }

    /// What all instances are known to have learnt.
    pub(crate) fn lessons(&self) -> impl Iterator<Item = &Lesson> {
        self.0.values().flat_map(|view| &view.item.learnt)
    }

    /// What all have used of the day, as far as is known.
    pub(crate) fn day_tokens(&self) -> u64 {
        self.0.values().map(|view| view.item.lane.day_tokens).sum()
    }
}

impl View {
    fn is_counted(&self) -> bool {
        !self.item.tally.entries.is_empty()
    }

    fn promised_us(&self) -> u64 {
        self.item.lane.busy_until_us.saturating_sub(self.at_us)
    }
}
