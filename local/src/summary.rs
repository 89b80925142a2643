//! What a run came to, for a person.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use contract::metrics::{self, Counts, Fate};

use crate::totals::{Totals, get};

/// What stands where there is no figure.
const NONE: &str = "-";

/// The figures of a run.
#[derive(Debug, Clone)]
pub struct Summary {
    counts: Counts,
    uploaded: u64,
    events_done: u64,
    records_done: u64,
    took: Duration,
    /// The median and the 99th percentile, if any content has one.
    freshness: Option<(Duration, Duration)>,
    conditions_failed: BTreeMap<String, u64>,
    writer: &'static str,
}

impl Summary {
    /// Takes the figures as they are now; `writer` says who wrote the text.
    pub fn new(totals: &Totals, took: Duration, writer: &'static str) -> Self {
        Self {
            counts: totals.counts(),
            uploaded: get(&totals.uploaded),
            events_done: get(&totals.events_done),
            records_done: get(&totals.records_done),
            took,
            freshness: (totals.freshness_count() > 0)
                .then(|| (totals.freshness(0.5), totals.freshness(0.99))),
            conditions_failed: totals.conditions_failed(),
            writer,
        }
    }

    /// Events and objects that went in and came out nowhere.
    ///
    /// Two independent countings meet here: what `ingest` says it put on the
    /// stream, and what the pollers say the processor is done with.
    pub fn lost(&self) -> u64 {
        let n = |name| self.counts.get(name);
        let kept_back = n(metrics::EVENTS_WITHOUT_USER)
            + n(metrics::EVENTS_USER_ID_TOO_LONG)
            + n(metrics::EVENTS_TOO_LARGE);
        let on_stream = n(metrics::EVENTS_READ).saturating_sub(kept_back);
        let objects = [
            metrics::OBJECTS_READ,
            metrics::OBJECTS_DAMAGED,
            metrics::OBJECTS_IGNORED,
            metrics::OBJECTS_GONE,
        ];
        let objects_done: u64 = objects.iter().map(|name| n(name)).sum();
        let unfated = n(metrics::EVENTS_RECEIVED).abs_diff(self.counts.fates());
        on_stream.saturating_sub(self.events_done)
            + n(metrics::STREAM_RECORDS).saturating_sub(self.records_done)
            + self.uploaded.saturating_sub(objects_done)
            + unfated
    }

    /// Inputs that were given up, each with a dead letter.
    pub fn dead_letters(&self) -> u64 {
        self.counts.get(metrics::DEAD_LETTERS)
    }

    /// Events that asked for content, whatever became of them.
    pub fn triggered(&self) -> u64 {
        let quiet = [Fate::NoTrigger, Fate::Deletion].map(|fate| self.counts.get(fate.metric()));
        self.counts.fates() - quiet.iter().sum::<u64>()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |name: &str| self.counts.get(name);
        let events = n(metrics::EVENTS_READ);
        let seconds = self.took.as_secs_f64();
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "  {name:<26}{value}");
        line("objects", &self.uploaded)?;
        line("  damaged", &n(metrics::OBJECTS_DAMAGED))?;
        let rate =
            if events > 0 { format!("{:.0}/s", events as f64 / seconds) } else { NONE.into() };
        line("events read", &format_args!("{events} ({rate})"))?;
        line("  without a user", &n(metrics::EVENTS_WITHOUT_USER))?;
        line("  user id too long", &n(metrics::EVENTS_USER_ID_TOO_LONG))?;
        line("  too large", &n(metrics::EVENTS_TOO_LARGE))?;
        line("user records", &n(metrics::USER_RECORDS))?;
        let mebibytes = n(metrics::STREAM_BYTES) as f64 / 1_048_576.0;
        let stream_records = n(metrics::STREAM_RECORDS);
        line("stream records", &format_args!("{stream_records} ({mebibytes:.1} MiB)"))?;
        line("  refused and sent again", &n(metrics::ENTRIES_RESENT))?;
        line("generations", &format_args!("{} by {}", n(metrics::GENERATIONS), self.writer))?;
        line("  input tokens", &n(metrics::INPUT_TOKENS))?;
        line("  output tokens", &n(metrics::OUTPUT_TOKENS))?;
        line("throttles", &n(metrics::THROTTLES))?;
        line("contents stored", &n(metrics::CONTENTS_STORED))?;
        line("  from the cache", &n(metrics::CONTENTS_FROM_CACHE))?;
        line("events by what became of them", &"")?;
        for fate in Fate::ALL {
            let name = fate.metric().trim_start_matches("events_").replace('_', " ");
            line(&format!("  {name}"), &n(fate.metric()))?;
        }
        let failed: u64 = self.conditions_failed.values().sum();
        let by_campaign = self.conditions_failed.iter().map(|(name, n)| format!("{name} {n}"));
        let by_campaign = by_campaign.collect::<Vec<_>>().join(", ");
        let by_campaign = if failed > 0 { format!(" ({by_campaign})") } else { String::new() };
        line("conditions failed", &format_args!("{failed}{by_campaign}"))?;
        line("dead letters", &n(metrics::DEAD_LETTERS))?;
        line("lost", &self.lost())?;
        let freshness = self.freshness.map_or(NONE.into(), |(p50, p99)| {
            format!("p50 {:.2} s, p99 {:.2} s", p50.as_secs_f64(), p99.as_secs_f64())
        });
        line("upload to readable", &freshness)?;
        line("took", &format_args!("{seconds:.1} s"))?;
        writeln!(f, "  (what each line means: docs/running.md#the-summary)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn totals(events_done: u64) -> Totals {
        let totals = Totals::default();
        let mut counts = Counts::default();
        counts.add(metrics::EVENTS_READ, 10);
        counts.add(metrics::EVENTS_WITHOUT_USER, 1);
        counts.add(metrics::OBJECTS_READ, 1);
        counts.add(metrics::STREAM_RECORDS, 4);
        totals.add(&counts);
        totals.uploaded.store(1, Ordering::SeqCst);
        totals.records_done.store(4, Ordering::SeqCst);
        totals.events_done.store(events_done, Ordering::SeqCst);
        totals
    }

    #[test]
    fn an_event_that_comes_out_nowhere_is_lost() {
        let lost = |events_done| Summary::new(&totals(events_done), Duration::ZERO, "x").lost();

        assert_eq!(lost(9), 0);
        assert_eq!(lost(8), 1);
    }

    #[test]
    fn a_figure_that_is_not_there_is_a_dash_and_conditions_are_told_by_campaign() {
        let shown = |totals: &Totals| Summary::new(totals, Duration::ZERO, "x").to_string();
        let totals = Totals::default();
        let empty = shown(&totals);
        assert!(empty.contains("upload to readable        -"), "{empty}");
        assert!(empty.contains("events read               0 (-)"), "{empty}");

        totals.add_conditions_failed(BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
        totals.add_freshness(Duration::from_secs(1));
        let some = shown(&totals);

        assert!(some.contains("conditions failed         3 (a 2, b 1)"), "{some}");
        assert!(some.contains("p50 1.00 s"), "{some}");
    }

    #[test]
    fn an_event_without_a_fate_is_lost() {
        let totals = totals(9);
        let mut counts = Counts::default();
        counts.add(metrics::EVENTS_RECEIVED, 9);
        counts.add(Fate::Stored.metric(), 7);
        totals.add(&counts);

        assert_eq!(Summary::new(&totals, Duration::ZERO, "x").lost(), 2);
    }
}
