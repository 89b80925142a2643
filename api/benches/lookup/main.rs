//! How fast and how small the api is, beside GetItem alone and beside a Python function.
//!
//! The table is embedded and runs on threads of its own; the handler, and the SDK alone, take
//! turns on the measuring thread, whose processor time counts. Starts are those of the function
//! as it is built for Lambda (`make bench` builds it first), from its execution to its first
//! request for work, with stand-ins for Lambda's runtime API and for Secrets Manager; so are
//! those of the Python function, under Lambda's own runtime for Python. The figures go to
//! `target/bench/api.json`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod embedded;
mod function;
#[path = "../../tests/it/server.rs"]
mod server;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use api::handler::{Api, Call, by_name};
use api::settings::UnknownUser;
use api::table::Table;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use contract::metrics::Counts;
use hdrhistogram::Histogram;
use http::{HeaderMap, Method, header};
use program::credentials::{Gate, Secret, ValidSecrets};
use program::telemetry::meter::Meter;
use registry::current::Current;
use serde_json::{Value, json};
use tokio::time::Instant;

use embedded::{CAMPAIGN, Embedded, TABLE, USERS, user};

/// Look-ups of a turn, and turns of each side; the first turn warms up and does not count.
const LOOKUPS: u64 = 500;
const TURNS: u64 = 41;

/// Look-ups of the Python function.
const PYTHON_LOOKUPS: u64 = 5_000;

/// Starts of each function; the one in the middle counts.
const STARTS: usize = 21;

/// The secret, and the credentials that Braze sends with it: `braze:s3cret`.
const PASSWORD: &str = "s3cret";
const BASIC: &str = "Basic YnJhemU6czNjcmV0";

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The servers, on threads of their own.
    let servers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("starts");
    let embedded = servers.block_on(Embedded::start(PASSWORD));
    let lookups = measured_thread(lookups(&embedded, &root));
    let writing = measured_thread(writing::compare(&embedded));
    let python = python_lookups(&root, &embedded);
    let binary = root.join("target/lambda/lambda/api");
    let size = fs::metadata(&binary).expect("`make bench` builds the function first").len();
    let ours = servers
        .block_on(function::median_start_ms(STARTS, &embedded, || function::rust(&binary, &root)));
    let theirs =
        servers.block_on(function::median_start_ms(STARTS, &embedded, || function::python(&root)));

    let per_cpu_second = |of: &Value| of["lookups_per_cpu_second"].as_f64().expect("number");
    let mut report = lookups;
    report["cold_start_ms"] = json!(ours);
    report["binary_mb"] = json!(size as f64 / 1e6);
    report["ratio_to_python_per_cpu_second"] =
        json!(per_cpu_second(&report) / per_cpu_second(&python));
    report["ratio_to_python_cold_start"] = json!(theirs / ours);
    report["python"] = python;
    report["python"]["cold_start_ms"] = json!(theirs);
    report["writing_of_an_answer"] = writing;
    println!("{report:#}");
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder).expect("is created");
    let path = folder.join("api.json");
    fs::write(&path, serde_json::to_vec_pretty(&report).expect("is JSON")).expect("is written");
    println!("written to {}", path.display());
}

/// Runs on this thread alone.
fn measured_thread<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("starts").block_on(future)
}

/// Latencies and processor time of one side.
struct Side {
    latencies_ns: Histogram<u64>,
    cpu_seconds: f64,
}

impl Side {
    fn new() -> Self {
        Self { latencies_ns: Histogram::new(3).expect("is valid"), cpu_seconds: 0.0 }
    }

    /// Takes a turn.
    async fn turn<F: Future<Output = ()>>(&mut self, turn: u64, look_up: impl Fn(u64) -> F) {
        let before = cpu_seconds();
        for n in turn * LOOKUPS..(turn + 1) * LOOKUPS {
            let start = Instant::now();
            look_up(n).await;
            let ns = u64::try_from(start.elapsed().as_nanos()).expect("is short");
            self.latencies_ns.record(ns).expect("is recorded");
        }
        self.cpu_seconds += cpu_seconds() - before;
    }

    fn us(&self, quantile: f64) -> f64 {
        self.latencies_ns.value_at_quantile(quantile) as f64 / 1e3
    }

    fn per_cpu_second(&self) -> f64 {
        self.latencies_ns.len() as f64 / self.cpu_seconds
    }
}

/// The handler and GetItem alone, in turns.
async fn lookups(embedded: &Embedded, root: &Path) -> Value {
    let config = embedded.config().await;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let secret = Secret { username: "braze".to_owned(), password: PASSWORD.to_owned() };
    let gate = Gate::Fixed(ValidSecrets::new(&[secret]));
    let table = Table::new(&config, TABLE.to_owned());
    let campaigns = campaign::read(&root.join("campaign/tests/campaigns")).expect("are valid");
    let api = Api::new(
        table,
        gate,
        None,
        Arc::new(Current::fixed(by_name(campaigns))),
        UnknownUser::Fallback,
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, BASIC.parse().expect("is a header"));
    let meter = Meter::new("api", "bench").gathering(Duration::from_secs(10));
    let (api, headers, client, meter) = (&api, &headers, &client, &meter);
    let handler = |n: u64| async move {
        let query = format!("user_id={}&campaign={CAMPAIGN}", user(n % USERS));
        let method = &Method::GET;
        let call = Call { method, path: "/", query: &query, headers, has_body: false };
        let mut counts = Counts::default();
        let answer = api.answer(&call, &mut counts).await;
        meter.done(&counts, || api.remarks());
        assert!(answer.body().starts_with("{\"Item\":{\"data\":{\"M\":{\"details\""));
    };
    let raw = |n: u64| async move {
        let item = client
            .get_item()
            .table_name(TABLE)
            .key(content::USER_ID, AttributeValue::S(user(n % USERS)))
            .key(content::ITEM, AttributeValue::S(content::item_key(CAMPAIGN)))
            .projection_expression("#data, #expires_at, #event_time, #retracted_at")
            .expression_attribute_names("#data", content::DATA)
            .expression_attribute_names("#expires_at", content::EXPIRES_AT)
            .expression_attribute_names("#event_time", content::EVENT_TIME)
            .expression_attribute_names("#retracted_at", content::RETRACTED_AT);
        assert!(item.send().await.expect("is read").item.is_some());
    };
    Side::new().turn(0, handler).await;
    Side::new().turn(0, raw).await;
    let (mut ours, mut alone) = (Side::new(), Side::new());
    for turn in 1..TURNS {
        ours.turn(turn, handler).await;
        alone.turn(turn, raw).await;
    }
    json!({
        "p50_us": ours.us(0.5),
        "p99_us": ours.us(0.99),
        "lookups_per_cpu_second": ours.per_cpu_second(),
        "ratio_to_raw_getitem_p99": ours.us(0.99) / alone.us(0.99),
        "raw_getitem": {
            "p50_us": alone.us(0.5),
            "p99_us": alone.us(0.99),
            "lookups_per_cpu_second": alone.per_cpu_second(),
        },
    })
}

/// The same look-ups by the Python function's handler.
fn python_lookups(root: &Path, embedded: &Embedded) -> Value {
    let ran = Command::new(python(root))
        .arg(root.join("api/peers/handler.py"))
        .args([PYTHON_LOOKUPS.to_string(), USERS.to_string()])
        .env_clear()
        .envs(embedded.environment())
        .output()
        .expect("`make bench` makes the Python environment");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("prints JSON")
}

/// The Python that `make bench` sets up.
fn python(root: &Path) -> PathBuf {
    root.join("target/python/bin/python")
}

/// Processor time of this thread.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let ns: f64 = stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("is a number");
    ns / 1e9
}
