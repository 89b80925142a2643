//! Every order in which an event, its repeat, its ask's worker and the deletion of its user can
//! meet.
//!
//! Each call of a table or of the model is one turn. All orders of the turns of two
//! invocations are tried, and many of three; afterwards the event is delivered once more.
//! Whatever the order, nothing of the user may stand in the end, and after a deletion was
//! acknowledged no dead letter is written but one that was on its way. A little over 400 lines,
//! because the orders and what is expected of each are read together.
//!
//! - `grounded` — the same of content that speaks of what was known of the user.

mod grounded;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contract::metrics;
use contract::user_record::Event;
use processor::handler::Report;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::{LocalSet, yield_now};
use tokio::time::sleep;

use crate::world::gate::{Gate, Turns};
use crate::world::model::FORBIDDEN;
use crate::world::{QUESTIONS, World, delivery, event, test_campaigns, user_record};

/// Orders of three invocations that are tried.
const SAMPLED: u64 = 3_000;

/// Most turns of a run; more would be a stall.
const MAX_TURNS: usize = 1_000;

/// Calls from the last look at what is stored to a dead letter's being written: whether it
/// is there already, and the letter itself.
const TURNS_OF_A_LETTER: usize = 2;

/// Decides whose turn it is: a place in all orders, or chance.
enum Choice {
    /// The next turns by their number among those possible, then always the first; with
    /// how many were possible at each.
    Listed {
        chosen: Vec<usize>,
        possible: Vec<usize>,
    },
    Random(Box<StdRng>),
}

impl Choice {
    fn pick(&mut self, turn: usize, possible: usize) -> usize {
        match self {
            Self::Listed { chosen, possible: seen } => {
                if turn >= chosen.len() {
                    chosen.push(0);
                }
                seen.push(possible);
                chosen[turn]
            }
            Self::Random(rng) => rng.random_range(0..possible),
        }
    }

    /// Whether some time passes although somebody waits for a turn.
    fn lets_time_pass(&mut self) -> bool {
        match self {
            Self::Listed { .. } => false,
            Self::Random(rng) => rng.random_bool(0.1),
        }
    }

    /// The next order, unless this was the last.
    fn next(self) -> Option<Self> {
        let Self::Listed { mut chosen, possible } = self else { return None };
        chosen.truncate(possible.len());
        while let Some(last) = chosen.pop() {
            if last + 1 < possible[chosen.len()] {
                chosen.push(last + 1);
                return Some(Self::Listed { chosen, possible: Vec::new() });
            }
        }
        None
    }
}

/// How long an ask may wait in the end.
const WAITS_AT_MOST: Duration = Duration::from_secs(3_600);

const DELETED_AT: i64 = 1_000;

fn watched() -> Vec<u8> {
    user_record("u", "watched", vec![event("e", DELETED_AT - 10, "a")]).encode()
}

fn forbidden() -> Vec<u8> {
    user_record("u", "watched", vec![event("e", DELETED_AT - 10, FORBIDDEN)]).encode()
}

fn later() -> Vec<u8> {
    user_record("u", "watched", vec![event("f", DELETED_AT - 5, "b")]).encode()
}

fn deleted() -> Vec<u8> {
    let deletion = Event { id: "d".into(), time: DELETED_AT, fields: serde_json::Map::new() };
    user_record("u", "users.UserDeleteRequest", vec![deletion]).encode()
}

/// Runs invocations side by side, one turn at a time, and what goes back once more.
fn run(before: &[Vec<u8>], side_by_side: &[Vec<u8>], choice: &mut Choice) -> World {
    run_in(World::new, before, side_by_side, choice)
}

fn run_in(
    world: fn() -> World,
    before: &[Vec<u8>],
    side_by_side: &[Vec<u8>],
    choice: &mut Choice,
) -> World {
    let invocations: Vec<Work> = side_by_side.iter().cloned().map(Work::Record).collect();
    run_all(world, before, &invocations, choice)
}

/// What an invocation is for.
#[derive(Debug, Clone, PartialEq)]
enum Work {
    Record(Vec<u8>),
    /// The same, which comes some turns later.
    Late(usize, Vec<u8>),
    /// Asks; those of the queues take no turns of their own.
    Asks,
    /// The same, where every call of a queue takes a turn; it looks until it finds any, or the
    /// others have ended.
    AsksByTurns,
}

impl Work {
    fn record(&self) -> Option<&Vec<u8>> {
        match self {
            Self::Record(record) | Self::Late(_, record) => Some(record),
            Self::Asks | Self::AsksByTurns => None,
        }
    }

    async fn invoke(
        &self,
        world: &World,
        gate: &Gate,
        place: usize,
        others: &AtomicUsize,
    ) -> Report {
        let mut ports = world.ports(gate, place as u64);
        if *self == Self::Asks {
            ports.asks = Arc::clone(&world.asks) as _;
        }
        let instance = world.instance_of(ports, QUESTIONS, place as u64);
        if let Self::Late(turns, _) = self {
            for _ in 0..*turns {
                gate.turn().await;
            }
        }
        if let Some(record) = self.record() {
            let records = std::iter::once((place, record));
            return instance.handle(delivery(records), world.deadline()).await;
        }
        loop {
            let report = instance.work(world.deadline()).await;
            let counts = &report.counts;
            assert_eq!(counts.ask_fates(), counts.get(metrics::ASKS_RECEIVED));
            if counts.ask_fates() > 0 || others.load(Ordering::SeqCst) <= 1 {
                return report;
            }
        }
    }
}

fn run_all(
    world: fn() -> World,
    before: &[Vec<u8>],
    side_by_side: &[Work],
    choice: &mut Choice,
) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("runtime is built");
    runtime.block_on(async {
        let world = world();
        for record in before {
            assert_done(&world.deliver(std::slice::from_ref(record)).await);
        }
        let turns = Arc::new(Turns::default());
        let running = Arc::new(AtomicUsize::new(side_by_side.len()));
        let is_deleted = Arc::new(AtomicBool::new(false));
        let local = LocalSet::new();
        let mut invocations = Vec::new();
        for (place, work) in side_by_side.iter().enumerate() {
            let (world, work) = (world.clone(), work.clone());
            let gate = Gate::taking_turns(place, Arc::clone(&turns));
            let running = Arc::clone(&running);
            let is_deletion =
                Some(Arc::clone(&is_deleted)).filter(|_| work.record() == Some(&deleted()));
            invocations.push(local.spawn_local(async move {
                let report = work.invoke(&world, &gate, place, &running).await;
                running.fetch_sub(1, Ordering::SeqCst);
                if let Some(is_deleted) = is_deletion {
                    let is_done = report.response.batch_item_failures.is_empty();
                    is_deleted.store(is_done, Ordering::SeqCst);
                }
                report
            }));
        }
        let reports = local
            .run_until(async {
                let mut turn = 0;
                let (mut letters, mut deleted_by) = (0, usize::MAX);
                while running.load(Ordering::SeqCst) > 0 {
                    // Everybody goes on until they wait for their turn, or for time.
                    for _ in 0..30 {
                        yield_now().await;
                    }
                    let before = std::mem::replace(&mut letters, world.letters().len());
                    let is_late = turn > deleted_by.saturating_add(TURNS_OF_A_LETTER);
                    assert!(!is_late || letters == before, "a letter of somebody who is deleted");
                    if is_deleted.load(Ordering::SeqCst) {
                        deleted_by = deleted_by.min(turn);
                    }
                    let waiting = turns.waiting();
                    if waiting.is_empty() || choice.lets_time_pass() {
                        sleep(Duration::from_millis(10)).await;
                        continue;
                    }
                    assert!(turn < MAX_TURNS, "no end");
                    turns.give(waiting[choice.pick(turn, waiting.len())]);
                    turn += 1;
                }
                futures::future::join_all(invocations).await
            })
            .await;
        for (report, work) in reports.into_iter().zip(side_by_side) {
            let report = report.expect("does not panic");
            if !report.response.batch_item_failures.is_empty()
                && let Some(record) = work.record()
            {
                assert_done(&world.deliver(std::slice::from_ref(record)).await);
            }
        }
        world.settle(WAITS_AT_MOST).await;
        world
    })
}

fn assert_done(report: &Report) {
    assert!(report.response.batch_item_failures.is_empty());
}

/// Delivers the events once more and looks for anything of the user.
fn assert_forgotten(world: &World, choice: &Choice) {
    let order = match choice {
        Choice::Listed { chosen, .. } => format!("{chosen:?}"),
        Choice::Random(_) => "random".to_owned(),
    };
    let items = |when: &str| {
        let tables = world.memory.tables();
        assert!(tables.items.is_empty(), "{when}, order {order}: {:?}", tables.items);
        assert_eq!(tables.tombstones.get("u"), Some(&DELETED_AT), "{when}, order {order}");
    };
    items("afterwards");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("runtime is built").block_on(async {
        for record in [watched(), later()] {
            assert_done(&world.deliver(&[record]).await);
        }
    });
    items("after a replay");
}

fn every_order_of(before: &[Vec<u8>], side_by_side: &[Vec<u8>]) -> usize {
    let mut orders = 0;
    let mut next = Some(Choice::Listed { chosen: Vec::new(), possible: Vec::new() });
    while let Some(mut choice) = next {
        let world = run(before, side_by_side, &mut choice);
        assert_forgotten(&world, &choice);
        orders += 1;
        next = choice.next();
    }
    orders
}

#[test]
fn a_deletion_wins_in_every_order_with_an_event_in_flight() {
    assert!(every_order_of(&[], &[watched(), deleted()]) > 30);
}

#[test]
fn a_deletion_wins_in_every_order_with_an_event_that_updates_content() {
    assert!(every_order_of(&[watched()], &[later(), deleted()]) > 100);
}

#[test]
fn what_is_newer_than_a_deletion_takes_nothing_older_in_with_it() {
    let newer = user_record("u", "watched", vec![event("n", DELETED_AT + 10, "n")]).encode();
    let mixed = user_record(
        "u",
        "watched",
        vec![event("e", DELETED_AT - 10, "a"), event("m", DELETED_AT + 20, "m")],
    )
    .encode();
    let (mut orders, mut survivors) = (0, 0);
    let mut next = Some(Choice::Listed { chosen: Vec::new(), possible: Vec::new() });
    while let Some(mut choice) = next {
        let side_by_side = [mixed.clone(), deleted()];
        let world = run_in(plain_only, std::slice::from_ref(&newer), &side_by_side, &mut choice);
        for item in world.memory.tables().items.values() {
            let oldest = item.content.iter().map(|(_, oldest)| *oldest);
            let oldest = item.memory.history.iter().map(|past| past.time).chain(oldest).min();
            assert!(oldest > Some(DELETED_AT), "{item:?}");
            survivors += 1;
        }
        orders += 1;
        next = choice.next();
    }
    assert!(orders > 50 && survivors > 0, "{orders} orders, {survivors} items stayed");
}

/// One campaign, so that there is one letter at most.
fn plain_only() -> World {
    let campaigns = test_campaigns().iter().filter(|each| each.campaign.name == "plain");
    World::of(campaigns.cloned().collect())
}

#[test]
fn nobody_who_was_deleted_is_named_by_a_new_dead_letter() {
    let (mut orders, mut letters) = (0, 0);
    let mut next = Some(Choice::Listed { chosen: Vec::new(), possible: Vec::new() });
    while let Some(mut choice) = next {
        let world = run_in(plain_only, &[], &[forbidden(), deleted()], &mut choice);
        letters += world.letters().len();
        assert_forgotten(&world, &choice);
        orders += 1;
        next = choice.next();
    }
    assert!(orders > 30 && letters > 0 && letters < orders, "{orders} orders, {letters} letters");
}

#[test]
fn a_deletion_that_came_first_wins_over_two_events_in_every_order() {
    assert!(every_order_of(&[deleted()], &[watched(), later()]) > 1);
}

#[test]
fn a_deletion_wins_over_an_event_and_its_replay_side_by_side() {
    for seed in 0..SAMPLED {
        let mut choice = Choice::Random(Box::new(StdRng::seed_from_u64(seed)));
        let again = if seed % 2 == 0 { watched() } else { later() };
        let world = run(&[], &[watched(), deleted(), again], &mut choice);
        assert_forgotten(&world, &choice);
    }
}

/// The same, where events find that asks wait, and wait behind them.
fn events_park() -> World {
    let world = plain_only();
    let notice = "waiting#test-model#normal".to_owned();
    world.memory.tables().notices.insert(notice, u64::MAX);
    world
}

#[test]
fn a_deletion_wins_in_every_order_with_a_worker_that_takes_the_ask_up() {
    let (mut orders, mut asked) = (0, 0);
    let mut next = Some(Choice::Listed { chosen: Vec::new(), possible: Vec::new() });
    while let Some(mut choice) = next {
        let works = [Work::Asks, Work::Record(deleted())];
        let world = run_all(events_park, &[watched()], &works, &mut choice);
        asked += world.model.calls();
        assert_forgotten(&world, &choice);
        orders += 1;
        next = choice.next();
    }
    assert!(orders > 50 && asked > 0 && asked < orders, "{orders} orders, {asked} were asked");
}

#[test]
fn a_deletion_wins_over_an_event_that_parks_and_the_worker_that_takes_its_ask_up() {
    let mut asked = 0;
    for seed in 0..SAMPLED {
        let mut choice = Choice::Random(Box::new(StdRng::seed_from_u64(seed)));
        let late = Work::Late(seed as usize % 20, deleted());
        let works = [Work::Record(watched()), Work::AsksByTurns, late];
        let world = run_all(events_park, &[], &works, &mut choice);
        asked += world.model.calls();
        assert_forgotten(&world, &choice);
    }
    assert!(asked > 0 && asked < SAMPLED, "{asked} were asked");
}

#[test]
fn an_event_its_repeat_and_the_worker_come_to_one_content_in_every_order_that_is_tried() {
    let mut asks = 0;
    for seed in 0..SAMPLED {
        let mut choice = Choice::Random(Box::new(StdRng::seed_from_u64(seed)));
        let repeat = if seed % 2 == 0 { watched() } else { later() };
        let last = if seed % 2 == 0 { "e" } else { "f" };
        let works = [Work::Record(watched()), Work::Record(repeat), Work::AsksByTurns];
        let world = run_all(events_park, &[], &works, &mut choice);
        let tables = world.memory.tables();
        let items: Vec<_> = tables.items.values().collect();
        assert_eq!(items.len(), 1, "seed {seed}");
        let written_for = items[0].content.as_ref().map(|(content, _)| content.event_id.as_str());
        assert_eq!(written_for, Some(last), "seed {seed}");
        assert_eq!(items[0].parked_until_ms, None, "seed {seed}");
        assert!(tables.violations.is_empty(), "seed {seed}: {:?}", tables.violations);
        assert!(world.model.asked.lock().expect("whole").values().all(|calls| *calls == 1));
        asks += world.asks.counted().sent;
    }
    assert!(asks > SAMPLED, "{asks} asks");
}
