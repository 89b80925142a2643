//! Faults that are switched on while the system runs: everything is still accounted for.

use std::time::Duration;

use contract::metrics;
use local::faults::Faults;
use serde_json::{Value, json};

use crate::rig::{Rig, options, sample, watched_last};

async fn with_faults() -> Rig {
    let mut options = options();
    options.aws.faults = Some(Faults::default());
    // What a dropped invocation has begun is free again when its time is over.
    options.mapping.function_timeout = Duration::from_secs(15);
    Rig::start(options).await
}

fn url(rig: &Rig, path: &str) -> String {
    format!("http://{}/local/{path}", rig.pipeline.address)
}

async fn set(rig: &Rig, faults: &Value) -> u16 {
    let request = reqwest::Client::new().put(url(rig, "faults")).json(faults);
    request.send().await.expect("answers").status().as_u16()
}

async fn figures(rig: &Rig) -> Value {
    let answer = reqwest::get(url(rig, "metrics")).await.expect("answers");
    answer.json().await.expect("is JSON")
}

/// Processes a sample while `faults` are on, and expects all of it to have come out.
async fn survives(faults: Value, kind: &str) {
    let rig = with_faults().await;
    let files = sample(500, 40);
    let expected = watched_last(files.path());
    assert_eq!(set(&rig, &faults).await, 204);

    rig.process(files.path()).await;

    assert_eq!(set(&rig, &json!({})).await, 204);
    let figures = figures(&rig).await;
    assert!(figures["faults"]["injected"][kind].as_u64() > Some(0), "{figures}");
    assert_eq!((&figures["lost"], &figures["drained"]), (&json!(0), &json!(true)));
    assert_eq!(rig.count(metrics::DEAD_LETTERS), 0);
    for user_id in expected.keys() {
        let (_, answer) = rig.look_up(&format!("user_id={user_id}")).await;
        assert!(answer["Item"]["source"].is_null(), "{user_id} has no content");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_bedrock_refuses_fails_and_loses_answers() {
    let faults = json!({ "bedrock_throttle_every": 5, "bedrock_error_every": 7, "bedrock_timeout_every": 6 });

    survives(faults, "bedrock_timeout").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_stream_refuses() {
    survives(json!({ "kinesis_throttle_every": 2 }), "kinesis_throttle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_tables_fail_and_lose_answers() {
    survives(json!({ "dynamodb_error_every": 3 }), "dynamodb_error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_invocations_are_dropped_on_their_way() {
    survives(json!({ "kill_every": 4 }), "kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_after_the_clock_jumped_ahead_and_back() {
    let rig = with_faults().await;
    let files = sample(600, 60);
    let again = sample(601, 60);
    set(&rig, &json!({ "clock_skew_secs": 3 })).await;
    rig.process(files.path()).await;

    set(&rig, &json!({ "clock_skew_secs": 0 })).await;
    rig.process(again.path()).await;

    assert_eq!(figures(&rig).await["lost"], 0);
    assert_eq!(rig.count(metrics::DEAD_LETTERS), 0);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_that_do_not_exist_or_were_not_asked_for_are_refused() {
    let rig = with_faults().await;
    assert_eq!(set(&rig, &json!({ "bedrock_every": 5 })).await, 422);
    assert_eq!(set(&rig, &json!({ "clock_skew_secs": 100_000 })).await, 400);
    let foreign = reqwest::Client::new()
        .put(url(&rig, "faults"))
        .header("origin", "http://evil.example")
        .json(&json!({}));
    assert_eq!(foreign.send().await.expect("answers").status(), 403);
    let as_form = reqwest::Client::new().put(url(&rig, "faults")).body("kill_every=1");
    assert_eq!(as_form.send().await.expect("answers").status(), 415);
    rig.pipeline.stop().await;

    let without = Rig::start(options()).await;
    assert_eq!(set(&without, &json!({ "kill_every": 1 })).await, 404);
    without.pipeline.stop().await;
}
