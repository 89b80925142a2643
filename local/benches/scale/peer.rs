//! The Python function, on the same stand-in for Bedrock and the same embedded DynamoDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use currents::input::Input;
use local::aws::{ACCESS_KEY, EmbeddedAws, Options, Pace, REGION, SECRET_KEY, TABLE};
use local::bedrock::{Behaviour, StandIn};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{TOKENS_PER_MINUTE, make, root};

/// Events that the function is given: some ten seconds of its time.
const EVENTS: u64 = 5_000;

/// What both ways of calling come to.
pub(crate) fn measure(folder: &Path) -> Value {
    let files = folder.join("scale-python");
    make(&files, EVENTS);
    let found = Input::find(std::slice::from_ref(&files)).expect("has files");
    let paths: Vec<PathBuf> = found.files.into_iter().map(|file| file.path).collect();
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let measured = runtime.block_on(async {
        let state = tempfile::tempdir().expect("temporary folder");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = Options {
            shards: 1,
            enforce_limits: false,
            kept: false,
            faults: None,
            pace: Pace::Fast,
        };
        let (aws, _notifications) =
            EmbeddedAws::start(state.path(), &options, &tasks, &stop).await.expect("starts");
        let behaviour = Behaviour {
            tokens_per_minute: TOKENS_PER_MINUTE,
            latency: Duration::ZERO,
            latency_per_token: Duration::ZERO,
            ..Behaviour::default()
        };
        let stand_in = StandIn::start(behaviour, &tasks, &stop).await.expect("starts");
        let run = async |which: &'static str| {
            let command = command(which, &paths, &aws, &stand_in);
            tokio::task::spawn_blocking(move || result(command)).await.expect("does not panic")
        };
        let measured =
            json!({ "every_event": run("all").await, "asking_events": run("asking").await });
        stop.cancel();
        measured
    });
    fs::remove_dir_all(&files).expect("is removed");
    measured
}

fn command(which: &str, paths: &[PathBuf], aws: &EmbeddedAws, stand_in: &StandIn) -> Command {
    let mut command = Command::new(root().join("target/python/bin/python"));
    let dynamodb = aws.dynamodb_config.endpoint_url().expect("has an address");
    command
        .arg(root().join("local/peers/lambda.py"))
        .arg(which)
        .args(paths)
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)
        .env("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", format!("http://{}", stand_in.address))
        .env("CONTENT_TABLE", TABLE);
    command
}

fn result(mut command: Command) -> Value {
    let ran = command.output().expect("`make bench` makes the Python environment");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut result: Value = serde_json::from_slice(&ran.stdout).expect("prints JSON");
    let events = result["events"].as_f64().expect("is a number");
    result["events_per_second"] = json!(events / result["seconds"].as_f64().expect("is a number"));
    result
}
