//! The function as Lambda runs it: what arrives, what is answered, and what a failed start says.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::server::free_port;

const CAMPAIGNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../campaign/tests/campaigns");

/// A look-up as each front hands it over.
const FRONTS: [(&str, &str); 4] = [
    ("rest", include_str!("../fronts/rest.json")),
    ("http", include_str!("../fronts/http.json")),
    ("alb", include_str!("../fronts/alb.json")),
    ("url", include_str!("../fronts/url.json")),
];

/// Lambda's side of one function: an event to give, and who waits for the answer.
#[derive(Clone)]
struct Lambda {
    event: Arc<Mutex<Option<String>>>,
    answered: Arc<Mutex<Option<oneshot::Sender<String>>>>,
}

/// The function with all its settings, and nothing to ask on AWS.
fn function(campaigns: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command
        .env_clear()
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("CONTENT_TABLE", "content")
        .env("COORDINATION_TABLE", "coordination")
        .env("CREDENTIALS_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:s")
        .env("CAMPAIGNS_DIR", campaigns)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .kill_on_drop(true);
    command
}

/// What the function answers to one event.
async fn answer_to(event: &Value) -> Value {
    let (nobody, aws) = free_port().await;
    drop(nobody);
    let (listener, address) = free_port().await;
    let (sender, answered) = oneshot::channel();
    let lambda = Lambda {
        event: Arc::new(Mutex::new(Some(event.to_string()))),
        answered: Arc::new(Mutex::new(Some(sender))),
    };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .with_state(lambda);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let _function = function(Path::new(CAMPAIGNS))
        .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "api")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "api")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "api")
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    serde_json::from_str(&answered.await.expect("answers")).expect("is JSON")
}

async fn next(State(lambda): State<Lambda>) -> impl IntoResponse {
    let event = lambda.event.lock().expect("nobody panicked").take();
    let Some(event) = event else { std::future::pending().await };
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "9000000000000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:api"),
        ("content-type", "application/json"),
    ];
    (headers, event)
}

async fn response(State(lambda): State<Lambda>, body: String) {
    let answered = lambda.answered.lock().expect("nobody panicked").take();
    answered.expect("answers once").send(body).expect("is waited for");
}

/// A look-up as API Gateway's REST APIs hand it over.
fn event(path: &str, resource: &str, rest: Option<&str>, user_id: &str) -> Value {
    json!({
        "resource": resource, "path": path, "httpMethod": "GET",
        "headers": { "Host": "content.example.com", "Authorization": "Basic YnJhemU6eA==" },
        "multiValueHeaders": {
            "Host": ["content.example.com"], "Authorization": ["Basic YnJhemU6eA=="],
        },
        "queryStringParameters": { "user_id": user_id, "campaign": "new-episode" },
        "multiValueQueryStringParameters": { "user_id": [user_id], "campaign": ["new-episode"] },
        "pathParameters": rest.map(|rest| json!({ "proxy": rest })),
        "stageVariables": null, "body": null, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "content.example.com",
            "resourceId": "r", "resourcePath": resource, "httpMethod": "GET", "path": path,
            "stage": "v1", "protocol": "HTTP/1.1", "requestId": "i", "identity": {},
        },
    })
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("is text")).expect("is JSON")
}

#[tokio::test]
async fn a_base_path_of_a_domain_is_the_look_up() {
    let answer = answer_to(&event("/personal", "/", None, "a+b")).await;

    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(body(&answer)["Item"]["user_id"]["S"], "a+b", "{answer}");
}

#[tokio::test]
async fn a_look_up_is_answered_whatever_stands_before_the_function() {
    for (front, event) in FRONTS {
        let event: Value = serde_json::from_str(event).expect("is JSON");
        let answer = answer_to(&event).await;

        assert_eq!(answer["statusCode"], 200, "{front}: {answer}");
        // There is no table here, and so fallback content.
        assert_eq!(body(&answer)["Item"]["user_id"]["S"], "69296500c0ffee0000000001", "{front}");
        assert_eq!(answer["isBase64Encoded"], false, "{front}: a load balancer asks for it");
        let headers = [&answer["headers"], &answer["multiValueHeaders"]];
        let content_type = headers.iter().find_map(|headers| match &headers["content-type"] {
            Value::Array(values) => values[0].as_str(),
            one => one.as_str(),
        });
        assert_eq!(content_type, Some("application/json"), "{front}: {answer}");
    }
}

/// A load balancer hands a query over as it came; API Gateway's REST API decodes it, and leaves the
/// raw one out, where the other two have both.
#[tokio::test]
async fn an_id_that_has_to_be_encoded_is_the_same_behind_every_front() {
    const ID: &str = "a+b|c/=@:~";
    const ENCODED: &str = "a%2Bb%7Cc%2F%3D%40%3A%7E";
    for (front, event) in FRONTS {
        let mut event: Value = serde_json::from_str(event).expect("is JSON");
        let in_event = if front == "alb" { ENCODED } else { ID };
        event["queryStringParameters"]["user_id"] = json!(in_event);
        if !event["multiValueQueryStringParameters"].is_null() {
            event["multiValueQueryStringParameters"]["user_id"] = json!([in_event]);
        }
        if !event["rawQueryString"].is_null() {
            event["rawQueryString"] = json!(format!("user_id={ENCODED}&campaign=new-episode"));
        }

        let answer = answer_to(&event).await;

        assert_eq!(answer["statusCode"], 200, "{front}: {answer}");
        assert_eq!(body(&answer)["Item"]["user_id"]["S"], ID, "{front}");
    }
}

/// Load balancers make a 502 of an answer with `null` in it, or with a header that is no text.
#[tokio::test]
async fn what_a_load_balancer_is_answered_has_nothing_that_it_takes_for_malformed() {
    let event: Value = serde_json::from_str(FRONTS[2].1).expect("is JSON");
    let mut unknown = event.clone();
    unknown["path"] = json!("/nothing");

    for event in [event, unknown] {
        let answer = answer_to(&event).await;
        let fields = answer.as_object().expect("is an object");
        assert!(fields.values().all(|value| !value.is_null()), "{answer}");
        let headers = answer["headers"].as_object().expect("is an object");
        assert!(headers.values().all(Value::is_string), "{answer}");
        assert!(answer["body"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn a_path_behind_the_base_path_that_is_none_is_told_the_right_one() {
    let answer = answer_to(&event("/personal/v1/foo", "/{proxy+}", Some("v1/foo"), "u")).await;

    assert_eq!(answer["statusCode"], 404, "{answer}");
    let error = &body(&answer)["error"];
    assert_eq!(error["code"], "no_such_path");
    let message = error["message"].as_str().expect("is text");
    assert!(message.contains("GET /?user_id=") && message.contains("base path"), "{message}");
}

#[tokio::test]
async fn a_raw_plus_is_told_what_to_send_as_it_arrives_through_api_gateway() {
    let answer = answer_to(&event("/personal", "/", None, "a b")).await;

    assert_eq!(answer["statusCode"], 400, "{answer}");
    let message = body(&answer)["error"]["message"].to_string();
    assert!(message.contains("%2B"), "{message}");
}

/// The lines of a start that fails.
async fn lines_of(mut command: Command) -> Vec<Value> {
    let ended = command.output().await.expect("runs");

    assert!(!ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "nothing is said in plain text");
    let log = String::from_utf8(ended.stdout).expect("is text");
    log.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect()
}

/// Checks that a start that fails is one line of level ERROR that says all of this.
async fn fails_with(command: Command, said: &[&str]) {
    let lines = lines_of(command).await;

    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["level"], "ERROR");
    assert_eq!(lines[0]["fields"]["message"], "does not start");
    let error = lines[0]["fields"]["error"].as_str().expect("is text");
    for text in said {
        assert!(error.contains(text), "{text}: {error}");
    }
}

#[tokio::test]
async fn settings_that_are_missing_are_a_line_of_level_error_with_every_name() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command.env_clear().env("AWS_LAMBDA_LOG_FORMAT", "JSON");

    fails_with(command, &["invalid settings", "CONTENT_TABLE", "CREDENTIALS_SECRET_ARN"]).await;
}

#[tokio::test]
async fn settings_that_are_malformed_are_such_a_line_too() {
    let mut command = function(Path::new(CAMPAIGNS));
    command.env("CACHE_SECS", "soon").env("UNKNOWN_USER", "nobody");

    fails_with(command, &["invalid settings", "CACHE_SECS", "UNKNOWN_USER"]).await;
}

#[tokio::test]
async fn campaigns_that_cannot_be_used_are_such_a_line_too() {
    let nowhere = Path::new("/nowhere/campaigns");

    fails_with(function(nowhere), &["campaigns cannot be used", "/nowhere/campaigns"]).await;
}
