//! What the processor itself takes for a batch of ten thousand users, besides the model
//! and the SDK; written to `target/bench/processor.json`.
//!
//! The tables are in memory and the model answers at once, so what is measured is
//! decoding, decisions, prompts, hashes, validation and the bookkeeping between them,
//! with the tables' own copying in it.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use campaign::CompiledCampaign;
use catalog::cache::{CachedItems, DEFAULT_MAX_BYTES};
use catalog::table::Memory as Catalogs;
use contract::aggregation;
use contract::dead_letter::DeadLetter;
use contract::metrics::{self, Fate};
use contract::user_record::{Event, UserRecord, VERSION};
use processor::attributes::Profile;
use processor::coordination::{Coordination, Unshared};
use processor::dead_letters::{DeadLetterQueue, NotQueued};
use processor::eligibility::State;
use processor::handler::{Ports, Processor, models};
use processor::held::Held;
use processor::model::{Answer, Correction, ModelError, TextModel, Usage};
use processor::simulated::memory::Memory;
use processor::simulated::queues::Queues;
use processor::store::{ContentTable, Key, OfUser, ProfileWrite, TableError, Write, WriteResult};
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::simulated::memory::Memory as Lanes;
use quota::{Instance, ModelQuota, ModelQuotas, Quotas};
use registry::current::Current;
use serde_json::{Value, json};

/// Users of a batch.
const USERS: usize = 10_000;

/// Users whose user records share a stream record, as measured of `ingest`.
const USERS_OF_A_RECORD: usize = 33;

/// Different prompts where answers are shared.
const SHARED_PROMPTS: usize = 100;

/// Batches of each kind; the fastest counts.
const BATCHES: u64 = 5;

fn main() {
    if let Some(users) = std::env::args().skip_while(|arg| arg != "--peak").nth(1) {
        println!("{}", peak(users.parse().expect("is a number")));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let report = runtime.expect("starts").block_on(measure());
    println!("{report:#}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&path).expect("is created");
    fs::write(path.join("processor.json"), report.to_string()).expect("is written");
}

async fn measure() -> Value {
    let mut kinds = serde_json::Map::new();
    let mut best = |name: &str, cpu: Duration, calls: u64| {
        let us = cpu.as_secs_f64() * 1e6 / USERS as f64;
        let calls = calls as f64 / USERS as f64;
        let kind = kinds.entry(name).or_insert_with(|| json!({}));
        if kind["cpu_us_per_user_record"].as_f64().is_none_or(|before| us < before) {
            *kind = json!({ "cpu_us_per_user_record": us, "dynamodb_calls_per_user": calls });
        }
    };
    for round in 0..BATCHES {
        let tables = Arc::new(Memory::default());
        let processor = processor(tables.clone(), tables.clone());
        let run = async |events: &[KinesisEvent], fate: Fate, generations: Option<usize>| {
            let before = tables.tables().calls;
            let began = cpu();
            let mut counts = metrics::Counts::default();
            for event in events {
                counts.merge(&processor.handle(event.clone(), deadline()).await.counts);
            }
            let took = cpu() - began;
            assert_eq!(counts.get(fate.metric()), USERS as u64, "{}", counts.to_json());
            if let Some(generations) = generations {
                assert_eq!(counts.get(metrics::GENERATIONS), generations as u64);
            }
            (took, tables.tables().calls - before)
        };
        let first = batch(USERS, round * 10, |user| format!("Show {user}"));
        let (cpu, calls) = run(&first, Fate::Stored, Some(USERS)).await;
        best("cache_misses", cpu, calls);
        let (cpu, calls) = run(&first, Fate::Duplicate, Some(0)).await;
        best("repeats", cpu, calls);
        let warm = |user: usize| format!("Shared {}", user % SHARED_PROMPTS);
        run(&batch(USERS, round * 10 + 1, warm), Fate::Stored, Some(SHARED_PROMPTS)).await;
        let again = batch(USERS, round * 10 + 2, warm);
        let (cpu, calls) = run(&again, Fate::Stored, Some(0)).await;
        best("cache_hits", cpu, calls);
    }
    let grounded = of_catalogs().await;
    let (small, large) = (peak_of(USERS / 10), peak_of(USERS));
    json!({
        "users": USERS,
        "kinds": kinds,
        "with_catalogs": grounded,
        "peak_rss_mb": large,
        "peak_rss_mb_of_a_tenth": small,
        "kinesis_batch_mb": size_of_batch(USERS) as f64 / 1e6,
    })
}

/// The same users and answers that are known, for a prompt that speaks of an item, and for one
/// that says the same without a catalog; items are read through the cache, which is empty first.
async fn of_catalogs() -> Value {
    let mut measured = serde_json::Map::new();
    for (name, folder) in [("catalog", "benches/catalog"), ("no_catalog", "benches/plain")] {
        let mut best: Option<Value> = None;
        for round in 0..BATCHES {
            let tables = Arc::new(Memory::default());
            let processor = processor_of(folder, tables.clone(), tables.clone());
            let show = |user: usize| format!("shared-{}", user % SHARED_PROMPTS);
            let mut items_read = 0;
            let mut run = async |batch: Vec<KinesisEvent>| {
                let (before, began) = (tables.tables().calls, cpu());
                let mut counts = metrics::Counts::default();
                for event in batch {
                    counts.merge(&processor.handle(event, deadline()).await.counts);
                }
                let took = cpu() - began;
                assert_eq!(counts.get(Fate::Stored.metric()), USERS as u64, "{}", counts.to_json());
                items_read += counts.get(metrics::ITEMS_READ);
                (took, tables.tables().calls - before)
            };
            run(batch(USERS, round * 10 + 3, show)).await;
            let (took, calls) = run(batch(USERS, round * 10 + 4, show)).await;
            let us = took.as_secs_f64() * 1e6 / USERS as f64;
            // An item of up to 4 KiB is half a unit where a read may be a moment late.
            let of_round = json!({
                "cpu_us_per_user_record": us,
                "dynamodb_calls_per_user": calls as f64 / USERS as f64,
                "items_read": items_read,
                "read_units_of_items_per_user": items_read as f64 / 2.0 / (2 * USERS) as f64,
            });
            if best.as_ref().is_none_or(|best| best["cpu_us_per_user_record"].as_f64() > Some(us)) {
                best = Some(of_round);
            }
        }
        measured.insert(name.to_owned(), best.unwrap_or_default());
    }
    Value::Object(measured)
}

/// Peak memory of a process that handles one batch and keeps no table.
fn peak_of(users: usize) -> f64 {
    let own = std::env::current_exe().expect("has a name");
    let output = Command::new(own).arg("--peak").arg(users.to_string()).output().expect("runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("is a number")
}

fn peak(users: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("starts").block_on(async {
        let processor = processor(Arc::new(Sink), Arc::new(Unshared));
        for event in batch(users, 0, |user| format!("Show {user}")) {
            let report = processor.handle(event, deadline()).await;
            assert_eq!(report.counts.get(Fate::Stored.metric()), users as u64);
        }
    });
    let status = fs::read_to_string("/proc/self/status").expect("is there");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("is there");
    let kib: f64 = line.split_whitespace().nth(1).expect("has a size").parse().expect("a number");
    kib * 1_024.0 / 1e6
}

/// Processor time of this thread.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("is there");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("is a number"))
}

fn deadline() -> SystemTime {
    SystemTime::now() + Duration::from_secs(300)
}

fn processor(table: Arc<dyn ContentTable>, coordination: Arc<dyn Coordination>) -> Processor {
    processor_of("../campaign/tests/campaigns", table, coordination)
}

/// The catalog of as many shows as there are shared prompts, each of two kilobytes.
fn catalogs() -> Catalogs {
    let catalogs = Catalogs::default();
    for n in 0..SHARED_PROMPTS {
        let id = format!("shared-{n}");
        let item = json!({ "title": format!("Show {n}"), "synopsis": "abcdefghij".repeat(200) });
        catalogs.insert("shows", &id, item.as_object().cloned().expect("is an object"));
    }
    catalogs
}

fn processor_of(
    folder: &str,
    table: Arc<dyn ContentTable>,
    coordination: Arc<dyn Coordination>,
) -> Processor {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let campaigns = campaign::load(&folder).expect("campaigns are valid");
    let instance = Instance {
        table: Arc::new(Lanes::default()),
        instances: NonZeroU32::MIN,
        clock: Clock::System,
        jitter: Arc::default(),
    };
    // Nothing waits for so much.
    let quotas = ModelQuotas::same(ModelQuota::of_tokens(u64::MAX / 2));
    let ports = Ports {
        model: Arc::new(Instant),
        quotas: Quotas::new(&quotas, models(&campaigns), &instance).expect("any model"),
        table,
        items: CachedItems::new(Arc::new(catalogs()), DEFAULT_MAX_BYTES),
        coordination,
        dead_letters: Arc::new(Letters::default()),
        asks: Arc::new(Queues::default()),
        jobs: None,
    };
    let campaigns = Arc::new(Current::fixed(Held::of(campaigns)));
    Processor::new(campaigns, ports, 32, (Clock::System, Jitter::seeded(1)))
}

/// One invocation's worth: user records packed as `ingest` packs them.
fn batch(users: usize, round: u64, show: impl Fn(usize) -> String) -> Vec<KinesisEvent> {
    let time = 1_700_000_000 + i64::try_from(round).expect("is small");
    let members: Vec<aggregation::Member> = (0..users)
        .map(|user| {
            let fields = json!({
                "name": "episode_watched", "app_group_id": "5f1a2b3c4d5e6f7a8b9c0d1e",
                "platform": "ios", "timezone": "Europe/Vienna",
                "properties": {
                    "show": show(user), "season": 2, "episode": 7, "genre": "drama",
                    "language": "en", "minutes": 43,
                },
            });
            let Value::Object(fields) = fields else { unreachable!("is an object") };
            let id = format!("{round:08x}-0000-4000-8000-{user:012x}");
            let record = UserRecord {
                v: VERSION,
                user_id: format!("{user:024x}"),
                event_type: "users.behaviors.CustomEvent".to_owned(),
                uploaded_at_ms: 1_700_000_000_000,
                redriven_at_ms: None,
                origin: String::new(),
                events: vec![Event { id, time, fields }],
            };
            aggregation::Member {
                partition_key: record.user_id.clone(),
                explicit_hash_key: None,
                data: record.encode().into(),
            }
        })
        .collect();
    let mut event = KinesisEvent::default();
    for (number, members) in members.chunks(USERS_OF_A_RECORD).enumerate() {
        let mut record = KinesisEventRecord::default();
        record.kinesis.sequence_number = number.to_string();
        record.kinesis.data.0 = aggregation::encode(members);
        event.records.push(record);
    }
    vec![event]
}

fn size_of_batch(users: usize) -> usize {
    let records = batch(users, 0, |user| format!("Show {user}"));
    records.iter().flat_map(|event| &event.records).map(|record| record.kinesis.data.len()).sum()
}

/// A model that answers at once.
#[derive(Debug)]
struct Instant;

#[async_trait]
impl TextModel for Instant {
    async fn generate(
        &self,
        _: &CompiledCampaign,
        _: &str,
        _: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        let text = r#"{"emailTitle":"Your next episode is ready","heading":"Back to the harbour","details":{"cta":"Watch now","intro":"You left off at the seventh episode, and the eighth is waiting for you.","episodeDetails":"A storm is coming, and nobody knows who let the boats go."}}"#;
        let usage = Usage { input_tokens: 300, output_tokens: 90, ..Usage::default() };
        Ok(Answer { text: text.to_owned(), tool_use_id: None, usage })
    }
}

#[derive(Debug, Default)]
struct Letters(Mutex<Vec<DeadLetter>>);

#[async_trait]
impl DeadLetterQueue for Letters {
    async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued> {
        self.0.lock().expect("whole").push(letter.clone());
        Ok(())
    }
}

/// Tables that keep nothing.
#[derive(Debug)]
struct Sink;

#[async_trait]
impl ContentTable for Sink {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        Ok(keys.iter().map(|key| (key.clone(), State::default())).collect())
    }

    async fn write(&self, _: &Key, _: Option<u64>, _: &Write) -> Result<WriteResult, TableError> {
        Ok(WriteResult::Done)
    }

    async fn entomb(&self, _: &str, _: i64, _: i64) -> Result<(), TableError> {
        Ok(())
    }

    async fn profiles(&self, _: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        Ok(HashMap::new())
    }

    async fn write_profile(
        &self,
        _: &str,
        _: Option<u64>,
        _: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        Ok(WriteResult::Done)
    }

    async fn remove_profile(&self, _: &str, _: u64) -> Result<WriteResult, TableError> {
        Ok(WriteResult::Done)
    }

    async fn of_user(&self, _: &str) -> Result<OfUser, TableError> {
        Ok(OfUser::default())
    }

    async fn remove_asked(&self, _: &Key) -> Result<(), TableError> {
        Ok(())
    }

    async fn remove_unknown(&self, _: &str, _: &str, _: i64) -> Result<(), TableError> {
        Ok(())
    }

    async fn remove(&self, _: &Key, _: u64) -> Result<WriteResult, TableError> {
        Ok(WriteResult::Done)
    }

    async fn touch(&self, _: &Key, _: u64, _: u64) -> Result<WriteResult, TableError> {
        Ok(WriteResult::Done)
    }
}
