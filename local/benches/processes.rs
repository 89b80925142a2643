//! The quota in real time: eight processes of the processor's own program, as Lambda runs
//! it, on one table and one model; added to `target/bench/quota.json` as `processes`.
//!
//! The processes ask this one for invocations (Lambda's runtime interface), call the
//! embedded DynamoDB and the stand-in for Bedrock through the real SDK, and share the
//! quota through the table. The stand-in enforces the quota and keeps the books.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use contract::aggregation;
use contract::user_record::{Event, UserRecord, VERSION};
use local::aws::{COORDINATION_TABLE, EmbeddedAws, Options, Pace, TABLE};
use local::bedrock::{Behaviour, QuotaUse, StandIn};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PROCESSES: usize = 8;
const TOKENS_PER_MINUTE: u64 = 1_000_000;

/// The first minute is not counted.
const FIRST: Duration = Duration::from_secs(60);
const MEASURED: Duration = Duration::from_secs(120);

/// Users of an invocation, each with a prompt of their own, and how long it may last.
const USERS: u64 = 100;
const INVOCATION: Duration = Duration::from_secs(60);

/// What Lambda tells an invocation that nothing here looks at.
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:processor";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let measured = runtime.block_on(measure());
    println!("{measured:#}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/quota.json");
    let report = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut report: Value = report.unwrap_or_else(|| json!({}));
    report["processes"] = measured;
    let text = serde_json::to_string_pretty(&report).expect("is JSON");
    fs::write(&path, text).expect("is written");
}

async fn measure() -> Value {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let options =
        Options { shards: 1, enforce_limits: false, kept: false, faults: None, pace: Pace::Fast };
    let (aws, _notifications) =
        EmbeddedAws::start(folder.path(), &options, &tasks, &stop).await.expect("starts");
    let behaviour = Behaviour {
        tokens_per_minute: TOKENS_PER_MINUTE,
        latency: Duration::from_millis(500),
        latency_per_token: Duration::from_millis(8),
        ..Behaviour::default()
    };
    let stand_in = StandIn::start(behaviour, &tasks, &stop).await.expect("starts");
    let invocations = Arc::new(Invocations::default());
    let lambda = serve(&invocations, &tasks).await;
    let mut processes = Processes::start(&aws, &stand_in, lambda);

    sleep(FIRST).await;
    let before = stand_in.quota_use();
    sleep(MEASURED).await;
    let after = stand_in.quota_use();
    processes.check();
    drop(processes);
    stop.cancel();
    report(&before, &after, &invocations)
}

fn report(before: &QuotaUse, after: &QuotaUse, invocations: &Invocations) -> Value {
    let quota = TOKENS_PER_MINUTE as f64;
    let settled = (after.settled - before.settled) as f64;
    json!({
        "processes": PROCESSES,
        "tokens_per_minute": TOKENS_PER_MINUTE,
        "measured_secs_after_the_first_minute": MEASURED.as_secs(),
        "utilisation": settled / quota / (MEASURED.as_secs_f64() / 60.0),
        "fullest_window": after.fullest as f64 / quota,
        "throttled_ratio": after.refused as f64 / (after.admitted + after.refused) as f64,
        "calls": after.admitted,
        "invocations": invocations.begun.load(Ordering::Relaxed),
        "invocations_failed": invocations.failed.load(Ordering::Relaxed),
    })
}

/// What the processes are given to do.
#[derive(Debug, Default)]
struct Invocations {
    begun: AtomicU64,
    failed: AtomicU64,
}

/// Lambda's runtime interface, of which every process asks for its next invocation.
async fn serve(invocations: &Arc<Invocations>, tasks: &TaskTracker) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let base = "/2018-06-01/runtime";
    let router = Router::new()
        .route(&format!("{base}/invocation/next"), get(next))
        .route(&format!("{base}/invocation/{{id}}/response"), post(StatusCode::ACCEPTED))
        .route(&format!("{base}/invocation/{{id}}/error"), post(failed))
        .route(&format!("{base}/init/error"), post(failed))
        .with_state(Arc::clone(invocations));
    tasks.spawn(async move { axum::serve(listener, router).await.expect("serves") });
    address
}

async fn failed(State(invocations): State<Arc<Invocations>>, body: String) -> StatusCode {
    eprintln!("an invocation failed: {body}");
    invocations.failed.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn next(State(invocations): State<Arc<Invocations>>) -> impl IntoResponse {
    let number = invocations.begun.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("is later");
    let deadline = (now + INVOCATION).as_millis().to_string();
    let mut headers = HeaderMap::new();
    let mut header = |name: &'static str, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("is text"));
    };
    header("lambda-runtime-aws-request-id", &format!("{number}"));
    header("lambda-runtime-deadline-ms", &deadline);
    header("lambda-runtime-invoked-function-arn", ARN);
    (headers, Json(batch(number, now)))
}

/// Users that nobody has seen before, with a show each.
fn batch(number: u64, now: Duration) -> Value {
    let user_record = |user: u64| {
        let user = number * USERS + user;
        let fields = json!({
            "name": "episode_watched",
            "properties": { "show": format!("Show {user}"), "season": 2, "episode": 7 },
        });
        let Value::Object(fields) = fields else { unreachable!("is an object") };
        let time = i64::try_from(now.as_secs()).expect("is a time");
        let id = format!("00000000-0000-4000-8000-{user:012x}");
        UserRecord {
            v: VERSION,
            user_id: format!("{user:024x}"),
            event_type: "users.behaviors.CustomEvent".to_owned(),
            uploaded_at_ms: u64::try_from(now.as_millis()).expect("is a time"),
            redriven_at_ms: None,
            origin: String::new(),
            events: vec![Event { id, time, fields }],
        }
    };
    let members: Vec<aggregation::Member> = (0..USERS)
        .map(|user| {
            let record = user_record(user);
            let data = record.encode().into();
            aggregation::Member { partition_key: record.user_id, explicit_hash_key: None, data }
        })
        .collect();
    json!({ "Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "users",
            "sequenceNumber": number.to_string(),
            "data": BASE64_STANDARD.encode(aggregation::encode(&members)),
            "approximateArrivalTimestamp": now.as_secs(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ARN,
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }] })
}

/// The running processes; they end with this value.
struct Processes(Vec<Child>);

impl Processes {
    fn start(aws: &EmbeddedAws, stand_in: &StandIn, lambda: SocketAddr) -> Self {
        let program = program();
        // What they log is not looked at; what they die of is.
        let start = |_| {
            command(&program, aws, stand_in, lambda)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
        };
        Self((0..PROCESSES).map(start).collect())
    }

    /// None of them ended by itself.
    fn check(&mut self) {
        for process in &mut self.0 {
            assert!(process.try_wait().expect("can be asked").is_none(), "a process ended");
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in &mut self.0 {
            process.kill().and_then(|()| process.wait()).expect("ends");
        }
    }
}

/// The processor's program of the same build.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("has a name");
    let folder = own.ancestors().nth(2).expect("lies in the folder of a build");
    folder.join("processor")
}

fn command(program: &Path, aws: &EmbeddedAws, stand_in: &StandIn, lambda: SocketAddr) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let quotas = json!({ "*": { "tokens_per_minute": TOKENS_PER_MINUTE, "output_burndown": 5 } });
    let dynamodb = aws.dynamodb_config.endpoint_url().expect("has an address");
    let queue = &aws.dead_letter_queue_url;
    let sqs = queue.rsplitn(3, '/').nth(2).expect("is an address");
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", lambda.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "processor")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "processor")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "processor")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local-secret")
        .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)
        .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", format!("http://{}", stand_in.address))
        .env("AWS_ENDPOINT_URL_SQS", sqs)
        .env("CAMPAIGNS_DIR", root.join("campaign/tests/campaigns"))
        .env("CONTENT_TABLE", TABLE)
        .env("COORDINATION_TABLE", COORDINATION_TABLE)
        .env("DEAD_LETTER_QUEUE_URL", queue)
        .env("MODEL_QUOTAS", quotas.to_string())
        .env("MAX_INSTANCES", PROCESSES.to_string())
        .env("MAX_CONCURRENT_GENERATIONS", "32");
    command
}
