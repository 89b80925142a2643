//! What is known of the kinds of calls, here and by all, and how those are asked for of which
//! nothing is.

use std::collections::HashMap;
use std::time::Duration;

use crate::estimate::{Learnt, Sums, period};
use crate::lane::micros;
use crate::line::Place;
use crate::state::State;

/// Calls after which something is known of a kind.
const ENOUGH_CALLS: f64 = 30.0;

/// Calls after which what others learnt meanwhile changes little.
const WELL_KNOWN_CALLS: f64 = 300.0;

/// Age of what others are known to have learnt at which there may be news.
const NEWS_AGE: Duration = Duration::from_secs(10);

/// Time that all instances together ask for, for calls of which nothing is known. They are
/// charged the worst case, so the rest waits until the first have ended.
const MAX_UNKNOWN: Duration = Duration::from_secs(6);

/// How long the rest waits at most.
const UNKNOWN_WAIT: Duration = Duration::from_secs(2);

/// Campaigns of which one update says what was learnt.
const MAX_NEWS: usize = 8;

/// What is asked for kinds of which nothing is known.
pub(crate) struct Unknown {
    most_us: u64,
    asked: HashMap<String, u64>,
}

impl State {
    /// What all instances are known to have learnt of a kind, and this one.
    pub(crate) fn known(&self, kind: &str, now_us: u64) -> Sums {
        let mut sums = self.own.get(kind).copied().unwrap_or_default();
        let shared = self.lanes.values().flat_map(|view| &view.seen.learnt).chain(&self.sent);
        let this_period = period(now_us);
        for learnt in shared {
            if learnt.kind == kind && learnt.period + 1 >= this_period {
                sums.add(&learnt.sums);
            }
        }
        sums
    }

    /// Learns from a call that ended.
    pub(crate) fn learn(&mut self, kind: &str, call: &Sums) {
        self.own.entry(kind.to_owned()).or_default().add(call);
    }

    /// Whether calls wait, and all of them for the first ones of their kind.
    pub(crate) fn are_all_tried(&self, now_us: u64) -> bool {
        let mut waiting = self.line.iter().map(|(_, waiting)| &waiting.kind);
        self.line.len() > 0 && waiting.all(|kind| self.is_tried(kind, now_us))
    }

    /// Whether a kind waits for its first calls to end.
    fn is_tried(&self, kind: &str, now_us: u64) -> bool {
        let until_us = self.tried_until_us.get(kind).copied().unwrap_or_default();
        until_us > now_us && self.is_unknown(kind, now_us)
    }

    fn is_unknown(&self, kind: &str, now_us: u64) -> bool {
        let seen_us = self.lanes.values().map(|view| view.at_us).max().unwrap_or_default();
        let is_old = seen_us + micros(NEWS_AGE) < now_us;
        self.known(kind, now_us).calls < if is_old { WELL_KNOWN_CALLS } else { ENOUGH_CALLS }
    }

    /// What the lanes do not know yet, to be told with the next slice.
    pub(crate) fn news(&mut self, now_us: u64) -> Vec<Learnt> {
        // Whoever took the slice before may have gone meanwhile.
        self.keep_news();
        let kinds: Vec<String> = self.own.keys().take(MAX_NEWS).cloned().collect();
        let told = kinds.into_iter().filter_map(|kind| {
            let sums = self.own.remove(&kind)?;
            Some(Learnt { kind, period: period(now_us), sums })
        });
        self.sent = told.collect();
        self.sent.clone()
    }

    /// The news did not arrive, as far as is known.
    pub(crate) fn keep_news(&mut self) {
        for learnt in std::mem::take(&mut self.sent) {
            self.own.entry(learnt.kind).or_default().add(&learnt.sums);
        }
    }

    /// The rest of the kinds that were asked for waits until their first calls end.
    pub(crate) fn try_first(&mut self, unknown: Unknown, begins_us: u64, now_us: u64) {
        let until_us = begins_us + micros(UNKNOWN_WAIT);
        self.tried_until_us.retain(|_, until_us| *until_us > now_us);
        self.tried_until_us.extend(unknown.asked.into_keys().map(|kind| (kind, until_us)));
    }
}

impl Unknown {
    /// Nothing yet.
    pub(crate) fn new(instances: u32) -> Self {
        Self { most_us: micros(MAX_UNKNOWN) / u64::from(instances), asked: HashMap::new() }
    }

    /// Whether a slice may hold a call, which counts then.
    pub(crate) fn may_ask(
        &mut self,
        state: &State,
        place: Place,
        now_us: u64,
        worth_us: u64,
    ) -> bool {
        let Some(waiting) = state.line.get(place) else { return false };
        let kind = &waiting.kind;
        if !state.is_unknown(kind, now_us) {
            return true;
        }
        let asked_us = self.asked.get(kind).copied();
        let is_enough = asked_us.is_some_and(|asked_us| asked_us + worth_us > self.most_us);
        if is_enough || state.is_tried(kind, now_us) {
            return false;
        }
        self.asked.insert(kind.clone(), asked_us.unwrap_or_default() + worth_us);
        true
    }
}
