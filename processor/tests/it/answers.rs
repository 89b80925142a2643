//! One generation for each distinct prompt, budgets, repeats and redrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use campaign::Budget;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, AskFate, Fate};
use contract::user_record::UserRecord;
use processor::coordination::Entry;
use processor::dead_letters::{DeadLetterQueue, NotQueued};
use processor::handler::{Ports, Report};
use processor::model::{ModelError, Usage};
use program::aws::CallError;
use tokio::time::sleep;

use crate::world::gate::{Faults, Gate};
use crate::world::model::{AWKWARD, FORBIDDEN};
use crate::world::{QUESTIONS, World, delivery, event, test_campaigns, user_record};

const MINUTE: Duration = Duration::from_secs(60);

/// The campaign whose prompts use the last event only.
pub(crate) fn slow_only(change: impl FnOnce(&mut campaign::Config)) -> World {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns");
    let campaigns = campaign::load(&folder).expect("campaigns are valid");
    let mut campaigns: Vec<_> =
        campaigns.into_iter().filter(|each| each.campaign.name == "slow").collect();
    let campaign = Arc::get_mut(&mut campaigns[0]).expect("nobody else holds it");
    change(&mut campaign.campaign.config);
    World::of(campaigns)
}

pub(crate) fn bought(user: usize, id: &str, time: i64, show: &str) -> Vec<u8> {
    user_record(&format!("u{user}"), "bought", vec![event(id, time, show)]).encode()
}

#[tokio::test(start_paused = true)]
async fn any_number_of_users_and_instances_ask_once_for_each_prompt() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(2));
    let records: Vec<Vec<u8>> =
        (0..90).map(|n| bought(n, &format!("e{n}"), 1_000, ["a", "b", "c"][n % 3])).collect();

    let instances = records.chunks(30).enumerate().map(|(n, records)| {
        let world = &world;
        async move {
            let instance = world.instance(&Gate::open(), n as u64);
            instance.handle(delivery(records.iter().enumerate()), world.deadline()).await
        }
    });
    let reports: Vec<Report> = futures::future::join_all(instances).await;

    assert_eq!(world.model.calls(), 3);
    assert_eq!(world.memory.tables().items.len(), 90);
    let sum = |name: &str| reports.iter().map(|report| report.counts.get(name)).sum::<u64>();
    assert_eq!(sum(metrics::CONTENTS_STORED), 90);
    assert_eq!(sum(metrics::CONTENTS_FROM_CACHE), 87);
    assert_eq!(sum(metrics::GENERATIONS), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_process_that_ended_ends_within_half_a_minute() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(3_600));
    let record = bought(1, "e", 1_000, "a");
    let gate = Gate::new(1, Faults::default());
    let instance = world.instance(&gate, 1);
    let handled = instance.handle(delivery(std::iter::once((0, &record))), world.deadline());
    let ended = tokio::time::timeout(Duration::from_secs(5), handled).await;
    assert!(ended.is_err(), "it is killed while it asks");
    drop(instance);
    world.model.take(Duration::from_secs(1));

    // Another instance waits for the answer that does not come, and then an ask does.
    let began = tokio::time::Instant::now();
    let report = world.deliver(&[record]).await;
    assert_eq!(report.counts.get(Fate::Parked.metric()), 1);
    let counts = world.settle(MINUTE).await;

    assert_eq!(counts.get(AskFate::Stored.metric()), 1);
    assert_eq!(world.model.calls(), 2);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_as_long_as_its_owner_asks() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(45));
    let record = bought(1, "e", 1_000, "a");
    let first = world.deliver(std::slice::from_ref(&record));
    let second = async {
        sleep(Duration::from_secs(1)).await;
        world.deliver(&[bought(2, "f", 1_000, "a")]).await
    };

    let (first, second) = futures::future::join(first, second).await;

    assert_eq!(first.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(second.counts.get(Fate::Parked.metric()), 1);
    assert_eq!(world.settle(MINUTE).await.get(AskFate::Stored.metric()), 1);
    assert_eq!(world.model.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_anothers_answer_keeps_nobody_from_asking() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(40));
    let asked: Vec<Vec<u8>> =
        (0..4).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("s{n}"))).collect();
    let mut others: Vec<Vec<u8>> =
        (4..8).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("s{}", n - 4))).collect();
    others.push(bought(8, "e8", 1_000, "new"));
    let second = async {
        sleep(Duration::from_secs(1)).await;
        world.model.take(Duration::from_secs(1));
        // All four permits would be gone with those who wait.
        sleep(Duration::from_secs(5)).await;
        let instance = world.instance(&Gate::open(), 7);
        let handled = instance.handle(delivery(others.iter().enumerate()), world.deadline());
        let new = async {
            sleep(Duration::from_secs(5)).await;
            world.model.prompts().iter().any(|prompt| prompt.contains("new"))
        };
        futures::future::join(handled, new).await
    };

    let (_, (report, is_asked)) = futures::future::join(world.deliver(&asked), second).await;

    assert!(is_asked);
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(report.counts.get(Fate::Parked.metric()), 4);
    assert_eq!(world.settle(MINUTE).await.get(AskFate::Stored.metric()), 4);
    assert_eq!(world.model.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn no_generation_starts_that_cannot_end_in_time() {
    let world = World::new();
    world.model.take(Duration::from_secs(20));
    let gate = Gate::open();
    let instance = world.instance(&gate, 1);
    // The first is slow; what is known of it holds for the others.
    let first = bought(0, "e0", 1_000, "z");
    let numbered = std::iter::once((0, &first));
    let report = instance.handle(delivery(numbered), world.deadline()).await;
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);

    let records: Vec<Vec<u8>> =
        (1..20).map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect();
    let report = instance.handle(delivery(records.iter().enumerate()), world.deadline()).await;

    // Fifty seconds of work, four calls at a time of twenty seconds: two rounds end.
    assert_eq!(report.counts.get(Fate::Stored.metric()), 8);
    assert_eq!(report.counts.get(Fate::Parked.metric()), 11);
    assert_eq!(world.model.calls(), 9, "no call was cut off");
    assert_eq!(world.settle(10 * MINUTE).await.get(AskFate::Stored.metric()), 11);
    assert_eq!(world.model.calls(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_budget_ends_generations_cleanly_and_the_next_day_goes_on() {
    // A call takes 30 tokens and reserves its worst case.
    let world = slow_only(|config| config.budget = Some(Budget::Tokens(300)));
    let report = world.deliver(&[bought(1, "a", 1_000, "a")]).await;
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    let mut stored = 1;
    for n in 2..20 {
        let report = world.deliver(&[bought(n, &format!("e{n}"), 1_000, &format!("s{n}"))]).await;
        assert!(report.response.batch_item_failures.is_empty());
        stored += report.counts.get(Fate::Stored.metric());
        let skipped = report.counts.get(Fate::OverBudget.metric());
        assert_eq!(report.counts.get(Fate::Stored.metric()) + skipped, 1);
    }
    let spent: i64 = world.memory.tables().budgets.values().sum();
    assert!(stored < 10, "{stored} were stored");
    assert_eq!(spent, i64::try_from(stored).expect("is small") * 30);

    // What has its answer already costs nothing.
    let report = world.deliver(&[bought(50, "z", 1_000, "a")]).await;
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    sleep(Duration::from_secs(24 * 3_600)).await;
    let report = world.deliver(&[bought(60, "y", 1_000, "new")]).await;
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_was_given_up_is_not_paid_for_again_until_a_person_asks() {
    let world = slow_only(|_| {});
    let report = world.deliver(&[bought(1, "a", 1_000, FORBIDDEN)]).await;
    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 1);

    let again = world.deliver(&[bought(1, "a", 1_000, FORBIDDEN)]).await;
    let other_user = world.deliver(&[bought(2, "b", 1_000, FORBIDDEN)]).await;

    assert_eq!(again.counts.get(Fate::Duplicate.metric()), 1);
    assert_eq!(other_user.counts.get(Fate::DeadLettered.metric()), 1);
    assert_eq!(world.model.calls(), 1);

    let letters = world.letters();
    assert_eq!(letters.len(), 2);
    let Input::Unit { user_records, prompt_hash, .. } = &letters[0].input else {
        panic!("{letters:?}");
    };
    assert_eq!((letters[0].attempts, letters[1].attempts), (1, 1));
    assert!(letters[0].first_seen_ms.is_some() && prompt_hash.is_some());
    sleep(Duration::from_millis(1)).await;
    let redriven_at_ms = world.clock().now_ms();
    let again: Vec<Vec<u8>> = user_records
        .iter()
        .map(|record| {
            UserRecord { redriven_at_ms: Some(redriven_at_ms), ..record.clone() }.encode()
        })
        .collect();
    let report = world.deliver(&again).await;

    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 1);
    assert_eq!(world.model.calls(), 2, "a person asked");
    assert_eq!(world.letters().len(), 3);

    let report = world.deliver(&again).await;

    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 1);
    assert_eq!(world.model.calls(), 2, "asked once, not at each delivery");
    assert_eq!(world.letters().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_corrected_once_and_kept() {
    let world = slow_only(|_| {});

    let report = world.deliver(&[bought(1, "a", 1_000, AWKWARD)]).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(report.counts.get(metrics::CORRECTIONS), 1);
    let tables = world.memory.tables();
    let kept = tables.answers.values().next().expect("is kept");
    assert!(matches!(kept.0, Entry::Answered { .. }));
    // Both calls are on the bill.
    let content = tables.items.values().next().and_then(|item| item.content.as_ref());
    assert_eq!(content.map(|(content, _)| content.output_tokens), Some(40));
}

#[tokio::test(start_paused = true)]
async fn campaigns_of_a_higher_priority_go_first_and_a_user_holds_content_of_several() {
    let world = World::new();
    let record = user_record("u", "watched", vec![event("e", 1_000, "a")]).encode();

    let report = world.deliver(&[record]).await;

    assert_eq!(report.counts.get(metrics::CONTENTS_STORED), 2);
    assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "one event, one fate");
    assert_eq!(world.memory.tables().items.len(), test_campaigns().len());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_it_failed_takes_nothing_of_the_budget() {
    let spent_by = async |failure: fn(String) -> ModelError| {
        let world = slow_only(|config| config.budget = Some(Budget::Tokens(100_000)));
        world.model.fail((0..4).map(|_| failure("503".to_owned())));
        let report = world.deliver(&[bought(1, "a", 1_000, "a")]).await;
        assert_eq!(report.counts.get(Fate::Parked.metric()), 1);
        world.memory.tables().budgets.values().sum::<i64>()
    };

    assert_eq!(spent_by(ModelError::Failed).await, 0);
    assert!(spent_by(ModelError::Unavailable).await > 0, "what it did is not known");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_guardrail_saw_is_paid_for_and_not_asked_for_at_once() {
    let world = slow_only(|config| config.budget = Some(Budget::Tokens(100_000)));
    let usage = Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() };
    let cause = Box::new(ModelError::Throttled(None));
    world.model.fail([ModelError::Unchecked { usage, cause }]);

    let report = world.deliver(&[bought(1, "a", 1_000, "a")]).await;

    assert_eq!(report.counts.get(Fate::Parked.metric()), 1);
    assert_eq!(world.model.calls(), 1);
    assert_eq!(report.counts.get(metrics::GENERATIONS), 1);
    assert_eq!(report.counts.get(metrics::OUTPUT_TOKENS), 20);
    assert_eq!(world.memory.tables().budgets.values().sum::<i64>(), 30);
}

/// A queue that takes nothing, slowly.
#[derive(Debug, Default)]
struct Ill(AtomicUsize);

#[async_trait]
impl DeadLetterQueue for Ill {
    async fn send(&self, _: &DeadLetter) -> Result<(), NotQueued> {
        self.0.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_secs(8)).await;
        Err(NotQueued(CallError::Refused("injected".to_owned())))
    }
}

#[tokio::test(start_paused = true)]
async fn an_ill_dead_letter_queue_takes_no_time_from_what_is_well() {
    let world = World::new();
    let queue = Arc::new(Ill::default());
    let ports =
        Ports { dead_letters: Arc::<Ill>::clone(&queue) as _, ..world.ports(&Gate::open(), 1) };
    let instance = world.instance_of(ports, QUESTIONS, 1);
    let mut records = vec![b"junk".to_vec(); 50];
    records.push(bought(1, "a", 1_000, "a"));

    let began = tokio::time::Instant::now();
    let report = instance.handle(delivery(records.iter().enumerate()), world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 1);
    assert_eq!(report.response.batch_item_failures.len(), 50);
    assert_eq!(queue.0.load(Ordering::SeqCst), 1);
    assert_eq!(began.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn poison_has_one_dead_letter_however_often_it_comes() {
    let world = World::new();

    for _ in 0..3 {
        world.deliver(&[b"junk".to_vec(), bought(1, "a", 1_000, "a")]).await;
    }

    assert_eq!(world.letters().len(), 1);
    assert_eq!(world.memory.tables().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_others_answers_look_together() {
    const PROMPTS: usize = 60;
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(15));
    let ask = |first: usize| -> Vec<Vec<u8>> {
        let bought = |n| bought(first + n, &format!("e{n}"), 1_000, &format!("show {n}"));
        (0..PROMPTS).map(bought).collect()
    };
    let (asking, waiting) = (ask(0), ask(PROMPTS));
    let first = async {
        let instance = world.instance_of(world.ports(&Gate::open(), 1), PROMPTS, 1);
        instance.handle(delivery(asking.iter().enumerate()), world.deadline()).await
    };
    let second = async {
        sleep(Duration::from_secs(10)).await;
        let before = world.memory.tables().reads;
        let report = world.deliver(&waiting).await;
        (report, world.memory.tables().reads - before)
    };

    let (first, (second, reads)) = futures::future::join(first, second).await;

    assert_eq!(first.counts.get(Fate::Stored.metric()), PROMPTS as u64);
    assert_eq!(second.counts.get(metrics::CONTENTS_FROM_CACHE), PROMPTS as u64);
    // By themselves they look more than ten times each.
    assert!(reads < 3 * PROMPTS as u64, "{reads} reads");
}
