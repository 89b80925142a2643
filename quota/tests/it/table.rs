//! The lanes in memory behave as those on DynamoDB do: both get the same random calls and
//! must give the same answers.

use std::num::NonZeroU64;

use contract::content;
use quota::ModelQuota;
use quota::dynamodb::Lanes;
use quota::estimate::{Lesson, Sums, period};
use quota::lane::{Ask, Lane};
use quota::pace::Pace;
use quota::simulated::dynamodb;
use quota::simulated::memory::Memory;
use quota::table::{LaneItem, LaneName, QuotaTable, Reply};
use quota::tally::{Counted, Entering};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Random calls of each table.
const CALLS: usize = 500;

/// Random calls that are entered; one item takes so many in a second.
const TALLIED: u64 = 250;

const COORDINATION: &str = "coordination";

async fn real() -> Lanes {
    let tables: &[(&str, &[&str])] = &[(COORDINATION, &[content::COORDINATION_KEY])];
    Lanes::new(dynamodb::with(tables).await, COORDINATION.to_owned())
}

#[tokio::test]
async fn the_lanes_in_memory_answer_as_dynamodb_does() {
    let real = real().await;
    let memory = Memory::default();
    let mut rng = StdRng::seed_from_u64(3);
    let mut now_us = 1_800_000_000_000_000_u64;
    let mut seen: [Option<LaneItem>; 2] = [None, None];
    let (mut taken, mut refused, mut resumed, mut forgotten) = (0, 0, 0, 0);
    for _ in 0..CALLS {
        now_us += rng.random_range(0..4_000_000);
        let number = rng.random_range(0..2);
        let name = LaneName { model_id: "model".to_owned(), number };
        match rng.random_range(0..10) {
            0 if let Some(slice) = &seen[number as usize] => {
                let from_us = slice.lane.busy_until_us - rng.random_range(0..2_000_000);
                real.give_back(&name, &slice.lane, from_us).await.expect("answers");
                memory.give_back(&name, &slice.lane, from_us).await.expect("answers");
            }
            1 if seen[number as usize].is_some() => {
                let from_us = now_us + rng.random_range(0..9_000_000);
                let pace = Pace { part: 0.25, from_us, ceiling: rng.random_range(0.3..1.0) };
                real.slow_down(&name, now_us, pace).await.expect("answers");
                memory.slow_down(&name, now_us, pace).await.expect("answers");
            }
            _ => {
                let ask = Ask {
                    now_us,
                    length_us: rng.random_range(1..5_000_000),
                    latest_us: now_us + rng.random_range(0..6_000_000),
                    day: now_us / 500_000_000,
                    tokens: rng.random_range(1..50),
                    tokens_per_day: rng.random_bool(0.5).then_some(900),
                    resumes_us: rng.random_bool(0.2).then_some(now_us + 500_000),
                };
                let learnt = learnt(&mut rng, now_us);
                let before = seen[number as usize].as_ref();
                let ours = memory.take(&name, &ask, &learnt, None).await.expect("answers");
                let theirs = real.take(&name, &ask, &learnt, before).await.expect("answers");
                assert_eq!(bare(theirs.clone()), bare(ours), "{ask:?}");
                match theirs {
                    Reply::Slice(lane) => {
                        taken += 1;
                        resumed += u64::from(lane.lane.resumed_at_us == now_us);
                        forgotten += usize::from(before.is_some_and(|before| {
                            before.past.iter().any(|name| !lane.past.contains(name))
                        }));
                        // Sometimes what was seen is no longer so.
                        if rng.random_bool(0.8) {
                            seen[number as usize] = Some(lane);
                        }
                    }
                    Reply::Busy(_) | Reply::DayUsedUp => refused += 1,
                }
            }
        }
    }
    assert!(taken > 50 && refused > 50 && resumed > 20, "{taken} {refused} {resumed}");
    assert!(forgotten > 0, "what is past is removed");
}

#[tokio::test]
async fn the_tallies_in_memory_and_on_dynamodb_are_the_same() {
    let real = real().await;
    let memory = Memory::default();
    let mut rng = StdRng::seed_from_u64(5);
    let mut now_us = 1_800_000_000_000_000_u64;
    let mut seen: Option<(LaneItem, u64)> = None;
    let (mut entered, mut busy, mut used_up) = (0, 0, 0);
    for number in 0..TALLIED {
        now_us += rng.random_range(0..4_000_000);
        let day = now_us / 500_000_000;
        let name = LaneName { model_id: "model".to_owned(), number: 0 };
        if rng.random_bool(0.1) {
            let ask = slice(now_us, day, rng.random_range(1..5_000_000));
            let ours = memory.take(&name, &ask, &[], None).await.expect("answers");
            let theirs = real.take(&name, &ask, &[], None).await.expect("answers");
            assert_eq!(bare(theirs), bare(ours), "{ask:?}");
        }
        let counted = |number, tokens| Counted { number, tokens };
        let entering = Entering {
            now_us,
            day,
            quota: ModelQuota {
                tokens_per_day: rng
                    .random_bool(0.5)
                    .then_some(NonZeroU64::MIN.saturating_add(9_999)),
                ..ModelQuota::of_tokens(4_000)
            },
            ended: vec![counted(number.saturating_sub(2), rng.random_range(0..900))],
            calls: vec![counted(number, rng.random_range(1..900))],
        };
        let ours = memory.enter(&name, &entering, None).await.expect("answers");
        let before = seen.as_ref().filter(|(_, of)| *of == day).map(|(item, _)| item);
        let theirs = real.enter(&name, &entering, before).await.expect("answers");
        match theirs.clone() {
            Reply::Slice(item) => {
                entered += 1;
                assert_eq!(bare(theirs), bare(ours), "{entering:?}");
                // Sometimes what was seen is no longer so.
                if rng.random_bool(0.5) {
                    seen = Some((item, day));
                }
            }
            // What was seen long ago may say so as well.
            Reply::Busy(_) => {
                busy += 1;
                seen = None;
                real.enter(&name, &entering, None).await.expect("answers");
            }
            Reply::DayUsedUp => {
                used_up += 1;
                seen = None;
                real.enter(&name, &entering, None).await.expect("answers");
            }
        }
    }
    assert!(entered > 50 && busy + used_up > 5, "{entered} {busy} {used_up}");
}

fn slice(now_us: u64, day: u64, length_us: u64) -> Ask {
    Ask {
        now_us,
        length_us,
        latest_us: now_us + 60_000_000,
        day,
        tokens: 20,
        tokens_per_day: None,
        resumes_us: None,
    }
}

fn learnt(rng: &mut StdRng, now_us: u64) -> Vec<Lesson> {
    let kinds = ["one", "other"].into_iter().filter(|_| rng.random_bool(0.3));
    let kinds: Vec<&str> = kinds.collect();
    let learnt = kinds.into_iter().map(|kind| {
        let mut sum = || f64::from(rng.random_range(1..1_000_u32));
        let sums = Sums {
            calls: sum(),
            estimated_input: sum(),
            input: sum(),
            output: sum(),
            took_ms: sum(),
            squares: sum() * 1e12,
        };
        Lesson { kind: kind.to_owned(), period: period(now_us), sums }
    });
    learnt.collect()
}

/// As both tables answer: the one in memory forgets what is past at once, and neither
/// keeps an order.
fn bare(mut taken: Reply) -> Reply {
    if let Reply::Slice(seen) | Reply::Busy(seen) = &mut taken {
        seen.past.clear();
        seen.learnt.sort_by_key(|learnt| (learnt.kind.clone(), learnt.period));
    }
    taken
}

#[tokio::test]
async fn time_is_given_back_once_however_often_the_update_is_sent() {
    let real = real().await;
    let memory = Memory::default();
    let tables: [&dyn QuotaTable; 2] = [&real, &memory];
    let name = LaneName { model_id: "repeated".to_owned(), number: 0 };
    let now_us = 1_800_000_000_000_000_u64;
    let ask = |length_us| Ask {
        now_us,
        length_us,
        latest_us: now_us + 60_000_000,
        day: now_us / 86_400_000_000,
        tokens: 1,
        tokens_per_day: None,
        resumes_us: None,
    };
    for table in tables {
        let slice = take(table, &name, &ask(2_000_000)).await;
        table.give_back(&name, &slice, now_us + 1_000_000).await.expect("answers");
        // Whoever takes what was given back ends where the slice did.
        let next = take(table, &name, &ask(1_000_000)).await;
        assert_eq!(next.busy_until_us, slice.busy_until_us);

        table.give_back(&name, &slice, now_us + 1_000_000).await.expect("answers");

        let last = take(table, &name, &ask(1_000_000)).await;
        assert_eq!(last.busy_until_us, now_us + 3_000_000);
    }
}

async fn take(table: &dyn QuotaTable, name: &LaneName, ask: &Ask) -> Lane {
    match table.take(name, ask, &[], None).await.expect("answers") {
        Reply::Slice(seen) => seen.lane,
        other => panic!("is free: {other:?}"),
    }
}
