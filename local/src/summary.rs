//! What a run came to, for a person.

use std::fmt;
use std::time::Duration;

use contract::metrics::{self, AskFate, Counts, Fate, Figures};

use crate::aws::Waits;
use crate::parked;
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
    asks: Asks,
    writer: &'static str,
}

/// What the queues of asks say, beside what is counted.
#[derive(Debug, Clone)]
struct Asks {
    waits: Waits,
    /// Messages that they took.
    sent: u64,
    /// Messages that were removed.
    removed: u64,
    /// Those of them that were removed by whom nobody heard of any more.
    unheard: u64,
}

impl Summary {
    /// Takes the figures as they are now; `waits` says who waits, and `writer` who wrote the
    /// text.
    pub fn new(totals: &Totals, waits: Waits, took: Duration, writer: &'static str) -> Self {
        // What was removed is read before what is counted of it, and what is counted before
        // what was sent: no invocation that ends meanwhile looks like a loss.
        let removed = get(&totals.asks_removed);
        Self {
            counts: totals.counts(),
            uploaded: get(&totals.uploaded),
            events_done: get(&totals.events_done),
            records_done: get(&totals.records_done),
            took,
            freshness: (totals.freshness_count() > 0)
                .then(|| (totals.freshness(0.5), totals.freshness(0.99))),
            asks: Asks {
                sent: waits.sent.saturating_sub(get(&totals.asks_sent_before)),
                removed,
                unheard: get(&totals.asks_unheard),
                waits,
            },
            writer,
        }
    }

    /// Events, objects and asks that went in and came out nowhere.
    ///
    /// Independent countings meet here: what `ingest` says it put on the stream, and what the
    /// pollers say the processor is done with; what the processor says of asks, and what the
    /// queues took and gave.
    pub fn lost(&self) -> u64 {
        let n = |name| self.counts.get(name);
        let kept_back = n(metrics::EVENTS_UNWANTED)
            + n(metrics::EVENTS_WITHOUT_USER)
            + n(metrics::EVENTS_USER_ID_TOO_LONG)
            + n(metrics::EVENTS_TOO_LARGE);
        let arrived = n(metrics::EVENTS_READ) + n(metrics::EVENTS_POSTED);
        let on_stream = arrived.saturating_sub(kept_back);
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
            + self.asks_lost()
    }

    /// Asks that were parked, are not over, and are on no queue.
    ///
    /// It cannot see two things. Of an invocation that a fault dropped, nobody knows what
    /// became of the asks that it removed. And what such an invocation sent uncounted, or an
    /// ask that came twice and is over twice, hides as many as it is.
    fn asks_lost(&self) -> u64 {
        let n = |name| self.counts.get(name);
        let unfated = n(metrics::ASKS_RECEIVED).abs_diff(self.counts.ask_fates());
        let Asks { sent, removed, unheard, .. } = self.asks;
        let over = self.counts.asks_over() + n(metrics::POISON_ASKS) + unheard;
        // An ask that moves is sent once more and removed once more.
        (n(metrics::ASKS_PARKED) + removed).saturating_sub(over + sent) + unfated
    }

    /// Inputs that were given up, each with a dead letter.
    pub fn dead_letters(&self) -> u64 {
        self.counts.get(metrics::DEAD_LETTERS)
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
        line("  unwanted", &n(metrics::EVENTS_UNWANTED))?;
        line("  without a user", &n(metrics::EVENTS_WITHOUT_USER))?;
        line("  user id too long", &n(metrics::EVENTS_USER_ID_TOO_LONG))?;
        line("  too large", &n(metrics::EVENTS_TOO_LARGE))?;
        if n(metrics::POSTS_RECEIVED) > 0 {
            line("posts", &n(metrics::POSTS_RECEIVED))?;
            line("  refused", &n(metrics::POSTS_REFUSED))?;
            line("  events in them", &n(metrics::EVENTS_POSTED))?;
        }
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
        line("asks parked", &n(metrics::ASKS_PARKED))?;
        if n(metrics::ASKS_RECEIVED) > 0 {
            line("asks by what became of them", &"")?;
            for fate in AskFate::ALL {
                let name = fate.metric().trim_start_matches("asks_").replace('_', " ");
                line(&format!("  {name}"), &n(fate.metric()))?;
            }
        }
        line("asks waiting", &self.asks.waits.asks)?;
        for group in &self.asks.waits.groups {
            line("", &parked::sentence(group))?;
        }
        let failed = n(metrics::CONDITIONS_FAILED);
        let campaigns = self.counts.campaigns().iter();
        let of = |own: &Figures| Some(own.get(metrics::CONDITIONS_FAILED)).filter(|n| *n > 0);
        let by_campaign: Vec<String> =
            campaigns.filter_map(|(name, own)| Some(format!("{name} {}", of(own)?))).collect();
        let by_campaign = by_campaign.join(", ");
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
        let lost = |events_done| {
            Summary::new(&totals(events_done), Waits::default(), Duration::ZERO, "x").lost()
        };

        assert_eq!(lost(9), 0);
        assert_eq!(lost(8), 1);
    }

    #[test]
    fn a_figure_that_is_not_there_is_a_dash_and_conditions_are_told_by_campaign() {
        let shown = |totals: &Totals| {
            Summary::new(totals, Waits::default(), Duration::ZERO, "x").to_string()
        };
        let totals = Totals::default();
        let empty = shown(&totals);
        assert!(empty.contains("upload to readable        -"), "{empty}");
        assert!(empty.contains("events read               0 (-)"), "{empty}");

        for (campaign, n) in [("a", 2), ("b", 1)] {
            let mut counts = Counts::default();
            counts.add(metrics::CONDITIONS_FAILED, n);
            totals.add(&counts.of(campaign));
        }
        let mut counts = Counts::default();
        counts.took(metrics::FRESHNESS, Duration::from_secs(1));
        totals.add(&counts);
        let some = shown(&totals);

        assert!(some.contains("conditions failed         3 (a 2, b 1)"), "{some}");
        assert!(some.contains("p50 0.99 s"), "{some}");
    }

    #[test]
    fn an_event_without_a_fate_is_lost() {
        let totals = totals(9);
        let mut counts = Counts::default();
        counts.add(metrics::EVENTS_RECEIVED, 9);
        counts.add(Fate::Stored.metric(), 7);
        totals.add(&counts);

        assert_eq!(Summary::new(&totals, Waits::default(), Duration::ZERO, "x").lost(), 2);
    }

    /// Of five asks that were put on queues, one was moved, one waits again, two are over and
    /// two wait.
    fn asks(totals: &Totals) -> Waits {
        let mut counts = Counts::default();
        for (name, n) in [
            (metrics::ASKS_PARKED, 5),
            (metrics::ASKS_MOVED, 1),
            (metrics::ASKS_RECEIVED, 4),
            (AskFate::Stored.metric(), 2),
            (AskFate::ParkedAgain.metric(), 1),
            (AskFate::Returned.metric(), 1),
        ] {
            counts.add(name, n);
        }
        totals.add(&counts);
        totals.asks_removed.store(4, Ordering::SeqCst);
        Waits { sent: 7, asks: 3, ..Waits::default() }
    }

    #[test]
    fn an_ask_that_is_removed_without_a_fate_or_was_never_on_a_queue_is_lost() {
        let lost = |change: &dyn Fn(&Totals, &mut Waits)| {
            let totals = totals(9);
            let mut waits = asks(&totals);
            change(&totals, &mut waits);
            Summary::new(&totals, waits, Duration::ZERO, "x").lost()
        };
        let removed = |n: u64| {
            move |totals: &Totals, _: &mut Waits| {
                totals.asks_removed.store(n, Ordering::SeqCst);
            }
        };

        assert_eq!(lost(&|_, _| ()), 0);
        assert_eq!(lost(&removed(5)), 1);
        assert_eq!(lost(&removed(3)), 0, "it was over twice, as it came twice");
        assert_eq!(lost(&|_, waits| waits.sent = 6), 1);
        assert_eq!(lost(&|_, waits| waits.sent = 9), 0, "nobody heard of two that were sent");
        let dropped = |totals: &Totals, _: &mut Waits| {
            totals.asks_removed.store(6, Ordering::SeqCst);
            totals.asks_unheard.store(2, Ordering::SeqCst);
        };
        assert_eq!(lost(&dropped), 0);
    }

    #[test]
    fn asks_that_wait_are_told_with_what_they_wait_for() {
        let totals = Totals::default();
        let mut waits = asks(&totals);
        let reason = contract::ask::Reason::DayQuota;
        waits.groups.push(contract::local::WaitingAsks {
            campaign: "offer".to_owned(),
            reason,
            waits_for: reason.words().to_owned(),
            asks: 3,
            due: 0,
            next_due_secs: Some(1_760_054_400),
        });

        let shown = Summary::new(&totals, waits, Duration::ZERO, "x").to_string();

        assert!(shown.contains("asks parked               5\n"), "{shown}");
        assert!(shown.contains("  parked again            1\n"), "{shown}");
        assert!(shown.contains("asks waiting              3\n"), "{shown}");
        assert!(shown.contains("3 asks wait for the model's quota of the next day"), "{shown}");
    }
}
