//! What must stand of a user and campaign once everything was delivered and nothing waits: told
//! by the story alone, in other words than the processor's.
//!
//! - What is remembered are the latest events that trigger the campaign, and the latest note of
//!   each kind.
//! - Content is for the newest event, unless a note takes that back, its cooldown forbids it,
//!   or a dead letter says why it is not.
//! - Nothing was written for an event after something newer was acknowledged, nor before its
//!   time.

use std::collections::BTreeMap;

use contract::user_record::Event;
use processor::simulated::memory::Item;

/// A campaign of these tests as its settings read.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: &'static str,
    triggers: &'static [&'static str],
    /// Types of the events that end what waits.
    ends: &'static [&'static str],
    /// Types of the events that take content back.
    retracts: &'static [&'static str],
    history: usize,
    cooldown_secs: i64,
    replaces: bool,
    after_secs: i64,
    /// Whether its prompt shows attributes.
    pub(super) shows_attributes: bool,
}

const PLAIN: Told = Told {
    name: "plain",
    triggers: &["watched"],
    ends: &[],
    retracts: &[],
    history: 3,
    cooldown_secs: 0,
    replaces: false,
    after_secs: 0,
    shows_attributes: false,
};

const SLOW: Told = Told {
    name: "slow",
    triggers: &["watched", "bought"],
    history: 2,
    cooldown_secs: 3_600,
    ..PLAIN
};

const ABANDONED: Told = Told {
    name: "abandoned",
    ends: &["bought"],
    retracts: &["other"],
    history: 2,
    after_secs: 3_600,
    ..PLAIN
};

const NEWEST: Told = Told { name: "newest", cooldown_secs: 7_200, replaces: true, ..PLAIN };

const GREETING: Told = Told { name: "greeting", shows_attributes: true, ..PLAIN };

/// Every campaign, with its settings in words of this file.
pub(super) const CAMPAIGNS: [&Told; 5] = [&PLAIN, &SLOW, &ABANDONED, &NEWEST, &GREETING];

/// What the story tells of one user and campaign.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    campaign: &'a Told,
    /// Oldest first.
    triggers: Vec<&'a Event>,
    ends: Vec<&'a Event>,
    retracts: Vec<&'a Event>,
}

impl Told {
    /// What events of a user, each with its type, mean to it.
    pub(super) fn expects<'a>(
        &'a self,
        events: impl Iterator<Item = (&'a str, &'a Event)> + Clone,
    ) -> Expected<'a> {
        let of = |types: &[&str]| {
            let of_types = events.clone().filter(|(event_type, _)| types.contains(event_type));
            let mut events: Vec<&Event> = of_types.map(|(_, event)| event).collect();
            events.sort_by_key(|event| (event.time, event.id.clone()));
            events
        };
        let (triggers, ends, retracts) = (of(self.triggers), of(self.ends), of(self.retracts));
        Expected { campaign: self, triggers, ends, retracts }
    }

    /// Whether content may follow on older content of the same user, which stood before.
    pub(super) fn may_follow(&self, older: (i64, &str), newer: (i64, &str, i64)) -> bool {
        let (newer_time, newer_id, generated_at) = newer;
        let cool_at = older.0 + self.cooldown_secs;
        let is_later = (newer_time, newer_id) > older;
        is_later && (newer_time >= cool_at || (self.replaces && generated_at >= cool_at))
    }
}

impl Expected<'_> {
    /// Time of the oldest event that means anything to the campaign.
    pub(super) fn oldest(&self) -> Option<i64> {
        let all = self.triggers.iter().chain(&self.ends).chain(&self.retracts);
        all.map(|event| event.time).min()
    }

    /// Compares an item with what is expected. `acked` tells when events were acknowledged, in
    /// UNIX milliseconds; `is_given_up` whether a dead letter names an event.
    pub(super) fn check(
        &self,
        item: Option<&Item>,
        acked: &BTreeMap<String, u64>,
        is_given_up: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let Some(item) = item else {
            return if self.oldest().is_none() { Ok(()) } else { Err("is lost".to_owned()) };
        };
        if self.oldest().is_none() {
            return Err("comes from nothing".to_owned());
        }
        self.check_memory(item)?;
        if let Some(until) = item.parked_until_ms {
            return Err(format!("announces an ask until {until} that is not there"));
        }
        let content = item.content.as_ref().map(|(content, _)| content);
        let written = content
            .and_then(|content| self.triggers.iter().find(|event| event.id == content.event_id));
        if let Some(content) = content {
            let event = written.ok_or("is written for no trigger")?;
            self.check_order(event, content.generated_at, acked)?;
        }
        let Some(newest) = self.triggers.last() else { return Ok(()) };
        let is_cooling = |event: &Event| {
            !self.campaign.replaces && newest.time < event.time + self.campaign.cooldown_secs
        };
        let is_right = match written {
            Some(event) if event.id == newest.id => true,
            Some(event) if is_cooling(event) => true,
            _ => is_given_up(&newest.id) || self.is_taken_back(newest),
        };
        let written_for = written.map(|event| event.id.as_str());
        match is_right {
            true => Ok(()),
            false => Err(format!("is written for {written_for:?} instead of {}", newest.id)),
        }
    }

    fn check_memory(&self, item: &Item) -> Result<(), String> {
        let remembered: Vec<&str> =
            item.memory.history.iter().map(|past| past.id.as_str()).collect();
        let latest = self.triggers.len().saturating_sub(self.campaign.history);
        let latest: Vec<&str> =
            self.triggers[latest..].iter().map(|event| event.id.as_str()).collect();
        if remembered != latest {
            return Err(format!("remembers {remembered:?} instead of {latest:?}"));
        }
        let last = |events: &[&Event]| events.last().map(|event| event.time);
        let notes = (item.memory.unless_at, item.memory.retracted_at);
        if notes != (last(&self.ends), last(&self.retracts)) {
            return Err(format!("has the notes {notes:?}"));
        }
        Ok(())
    }

    /// Nothing was written for `event` too early, or after something newer was acknowledged.
    fn check_order(
        &self,
        event: &Event,
        generated_at: i64,
        acked: &BTreeMap<String, u64>,
    ) -> Result<(), String> {
        if self.campaign.after_secs > 0 && generated_at < event.time + self.campaign.after_secs {
            return Err(format!("is written at {generated_at}, too early for {event:?}"));
        }
        let is_newer = |other: &&&Event| (other.time, &other.id) > (event.time, &event.id);
        let newer = self.triggers.iter().filter(is_newer);
        for other in newer.chain(self.taking_back(event)) {
            let acked_at = acked.get(&other.id).map(|ms| i64::try_from(ms / 1_000).unwrap_or(0));
            if acked_at.is_some_and(|at| at < generated_at) {
                return Err(format!(
                    "is written for {} at {generated_at}, though {} was known at {acked_at:?}",
                    event.id, other.id
                ));
            }
        }
        Ok(())
    }

    fn is_taken_back(&self, event: &Event) -> bool {
        self.taking_back(event).next().is_some()
    }

    /// The notes that take an event back.
    fn taking_back<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a &'a Event> {
        let notes = self.ends.iter().chain(&self.retracts);
        notes.filter(|note| note.time >= event.time)
    }
}
