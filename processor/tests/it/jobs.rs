//! Jobs: what is asked in them, what becomes of it, and that nothing is lost, paid twice or late.

use std::sync::Arc;
use std::time::Duration;

use campaign::{Budget, Config, OverBudget, Price, StructuredOutput};
use contract::metrics::{self, Counts};
use contract::user_record::Event;
use processor::coordination::Entry;
use processor::jobs::LEAST_QUESTIONS;
use processor::simulated::jobs::Jobs;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::answers::{bought, slow_only};
use crate::world::gate::Gate;
use crate::world::{SCHEDULE, World, user_record};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// How long content may wait here.
const WITHIN_HOURS: u32 = 4;

/// More than a job needs.
const USERS: usize = LEAST_QUESTIONS + 20;

/// A world whose only campaign asks in jobs.
fn world(change: impl FnOnce(&mut Config)) -> (World, Arc<Jobs>) {
    let mut world = slow_only(|config| {
        config.structured_output = StructuredOutput::JsonSchema;
        config.batch_within_hours = Some(WITHIN_HOURS);
        config.cooldown_hours = 0;
        change(config);
    });
    let jobs = Arc::new(Jobs::default());
    world.jobs = Some(Arc::clone(&jobs));
    (world, jobs)
}

/// Lets time pass: the worker looks every minute, and jobs are looked after every five.
async fn pass(world: &World, time: Duration) -> Counts {
    let instance = world.instance(&Gate::open(), 2);
    let mut counts = Counts::default();
    for minute in 0..time.as_secs() / SCHEDULE.as_secs() {
        sleep(SCHEDULE).await;
        counts.merge(&instance.work(world.deadline()).await.counts);
        if minute.is_multiple_of(5) {
            counts.merge(&instance.work_on_jobs(world.deadline()).await.counts);
        }
    }
    counts
}

/// Events of so many users about so many shows.
async fn deliver(world: &World, users: std::ops::Range<usize>, shows: usize) -> Counts {
    let records: Vec<Vec<u8>> = users
        .map(|user| bought(user, &format!("e{user}"), 1_000, &format!("show {}", user % shows)))
        .collect();
    world.deliver(&records).await.counts
}

/// A reply of the model in a job.
fn reply(record: &Value, text: &str) -> String {
    let usage = json!({ "inputTokens": 30, "outputTokens": 10, "totalTokens": 40 });
    let message = json!({ "role": "assistant", "content": [{ "text": text }] });
    json!({
        "recordId": record["recordId"],
        "modelInput": record["modelInput"],
        "modelOutput": {
            "output": { "message": message }, "stopReason": "end_turn", "usage": usage,
        },
    })
    .to_string()
}

/// A reply that is content.
fn well(record: &Value) -> Option<String> {
    let prompt = record["modelInput"]["messages"][0]["content"][0]["text"].as_str()?;
    Some(reply(record, &json!({ "heading": prompt }).to_string()))
}

fn only_job(jobs: &Jobs) -> String {
    let submitted = jobs.submitted();
    assert_eq!(submitted.len(), 1, "{submitted:?}");
    submitted[0].clone()
}

fn contents(world: &World) -> usize {
    let tables = world.memory.tables();
    tables.items.values().filter(|item| item.content.is_some()).count()
}

#[tokio::test(start_paused = true)]
async fn what_can_wait_is_asked_in_one_job_and_each_prompt_once() {
    let (world, jobs) = world(|_| {});
    let counts = deliver(&world, 0..5 * USERS, USERS).await;
    assert_eq!(counts.get(metrics::PARKED_FOR_JOB), 5 * USERS as u64);

    let gathered = pass(&world, HOUR + 10 * MINUTE).await;
    let job = only_job(&jobs);
    assert_eq!(jobs.records(&job).len(), USERS, "each prompt once");
    assert_eq!(gathered.get(metrics::QUESTIONS_IN_JOBS), USERS as u64);
    jobs.end(&job, None, well);
    let ended = pass(&world, 40 * MINUTE).await;

    assert_eq!(contents(&world), 5 * USERS);
    assert_eq!(world.model.calls(), 0, "nobody is asked at the whole price");
    assert_eq!(ended.get(metrics::GENERATIONS), USERS as u64);
    assert_eq!(ended.get(metrics::CONTENTS_STORED), 5 * USERS as u64);
    assert_eq!(ended.get(metrics::JOBS_ENDED), 1);
    assert!(world.asks.asks().is_empty() && world.letters().is_empty());
    assert!(jobs.files().is_empty(), "prompts are kept no longer: {:?}", jobs.files());
}

#[tokio::test(start_paused = true)]
async fn what_a_job_leaves_or_answers_badly_is_asked_by_itself() {
    let (world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    let job = only_job(&jobs);

    jobs.end(&job, Some("PartiallyCompleted"), |record| {
        let id = record["recordId"].as_str()?;
        match id.parse::<usize>().ok()? {
            0..10 => None,
            10..20 => Some(
                json!({ "recordId": id, "modelInput": {}, "error": {
                    "errorCode": 400, "errorMessage": "bad" } })
                .to_string(),
            ),
            20..30 => Some(reply(record, "{}")),
            30..40 => Some(reply(record, "no JSON at all")),
            40..45 => Some(format!("{{\"recordId\": \"{id}\", \"modelOutput\"")),
            45..50 => Some(json!({ "recordId": id, "modelOutput": { "odd": 1 } }).to_string()),
            50 => Some(json!({ "recordId": "99999999999", "modelOutput": {} }).to_string()),
            51 => Some(json!({ "recordId": "not a number", "modelOutput": {} }).to_string()),
            _ => well(record),
        }
    });
    let ended = pass(&world, 40 * MINUTE).await;

    assert_eq!(contents(&world), USERS, "everybody has content");
    assert_eq!(world.model.calls(), 52);
    assert_eq!(ended.get(metrics::QUESTIONS_LEFT_BY_JOBS), 52);
    let refused = [metrics::ANSWERS_AGAINST_SCHEMA, metrics::ANSWERS_UNREADABLE];
    assert_eq!(refused.map(|reason| ended.get(reason)), [10, 10], "each under its reason");
    assert_eq!(ended.get(metrics::ANSWERS_REFUSED), 20);
    assert!(world.letters().is_empty() && jobs.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn too_few_questions_or_a_job_that_is_refused_are_asked_at_once() {
    for (users, refuses) in [(LEAST_QUESTIONS - 1, false), (USERS, true)] {
        let (world, jobs) = world(|_| {});
        jobs.refuse(refuses);
        deliver(&world, 0..users, users).await;

        let counts = pass(&world, HOUR + 10 * MINUTE).await;

        assert_eq!((contents(&world), world.model.calls()), (users, users as u64));
        assert_eq!(counts.get(metrics::JOBS_REFUSED), u64::from(refuses));
        assert!(jobs.submitted().is_empty() && jobs.files().is_empty());
        assert!(world.asks.asks().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_submission_nobody_heard_of_is_found_and_not_submitted_twice() {
    let (world, jobs) = world(|_| {});
    jobs.lose_replies(true);
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    jobs.lose_replies(false);
    pass(&world, 10 * MINUTE).await;

    jobs.end(&only_job(&jobs), None, well);
    pass(&world, 40 * MINUTE).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_could_not_be_noted_is_not_taken_for_none() {
    let (world, jobs) = world(|_| {});
    jobs.keep_no_names(true);
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    assert_eq!(contents(&world), 0, "its asks wait for it");
    jobs.keep_no_names(false);
    pass(&world, 10 * MINUTE).await;

    jobs.end(&only_job(&jobs), None, well);
    pass(&world, 40 * MINUTE).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_the_service_forgets_costs_nobody_their_content_and_leaves_nothing() {
    for is_noted in [true, false] {
        let (world, jobs) = world(|_| {});
        jobs.keep_no_names(!is_noted);
        deliver(&world, 0..USERS, USERS).await;
        pass(&world, HOUR + 10 * MINUTE).await;
        let job = only_job(&jobs);
        if is_noted {
            jobs.forget(&job);
        }

        pass(&world, WITHIN_HOURS * HOUR).await;

        assert_eq!((contents(&world), world.model.calls()), (USERS, USERS as u64));
        assert!(jobs.files().is_empty(), "{:?}", jobs.files());
        assert!(jobs.submitted().len() <= 1, "nothing is submitted when its time is over");
    }
}

#[tokio::test(start_paused = true)]
async fn two_who_look_after_jobs_at_once_make_one_job_and_count_it_once() {
    let (world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR).await;
    let (one, other) = (world.instance(&Gate::open(), 3), world.instance(&Gate::open(), 4));
    let both = async || {
        let (a, b) =
            tokio::join!(one.work_on_jobs(world.deadline()), other.work_on_jobs(world.deadline()));
        let mut counts = a.counts;
        counts.merge(&b.counts);
        counts
    };
    sleep(MINUTE).await;
    let gathered = both().await;
    assert_eq!(gathered.get(metrics::QUESTIONS_IN_JOBS), USERS as u64);

    jobs.end(&only_job(&jobs), None, well);
    let ended = both().await;

    assert_eq!(ended.get(metrics::GENERATIONS), USERS as u64);
    assert_eq!(ended.get(metrics::JOBS_ENDED), 1);
    pass(&world, 40 * MINUTE).await;
    assert_eq!((contents(&world), world.model.calls()), (USERS, 0));
}

#[tokio::test(start_paused = true)]
async fn asks_that_waited_for_a_budget_gather_when_it_is_there() {
    let (mut world, jobs) = world(|config| config.budget = Some(Budget::Tokens(1)));
    for each in &mut world.campaigns {
        let config = &mut Arc::get_mut(each).expect("nobody else holds it").campaign.config;
        config.over_budget = OverBudget::Wait;
    }
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    assert!(jobs.submitted().is_empty() && contents(&world) == 0, "its budget pays for nothing");
    for each in &mut world.campaigns {
        let config = &mut Arc::get_mut(each).expect("nobody else holds it").campaign.config;
        config.budget = None;
    }

    pass(&world, 16 * HOUR).await;
    jobs.end(&only_job(&jobs), None, well);
    pass(&world, 2 * HOUR).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, 0));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_stopped_and_its_content_is_there_in_time() {
    let (world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;

    let counts = pass(&world, WITHIN_HOURS * HOUR).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, USERS as u64));
    assert!(jobs.stopped() > 0 && counts.get(metrics::JOBS_LATE) > 0);
    // What it answered before is paid for, and changes nothing.
    jobs.end(&only_job(&jobs), Some("Stopped"), well);
    let late = pass(&world, 10 * MINUTE).await;
    assert_eq!(late.get(metrics::GENERATIONS), USERS as u64);
    assert_eq!(contents(&world), USERS);
    assert!(jobs.files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_newer_event_or_a_deletion_beats_what_a_job_answers() {
    let (world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    let job = only_job(&jobs);

    let deletion = Event { id: "d".into(), time: 2_000, fields: serde_json::Map::new() };
    let deleted = user_record("u0", "users.UserDeleteRequest", vec![deletion]).encode();
    let newer = bought(1, "newer", 2_000, "the newest show");
    world.deliver(&[deleted, newer]).await;
    jobs.end(&job, None, well);
    pass(&world, 40 * MINUTE).await;

    assert_eq!(contents(&world), USERS - 1, "who was deleted has none");
    assert_eq!(world.model.prompts(), ["slow: Write a heading about \"the newest show\".\n"]);
    assert!(world.asks.asks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_job_asks_already_joins_no_other() {
    let (world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    let first = only_job(&jobs);

    deliver(&world, 10 * USERS..12 * USERS, USERS).await;
    pass(&world, HOUR).await;
    assert_eq!(only_job(&jobs), first);
    jobs.end(&first, None, well);
    pass(&world, 40 * MINUTE).await;

    assert_eq!((contents(&world), world.model.calls()), (3 * USERS, 0));
}

#[tokio::test(start_paused = true)]
async fn a_budget_pays_half_for_what_a_job_answers_and_nothing_for_the_rest() {
    let price = Price { usd_per_million_input_tokens: 100.0, usd_per_million_output_tokens: 500.0 };
    let (world, jobs) = world(|config| {
        config.price = Some(price);
        config.budget = Some(Budget::Usd(1_000.0));
    });
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    let spent = || world.memory.tables().budgets.values().sum::<i64>();
    assert!(spent() > 0, "it is spent in advance");

    jobs.end(&only_job(&jobs), Some("Failed"), |_| None);
    let nothing = pass(&world, MINUTE * 5).await;
    assert_eq!((spent(), nothing.get(metrics::MODEL_COST)), (0, 0));

    let (world, jobs) = self::world(|config| {
        config.price = Some(price);
        config.budget = Some(Budget::Usd(1_000.0));
    });
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    jobs.end(&only_job(&jobs), None, well);
    let counts = pass(&world, 40 * MINUTE).await;

    // 30 tokens of input and 10 of output.
    let whole = USERS as u64 * (30 * 100 + 10 * 500);
    assert_eq!(counts.get(metrics::MODEL_COST), whole / 2);
    let spent: i64 = world.memory.tables().budgets.values().sum();
    assert_eq!(u64::try_from(spent), Ok(whole / 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_job_answers_for_a_campaign_that_changed_is_nobodys_answer() {
    let (mut world, jobs) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    pass(&world, HOUR + 10 * MINUTE).await;
    let job = only_job(&jobs);
    let folder = tempfile::tempdir().expect("temporary folder");
    let slow = folder.path().join("slow");
    std::fs::create_dir(&slow).expect("is made");
    for file in std::fs::read_dir("tests/campaigns/slow").expect("is there") {
        let file = file.expect("can be read");
        std::fs::copy(file.path(), slow.join(file.file_name())).expect("is copied");
    }
    std::fs::write(slow.join("system.liquid"), "Be brief.").expect("is written");
    let mut changed = campaign::load(folder.path()).expect("is valid");
    let config = &mut Arc::get_mut(&mut changed[0]).expect("nobody else holds it").campaign.config;
    *config = world.campaigns[0].campaign.config.clone();
    world.campaigns = changed;

    jobs.end(&job, None, well);
    pass(&world, 40 * MINUTE).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, USERS as u64));
    let tables = world.memory.tables();
    let answered =
        tables.answers.values().filter(|(entry, ..)| matches!(entry, Entry::Answered { .. }));
    assert_eq!(answered.count(), USERS, "those of the campaign as it is");
}

#[tokio::test(start_paused = true)]
async fn asks_that_gathered_where_nothing_gathers_any_more_go_on_by_themselves() {
    let (mut world, _) = world(|_| {});
    deliver(&world, 0..USERS, USERS).await;
    world.jobs = None;

    pass(&world, HOUR + 10 * MINUTE).await;

    assert_eq!((contents(&world), world.model.calls()), (USERS, USERS as u64));
}
