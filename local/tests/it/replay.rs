//! Files that lie in the bucket already are announced once more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::primitives::ByteStream;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser as _;
use contract::metrics;
use local::aws::{BUCKET, config_for};
use ops::arguments::{Arguments, Command};
use ops::replay::{Account, replay_in};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::rig::{Rig, options, sample, watched, watched_last, watcher};

const CUSTOM: &str = "users.behaviors.CustomEvent";

/// A queue that refuses every seventh message the first time, and is gone when it has so many.
#[derive(Debug, Default)]
struct Queue {
    taken: Vec<String>,
    refused: BTreeSet<String>,
    most: Option<usize>,
}

type Shared = Arc<Mutex<Queue>>;

async fn sqs(
    State(queue): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessageBatch");
    let request: Value = serde_json::from_slice(&body).expect("is JSON");
    let entries = request["Entries"].as_array().expect("are entries");
    assert!((1..=10).contains(&entries.len()));
    let mut queue = queue.lock().expect("whole");
    if queue.most.is_some_and(|most| queue.taken.len() >= most) {
        let gone = json!({ "__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "gone" });
        return (StatusCode::BAD_REQUEST, Json(gone));
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (n, entry) in entries.iter().enumerate() {
        let body = entry["MessageBody"].as_str().expect("is text").to_owned();
        if n == 6 && queue.refused.insert(body.clone()) {
            failed
                .push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
        } else {
            queue.taken.push(body);
            done.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "" }));
        }
    }
    (StatusCode::OK, Json(json!({ "Successful": done, "Failed": failed })))
}

/// Replays as a person does on the command line; returns what it came to, and what the queue
/// got.
async fn replayed(
    rig: &Rig,
    most: Option<usize>,
    more: &[&str],
) -> (anyhow::Result<ExitCode>, Vec<String>) {
    let queue = Arc::new(Mutex::new(Queue { most, ..Queue::default() }));
    let router = Router::new().fallback(post(sqs)).with_state(Arc::clone(&queue));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (place, url) = (format!("s3://{BUCKET}/currents-export"), format!("http://{address}/1/q"));
    let said = ["ops", "replay", &place, "--queue", &url, "--rate", "100000"];
    let said = said.iter().chain(more);
    let Command::Replay(arguments) = Arguments::try_parse_from(said).expect("is right").command
    else {
        panic!("is a replay")
    };
    let s3 = rig.pipeline.aws.s3.clone();
    let sqs = aws_sdk_sqs::Client::new(&config_for(address));
    let code = replay_in(&Account { s3, sqs }, &arguments).await;
    let taken = queue.lock().expect("whole").taken.clone();
    (code, taken)
}

/// All files of now.
const OF_NOW: [&str; 4] = ["--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&OF_NOW[..], more].concat()
}

/// Delivers what the queue got.
async fn deliver(rig: &Rig, messages: Vec<String>) {
    for message in messages {
        rig.pipeline.notify(&message).await;
    }
    rig.pipeline.drain().await;
}

async fn put(rig: &Rig, key: &str, file: &Path) {
    let body = ByteStream::from_path(file).await.expect("is there");
    let put = rig.pipeline.aws.s3.put_object().bucket(BUCKET).key(key).body(body);
    put.send().await.expect("is uploaded");
}

fn key_of(message: &str) -> String {
    let message: Value = serde_json::from_str(message).expect("is JSON");
    message["Records"][0]["s3"]["object"]["key"].as_str().expect("is text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_read_already_change_nothing() {
    let rig = Rig::start(options()).await;
    let files = sample(2_000, 150);
    rig.process(files.path()).await;
    let (generations, read) = (rig.count(metrics::GENERATIONS), rig.count(metrics::OBJECTS_READ));
    let users: Vec<String> = watched_last(files.path()).into_keys().collect();
    let mut before = Vec::new();
    for user_id in &users {
        before.push(rig.look_up(&format!("user_id={user_id}")).await);
    }

    let (code, none) = replayed(&rig, None, &with(&["--dry-run"])).await;
    assert_eq!((code.expect("is told"), none.len()), (ExitCode::SUCCESS, 0));
    let (code, messages) = replayed(&rig, None, &with(&["--yes"])).await;

    assert_eq!(code.expect("is done"), ExitCode::SUCCESS);
    assert_eq!(messages.len() as u64, read, "each once, also what was refused at first");
    deliver(&rig, messages).await;
    let unwanted = rig.count(metrics::EVENTS_UNWANTED);
    assert_eq!(rig.count(metrics::EVENTS_RECEIVED) + unwanted, 4_000);
    assert_eq!(rig.count(metrics::GENERATIONS), generations);
    for (user_id, before) in users.iter().zip(before) {
        assert_eq!(rig.look_up(&format!("user_id={user_id}")).await, before);
    }
    assert_eq!(rig.lost(), 0);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_never_announced_bring_their_content() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    watched(files.path(), &[json!({ "show": "Night Train", "season": 2, "episode": 7 })]);
    let file = files.path().join("watched.avro");
    let key = format!("currents-export/a b/event_type={CUSTOM}/date=2025-04-01-17/i+0+1.avro");
    put(&rig, &key, &file).await;
    put(&rig, "currents-export/event_type=users.behaviors.Purchase/i+0+1.avro", &file).await;
    put(&rig, "catalogs/shows/shows.csv", &file).await;

    let past = ["--from", "2020-01-01T00:00:00Z", "--to", "2020-01-02T00:00:00Z", "--yes"];
    assert!(replayed(&rig, None, &past).await.1.is_empty(), "none came then");
    let (code, messages) = replayed(&rig, None, &with(&["--types", CUSTOM, "--yes"])).await;

    assert_eq!((code.expect("is done"), messages.len()), (ExitCode::SUCCESS, 1));
    deliver(&rig, messages).await;
    let (_, answer) = rig.look_up(&format!("user_id={}", watcher(0))).await;
    assert!(answer["Item"]["source"].is_null(), "{answer}");
    assert_eq!((rig.count(metrics::OBJECTS_READ), rig.lost()), (1, 0));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_ended_early_goes_on_behind_the_key_that_it_names() {
    let rig = Rig::start(options()).await;
    let files = tempfile::tempdir().expect("temporary folder");
    watched(files.path(), &[json!({ "show": "Night Train", "season": 2, "episode": 7 })]);
    let file = files.path().join("watched.avro");
    let key = |n: usize| format!("currents-export/event_type={CUSTOM}/{n:02}.avro");
    for n in 0..25 {
        put(&rig, &key(n), &file).await;
    }

    let (code, first) = replayed(&rig, Some(10), &with(&["--yes"])).await;

    let told = format!("{:#}", code.expect_err("the queue is gone"));
    assert!(told.contains(&format!("10 notifications were sent; go on with --after '{}'", key(9))));
    let (code, rest) = replayed(&rig, None, &with(&["--yes", "--after", &key(9)])).await;
    assert_eq!(code.expect("is done"), ExitCode::SUCCESS);
    let keys: BTreeSet<String> = first.iter().chain(&rest).map(|each| key_of(each)).collect();
    assert_eq!((first.len(), rest.len(), keys.len()), (10, 15, 25));
    rig.pipeline.stop().await;
}
