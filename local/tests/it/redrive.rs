//! Dead letters of a queue on AWS go back to the stream.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics;
use contract::user_record::{Event, UserRecord, VERSION};
use local::aws::{STREAM, config_for};
use local::redrive::sqs::{Queue, Redriven};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::rig::{Rig, options};

/// A queue that takes ReceiveMessage and DeleteMessage.
type Messages = Arc<Mutex<Vec<(String, String)>>>;

async fn sqs(
    State(messages): State<Messages>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Json<Value> {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut messages = messages.lock().expect("whole");
    match headers["x-amz-target"].to_str().unwrap_or_default() {
        "AmazonSQS.ReceiveMessage" => {
            let first = messages
                .iter()
                .take(2)
                .map(|(id, body)| json!({ "MessageId": id, "ReceiptHandle": id, "Body": body }));
            let reply = json!({ "Messages": first.collect::<Vec<_>>() });
            // What was received is shown last from now on.
            let shown = messages.len().min(2);
            messages.rotate_left(shown);
            Json(reply)
        }
        "AmazonSQS.DeleteMessage" => {
            messages.retain(|(id, _)| request["ReceiptHandle"] != id.as_str());
            Json(json!({}))
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_a_queue_go_back_to_the_stream_and_out_of_the_queue() {
    let rig = Rig::start(options()).await;
    let fields = json!({ "name": "episode_watched", "properties": { "show": "Harbour Lights", "season": 2, "episode": 7 } });
    let Value::Object(fields) = fields else { panic!("is an object") };
    let record = UserRecord {
        v: VERSION,
        user_id: "u1".to_owned(),
        event_type: "users.behaviors.CustomEvent".to_owned(),
        uploaded_at_ms: 0,
        redriven_at_ms: None,
        events: vec![Event { id: "e".to_owned(), time: 1_000, fields }],
    };
    let unit = |user_records| Input::Unit {
        campaign: "new-episode".to_owned(),
        user_id: "u1".to_owned(),
        event_id: "e".to_owned(),
        prompt_hash: None,
        user_records,
    };
    let letters = [
        DeadLetter::new("bad_answer", "d", unit(vec![record.clone()])).encode(),
        DeadLetter::new("other", "d", unit(vec![record])).encode(),
        DeadLetter::new("bad_answer", "too large", unit(Vec::new())).encode(),
        "no letter".to_owned(),
    ];
    let numbered = letters.into_iter().enumerate().map(|(n, body)| (format!("m{n}"), body));
    let messages: Messages = Arc::new(Mutex::new(numbered.collect()));
    let router = Router::new().fallback(post(sqs)).with_state(Arc::clone(&messages));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let queue = Queue {
        sqs: aws_sdk_sqs::Client::new(&config_for(address)),
        kinesis: rig.pipeline.aws.kinesis.clone(),
        queue_url: format!("http://{address}/1/letters"),
        stream: STREAM.to_owned(),
    };

    let redriven = queue.redrive(Some("bad_answer")).await.expect("is sent");
    rig.pipeline.drain().await;

    assert_eq!(redriven, Redriven { sent: 1, left: 3 });
    let mut left: Vec<String> =
        messages.lock().expect("whole").iter().map(|(id, _)| id.clone()).collect();
    left.sort();
    assert_eq!(left, ["m1", "m2", "m3"]);
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 1);
    let (_, answer) = rig.look_up("user_id=u1").await;
    assert!(answer["Item"]["source"].is_null());
    rig.pipeline.stop().await;
}
