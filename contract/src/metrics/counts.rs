//! What one invocation measured, or many added up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{AskFate, BY_CAMPAIGN, Distribution, Fate};

/// What was measured: of all together, and of each campaign what is measured for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    all: Figures,
    campaigns: BTreeMap<String, Figures>,
}

/// Numbers by the names of their metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Counters.
    #[serde(flatten)]
    pub sums: BTreeMap<&'static str, u64>,
    /// Times, in milliseconds.
    #[serde(skip)]
    pub times: BTreeMap<&'static str, Distribution>,
}

impl Counts {
    /// Adds `n` to the counter `name`.
    pub fn add(&mut self, name: &'static str, n: u64) {
        *self.all.sums.entry(name).or_default() += n;
    }

    /// Adds how long something took.
    pub fn took(&mut self, name: &'static str, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.all.times.entry(name).or_default().add(ms);
    }

    /// The same, of a campaign: it counts for it as well.
    #[must_use]
    pub fn of(mut self, campaign: &str) -> Self {
        let is_own = |name: &&str| BY_CAMPAIGN.contains(name);
        let sums = self.all.sums.iter().filter(|(name, _)| is_own(name));
        let times = self.all.times.iter().filter(|(name, _)| is_own(name));
        let own = Figures {
            sums: sums.map(|(name, n)| (*name, *n)).collect(),
            times: times.map(|(name, times)| (*name, times.clone())).collect(),
        };
        if !own.is_empty() {
            self.campaigns = BTreeMap::from([(campaign.to_owned(), own)]);
        }
        self
    }

    /// Reads a counter; one that was never touched is zero.
    pub fn get(&self, name: &str) -> u64 {
        self.all.get(name)
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        for (campaign, figures) in &other.campaigns {
            match self.campaigns.get_mut(campaign) {
                Some(own) => own.merge(figures),
                None => drop(self.campaigns.insert(campaign.clone(), figures.clone())),
            }
        }
    }

    /// What was measured of all together.
    pub const fn all(&self) -> &Figures {
        &self.all
    }

    /// What was measured of each campaign.
    pub const fn campaigns(&self) -> &BTreeMap<String, Figures> {
        &self.campaigns
    }

    /// Adds up the fates of events; equals [`EVENTS_RECEIVED`](super::EVENTS_RECEIVED) after every
    /// invocation.
    pub fn fates(&self) -> u64 {
        Fate::ALL.iter().map(|fate| self.get(fate.metric())).sum()
    }

    /// Events that asked for content, whatever became of them.
    pub fn triggering(&self) -> u64 {
        let quiet =
            [Fate::NoTrigger, Fate::Noted, Fate::Deletion].map(|fate| self.get(fate.metric()));
        self.fates() - quiet.iter().sum::<u64>()
    }

    /// Adds up the fates of asks; equals [`ASKS_RECEIVED`](super::ASKS_RECEIVED) after every
    /// invocation.
    pub fn ask_fates(&self) -> u64 {
        AskFate::ALL.iter().map(|fate| self.get(fate.metric())).sum()
    }

    /// Asks that are over: those that were parked for events, less these, wait.
    pub fn asks_over(&self) -> u64 {
        let over = AskFate::ALL.iter().filter(|fate| fate.is_over());
        over.map(|fate| self.get(fate.metric())).sum()
    }

    /// The counters by their names.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.all.by_name()
    }

    /// Writes the counters as one line of JSON, for the log.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a map of strings to integers")]
        serde_json::to_string(&self.all).expect("counts are always JSON")
    }
}

impl Figures {
    /// Reads a counter; one that was never touched is zero.
    pub fn get(&self, name: &str) -> u64 {
        self.sums.get(name).copied().unwrap_or_default()
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && self.times.is_empty()
    }

    /// The counters by their names.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        self.sums.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    fn merge(&mut self, other: &Self) {
        for (name, n) in &other.sums {
            *self.sums.entry(name).or_default() += n;
        }
        for (name, times) in &other.times {
            self.times.entry(name).or_default().merge(times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EVENTS_RECEIVED, FRESHNESS, GENERATIONS, THROTTLES};
    use super::*;

    #[test]
    fn merged_counts_are_sums() {
        let mut all = Counts::default();
        all.add(GENERATIONS, 2);
        let mut one = Counts::default();
        one.add(GENERATIONS, 3);
        one.add(THROTTLES, 1);

        all.merge(&one);

        assert_eq!(all.to_json(), r#"{"generations":5,"throttles":1}"#);
    }

    #[test]
    fn a_campaigns_part_is_in_the_whole_and_holds_what_is_measured_for_each() {
        let mut one = Counts::default();
        one.add(GENERATIONS, 3);
        one.add(EVENTS_RECEIVED, 7);
        one.took(FRESHNESS, Duration::from_secs(2));
        let mut all = one.clone().of("new-episode");
        all.merge(&one.clone().of("new-episode"));
        all.merge(&one.of("sale"));
        let mut none = Counts::default();
        none.add(EVENTS_RECEIVED, 1);
        all.merge(&none.of("idle"));

        let campaigns: Vec<(&str, u64, usize, u64)> = all
            .campaigns()
            .iter()
            .map(|(name, own)| {
                (name.as_str(), own.get(GENERATIONS), own.sums.len(), own.times[FRESHNESS].count())
            })
            .collect();
        assert_eq!(campaigns, [("new-episode", 6, 1, 2), ("sale", 3, 1, 1)]);
        assert_eq!((all.get(GENERATIONS), all.get(EVENTS_RECEIVED)), (9, 22));
        assert_eq!(all.all().times[FRESHNESS].count(), 3);
    }
}
