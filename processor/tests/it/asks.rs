//! What waits: for a quota, a day, a model, a time; and whom that holds up.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use contract::ask::{Ask, Class, Queue, Reason};
use contract::metrics::{self, AskFate, Fate};
use contract::user_record::Event;
use processor::asks::{AskQueue as _, MAX_MESSAGES};
use processor::model::{ModelError, Refusal};
use quota::{ModelQuota, ModelQuotas};
use tokio::time::{Instant, sleep};

use crate::answers::bought;
use crate::world::gate::Gate;
use crate::world::model::Spell;
use crate::world::{EPOCH_MS, World, delivery, event, user_record};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The worlds of these tests begin at 08:00 (UTC).
const UNTIL_MIDNIGHT: Duration = Duration::from_secs(16 * 3_600);

/// What one call takes of a quota when it starts, roughly: its input and 200 tokens of output.
const CALL_TOKENS: u64 = 300;

/// Two campaigns: `slow` of model `a`, which looks at what was bought, and `plain` of model
/// `b`, which looks at what was watched.
fn two_models(quota_of_a: ModelQuota) -> World {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns");
    let mut campaigns = campaign::load(&folder).expect("campaigns are valid");
    for each in &mut campaigns {
        let config = &mut Arc::get_mut(each).expect("nobody else holds it").campaign.config;
        config.cooldown_hours = 0;
        config.priority = 0;
        let (model_id, event_type) = match config.history {
            2 => ("a", "bought"),
            _ => ("b", "watched"),
        };
        config.model_id = model_id.to_owned();
        config.trigger.event_types = BTreeSet::from([event_type.to_owned()]);
    }
    let ample = ModelQuota::of_tokens(1_000_000);
    let quotas = [("a", quota_of_a), ("b", ample)];
    let quotas = quotas.map(|(model_id, quota)| (model_id.to_owned(), quota));
    let mut world = World::of(campaigns);
    world.quotas = ModelQuotas(quotas.into());
    world
}

fn watched(user: usize, id: &str, show: &str) -> Vec<u8> {
    user_record(&format!("u{user}"), "watched", vec![event(id, 1_000, show)]).encode()
}

fn deleted(user: usize, time: i64) -> Vec<u8> {
    let deletion = Event { id: "d".into(), time, fields: serde_json::Map::new() };
    user_record(&format!("u{user}"), "users.UserDeleteRequest", vec![deletion]).encode()
}

fn shows_asked(world: &World) -> Vec<String> {
    let order = world.model.order.lock().expect("whole");
    let last_show = |prompt: &String| {
        let quoted: Vec<&str> = prompt.split('"').collect();
        quoted[quoted.len() - 2].to_owned()
    };
    order.iter().map(|(_, prompt)| last_show(prompt)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_day_without_quota_holds_nobody_else_up_and_ends_with_the_newest_content() {
    let per_day = NonZeroU64::new(3 * CALL_TOKENS);
    let a = ModelQuota { tokens_per_day: per_day, ..ModelQuota::of_tokens(1_000_000) };
    let world = two_models(a);
    // Nine users of whom three share each show.
    let carts: Vec<Vec<u8>> =
        (0..9).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {}", n % 3))).collect();
    let more: Vec<Vec<u8>> =
        (9..18).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("late {}", n % 3))).collect();
    world.deliver(&carts).await;
    let report = world.deliver(&more).await;
    let spent = world.model.calls();
    let waiting = report.counts.get(Fate::Parked.metric());
    assert!((1..18).contains(&spent) && waiting > 0, "{spent} {waiting}");
    assert!(world.asks.asks().iter().all(|(_, ask)| ask.reason == Reason::DayQuota));

    // Everything else is done within its batch.
    let began = Instant::now();
    let batch = [bought(17, "newer", 2_000, "newest"), watched(30, "w", "b"), deleted(16, 5_000)];
    let report = world.deliver(&batch).await;
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(report.counts.get(Fate::Deletion.metric()), 1);
    assert_eq!(report.counts.get(Fate::Parked.metric()), 1);
    assert!(report.response.batch_item_failures.is_empty());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let asked_before_midnight = world.model.calls();

    let counts = world.settle(UNTIL_MIDNIGHT + 2 * HOUR).await;

    assert!(Duration::from_millis(world.clock().now_ms() - EPOCH_MS) >= UNTIL_MIDNIGHT);
    assert_eq!(counts.get(AskFate::DeadLettered.metric()), 0);
    assert!(world.letters().is_empty());
    let asked = world.model.asked.lock().expect("whole").clone();
    assert!(asked.values().all(|times| *times == 1), "once for each prompt: {asked:?}");
    let at_midnight =
        shows_asked(&world).split_off(usize::try_from(asked_before_midnight).expect("few"));
    assert!(at_midnight.contains(&"newest".to_owned()), "{at_midnight:?}");
    let tables = world.memory.tables();
    let written_for = |user: usize| {
        let item = tables.items.iter().find(|(key, _)| key.user_id == format!("u{user}"));
        item.and_then(|(_, item)| Some(item.content.as_ref()?.0.event_id.clone()))
    };
    for user in (0..16).chain([17, 30]) {
        let newest = match user {
            17 => "newer".to_owned(),
            30 => "w".to_owned(),
            user => format!("e{user}"),
        };
        assert_eq!(written_for(user), Some(newest));
    }
    assert_eq!(written_for(16), None, "the deletion beats what waits");
    assert!(tables.violations.is_empty(), "{:?}", tables.violations);
}

#[tokio::test(start_paused = true)]
async fn asks_of_a_model_whose_day_is_over_are_left_alone() {
    let per_day = NonZeroU64::new(CALL_TOKENS);
    let a = ModelQuota { tokens_per_day: per_day, ..ModelQuota::of_tokens(1_000_000) };
    let world = two_models(a);
    let carts: Vec<Vec<u8>> =
        (0..400).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();
    world.deliver(&carts).await;
    let (before, waiting) = (world.asks.counted(), world.asks.asks().len());
    let worker = world.instance(&Gate::open(), 2);

    for _ in 0..60 {
        worker.work(world.deadline()).await;
        sleep(MINUTE).await;
    }

    let taken = world.asks.counted().taken - before.taken;
    assert!(waiting > 390, "{waiting}");
    assert!(taken <= 12 * 4, "some look every five minutes whether it is so: {taken}");
    assert_eq!(world.asks.asks().len(), waiting, "none is lost");
}

/// Requests of queues and calls of tables so far.
fn taken_so_far(world: &World) -> (u64, u64) {
    (world.asks.counted().requests, world.memory.tables().calls)
}

#[tokio::test(start_paused = true)]
async fn what_waits_costs_some_calls_when_it_is_parked_and_none_while_it_waits() {
    const UNITS: u64 = 1_000;
    let carts: Vec<Vec<u8>> =
        (0..1_000).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();
    let at_once = two_models(ModelQuota::of_tokens(1_000_000));
    at_once.deliver(&carts).await;
    let (_, calls_at_once) = taken_so_far(&at_once);
    // The first slice of a day's quota covers some calls, however small it is.
    let per_day = NonZeroU64::new(CALL_TOKENS);
    let a = ModelQuota { tokens_per_day: per_day, ..ModelQuota::of_tokens(1_000_000) };
    let mut world = two_models(a);
    world.deliver(&[bought(5_000, "first", 1_000, "first")]).await;
    let (requests, calls) = taken_so_far(&world);

    world.deliver(&carts).await;
    let parked = taken_so_far(&world);
    let worker = world.instance(&Gate::open(), 2);
    for _ in 0..60 {
        worker.work(world.deadline()).await;
        sleep(MINUTE).await;
    }
    let waited = taken_so_far(&world);
    world.quotas = at_once.quotas.clone();
    world.settle(HOUR).await;
    let ended = taken_so_far(&world);

    let asks = world.model.calls();
    println!(
        "at once: {calls_at_once} calls; parked: {} requests, {} calls; an hour: {}, {}; all: {}, {}; {asks} calls",
        parked.0 - requests,
        parked.1 - calls,
        waited.0 - parked.0,
        waited.1 - parked.1,
        ended.0 - requests,
        ended.1 - calls,
    );
    assert!(parked.0 - requests <= UNITS / 8, "ten asks go in a request");
    assert!(waited.0 - parked.0 <= 60 * 5 + 12 * 20, "a worker looks once a minute");
    assert!(waited.1 - parked.1 <= 12 * 12, "and asks little of the tables");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_denied_for_an_hour_costs_no_content_and_few_calls() {
    let world = two_models(ModelQuota::of_tokens(1_000_000));
    let now = Instant::now();
    let refusal = || ModelError::NotAllowed(Refusal::default());
    let spell = Spell { model_id: "a", from: now, until: now + HOUR, refusal };
    world.model.spells.lock().expect("whole").push(spell);
    let carts: Vec<Vec<u8>> =
        (0..200).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();

    let report = world.deliver(&carts).await;
    let counts = world.settle(2 * HOUR).await;

    assert_eq!(report.counts.get(Fate::Parked.metric()), 200);
    assert_eq!(counts.get(AskFate::Stored.metric()), 200);
    assert!(world.letters().is_empty());
    assert_eq!(world.model.calls(), 200, "once for each prompt");
    let refused = *world.model.refused.lock().expect("whole");
    assert!(refused <= 7 * 8, "seven halts, and those that were under way: {refused}");
    let halts =
        report.counts.get(metrics::CAMPAIGNS_HALTED) + counts.get(metrics::CAMPAIGNS_HALTED);
    assert!((5..=7).contains(&halts), "its asks try ever more seldom: {halts}");
}

#[tokio::test(start_paused = true)]
async fn asks_of_a_model_that_no_campaign_names_any_more_go_to_the_one_that_it_does() {
    let mut world = two_models(ModelQuota::of_tokens(1_000_000));
    world.model.fail((0..3).map(|_| ModelError::DailyQuota));
    world.deliver(&[bought(1, "e", 1_000, "a")]).await;
    assert_eq!(world.asks.asks().len(), 1);
    world.model.failures.lock().expect("whole").clear();
    for each in &mut world.campaigns {
        let config = &mut Arc::get_mut(each).expect("nobody else holds it").campaign.config;
        config.model_id = "b".to_owned();
    }

    let counts = world.settle(HOUR).await;

    assert_eq!(counts.get(AskFate::Stored.metric()), 1);
    assert_eq!(counts.get(metrics::ASKS_MOVED), 1);
}

/// A world in which asks of many users wait for a small quota, with a worker at work.
async fn with_backlog(users: usize) -> World {
    let world = two_models(ModelQuota::of_tokens(20 * CALL_TOKENS));
    let records: Vec<Vec<u8>> =
        (0..users).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();
    // Known of all, and asked for by all.
    for records in records.chunks(500) {
        world.deliver(records).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn behind_a_backlog_events_wait_and_what_came_first_is_served_first() {
    let world = with_backlog(300).await;
    let stored = world.memory.tables().items.values().filter(|item| item.content.is_some()).count();
    assert!(stored < 250, "{stored}");
    let worker = world.instance(&Gate::open(), 2);
    worker.work(world.deadline()).await;

    let late = world.deliver(&[bought(999, "late", 1_000, "late")]).await;
    assert_eq!(late.counts.get(Fate::Parked.metric()), 1, "it overtakes nobody");
    world.settle(HOUR).await;

    let shows = shows_asked(&world);
    assert_eq!(shows.len(), 301);
    // Behind it come only those that were in hand and got no turn.
    let behind = shows.iter().rev().position(|show| show == "late");
    assert!(behind.is_some_and(|behind| behind <= 20), "{behind:?}");
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_is_served_next_however_many_wait() {
    const WAITING: usize = 100_000;
    let mut world = two_models(ModelQuota::of_tokens(20 * CALL_TOKENS));
    let mut high = world.campaigns.clone();
    let config = |each: &mut Arc<campaign::CompiledCampaign>, priority| {
        let config = &mut Arc::get_mut(each).expect("nobody else holds it").campaign.config;
        config.priority = priority;
        config.model_id = "a".to_owned();
    };
    world.campaigns.clear();
    for each in &mut high {
        let priority = i32::from(each.campaign.config.history != 2);
        config(each, priority);
    }
    world.campaigns = high;
    // The first of them are remembered; whoever gets to the others has waited for nothing.
    let first: Vec<Vec<u8>> =
        (0..200).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();
    world.deliver(&first).await;
    let ready = Queue::Ready { model_id: "a".to_owned(), class: Class::Normal };
    let body = include_str!("../../../contract/golden/ask.json");
    let ask =
        Ask { campaign: "slow".to_owned(), not_before_ms: 0, ..Ask::decode(body).expect("is one") };
    let rest: Vec<(Ask, Duration)> = (0..WAITING)
        .map(|n| (Ask { user_id: format!("u{}", n % 200), ..ask.clone() }, Duration::ZERO))
        .collect();
    for asks in rest.chunks(MAX_MESSAGES) {
        world.asks.send(&ready, asks).await.expect("are sent");
    }
    let working = async {
        let worker = world.instance(&Gate::open(), 2);
        worker.work(world.deadline()).await
    };
    let arriving = async {
        sleep(Duration::from_secs(20)).await;
        let before = shows_asked(&world).len();
        let records = [watched(5_000, "w", "urgent")];
        let instance = world.instance(&Gate::open(), 3);
        let report = instance.handle(delivery(records.iter().enumerate()), world.deadline()).await;
        (before, report)
    };

    let (_, (before, report)) = futures::future::join(working, arriving).await;

    let stored = report.counts.get(Fate::Stored.metric());
    let shows = shows_asked(&world);
    let place = shows.iter().position(|show| show == "urgent");
    assert_eq!(stored, 1, "{}", report.counts.to_json());
    assert!(world.asks.asks().len() > WAITING / 2);
    let others = place.expect("was asked") - before;
    assert!(others <= 4, "{others} calls that had their turns already came before");
}

#[tokio::test(start_paused = true)]
async fn an_ask_of_a_campaign_that_a_worker_does_not_know_waits_for_one_that_does() {
    let world = two_models(ModelQuota::of_tokens(1_000_000));
    world.model.fail((0..3).map(|_| ModelError::DailyQuota));
    world.deliver(&[bought(1, "e", 1_000, "a")]).await;
    world.model.failures.lock().expect("whole").clear();
    let mut older = world.clone();
    older.campaigns.retain(|each| each.campaign.name != "slow");
    let ready = Queue::Ready { model_id: "b".to_owned(), class: Class::Normal };
    let (_, ask) = world.asks.asks().remove(0);
    world.asks.send(&ready, &[(ask.clone(), Duration::ZERO)]).await.expect("is sent");

    let report = older.work().await;
    assert_eq!(report.counts.get(AskFate::ParkedAgain.metric()), 2, "{}", report.counts.to_json());
    let counts = world.settle(2 * HOUR).await;
    assert_eq!(counts.get(AskFate::Stored.metric()), 1);

    let unknown = Ask { campaign: "gone".to_owned(), ..ask };
    world.asks.send(&ready, &[(unknown, Duration::ZERO)]).await.expect("is sent");
    let counts = world.settle(48 * HOUR).await;
    assert_eq!(counts.get(AskFate::DeadLettered.metric()), 1);
    assert_eq!(world.letters()[0].reason, "unknown_campaign");
}
