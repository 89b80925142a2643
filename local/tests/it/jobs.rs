//! Jobs of batch inference, from the event to the content, with the stand-in for the service.

use contract::metrics;
use local::bedrock::Behaviour;
use local::bedrock::scenario::{Rule, Scenario};
use local::pipeline::{Model, Options};
use serde_json::{Value, json};

use crate::rig::{Rig, behaviour, changed_campaign, options, watched, watcher};

/// More than a job needs.
const USERS: usize = 120;

/// Processes an event of each user about a show of their own, where content can wait.
async fn process(scenarios: Vec<Rule>) -> Rig {
    let campaigns = changed_campaign(|text| match text.contains("model_id") {
        true => format!("{text}\n[batch]\nwithin_hours = 8\n"),
        false => text,
    });
    let bedrock = Model::StandIn(Behaviour { scenarios, ..behaviour() });
    let campaigns_dir = campaigns.path().to_owned();
    let rig = Rig::start(Options { campaigns_dir, bedrock, ..options() }).await;
    let files = tempfile::tempdir().expect("temporary folder");
    let properties: Vec<Value> = (0..USERS)
        .map(|user| json!({ "show": format!("Show {user}"), "season": 1, "episode": user }))
        .collect();
    watched(files.path(), &properties);
    rig.process(files.path()).await;
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_can_wait_comes_from_a_job_at_half_the_price() {
    let rig = process(Vec::new()).await;

    let counted = |name| rig.count(name);
    assert_eq!(counted(metrics::CONTENTS_STORED), USERS as u64);
    assert_eq!(counted(metrics::QUESTIONS_IN_JOBS), USERS as u64);
    assert_eq!(counted(metrics::QUESTIONS_LEFT_BY_JOBS), 0);
    assert_eq!(counted(metrics::INPUT_TOKENS_OF_JOBS), counted(metrics::INPUT_TOKENS));
    assert_eq!(rig.pipeline.stand_in.as_ref().map(|stand_in| stand_in.calls()), Some(0));
    assert_eq!(rig.lost(), 0);
    let units = rig.pipeline.totals.billing.counted(&rig.counts()).of_events;
    assert_eq!(units.output_tokens * 2.0, counted(metrics::OUTPUT_TOKENS) as f64);
    let (status, content) = rig.look_up(&format!("user_id={}", watcher(7))).await;
    assert_eq!(status, 200);
    assert!(!content.to_string().contains("\"fallback\":true"), "{content}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_that_expires_leaves_is_asked_by_itself() {
    let rig = process(vec![Rule::from(Scenario::JobExpires)]).await;

    assert_eq!(rig.count(metrics::CONTENTS_STORED), USERS as u64);
    let left = rig.count(metrics::QUESTIONS_LEFT_BY_JOBS);
    assert_eq!(left, USERS as u64 / 2);
    assert_eq!(rig.pipeline.stand_in.as_ref().map(|stand_in| stand_in.calls()), Some(left));
    assert_eq!(rig.lost(), 0);
}
