//! The whole system at a tenth of a million events, a million and ten, beside one Python
//! function; written to `target/bench/scale.json`. Takes a quarter of an hour.
//!
//! Every run is a process of its own: `local`, as `make run` builds it, with its state in a
//! temporary folder, a model that answers at once, and a quota that is not waited for. Files
//! are made beforehand and do not count; starting and stopping the process does. Users grow
//! with events. The Python function calls the same stand-in for Bedrock and the same embedded
//! DynamoDB, and does nothing else of what the system does.
//!
//! Arguments are other numbers of events: `make bench-scale EVENTS="20000 200000"`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod peer;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use currents::generate::{Course, Plan, generate};
use currents::write::Compression;
use serde_json::{Value, json};

use process::Usage;

/// Events of the runs, smallest first.
const EVENTS: [u64; 3] = [100_000, 1_000_000, 10_000_000];

/// Events of each user on average.
const EVENTS_PER_USER: u64 = 10;

/// Shards of the embedded stream, of 1 MiB a second each: more than two cores fill.
const SHARDS: u32 = 32;

/// Quota in tokens per minute, which no run comes near.
const TOKENS_PER_MINUTE: u64 = 100_000_000_000;

/// What ten times the events may take beyond ten times as long, and how many times as fast
/// as the Python function the system should be.
const LINEARITY_GOAL: f64 = 1.1;
const RATIO_GOAL: f64 = 20.0;

fn main() {
    let arguments: Vec<u64> =
        std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if arguments.is_empty() { EVENTS.to_vec() } else { arguments };
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).expect("is created");
    let runs: Vec<Value> = sizes.iter().map(|events| run(&folder, *events)).collect();
    let report = report(&runs, peer::measure(&folder));
    println!("{report:#}");
    let path = folder.join("scale.json");
    fs::write(&path, serde_json::to_vec_pretty(&report).expect("is JSON")).expect("is written");
    println!("written to {}", path.display());
}

fn report(runs: &[Value], python: Value) -> Value {
    let number = |of: &Value, name: &str| of[name].as_f64().expect("is a number");
    let last = runs.last().expect("is a run");
    // How much longer one takes where there are more of them.
    let linearity = |of: &str| {
        runs.iter().nth_back(1).map(|before| {
            let more = number(last, of) / number(before, of);
            number(last, "seconds") / number(before, "seconds") / more
        })
    };
    let ours = number(last, "events_per_second_end_to_end");
    let theirs = |name: &str| number(&python[name], "events_per_second");
    json!({
        "runs": runs,
        "linearity": linearity("events"),
        "linearity_by_contents": linearity("contents_stored"),
        "linearity_goal": LINEARITY_GOAL,
        "events_per_second_end_to_end": ours,
        "ratio_to_python": ours / theirs("every_event"),
        "ratio_to_python_goal": RATIO_GOAL,
        "ratio_to_python_that_calls_for_asking_events_only": ours / theirs("asking_events"),
        "python": python,
    })
}

/// Makes files, runs the system over them, and says what it took.
fn run(folder: &Path, events: u64) -> Value {
    let files = folder.join(format!("scale-{events}"));
    let bytes = make(&files, events);
    let mut command = Command::new(program());
    command
        .arg(&files)
        .args(["--exit-when-done", "--port", "0", "--latency-ms", "0"])
        .args(["--latency-per-token-us", "0", "--batch-window-ms", "100"])
        .args(["--parallelization-factor", "2", "--shards", &SHARDS.to_string()])
        .args(["--tokens-per-minute", &TOKENS_PER_MINUTE.to_string()])
        .arg("--campaigns")
        .arg(root().join("campaign/tests/campaigns"));
    let (usage, summary) = process::watch(command);
    fs::remove_dir_all(&files).expect("is removed");
    let run = described(events, bytes, &usage, &figures(&summary));
    eprintln!("{run}");
    run
}

fn described(events: u64, bytes: u64, usage: &Usage, figures: &BTreeMap<String, u64>) -> Value {
    let n = |name: &str| {
        *figures.get(name).unwrap_or_else(|| panic!("the summary has no line \"{name}\""))
    };
    assert_eq!(n("events read"), events, "every event was read");
    let quiet = n("skipped no trigger") + n("deletion");
    json!({
        "events": events,
        "users": events / EVENTS_PER_USER,
        "file_bytes": bytes,
        "seconds": usage.seconds,
        "cpu_seconds": usage.cpu_seconds,
        "events_per_second_end_to_end": events as f64 / usage.seconds,
        "peak_rss_mb": usage.peak_rss_mb,
        "events_asking_share": 1.0 - quiet as f64 / events as f64,
        "contents_stored": n("contents stored"),
        "generations": n("generations"),
        "dead_letters": n("dead letters"),
        "lost": n("lost"),
    })
}

/// Writes sample files as `make run` makes them.
fn make(files: &Path, events: u64) -> u64 {
    if files.exists() {
        fs::remove_dir_all(files).expect("is removed");
    }
    let users = events / EVENTS_PER_USER;
    let (compression, course) = (Compression::default(), Course::default());
    let plan = Plan { events, users, seed: 1, compression, course };
    generate(&plan, files, |_| true).expect("are made").bytes
}

/// The first number of every line of a summary.
fn figures(summary: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let at = line.find(|c: char| c.is_ascii_digit())?;
        let (name, rest) = line.split_at(at);
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((name.trim().to_owned(), digits.parse().ok()?))
    };
    // A name comes first with the figure of the whole.
    summary.lines().filter_map(line).rev().collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program of the same build.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_local"))
}
