//! The reconciliation: what the load test knows by itself, line by line against what the system
//! says it did.
//!
//! ```text
//! files ── objects ── events read ── stream records ── events done
//!                                                  ├── received = fates
//!                                                  └── asks parked ── asks over, asks that wait
//! ```
//!
//! Deliveries are at least once: an event whose record comes again is counted again, with a
//! fate each time, so that fates may be more than events and never fewer.

use contract::local::{Kind, Metrics};
use contract::metrics::{self, AskFate, Fate};
use serde::{Deserialize, Serialize};

use super::result::LookUps;
use super::schedule::Period;
use crate::lookups::MAX_FAILED_SHARE;
use crate::system::QuotaUse;

/// Two figures that must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What is counted.
    pub name: String,
    /// How they must agree.
    pub rule: Rule,
    /// What it must be.
    pub expected: u64,
    /// What it is.
    pub found: u64,
    /// Whether it holds.
    pub holds: bool,
    /// What explains a difference that is allowed, or what the line would not say by itself.
    pub note: String,
}

/// How a figure must agree with what is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It is the same.
    Equal,
    /// It is no less.
    AtLeast,
    /// It is no more.
    AtMost,
}

/// Everything that is compared.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// Files in the folder.
    pub(super) files: u64,
    /// Those that cannot be read to their end.
    pub(super) damaged: u64,
    /// Files that got into the bucket.
    pub(super) uploaded: u64,
    /// Events in them that can be read.
    pub(super) events: u64,
    /// Counted by the system since the start.
    pub(super) counted: &'a Metrics,
    /// What the quota's use was.
    pub(super) quota: Option<&'a QuotaUse>,
    /// What look-ups got.
    pub(super) look_ups: &'a LookUps,
    /// When which faults were on.
    pub(super) periods: &'a [Period],
}

impl Rule {
    fn holds(self, expected: u64, found: u64) -> bool {
        match self {
            Self::Equal => found == expected,
            Self::AtLeast => found >= expected,
            Self::AtMost => found <= expected,
        }
    }

    /// The rule as it stands between two figures.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }
}

impl Line {
    fn new(name: &str, rule: Rule, expected: u64, found: u64, note: String) -> Self {
        let holds = rule.holds(expected, found);
        Self { name: name.to_owned(), rule, expected, found, holds, note }
    }

    fn equal(name: &str, expected: u64, found: u64) -> Self {
        Self::new(name, Rule::Equal, expected, found, String::new())
    }
}

impl Facts<'_> {
    /// All lines.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = self.objects().to_vec();
        lines.extend(self.events());
        lines.extend(self.asks());
        lines.push(self.dead_letters());
        lines.extend(self.quota());
        lines.extend(self.look_ups());
        lines.push(self.faults());
        lines
    }

    fn count(&self, name: &str) -> u64 {
        self.counted.count(name)
    }

    fn struck(&self, kind: Kind) -> u64 {
        self.counted.faults.injected.get(kind.name()).copied().unwrap_or_default()
    }

    fn objects(&self) -> [Line; 4] {
        let arrived = self.counted.objects.uploaded;
        let ends = [
            metrics::OBJECTS_READ,
            metrics::OBJECTS_DAMAGED,
            metrics::OBJECTS_IGNORED,
            metrics::OBJECTS_GONE,
        ];
        let done = ends.iter().map(|name| self.count(name)).sum();
        [
            Line::equal("files in the bucket", self.files, self.uploaded),
            Line::equal("objects that arrived", self.uploaded, arrived),
            Line::equal("objects read, damaged, ignored or gone", arrived, done),
            Line::equal("objects damaged", self.damaged, self.count(metrics::OBJECTS_DAMAGED)),
        ]
    }

    fn events(&self) -> [Line; 7] {
        let counted = self.counted;
        let read = self.count(metrics::EVENTS_READ);
        let kept_back = [
            metrics::EVENTS_UNWANTED,
            metrics::EVENTS_WITHOUT_USER,
            metrics::EVENTS_USER_ID_TOO_LONG,
            metrics::EVENTS_TOO_LARGE,
        ];
        let kept_back: u64 = kept_back.iter().map(|name| self.count(name)).sum();
        let received = self.count(metrics::EVENTS_RECEIVED);
        let fates: u64 = Fate::ALL.iter().map(|fate| self.count(fate.metric())).sum();
        let ended = fates.saturating_sub(self.count(Fate::Returned.metric()));
        let again = ended.saturating_sub(counted.events_done);
        let records = self.count(metrics::STREAM_RECORDS);
        [
            self.events_read(read),
            Line::equal(
                "events on the stream that are done",
                read.saturating_sub(kept_back),
                counted.events_done,
            ),
            Line::equal("stream records that are done", records, counted.records.done),
            Line::equal("events received with exactly one fate", received, fates),
            Line::new(
                "events done with a fate that lasts",
                Rule::AtLeast,
                counted.events_done,
                ended,
                format!("{again} delivered again after they were decided"),
            ),
            Line::equal("lost", 0, counted.lost),
            Line::equal("the system is done in time", 1, u64::from(counted.drained)),
        ]
    }

    /// An ask that moves is sent once more and removed once more. Of an invocation that was
    /// dropped nobody knows what it sent, nor what became of what it removed.
    fn asks(&self) -> [Line; 2] {
        let of = |fates: &[AskFate]| fates.iter().map(|fate| self.count(fate.metric())).sum();
        let (fates, received): (u64, u64) = (of(&AskFate::ALL), self.count(metrics::ASKS_RECEIVED));
        let over: Vec<AskFate> = AskFate::ALL.into_iter().filter(|fate| fate.is_over()).collect();
        let over: u64 = of(&over) + self.count(metrics::POISON_ASKS);
        let asks = &self.counted.asks;
        let parked = self.count(metrics::ASKS_PARKED);
        let note = format!(
            "{parked} parked, {over} over, {} wait; {} removed by invocations that were dropped",
            self.counted.backlog.asks, asks.unheard
        );
        [
            Line::equal("asks received with exactly one fate", received, fates),
            Line::new(
                "asks parked or removed that are over or on a queue",
                Rule::AtMost,
                over + asks.unheard + asks.sent,
                parked + asks.removed,
                note,
            ),
        ]
    }

    /// An object whose events the stream refused too often is read again from its beginning.
    fn events_read(&self, read: u64) -> Line {
        let name = "events read from objects";
        let again = read.saturating_sub(self.events);
        if again == 0 || self.struck(Kind::KinesisThrottle) == 0 {
            return Line::equal(name, self.events, read);
        }
        let note = format!("{again} read again, because the stream was made to refuse them");
        Line::new(name, Rule::AtLeast, self.events, read, note)
    }

    /// Every fault that is switched on passes, and what passes must be ridden out: no dead
    /// letter is explained by one. A file that is damaged has one, and an event too large.
    fn dead_letters(&self) -> Line {
        let too_large = self.count(metrics::EVENTS_TOO_LARGE);
        let found = self.count(metrics::DEAD_LETTERS);
        let note = format!(
            "{} of damaged files; {} events dead-lettered, {} records that could not be decoded",
            self.count(metrics::OBJECTS_DAMAGED),
            self.count(Fate::DeadLettered.metric()),
            self.count(metrics::POISON_RECORDS)
        );
        Line::new("dead letters", Rule::Equal, self.damaged + too_large, found, note)
    }

    fn quota(&self) -> Vec<Line> {
        let Some(quota) = self.quota else { return Vec::new() };
        let note = format!(
            "{} of {} tokens a minute at most, {} moments looked at",
            quota.highest, quota.tokens_per_minute, quota.moments
        );
        let over = Line::new("moments above the quota", Rule::Equal, 0, quota.over, note);
        vec![over, Line::equal("calls that the model's quota refused", 0, quota.refused)]
    }

    fn look_ups(&self) -> [Line; 2] {
        let counts = &self.look_ups.counts;
        let all = counts.answered() + counts.failed();
        let most = (all as f64 * MAX_FAILED_SHARE) as u64;
        [
            Line::equal("look-ups answered otherwise than expected", 0, counts.unexpected),
            Line::new(
                "look-ups that failed",
                Rule::AtMost,
                most,
                counts.failed(),
                format!(
                    "of {all}: {} timed out, {} broken, {} other status, {} no answer of the api, \
                     {} not sent",
                    counts.timed_out,
                    counts.broken,
                    counts.bad_status,
                    counts.bad_body,
                    counts.not_sent
                ),
            ),
        ]
    }

    /// A fault that never struck proves nothing, unless the system says that it could not.
    fn faults(&self) -> Line {
        let (mut struck, mut never, mut too_few) = (0, Vec::new(), Vec::new());
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_counted()) {
            let on = self.periods.iter().filter(|period| period.fault == kind);
            // As many chances as these, and one of the periods had all that it needs.
            let needed: u64 = on.map(|period| period.strength.unsigned_abs()).sum();
            let chances = self.counted.faults.chances.get(kind.name());
            match (needed, self.struck(kind)) {
                (0, _) => {}
                (_, 1..) => struck += 1,
                _ if chances.is_some_and(|chances| *chances < needed) => too_few.push(kind.name()),
                _ => never.push(kind.name()),
            }
        }
        let told = [("never struck", &never), ("not tried, for want of calls", &too_few)];
        let told = told.iter().filter(|(_, kinds)| !kinds.is_empty());
        let told = told.map(|(what, kinds)| format!("{what}: {}", kinds.join(", ")));
        let note = told.collect::<Vec<_>>().join("; ");
        let expected = struck + never.len() as u64;
        Line::new("kinds of faults that struck", Rule::Equal, expected, struck, note)
    }
}

#[cfg(test)]
mod tests;
