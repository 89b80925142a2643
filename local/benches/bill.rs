//! What AWS would charge for a run, in several shapes; written to `target/bench/bill.json`, and what
//! was counted of the last to `ops/counted.json`, which `ops cost` takes months from.
//!
//! - `steady`: an hour's files, each of which comes when the one before is done.
//! - `burst`: ten times as many events in as many files, all at once.
//! - `zstd`: as `steady`, with stream records that are zstd frames.
//! - `compact`: as `steady`, with content items of the compact form.
//! - `send`: as `steady`, and look-ups of Braze as for a send to the users, of whom half have
//!   content.
//! - `least`: as `send`, with `zstd` and `compact`.
//!
//! Calls take as long as those of AWS do, and the model answers at once: how long it takes, and
//! how often it is asked, `ops cost` adds by itself.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bill::prices::Prices;
use bill::{Bill, Front};
use contract::units::Counted;
use currents::generate::{Course, Plan, generate, user_id};
use currents::input::{Input, InputFile};
use currents::write::Compression;
use futures::stream::{self, StreamExt as _};
use ingest::stream::packing::Format;
use local::aws::{self, Pace};
use local::bedrock::Behaviour;
use local::event_source::Mapping;
use local::front::{self, CREDENTIALS};
use local::pipeline::{Credentials, Model, Options, Pipeline};
use processor::store::Form;
use quota::{ModelQuota, ModelQuotas};
use serde_json::{Map, Value, json};

/// Events and users of an hour.
const EVENTS: u64 = 100_000;
const USERS: u64 = 10_000;

/// Decides the events.
const SEED: u64 = 1;

/// How many times as many events a burst has.
const BURST: u64 = 10;

/// Look-ups of a send, and how many are under way at a time.
const LOOK_UPS: u64 = 20_000;
const CONCURRENT_LOOK_UPS: usize = 4;

/// The shape whose counted run is kept.
const SEND: &str = "send";

fn main() {
    let prices = Prices::read(None).expect("is a price list");
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let mut report = Map::new();
    for (shape, events, look_ups, forms) in [
        ("burst", EVENTS * BURST, 0, (Format::Kpl, Form::Plain)),
        ("steady", EVENTS, 0, (Format::Kpl, Form::Plain)),
        ("zstd", EVENTS, 0, (Format::Zstd, Form::Plain)),
        ("compact", EVENTS, 0, (Format::Kpl, Form::Compact)),
        ("least", EVENTS, LOOK_UPS, (Format::Zstd, Form::Compact)),
        (SEND, EVENTS, LOOK_UPS, (Format::Kpl, Form::Plain)),
    ] {
        let counted = runtime.block_on(run(events, look_ups, forms));
        report.insert(shape.to_owned(), told(&counted, &prices));
        if shape == SEND {
            let counted = serde_json::to_string_pretty(&counted).expect("is JSON");
            fs::write(root().join("ops/counted.json"), format!("{counted}\n")).expect("is written");
        }
    }
    let report = Value::Object(report);
    println!("{report:#}");
    let path = root().join("target/bench/bill.json");
    fs::create_dir_all(path.parent().expect("has a folder")).expect("is made");
    fs::write(&path, format!("{report:#}\n")).expect("is written");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a shape, and says what was counted.
async fn run(events: u64, look_ups: u64, forms: (Format, Form)) -> Counted {
    let folder = tempfile::tempdir().expect("temporary folder");
    let files = sample(events, folder.path());
    let listener = front::bind(0).await.expect("binds");
    let pipeline = Pipeline::start(&folder.path().join("state"), options(forms), listener).await;
    let pipeline = pipeline.expect("starts");
    let at_once = if events > EVENTS { files.len() } else { 1 };
    for files in files.chunks(at_once) {
        let uploads = files.iter().map(|file| pipeline.upload(file));
        for uploaded in futures::future::join_all(uploads).await {
            uploaded.expect("is uploaded");
        }
        pipeline.drain().await;
    }
    look_up(&pipeline, look_ups).await;
    let counted = pipeline.totals.billing.counted(&pipeline.totals.counts());
    pipeline.stop().await;
    counted
}

fn sample(events: u64, folder: &Path) -> Vec<InputFile> {
    let plan = Plan {
        events,
        users: USERS * events / EVENTS,
        seed: SEED,
        compression: Compression::default(),
        course: Course::default(),
    };
    let into = folder.join("sample");
    fs::create_dir_all(folder.join("state")).expect("is made");
    generate(&plan, &into, |_| true).expect("is made");
    Input::find(&[into]).expect("is found").files
}

fn options((stream_format, content_form): (Format, Form)) -> Options {
    Options {
        campaigns_dir: root().join("campaigns"),
        catalogs_dir: Some(root().join("catalogs")),
        aws: aws::Options {
            shards: 4,
            enforce_limits: true,
            kept: false,
            faults: None,
            pace: Pace::Aws,
        },
        bedrock: Model::StandIn(Behaviour {
            tokens_per_minute: u64::MAX / 2,
            ..Behaviour::default()
        }),
        quotas: ModelQuotas::same(ModelQuota {
            output_burndown: NonZeroU32::new(5).expect("is not zero"),
            ..ModelQuota::of_tokens(1_000_000_000)
        }),
        max_concurrent_generations: 8 * 32,
        stream_format,
        job_hour: Duration::from_secs(10),
        content_form,
        mapping: Mapping::of_files(),
        credentials: Credentials::Asked,
        serves_only: false,
        program: "local".into(),
    }
}

/// Looks users up over HTTP, some at a time.
async fn look_up(pipeline: &Pipeline, look_ups: u64) {
    let client = reqwest::Client::new();
    let (user, password) = CREDENTIALS.split_once(':').expect("are two");
    let answers = stream::iter(0..look_ups).map(|n| {
        // Users of the sample, and as many of whom nothing is known.
        let user_id = user_id(SEED, n % (2 * USERS));
        let url = format!("http://{}/?user_id={user_id}&campaign=new-episode", pipeline.address);
        let call = client.get(url).basic_auth(user, Some(password));
        async move { call.send().await.expect("answers").status().as_u16() }
    });
    let statuses: Vec<u16> = answers.buffer_unordered(CONCURRENT_LOOK_UPS).collect().await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

fn told(counted: &Counted, prices: &Prices) -> Value {
    let bill = Bill::of(&counted.units(), Front::Rest, prices);
    let million = 1e6 / counted.events;
    let lines = bill.lines().map(|(name, usd)| (name.to_owned(), json!(usd * million)));
    json!({
        "usd_per_million_events": bill.total() * million,
        "usd_per_million_events_besides_bedrock": bill.besides_bedrock() * million,
        "lines": Map::from_iter(lines),
        "counted": counted,
    })
}
