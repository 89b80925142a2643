//! Starts functions as Lambda does, with a stand-in for its runtime API.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::BASIC;
use crate::embedded::{CAMPAIGN, Embedded, user};
use crate::server::free_port;

/// Longest time for a function to start and to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the stand-in saw of one function.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    asked_at: Option<Instant>,
    answered: Option<oneshot::Sender<Value>>,
}

/// The Rust function.
pub(crate) fn rust(binary: &Path, root: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env("CAMPAIGNS_DIR", root.join("campaign/tests/campaigns"));
    command
}

/// The Python function, under Lambda's runtime for Python.
pub(crate) fn python(root: &Path) -> Command {
    let mut command = Command::new(crate::python(root));
    command.args(["-m", "awslambdaric", "handler.handler"]).current_dir(root.join("api/peers"));
    command
}

/// Milliseconds from execution to the first request for work, in the middle of all starts.
pub(crate) async fn median_start_ms(
    starts: usize,
    embedded: &Embedded,
    command: impl Fn() -> Command,
) -> f64 {
    let mut all = Vec::new();
    for _ in 0..starts {
        all.push(start_ms(embedded, command()).await);
    }
    all.sort_unstable_by(f64::total_cmp);
    all[starts / 2]
}

async fn start_ms(embedded: &Embedded, mut command: Command) -> f64 {
    let (listener, address) = free_port().await;
    let seen = Seen::default();
    let (sender, answered) = oneshot::channel();
    seen.0.lock().expect("nobody panicked").answered = Some(sender);
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .with_state(seen.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = command.as_std().get_envs();
    let settings: Vec<_> =
        settings.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command
        .env_clear()
        .envs(settings)
        .envs(embedded.environment())
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "api")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "api")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "api")
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn().expect("starts");
    let answer = timeout(DEADLINE, answered).await.expect("answers in time").expect("answers");
    child.kill().await.expect("ends");
    serving.abort();
    // The function works: it looked content up for who sent the right credentials.
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let body = answer["body"].as_str().expect("is text");
    assert!(body.contains("Back to the harbour"), "{answer}");
    let asked_at = seen.0.lock().expect("nobody panicked").asked_at.expect("asked for work");
    (asked_at - began).as_secs_f64() * 1e3
}

/// Gives one event, and no other.
async fn next(State(seen): State<Seen>) -> impl IntoResponse {
    let is_first = {
        let mut seen = seen.0.lock().expect("nobody panicked");
        let is_first = seen.asked_at.is_none();
        seen.asked_at.get_or_insert_with(Instant::now);
        is_first
    };
    if !is_first {
        std::future::pending::<()>().await;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "9000000000000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:api"),
        ("content-type", "application/json"),
    ] {
        headers.insert(name, value.parse().expect("is a header"));
    }
    (headers, event().to_string())
}

async fn response(State(seen): State<Seen>, body: String) {
    let answered = seen.0.lock().expect("nobody panicked").answered.take();
    let answer = serde_json::from_str(&body).expect("is JSON");
    let _ = answered.expect("answers once").send(answer);
}

/// A look-up as API Gateway's HTTP APIs hand it over.
fn event() -> Value {
    let query = format!("user_id={}&campaign={CAMPAIGN}", user(1));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": query,
        "headers": { "authorization": BASIC, "host": "example.com" },
        "queryStringParameters": { "user_id": user(1), "campaign": CAMPAIGN },
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "example.com", "domainPrefix": "a",
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1",
                      "sourceIp": "192.0.2.1", "userAgent": "Braze Sender" },
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_u64
        },
        "isBase64Encoded": false
    })
}
