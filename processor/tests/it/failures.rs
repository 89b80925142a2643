//! What the model's failures cost, and whom they harm.

use std::time::Duration;

use campaign::Budget;
use contract::ask::Reason;
use contract::metrics::AskFate;
use contract::metrics::{self, Fate};
use processor::answers::MAX_FAILED_CALLS;
use processor::model::{ModelError, Refusal};
use serde_json::{Value, json};

use crate::answers::{bought, slow_only};
use crate::world::model::{BROKEN, ENDLESS, GARBLED};
use crate::world::{World, event, user_record};

/// Deliveries of a test; far more than any prompt may take.
const DELIVERIES: usize = 40;

/// Longest that an ask may wait in these tests.
const HOUR: Duration = Duration::from_secs(3_600);

fn calls(world: &World) -> u32 {
    u32::try_from(*world.model.calls.lock().expect("whole")).expect("are few")
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_fails_beside_others_that_are_answered_is_given_up_and_harms_nobody() {
    let world = slow_only(|_| {});
    let instance = world.instance(&crate::world::gate::Gate::open(), 1);
    let mut asked = 0;
    for n in 0..DELIVERIES {
        let records = [
            bought(n, &format!("e{n}"), 1_000, &format!("show {n}")),
            bought(99, "e99", 1_000, BROKEN),
        ];
        let delivery = crate::world::delivery(records.iter().enumerate());
        let report = instance.handle(delivery, world.deadline()).await;
        assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "others wait for nobody");
        asked += 1;
        instance.work(world.deadline()).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        if !world.letters().is_empty() {
            break;
        }
    }

    let letters = world.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "model_failed");
    assert!(letters[0].detail.contains("ModelErrorException"), "{}", letters[0].detail);
    assert_eq!(calls(&world) - asked, MAX_FAILED_CALLS);
}

#[tokio::test(start_paused = true)]
async fn while_nobody_is_answered_a_prompt_waits_and_is_not_blamed() {
    let world = slow_only(|_| {});
    world.model.fail((0..40).map(|_| ModelError::Failed("503".to_owned())));
    let began = tokio::time::Instant::now();

    let report = world.deliver(&[bought(1, "e", 1_000, "a")]).await;
    let counts = world.settle(6 * HOUR).await;

    assert_eq!(report.counts.get(Fate::Parked.metric()), 1);
    assert!(report.response.batch_item_failures.is_empty(), "nothing goes back");
    assert_eq!(counts.get(AskFate::Stored.metric()), 1);
    assert!(world.letters().is_empty(), "{:?}", world.letters());
    assert_eq!(calls(&world), 41);
    assert!(began.elapsed() > HOUR, "it is not tried without end: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_nobody_ever_answers_is_given_up_after_a_day() {
    let world = slow_only(|_| {});

    world.deliver(&[bought(1, "e", 1_000, BROKEN)]).await;
    let counts = world.settle(48 * HOUR).await;

    assert_eq!(counts.get(AskFate::DeadLettered.metric()), 1);
    assert_eq!(world.letters()[0].reason, "model_unavailable");
    assert!(calls(&world) <= 2 * 102, "{}", calls(&world));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_charged_asked_for_once_more_and_given_up() {
    let world = slow_only(|config| config.budget = Some(Budget::Tokens(100_000)));

    let report = world.deliver(&[bought(1, "e", 1_000, GARBLED)]).await;

    assert_eq!(calls(&world), 2);
    assert_eq!(report.counts.get(metrics::CALLS_FAILED), 2);
    let letters = world.letters();
    assert_eq!(letters[0].reason, "answer_unreadable");
    assert!(letters[0].detail.contains("text/html"), "{}", letters[0].detail);
    let spent: i64 = world.memory.tables().budgets.values().sum();
    assert!(spent >= 2 * 200, "both calls are charged their worst case: {spent}");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_counts_against_the_hourly_limit_as_what_is_stored_does() {
    let world = slow_only(|config| config.hourly_limit = 2);
    let deliver = async |n: usize, show: &str| {
        let time = 1_000 + i64::try_from(n).expect("is small");
        let fate = world.deliver(&[bought(1, &format!("e{n}"), time, show)]).await;
        let is = |fate_of: Fate| fate.counts.get(fate_of.metric()) == 1;
        tokio::time::sleep(Duration::from_secs(60)).await;
        (is(Fate::DeadLettered), is(Fate::Parked))
    };

    let mut fates = Vec::new();
    for n in 0..4 {
        fates.push(deliver(n, &format!("{GARBLED} {n}")).await);
    }

    assert_eq!(fates, [(true, false), (true, false), (false, true), (false, true)]);
    assert_eq!(calls(&world), 2 * 2, "two prompts, each asked twice");
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_too_late_are_paid_for_three_times_at_most() {
    let world = slow_only(|_| {});
    // So that others are answered.
    let records = [bought(1, "e", 1_000, ENDLESS), bought(2, "f", 1_000, "a")];
    let instance = world.instance(&crate::world::gate::Gate::open(), 1);
    let delivery = crate::world::delivery(records.iter().enumerate());
    instance.handle(delivery, world.deadline()).await;
    world.settle(6 * HOUR).await;

    assert_eq!(calls(&world), 1 + 3);
    let letters = world.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "answer_too_slow");
    assert!(letters[0].detail.contains("raise timeout_seconds"), "{}", letters[0].detail);
}

#[tokio::test(start_paused = true)]
async fn calls_that_nobody_came_back_from_count_too() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(3_600));
    for n in 0..MAX_FAILED_CALLS {
        let record = bought(usize::try_from(n).expect("is small"), "e", 1_000, "a");
        let instance = world.instance(&crate::world::gate::Gate::open(), u64::from(n));
        let delivery = crate::world::delivery(std::iter::once((0, &record)));
        let handled = instance.handle(delivery, world.deadline());
        let killed = tokio::time::timeout(Duration::from_secs(35), handled).await;
        assert!(killed.is_err(), "it is killed while it asks");
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    let report = world.deliver(&[bought(99, "e", 1_000, "a")]).await;

    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 1);
    assert_eq!(world.letters()[0].reason, "model_failed");
}

#[tokio::test(start_paused = true)]
async fn no_further_call_begins_that_the_budget_does_not_allow() {
    let world = slow_only(|config| config.budget = Some(Budget::Tokens(400)));
    world.model.fail((0..4).map(|_| ModelError::Unavailable("reset".to_owned())));

    let report = world.deliver(&[bought(1, "e", 1_000, "a")]).await;

    assert_eq!(report.counts.get(Fate::OverBudget.metric()), 1);
    assert_eq!(calls(&world), 1);
    let spent: i64 = world.memory.tables().budgets.values().sum();
    assert!(spent <= 400, "{spent}");
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_is_denied_its_model_waits_until_it_is_not_and_loses_nothing() {
    let world = slow_only(|_| {});
    let denied = || ModelError::NotAllowed(Refusal::default());
    world.model.fail((0..20).map(|_| denied()));
    let records: Vec<Vec<u8>> =
        (0..40).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();

    let report = world.deliver(&records).await;
    let waiting = world.asks.asks();
    let first_calls = calls(&world);
    let counts = world.settle(HOUR).await;

    assert_eq!(report.counts.get(Fate::Parked.metric()), 40);
    assert_eq!(report.counts.get(metrics::CAMPAIGNS_HALTED), 1, "it is told once");
    assert!(first_calls <= 4, "those under way find out, and nobody after them: {first_calls}");
    assert!(waiting.iter().all(|(_, ask)| ask.reason == Reason::Halted), "{waiting:?}");
    assert_eq!(counts.get(AskFate::Stored.metric()), 40);
    assert!(world.letters().is_empty(), "{:?}", world.letters());
    assert_eq!(calls(&world), 20 + 40);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_lacks_what_the_prompt_prints_asks_nothing_and_is_not_remembered() {
    let world = slow_only(|_| {});
    let without = |id: &str, show: Value| {
        let mut event = event(id, 1_001, "");
        event.fields.insert("show".to_owned(), show);
        event
    };
    let events = vec![
        event("a", 1_000, "a"),
        without("b", Value::Null),
        without("c", json!(" \u{2800}")),
        without("d", json!([])),
    ];

    let report = world.deliver(&[user_record("u", "bought", events).encode()]).await;

    assert_eq!(report.counts.get(Fate::Incomplete.metric()), 3);
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(report.counts.fates(), report.counts.get(metrics::EVENTS_RECEIVED));
    assert_eq!(calls(&world), 1);
    let tables = world.memory.tables();
    let item = tables.items.values().next().expect("has an item");
    assert_eq!(item.memory.history.len(), 1);
}
