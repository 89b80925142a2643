//! What calls will take, by kind: from what all instances have learnt, and this one, and how
//! those are asked for of which nothing is known.

use std::collections::HashMap;
use std::time::Duration;

use crate::drift::Drifts;
use crate::estimate::{Lesson, Price, Sums, period};
use crate::lane::micros;
use crate::line::{Line, Waiting};
use crate::rate::Largest;
use crate::views::Views;

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

/// Kinds of which one update says what was learnt.
const MAX_NEWS: usize = 8;

/// How long the size of calls of a kind counts: a window that held one, twice over.
const LATEST_COUNTS: Duration = Duration::from_secs(120);

/// What this instance knows of kinds, beside what the lanes tell.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    /// What was learnt here that the lanes do not know yet, by kind.
    own: HashMap<String, Sums>,
    /// What of it is on its way.
    sent: Vec<Lesson>,
    /// Until when kinds wait for their first calls, of which nothing is known.
    tried_until_us: HashMap<String, u64>,
    pub(crate) drifts: Drifts,
    /// What the latest calls of each kind were charged, and can be settled to, and when.
    latest: HashMap<String, (Largest, u64)>,
}

/// The first calls of kinds of which nothing is known.
pub(crate) struct Trial {
    most_us: u64,
    asked: HashMap<String, u64>,
}

impl Forecast {
    /// What all instances are known to have learnt of a kind, and this one.
    pub(crate) fn known(&self, views: &Views, kind: &str, now_us: u64) -> Sums {
        let mut sums = self.own.get(kind).copied().unwrap_or_default();
        let this_period = period(now_us);
        for lesson in views.lessons().chain(&self.sent) {
            if lesson.kind == kind && lesson.period + 1 >= this_period {
                sums.add(&lesson.sums);
            }
        }
        sums
    }

    /// What a call that waits will take, as `known` has it of its kind.
    pub(crate) fn price(&self, known: &Sums, waiting: &Waiting, burndown: u32) -> Price {
        let price = known.price(waiting.input_tokens, waiting.max_tokens, burndown);
        price.drifted(self.drifts.of(&waiting.kind, price.spread))
    }

    /// Learns from a call that ended.
    pub(crate) fn learn(&mut self, kind: &str, call: &Sums) {
        self.own.entry(kind.to_owned()).or_default().add(call);
    }

    /// Whether calls wait, and all of them for the first ones of their kind.
    pub(crate) fn are_all_tried(&self, line: &Line, views: &Views, now_us: u64) -> bool {
        let mut waiting = line.iter().map(|(_, waiting)| &waiting.kind);
        line.len() > 0 && waiting.all(|kind| self.is_tried(views, kind, now_us))
    }

    /// Whether a kind waits for its first calls to end.
    fn is_tried(&self, views: &Views, kind: &str, now_us: u64) -> bool {
        let until_us = self.tried_until_us.get(kind).copied().unwrap_or_default();
        until_us > now_us && self.is_unknown(views, kind, now_us)
    }

    fn is_unknown(&self, views: &Views, kind: &str, now_us: u64) -> bool {
        let is_old = views.latest_us() + micros(NEWS_AGE) < now_us;
        self.known(views, kind, now_us).calls < if is_old { WELL_KNOWN_CALLS } else { ENOUGH_CALLS }
    }

    /// What the lanes do not know yet, to be told with the next slice.
    pub(crate) fn news(&mut self, now_us: u64) -> Vec<Lesson> {
        // Whoever took the slice before may have gone meanwhile.
        self.keep_news();
        let kinds: Vec<String> = self.own.keys().take(MAX_NEWS).cloned().collect();
        let told = kinds.into_iter().filter_map(|kind| {
            let sums = self.own.remove(&kind)?;
            Some(Lesson { kind, period: period(now_us), sums })
        });
        self.sent = told.collect();
        self.sent.clone()
    }

    /// The news arrived.
    pub(crate) fn forget_news(&mut self) {
        self.sent.clear();
    }

    /// The news did not arrive, as far as is known.
    pub(crate) fn keep_news(&mut self) {
        for lesson in std::mem::take(&mut self.sent) {
            self.own.entry(lesson.kind).or_default().add(&lesson.sums);
        }
    }

    /// The rest of the kinds that were asked for waits until their first calls end.
    pub(crate) fn try_first(&mut self, trial: Trial, begins_us: u64, now_us: u64) {
        let until_us = begins_us + micros(UNKNOWN_WAIT);
        self.tried_until_us.retain(|_, until_us| *until_us > now_us);
        self.tried_until_us.extend(trial.asked.into_keys().map(|kind| (kind, until_us)));
    }

    /// Notes how large calls of kinds are, and forgets those that are gone.
    pub(crate) fn note_sizes(&mut self, sizes: Vec<(String, Price)>, now_us: u64) {
        self.latest.retain(|_, (_, at_us)| *at_us + micros(LATEST_COUNTS) > now_us);
        for (kind, price) in sizes {
            let call = Largest { charged: price.charged, worst: price.worst };
            self.latest.insert(kind, (call, now_us));
        }
    }

    /// The largest calls of those that share the quota.
    pub(crate) fn largest(&self) -> Largest {
        let latest = self.latest.values();
        latest.fold(Largest::default(), |all, (call, _)| all.or(call.charged, call.worst))
    }
}

impl Trial {
    /// Nothing yet.
    pub(crate) fn new(instances: u32) -> Self {
        Self { most_us: micros(MAX_UNKNOWN) / u64::from(instances), asked: HashMap::new() }
    }

    /// Whether a slice may hold a call of a kind, which counts then.
    pub(crate) fn may_ask(
        &mut self,
        forecast: &Forecast,
        views: &Views,
        kind: &str,
        now_us: u64,
        worth_us: u64,
    ) -> bool {
        if !forecast.is_unknown(views, kind, now_us) {
            return true;
        }
        let asked_us = self.asked.get(kind).copied();
        let is_enough = asked_us.is_some_and(|asked_us| asked_us + worth_us > self.most_us);
        if is_enough || forecast.is_tried(views, kind, now_us) {
            return false;
        }
        self.asked.insert(kind.to_owned(), asked_us.unwrap_or_default() + worth_us);
        true
    }
}
