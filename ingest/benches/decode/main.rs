//! How fast and how small `ingest` is, beside Python and beside decompression alone.
//!
//! Everything is measured in one run, in processor time of one thread, the best of
//! five; the figures are ratios and go to `target/bench/ingest.json`. Each file is
//! read by a process of its own, which runs this program with the file as argument.
//! `make bench` builds it as the function is built for Lambda.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

mod files;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::wanted::Wanted;
use currents::read::codec::Decompressor;
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Header, Position};
use currents::read::{Origin, Reader, Source};
use ingest::decode::{Decoder, Receiver};
use ingest::grouping::{Group, MAX_GROUP_BYTES};
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use ingest::stream::packing::Format;
use serde_json::{Value, json};

/// Times that each file is read; the fastest counts.
const ROUNDS: usize = 5;

/// Sizes of the objects whose memory is compared, in bytes.
const SMALL_OBJECT_BYTES: u64 = 20_000_000;
const LARGE_OBJECT_BYTES: u64 = 2_000_000_000;

/// What on-demand streams round each record up to, and provisioned ones.
const ON_DEMAND_UNIT_BYTES: usize = 1_024;
const PUT_PAYLOAD_UNIT_BYTES: usize = 25 * 1_024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["decode", path] => println!("{}", decode(Path::new(path), None)),
        ["decode", path, bytes] => {
            println!("{}", decode(Path::new(path), Some(bytes.parse().expect("is a number"))));
        }
        ["decompress", path] => println!("{}", decompress(Path::new(path))),
        [] => compare(),
        _ => panic!("takes no arguments"),
    }
}

/// Runs everything and writes the report.
fn compare() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("target/bench");
    let files = files::twelve(&folder.join("ingest"));
    let python = baseline(&root, &files);
    let mut report: BTreeMap<String, Value> = BTreeMap::new();
    println!("{:<34}{:>14}{:>12}{:>14}", "file", "events/CPU s", "x fastavro", "x decompress");
    for file in &files {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("has a name").to_owned();
        let ours = best(|| child(&["decode", text(file)]));
        let alone = best(|| child(&["decompress", text(file)]));
        let events = ours["events"].as_f64().expect("number");
        assert_eq!(ours["events"], python[file]["events"], "both read every event");
        let speed = events / cpu(&ours);
        let ratio = cpu(&python[file]) / cpu(&ours);
        // Nothing is decompressed in these, so there is nothing to compare with.
        let cost = (!name.ends_with("null")).then(|| cpu(&ours) / cpu(&alone));
        let shown = cost.map_or("-".to_owned(), |cost| format!("{cost:.2}"));
        println!("{name:<34}{speed:>14.0}{ratio:>12.1}{shown:>14}");
        report.insert(
            name,
            json!({
                "events_per_cpu_second": speed,
                "ratio_to_fastavro": ratio,
                "ratio_to_decompress": cost,
            }),
        );
    }
    let mean = |name: &str| {
        let values = report.values().filter_map(|file| file[name].as_f64());
        let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value.ln(), n + 1));
        (sum / f64::from(n)).exp()
    };
    let names = ["events_per_cpu_second", "ratio_to_fastavro", "ratio_to_decompress"];
    let mut all: BTreeMap<&str, Value> =
        names.iter().map(|name| (*name, json!(mean(name)))).collect();
    let large = files.iter().find(|file| text(file).ends_with("CustomEvent-snappy.avro"));
    let large = text(large.expect("is one of the twelve"));
    let peak = |bytes: u64| {
        child(&["decode", large, &bytes.to_string()])["peak_rss_mb"].as_f64().expect("number")
    };
    let (peak_small, peak_large) = (peak(SMALL_OBJECT_BYTES), peak(LARGE_OBJECT_BYTES));
    all.insert("peak_rss_mb_small", json!(peak_small));
    all.insert("peak_rss_mb_large", json!(peak_large));
    all.insert("aggregation", packing(&folder.join("replay")));
    all.insert("files", json!(report));
    println!(
        "geometric means: {:.1} x fastavro, {:.2} x decompression (of the nine compressed)",
        mean("ratio_to_fastavro"),
        mean("ratio_to_decompress")
    );
    println!("peak memory: {peak_small:.1} MB for 20 MB, {peak_large:.1} MB for 2 GB");
    println!("{:#}", all["aggregation"]);
    let path = folder.join("ingest.json");
    fs::write(&path, serde_json::to_vec_pretty(&all).expect("is JSON")).expect("is written");
    println!("written to {}", path.display());
}

fn text(path: &Path) -> &str {
    path.to_str().expect("path is UTF-8")
}

fn cpu(measured: &Value) -> f64 {
    measured["cpu_seconds"].as_f64().expect("number")
}

fn best(measure: impl Fn() -> Value) -> Value {
    let all = (0..ROUNDS).map(|_| measure());
    all.min_by(|one, other| cpu(one).total_cmp(&cpu(other))).expect("is measured")
}

/// Runs this program for one measurement.
fn child(arguments: &[&str]) -> Value {
    let program = std::env::current_exe().expect("is a program");
    let ran = Command::new(program).args(arguments).output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("prints JSON")
}

fn baseline(root: &Path, files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let ran = Command::new(root.join("target/python/bin/python"))
        .arg(root.join("ingest/peers/baseline.py"))
        .args(files)
        .output()
        .expect("`make bench` makes the Python environment");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = String::from_utf8(ran.stdout).expect("is text");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("is JSON"));
    lines.map(|line| (line["path"].as_str().expect("is a path").into(), line)).collect()
}

/// Counts what is handed out and drops it.
#[derive(Default)]
struct Counted {
    events: u64,
    user_records: u64,
    stream_records: u64,
    on_demand_units: usize,
    payload_units: usize,
    bytes: usize,
}

impl Receiver for Counted {
    fn take(&mut self, group: Group, _: Position) -> ControlFlow<()> {
        self.events += group.events;
        self.user_records += group.user_records;
        self.stream_records += group.records.len() as u64;
        for record in &group.records {
            self.bytes += record.data.len();
            self.on_demand_units += record.data.len().div_ceil(ON_DEMAND_UNIT_BYTES);
            self.payload_units += record.data.len().div_ceil(PUT_PAYLOAD_UNIT_BYTES);
        }
        ControlFlow::Continue(())
    }
}

fn decoder() -> Decoder {
    Decoder {
        reader: Reader { wanted: Wanted::default(), max_block_bytes: DEFAULT_MAX_BLOCK_BYTES },
        max_group_bytes: MAX_GROUP_BYTES,
        buckets: DEFAULT_STREAM_BUCKETS,
        format: Format::Zstd,
    }
}

fn origin() -> Origin {
    Origin { key: "bench.avro".to_owned(), uploaded_at_ms: 1_743_530_400_000 }
}

/// Object bytes to packed stream records; of `bytes` bytes, by repeating the file's blocks.
fn decode(path: &Path, bytes: Option<u64>) -> Value {
    let mut counted = Counted::default();
    let start = cpu_seconds();
    let open = || BufReader::with_capacity(256 * 1024, File::open(path).expect("is there"));
    let decoded = match bytes {
        None => decoder().decode(Source::Whole(open()), &origin(), &mut counted),
        Some(bytes) => {
            let header = Header::read(open(), &Wanted::default(), "").expect("has a header");
            let repeated =
                Repeated { path, at: header.end.offset_bytes, file: open(), left: bytes };
            decoder().decode(Source::Whole(repeated), &origin(), &mut counted)
        }
    };
    // A repeated file ends in the middle of a block.
    assert!(bytes.is_some() || decoded.is_ok(), "{decoded:?}");
    json!({
        "events": counted.events,
        "cpu_seconds": cpu_seconds() - start,
        "peak_rss_mb": peak_rss_mb(),
    })
}

/// A file whose blocks come again and again.
struct Repeated<'a> {
    path: &'a Path,
    at: u64,
    file: BufReader<File>,
    left: u64,
}

impl Read for Repeated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let mut read = self.file.read(buffer)?;
        if read == 0 {
            let mut file = File::open(self.path)?;
            file.seek(std::io::SeekFrom::Start(self.at))?;
            self.file = BufReader::with_capacity(256 * 1024, file);
            read = self.file.read(buffer)?;
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// Reads and decompresses every block, and does nothing with it.
fn decompress(path: &Path) -> Value {
    let start = cpu_seconds();
    let bytes = fs::read(path).expect("is there");
    let (codec, blocks) = files::blocks(&bytes);
    let mut decompressor = Decompressor::new(codec, DEFAULT_MAX_BLOCK_BYTES);
    let mut total = 0;
    for block in blocks {
        total += decompressor.decompress(block).expect("is valid").len();
    }
    json!({ "bytes": total, "cpu_seconds": cpu_seconds() - start })
}

/// A million events of a hundred thousand users: what packing them saves.
fn packing(folder: &Path) -> Value {
    let mut counted = Counted::default();
    let (mut single_units, mut single_payload_units) = (0, 0);
    for path in files::replay(folder) {
        let file = BufReader::new(File::open(path).expect("is there"));
        let mut one = Singles { counted: &mut counted, on_demand: 0, payload: 0 };
        decoder().decode(Source::Whole(file), &origin(), &mut one).expect("is undamaged");
        single_units += one.on_demand;
        single_payload_units += one.payload;
    }
    json!({
        "events": counted.events,
        "user_records": counted.user_records,
        "stream_records": counted.stream_records,
        "user_records_per_stream_record": counted.user_records as f64 / counted.stream_records as f64,
        "put_payload_units": counted.payload_units,
        "put_payload_units_without": single_payload_units,
        "on_demand_kib": counted.on_demand_units,
        "on_demand_kib_without": single_units,
    })
}

/// Also counts what every user record would take by itself.
struct Singles<'a> {
    counted: &'a mut Counted,
    on_demand: usize,
    payload: usize,
}

impl Receiver for Singles<'_> {
    fn take(&mut self, group: Group, resume: Position) -> ControlFlow<()> {
        for record in &group.records {
            for (data, _) in contract::user_record::unpack(record.data.clone().into()) {
                self.on_demand += data.len().div_ceil(ON_DEMAND_UNIT_BYTES);
                self.payload += data.len().div_ceil(PUT_PAYLOAD_UNIT_BYTES);
            }
        }
        self.counted.take(group, resume)
    }
}

/// Processor time of this process' only thread.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux has it");
    let ns: f64 = stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("is a number");
    ns / 1e9
}

fn peak_rss_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux has it");
    let kb: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("number");
    kb / 1_000.0
}
