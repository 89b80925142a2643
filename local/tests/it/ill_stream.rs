//! `ingest` before a stream that fails: for a while, for ever, or by not answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::config::retry::RetryConfig;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router, body::Bytes};
use contract::metrics;
use ingest::handler::DEADLINE_MARGIN;
use ingest::stream::Stream;
use local::aws::{BUCKET, STREAM};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::objects::{Bench, created, start};

/// What the stream does with a request.
#[derive(Debug, Clone, Copy)]
enum Does {
    Takes,
    Fails(u16, &'static str),
    /// It never answers.
    Hangs,
}

/// What the stream does with the nth request, from 0.
type Script = Box<dyn Fn(usize) -> Does + Send + Sync>;

struct Ill {
    script: Script,
    calls: AtomicUsize,
}

async fn put_records(State(ill): State<Arc<Ill>>, body: Bytes) -> Response {
    let call = ill.calls.fetch_add(1, Ordering::SeqCst);
    match (ill.script)(call) {
        Does::Takes => {
            let request: Value = serde_json::from_slice(&body).expect("is JSON");
            let taken = request["Records"].as_array().expect("has records").iter();
            let taken: Vec<Value> =
                taken.map(|_| json!({ "SequenceNumber": "1", "ShardId": "s" })).collect();
            Json(json!({ "FailedRecordCount": 0, "Records": taken })).into_response()
        }
        Does::Fails(status, code) => {
            let status = StatusCode::from_u16(status).expect("is a status");
            (status, Json(json!({ "__type": code, "message": "m" }))).into_response()
        }
        Does::Hangs => std::future::pending().await,
    }
}

/// `ingest` with a file to read and this stream; small groups, so that it needs many puts.
async fn before(script: Script) -> (Bench, Arc<Ill>) {
    let mut bench = start(64 * 1024).await;
    bench.upload("file.avro", 10_000, 4).await;
    let ill = Arc::new(Ill { script, calls: AtomicUsize::default() });
    let router = Router::new().route("/", post(put_records)).with_state(Arc::clone(&ill));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = bench.aws.kinesis.config().to_builder();
    let config = config
        .endpoint_url(format!("http://{address}"))
        // So that the calls are those that ingest makes.
        .retry_config(RetryConfig::disabled())
        .build();
    let client = aws_sdk_kinesis::Client::from_conf(config);
    bench.ingest.stream = Stream::new(client, STREAM.to_owned());
    (bench, ill)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fails_for_a_while_is_tried_until_it_takes_everything() {
    for (status, code) in [
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
        (400, "LimitExceededException"),
        (400, "KMSThrottlingException"),
        (400, "ProvisionedThroughputExceededException"),
    ] {
        let (bench, _) = before(Box::new(move |call| match call {
            1..4 => Does::Fails(status, code),
            _ => Does::Takes,
        }))
        .await;

        let report = bench.handle(&created(BUCKET, "file.avro"), Duration::from_secs(60)).await;

        assert!(report.response.batch_item_failures.is_empty(), "{code}: {:?}", report.errors);
        assert_eq!(report.counts.get(metrics::OBJECTS_READ), 1, "{code}");
        assert_eq!(report.counts.get(metrics::EVENTS_READ), 10_000, "{code}");
        assert!(report.counts.get(metrics::ENTRIES_RESENT) > 0, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stays_ill_leaves_the_rest_to_another_invocation_in_time() {
    let scripts: [Script; 2] = [
        Box::new(|call| if call < 3 { Does::Takes } else { Does::Fails(500, "InternalFailure") }),
        Box::new(|call| if call < 3 { Does::Takes } else { Does::Hangs }),
    ];
    for (n, script) in scripts.into_iter().enumerate() {
        let (mut bench, _) = before(script).await;
        let time = DEADLINE_MARGIN + Duration::from_secs(3);

        let report = bench.handle(&created(BUCKET, "file.avro"), time).await;

        assert!(report.response.batch_item_failures.is_empty(), "{n}: {:?}", report.errors);
        assert_eq!(report.counts.get(metrics::OBJECTS_CONTINUED), 1, "{n}");
        let rest = bench.notifications.try_recv().expect("the rest is in the queue");
        let rest: Value = serde_json::from_str(&rest).expect("is JSON");
        assert!(rest["continue"]["etag"].is_string(), "{n}: {rest}");
        assert!(rest["continue"]["from"]["offset_bytes"].as_u64() > Some(0), "{n}: {rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_repeat_mends_fails_at_once() {
    for (status, code) in [
        (400, "ResourceNotFoundException"),
        (400, "AccessDeniedException"),
        (400, "ValidationException"),
    ] {
        let (bench, ill) = before(Box::new(move |_| Does::Fails(status, code))).await;

        let report = bench.handle(&created(BUCKET, "file.avro"), Duration::from_secs(60)).await;

        assert_eq!(report.response.batch_item_failures.len(), 1, "{code}");
        assert_eq!(report.errors[0].to_string(), format!("records were refused: {code}"));
        assert_eq!(ill.calls.load(Ordering::SeqCst), 1, "{code}");
    }
}
