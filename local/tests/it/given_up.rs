//! Batches that the event source gave up on AWS go back to the stream.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::metrics;
use contract::user_record::{Event, UserRecord, VERSION};
use ingest::stream::again::Stays;
use local::aws::config_for;
use ops::redrive::bucket::{Bucket, RedriveReport};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::redrive::target;
use crate::rig::{Rig, options};

/// Objects by their keys.
type Objects = Arc<Mutex<BTreeMap<String, String>>>;

/// A bucket that lists, reads and deletes.
async fn s3(State(objects): State<Objects>, request: Request) -> Response {
    let mut objects = objects.lock().expect("whole");
    let key = request.uri().path().trim_start_matches("/given-up").trim_start_matches('/');
    match (request.method(), key) {
        (&Method::GET, "") => {
            let contents = objects.iter().map(|(key, body)| {
                format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", body.len())
            });
            let contents: String = contents.collect();
            format!(
                "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
            )
            .into_response()
        }
        (&Method::GET, key) => objects[key].clone().into_response(),
        (&Method::DELETE, key) => {
            objects.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
        other => panic!("{other:?}"),
    }
}

/// What Lambda writes of a batch that it discards.
fn invocation_record(user_id: &str) -> Value {
    let fields = json!({ "name": "episode_watched", "properties": { "show": "Harbour Lights", "season": 2, "episode": 7 } });
    let Value::Object(fields) = fields else { panic!("is an object") };
    let record = UserRecord {
        v: VERSION,
        user_id: user_id.to_owned(),
        event_type: "users.behaviors.CustomEvent".to_owned(),
        uploaded_at_ms: 0,
        redriven_at_ms: None,
        origin: String::new(),
        events: vec![Event { id: user_id.to_owned(), time: 1_000, fields }],
    };
    json!({
        "requestContext": { "condition": "RetryAttemptsExhausted" },
        "KinesisBatchInfo": { "batchSize": 1 },
        "payload": { "Records": [{ "kinesis": {
            "partitionKey": "7", "sequenceNumber": "495", "data": BASE64.encode(record.encode()),
        } }] },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_were_given_up_go_back_to_the_stream_and_out_of_the_bucket() {
    let rig = Rig::start(options()).await;
    let as_json = invocation_record("u1");
    let mut as_text = invocation_record("u2");
    as_text["payload"] = Value::String(as_text["payload"].to_string());
    let objects: Objects = Arc::new(Mutex::new(BTreeMap::from([
        ("aws/lambda/a".to_owned(), as_json.to_string()),
        ("aws/lambda/b".to_owned(), as_text.to_string()),
        ("aws/lambda/c".to_owned(), "no record".to_owned()),
    ])));
    let router = Router::new().fallback(s3).with_state(Arc::clone(&objects));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let s3 = aws_sdk_s3::config::Builder::from(&config_for(address)).force_path_style(true);
    let bucket = Bucket {
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        target: target(&rig),
        name: "given-up".to_owned(),
        only_looks: true,
    };

    let looked = bucket.redrive().await.expect("is looked at");
    assert_eq!((looked.batches, looked.left.get(&Stays::Looked)), (0, Some(&2)));
    assert_eq!(objects.lock().expect("whole").len(), 3, "nothing was changed");
    let bucket = Bucket { only_looks: false, ..bucket };
    let redriven = bucket.redrive().await.expect("is sent");
    rig.pipeline.drain().await;

    let left_for = BTreeMap::from([(Stays::Unreadable, 1)]);
    assert_eq!(redriven, RedriveReport { batches: 2, records: 2, left: left_for });
    let left: Vec<String> = objects.lock().expect("whole").keys().cloned().collect();
    assert_eq!(left, ["aws/lambda/c"]);
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 2);
    rig.pipeline.stop().await;
}
