//! Who waits on the queues of asks, by campaign and reason, and until when.
//!
//! Counted as messages come and go, so that telling it costs the same with a million asks as
//! with ten. Times are told apart by the second, rounded up: an ask is called due only when
//! it is.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use contract::ask::{Ask, Reason};
use contract::local::WaitingAsks;

/// Where a message is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Label {
    /// Its group, counted from one; none of a message that is no ask.
    group: Option<NonZeroU16>,
    /// When it is due, in UNIX seconds.
    due_secs: u32,
}

/// Who waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// Messages on the queues of asks, those included that are no asks.
    pub asks: u64,
    /// How many of them were received and not deleted since: somebody works on them, or did
    /// when they were dropped.
    pub in_flight: u64,
    /// How many can be received now.
    pub visible: u64,
    /// Messages that were ever sent.
    pub sent: u64,
    /// Messages that were ever removed.
    pub removed: u64,
    /// By campaign and reason, in order.
    pub groups: Vec<WaitingAsks>,
}

impl Waits {
    /// How many wait for no time any more.
    pub fn due(&self) -> u64 {
        self.groups.iter().map(|group| group.due).sum()
    }

    /// When the next that is not due is due, in UNIX seconds.
    pub fn next_due_secs(&self) -> Option<u64> {
        self.groups.iter().filter_map(|group| group.next_due_secs).min()
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    groups: Vec<Counter>,
    by_name: BTreeMap<(String, Reason), NonZeroU16>,
}

#[derive(Debug, Default)]
struct Counter {
    /// Those that are due.
    due: u64,
    /// Up to when `later` was counted over to `due`, in UNIX seconds.
    counted_to_secs: u32,
    /// Those that are not, by when they are. There are as many entries as seconds, at most.
    later: BTreeMap<u32, u32>,
    /// Their sum.
    all_later: u64,
}

impl Counter {
    fn advance(&mut self, now_secs: u32) {
        self.counted_to_secs = self.counted_to_secs.max(now_secs);
        while let Some(first) = self.later.first_entry() {
            if *first.key() > self.counted_to_secs {
                break;
            }
            let n = u64::from(first.remove());
            self.due += n;
            self.all_later = self.all_later.saturating_sub(n);
        }
    }

    fn add(&mut self, due_secs: u32) {
        if due_secs <= self.counted_to_secs {
            self.due += 1;
        } else {
            *self.later.entry(due_secs).or_default() += 1;
            self.all_later += 1;
        }
    }

    fn remove(&mut self, due_secs: u32) {
        if due_secs <= self.counted_to_secs {
            self.due = self.due.saturating_sub(1);
        } else if let Some(n) = self.later.get_mut(&due_secs) {
            *n -= 1;
            self.all_later = self.all_later.saturating_sub(1);
            if *n == 0 {
                self.later.remove(&due_secs);
            }
        }
    }
}

impl Waiting {
    /// Counts a message; the label takes it out again.
    pub(super) fn add(&mut self, body: &str) -> Label {
        let Ok(ask) = Ask::decode(body) else { return Label::default() };
        let due_secs = u32::try_from(ask.not_before_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        let Some(group) = self.group(ask.campaign, ask.reason) else { return Label::default() };
        if let Some(counter) = self.groups.get_mut(index(group)) {
            counter.add(due_secs);
        }
        Label { group: Some(group), due_secs }
    }

    pub(super) fn remove(&mut self, label: Label) {
        let group = label.group.and_then(|group| self.groups.get_mut(index(group)));
        if let Some(counter) = group {
            counter.remove(label.due_secs);
        }
    }

    /// Those who wait, by campaign and reason.
    pub(super) fn groups(&mut self, now_ms: u64) -> Vec<WaitingAsks> {
        let now_secs = u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX);
        for counter in &mut self.groups {
            counter.advance(now_secs);
        }
        let groups = self.by_name.iter().filter_map(|((campaign, reason), group)| {
            let counter = self.groups.get(index(*group))?;
            let asks = counter.due + counter.all_later;
            (asks > 0).then(|| WaitingAsks {
                campaign: campaign.clone(),
                reason: *reason,
                waits_for: reason.words().to_owned(),
                asks,
                due: counter.due,
                next_due_secs: counter.later.keys().next().map(|secs| u64::from(*secs)),
            })
        });
        groups.collect()
    }

    /// The group of a campaign and reason; none where there are more than can be numbered,
    /// which no folder of campaigns is.
    fn group(&mut self, campaign: String, reason: Reason) -> Option<NonZeroU16> {
        let key = (campaign, reason);
        if let Some(group) = self.by_name.get(&key) {
            return Some(*group);
        }
        let number = u16::try_from(self.groups.len() + 1).ok().and_then(NonZeroU16::new)?;
        self.groups.push(Counter::default());
        self.by_name.insert(key, number);
        Some(number)
    }
}

fn index(group: NonZeroU16) -> usize {
    usize::from(group.get()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(campaign: &str, reason: Reason, not_before_ms: u64) -> String {
        let ask = Ask::new("u".to_owned(), campaign.to_owned(), reason, 0);
        Ask { not_before_ms, ..ask }.encode()
    }

    fn told(waiting: &mut Waiting, now_ms: u64) -> Vec<(String, Reason, u64, u64, Option<u64>)> {
        let groups = waiting.groups(now_ms).into_iter();
        groups.map(|g| (g.campaign, g.reason, g.asks, g.due, g.next_due_secs)).collect()
    }

    #[test]
    fn asks_are_told_by_campaign_and_reason_and_become_due_with_time() {
        let mut waiting = Waiting::default();
        let first = waiting.add(&ask("b", Reason::Due, 1_001));
        waiting.add(&ask("b", Reason::Due, 5_000));
        waiting.add(&ask("a", Reason::Quota, 0));

        let a = ("a".to_owned(), Reason::Quota, 1, 1, None);
        let b = |due, next| ("b".to_owned(), Reason::Due, 2, due, next);
        assert_eq!(told(&mut waiting, 1_999), [a.clone(), b(0, Some(2))]);
        assert_eq!(told(&mut waiting, 2_000), [a.clone(), b(1, Some(5))]);

        waiting.remove(first);
        assert_eq!(told(&mut waiting, 2_000)[1], ("b".to_owned(), Reason::Due, 1, 0, Some(5)));
    }

    #[test]
    fn one_that_goes_before_it_is_due_is_not_waited_for() {
        let mut waiting = Waiting::default();
        let label = waiting.add(&ask("a", Reason::DayQuota, 9_000));

        waiting.remove(label);

        assert_eq!(told(&mut waiting, 0), []);
    }

    #[test]
    fn what_is_no_ask_is_of_no_group() {
        let mut waiting = Waiting::default();

        let label = waiting.add("hello");
        waiting.remove(label);

        assert_eq!(label, Label::default());
        assert_eq!(told(&mut waiting, 0), []);
    }
}
