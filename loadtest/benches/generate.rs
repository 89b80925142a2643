//! How fast files are made on one core, beside Python's fastavro, which only encodes events
//! that it has; written to `target/bench/generate.json`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use currents::generate::traffic::Traffic;
use currents::generate::{Course, Plan, Sink, SinkError, generate, generate_into};
use currents::write::Compression;
use serde_json::{Value, json};
use tokio::time::Instant;

const EVENTS: u64 = 1_000_000;
const USERS: u64 = 100_000;

/// Events that Python encodes: some seconds of its time.
const PYTHON_EVENTS: u64 = 100_000;

/// The best of so many runs counts: what is slower was disturbed.
const RUNS: usize = 3;

/// Events a second that one core should make.
const GOAL: f64 = 400_000.0;

/// Takes files and forgets them.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _key: &str, _bytes: Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}

fn main() {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder).expect("is created");
    let rows: Vec<Value> = [Traffic::default(), Traffic::All]
        .iter()
        .flat_map(|traffic| [Compression::Deflate, Compression::Null].map(|codec| (traffic, codec)))
        .map(|(traffic, codec)| row(traffic, codec))
        .collect();
    let python = python(&folder);
    let ours = rows[0]["events_per_second"].as_f64().expect("is a number");
    let slowest = rows.iter().filter_map(|row| row["events_per_second"].as_f64());
    let report = json!({
        "rows": rows,
        "slowest_events_per_second": slowest.fold(f64::INFINITY, f64::min),
        "events_per_second_goal": GOAL,
        "python": python,
        "ratio_to_fastavro": ours / python["events_per_second"].as_f64().expect("is a number"),
    });
    println!("{report:#}");
    let path = folder.join("generate.json");
    fs::write(&path, serde_json::to_vec_pretty(&report).expect("is JSON")).expect("is written");
    println!("written to {}", path.display());
}

fn row(traffic: &Traffic, compression: Compression) -> Value {
    let plan = plan(EVENTS, traffic.clone(), compression);
    let runs = (0..RUNS).map(|_| {
        let began = Instant::now();
        let generated = generate_into(&plan, &mut Nowhere, |_| true).expect("is made");
        assert_eq!(generated.events, EVENTS, "every event was made");
        (began.elapsed().as_secs_f64(), generated.bytes)
    });
    let (seconds, bytes) = runs.min_by(|a, b| a.0.total_cmp(&b.0)).expect("ran");
    let row = json!({
        "traffic": if matches!(traffic, Traffic::All) { "all 94 types" } else { "six types" },
        "codec": format!("{compression:?}").to_lowercase(),
        "events_per_second": EVENTS as f64 / seconds,
        "bytes_per_event": bytes as f64 / EVENTS as f64,
    });
    eprintln!("{row}");
    row
}

fn python(folder: &Path) -> Value {
    let files = folder.join("generate-python");
    let plan = plan(PYTHON_EVENTS, Traffic::default(), Compression::Deflate);
    let generated = generate(&plan, &files, |_| true).expect("is made");
    let ran = Command::new(root().join("target/python/bin/python"))
        .arg(root().join("loadtest/peers/write.py"))
        .args(generated.keys.iter().map(|key| files.join(key)))
        .output()
        .expect("`make bench` makes the Python environment");
    fs::remove_dir_all(&files).expect("is removed");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let result: Value = serde_json::from_slice(&ran.stdout).expect("prints JSON");
    assert_eq!(result["events"], PYTHON_EVENTS, "it wrote every event");
    result
}

fn plan(events: u64, traffic: Traffic, compression: Compression) -> Plan {
    let course = Course { traffic, ..Course::default() };
    Plan { events, users: USERS, seed: 1, compression, course }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
