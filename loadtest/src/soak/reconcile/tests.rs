use contract::local::Asks;

use super::*;
use crate::lookups::result::Counts;

/// Ten files with a hundred events, one of them damaged; ninety-eight go on the stream, and ten
/// are delivered twice.
fn counted() -> Metrics {
    let counts = [
        (metrics::OBJECTS_READ, 9),
        (metrics::OBJECTS_DAMAGED, 1),
        (metrics::EVENTS_READ, 100),
        (metrics::EVENTS_WITHOUT_USER, 2),
        (metrics::STREAM_RECORDS, 20),
        (metrics::EVENTS_RECEIVED, 113),
        (Fate::NoTrigger.metric(), 90),
        (Fate::Stored.metric(), 8),
        (Fate::Duplicate.metric(), 10),
        (Fate::Returned.metric(), 5),
        (metrics::DEAD_LETTERS, 1),
        (metrics::ASKS_PARKED, 5),
        (metrics::ASKS_RECEIVED, 4),
        (AskFate::Stored.metric(), 3),
        (AskFate::ParkedAgain.metric(), 1),
    ];
    let mut counted = Metrics { events_done: 98, drained: true, ..Metrics::default() };
    counted.counts = counts.map(|(name, n)| (name.to_owned(), n)).into();
    counted.objects.uploaded = 10;
    counted.records.done = 20;
    counted.asks = Asks { sent: 6, removed: 4, ..Asks::default() };
    counted.backlog.asks = 2;
    counted.faults.injected.insert("kill".to_owned(), 3);
    counted
}

fn on(fault: Kind, strength: i64) -> Period {
    Period { fault, strength, from_secs: 0.0, to_secs: 1.0 }
}

fn look_ups() -> LookUps {
    let counts =
        Counts { hit: 500, miss: 1_400, unauthorised: 98, timed_out: 1, ..Counts::default() };
    LookUps { counts, ..LookUps::default() }
}

fn broken(change: impl Fn(&mut Metrics, &mut QuotaUse, &mut LookUps)) -> Vec<String> {
    let (mut counted, mut quota, mut look_ups) = (counted(), QuotaUse::default(), look_ups());
    look_ups.counts.miss += 1_000;
    change(&mut counted, &mut quota, &mut look_ups);
    let facts = Facts {
        files: 10,
        damaged: 1,
        uploaded: 10,
        events: 100,
        counted: &counted,
        quota: Some(&quota),
        look_ups: &look_ups,
        periods: &[on(Kind::Kill, 3), on(Kind::Kill, 4), on(Kind::ClockSkew, -60)],
    };
    facts.lines().into_iter().filter(|line| !line.holds).map(|line| line.name).collect()
}

#[test]
fn a_soak_in_which_every_event_is_accounted_for_has_no_broken_line() {
    assert_eq!(broken(|_, _, _| ()), [""; 0]);
}

#[test]
fn one_event_more_or_less_breaks_its_line() {
    let count = |name: &'static str, n: u64| {
        broken(|counted, _, _| {
            counted.counts.insert(name.to_owned(), n);
        })
    };

    assert_eq!(count(metrics::OBJECTS_READ, 8), ["objects read, damaged, ignored or gone"]);
    assert_eq!(count(metrics::STREAM_RECORDS, 21), ["stream records that are done"]);
    assert_eq!(count(metrics::EVENTS_RECEIVED, 112), ["events received with exactly one fate"]);
    assert_eq!(count(metrics::DEAD_LETTERS, 2), ["dead letters"]);
    assert_eq!(
        count(metrics::EVENTS_READ, 99),
        ["events read from objects", "events on the stream that are done"]
    );
    assert_eq!(
        count(Fate::NoTrigger.metric(), 79),
        ["events received with exactly one fate", "events done with a fate that lasts"]
    );
    assert_eq!(
        count(metrics::OBJECTS_DAMAGED, 0),
        ["objects read, damaged, ignored or gone", "objects damaged"]
    );
}

#[test]
fn an_ask_without_a_fate_or_without_a_queue_breaks_its_line() {
    let parked = "asks parked or removed that are over or on a queue";
    let removed = |unheard| {
        broken(|counted, _, _| {
            counted.asks.removed = 5;
            counted.asks.unheard = unheard;
        })
    };

    assert_eq!(removed(0), [parked]);
    assert_eq!(removed(1), [""; 0]);
    assert_eq!(broken(|counted, _, _| counted.asks.sent = 5), [parked]);
    let fateless = broken(|counted, _, _| {
        counted.counts.insert(metrics::ASKS_RECEIVED.to_owned(), 5);
    });
    assert_eq!(fateless, ["asks received with exactly one fate"]);
}

#[test]
fn what_is_lost_unfinished_above_the_quota_or_refused_breaks_its_line() {
    assert_eq!(broken(|counted, _, _| counted.lost = 1), ["lost"]);
    assert_eq!(broken(|counted, _, _| counted.drained = false), ["the system is done in time"]);
    assert_eq!(broken(|_, quota, _| quota.over = 1), ["moments above the quota"]);
    let refused = broken(|_, quota, _| quota.refused = 1);
    assert_eq!(refused, ["calls that the model's quota refused"]);
    let unexpected = broken(|_, _, look_ups| look_ups.counts.unexpected = 1);
    assert_eq!(unexpected, ["look-ups answered otherwise than expected"]);
    assert_eq!(broken(|_, _, look_ups| look_ups.counts.broken = 9), ["look-ups that failed"]);
    let none = broken(|counted, _, _| counted.faults.injected.clear());
    assert_eq!(none, ["kinds of faults that struck"]);
}

#[test]
fn a_fault_that_had_its_chances_must_have_struck() {
    let chances = |n: u64| {
        broken(|counted, _, _| {
            counted.faults.injected.clear();
            counted.faults.chances.insert("kill".to_owned(), n);
        })
    };

    assert_eq!(chances(7), ["kinds of faults that struck"]);
    assert_eq!(chances(6), [""; 0]);
}

#[test]
fn events_are_read_again_only_where_the_stream_was_made_to_refuse() {
    let again = |counted: &mut Metrics| {
        counted.counts.insert(metrics::EVENTS_READ.to_owned(), 110);
        counted.events_done = 108;
    };

    assert_eq!(broken(|counted, _, _| again(counted)), ["events read from objects"]);
    let explained = broken(|counted, _, _| {
        again(counted);
        counted.faults.injected.insert("kinesis_throttle".to_owned(), 2);
    });
    assert_eq!(explained, [""; 0]);
}
