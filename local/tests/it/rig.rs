//! A running system with a few files, and what the files should come to.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use apache_avro::Reader;
use apache_avro::types::Value;
use campaign::message::{AnswersAtHand, ApiAnswer, Calls, Message, Recipient};
use contract::metrics::Counts;
use currents::generate::{Course, Plan, generate};
use currents::input::Input;
use currents::write::Compression;
use currents::write::sample::WATCHED;
use ingest::stream::packing::Format;
use local::aws;
use local::bedrock::Behaviour;
use local::event_source::Mapping;
use local::front;
use local::pipeline::{Credentials, Model, Options, Pipeline};
use local::summary::Summary;
use processor::store::Form;
use quota::{ModelQuota, ModelQuotas};
use tempfile::TempDir;

/// A running system; its state goes with it.
pub(crate) struct Rig {
    pub(crate) pipeline: Pipeline,
    pub(crate) folder: TempDir,
}

/// What a user's content must be written for.
pub(crate) struct Watched {
    pub(crate) show: String,
}

pub(crate) fn campaigns() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns")
}

/// Options that never wait for a quota and answer at once.
pub(crate) fn options() -> Options {
    Options {
        campaigns_dir: campaigns(),
        catalogs_dir: None,
        aws: aws::Options {
            shards: 2,
            enforce_limits: true,
            kept: false,
            faults: None,
            pace: aws::Pace::Fast,
        },
        bedrock: Model::StandIn(behaviour()),
        quotas: ModelQuotas::same(ModelQuota {
            output_burndown: NonZeroU32::new(5).expect("not zero"),
            ..ModelQuota::of_tokens(1_000_000_000)
        }),
        max_concurrent_generations: 32,
        stream_format: Format::Zstd,
        job_hour: Duration::from_secs(4),
        content_form: Form::Compact,
        mapping: Mapping::prompt(),
        credentials: Credentials::Asked,
        serves_only: false,
        program: env!("CARGO_BIN_EXE_local").into(),
    }
}

pub(crate) fn behaviour() -> Behaviour {
    Behaviour {
        tokens_per_minute: 1_000_000_000,
        latency: Duration::from_millis(1),
        latency_per_token: Duration::ZERO,
        ..Behaviour::default()
    }
}

/// The sample campaign with a change to each of its files.
pub(crate) fn changed_campaign(change: impl Fn(String) -> String) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let campaign = folder.path().join("new-episode");
    std::fs::create_dir(&campaign).expect("is created");
    for entry in std::fs::read_dir(campaigns().join("new-episode")).expect("is there") {
        let path = entry.expect("can be read").path();
        let name = path.file_name().expect("has a name").to_owned();
        let text = std::fs::read_to_string(&path).expect("is text");
        std::fs::write(campaign.join(name), change(text)).expect("is written");
    }
    folder
}

/// Id of the user of the nth event that [`watched`] writes.
pub(crate) fn watcher(n: usize) -> String {
    format!("{n:024}")
}

/// Writes CustomEvents of episodes that were watched, one for each user.
pub(crate) fn watched(folder: &Path, properties: &[serde_json::Value]) {
    let catalogue = currents::catalogue::Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema("users.behaviors.CustomEvent").expect("is in the catalogue");
    let mut rng = rand::SeedableRng::seed_from_u64(1);
    let events = properties.iter().enumerate().map(|(n, properties)| {
        let occasion =
            currents::write::sample::Occasion { user_id: watcher(n), time: 1_743_526_800 };
        let mut event = currents::write::sample::event(schema, &occasion, &mut rng);
        if let Value::Record(fields) = &mut event {
            for (name, value) in fields.iter_mut() {
                let text = match name.as_str() {
                    "name" => WATCHED.to_owned(),
                    "properties" => properties.to_string(),
                    _ => continue,
                };
                *value = Value::String(text);
            }
        }
        event
    });
    let bytes = currents::write::container(schema, Compression::Deflate, events);
    std::fs::write(folder.join("watched.avro"), bytes.expect("is written")).expect("is written");
}

/// Writes sample files into a folder of their own.
pub(crate) fn sample(events: u64, users: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (compression, course) = (Compression::Snappy, Course::default());
    let plan = Plan { events, users, seed: 42, compression, course };
    generate(&plan, folder.path(), |_| true).expect("sample is made");
    folder
}

impl Rig {
    pub(crate) async fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let listener = front::bind(0).await.expect("a port is free");
        let pipeline = Pipeline::start(folder.path(), options, listener).await.expect("starts");
        Self { pipeline, folder }
    }

    /// Uploads everything below `folder` and waits until it is processed.
    pub(crate) async fn process(&self, folder: &Path) {
        let input = Input::find(&[folder.to_owned()]).expect("holds Avro files");
        for file in &input.files {
            self.pipeline.upload(file).await.expect("is uploaded");
        }
        self.pipeline.drain().await;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.pipeline.totals.counts()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.counts().get(name)
    }

    pub(crate) fn lost(&self) -> u64 {
        let waits = self.pipeline.parked.waits();
        Summary::new(&self.pipeline.totals, waits, Duration::ZERO, "test").lost()
    }

    /// Looks a user up with a plain HTTP client.
    pub(crate) async fn look_up(&self, query: &str) -> (u16, serde_json::Value) {
        let url = format!("http://{}/?{query}", self.pipeline.address);
        let (user, password) = front::CREDENTIALS.split_once(':').expect("are two");
        let request = reqwest::Client::new().get(url).basic_auth(user, Some(password));
        let answer = request.send().await.expect("api answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("answer is JSON"))
    }

    /// Renders a message as Braze does, its subject line before it, with what the api says of
    /// these campaigns.
    pub(crate) async fn message(&self, text: &str, user_id: &str, campaigns: &[&str]) -> String {
        let mut answers = BTreeMap::new();
        for campaign in campaigns {
            let query = format!("user_id={user_id}&campaign={campaign}");
            let dynamodb = self.look_up(&query).await.1;
            let plain = self.look_up(&format!("{query}&format=plain")).await.1;
            answers.insert((*campaign).to_owned(), ApiAnswer { dynamodb, plain });
        }
        let message = Message { text: text.to_owned(), ..Message::default() };
        let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand(answers));
        let shown = message.render(&Recipient::new(user_id), &calls).expect("renders");
        let subject = shown.subject.map_or(String::new(), |subject| subject.text);
        format!("{subject}\n{}", shown.body.text)
    }
}

/// What every user watched last, read with another reader than the system's own;
/// users who were deleted afterwards are left out.
pub(crate) fn watched_last(folder: &Path) -> BTreeMap<String, Watched> {
    let mut last: BTreeMap<String, (i32, String, Watched)> = BTreeMap::new();
    let mut deleted: BTreeMap<String, i32> = BTreeMap::new();
    for file in Input::find(&[folder.to_owned()]).expect("holds Avro files").files {
        let reader = Reader::new(std::fs::File::open(&file.path).expect("is there"));
        for record in reader.expect("is a container") {
            let Value::Record(fields) = record.expect("is a record") else { continue };
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            let text = |name: &str| match fields.get(name) {
                Some(Value::String(text)) => text.clone(),
                _ => String::new(),
            };
            let Some(Value::Int(time)) = fields.get("time") else { continue };
            if file.key.contains("users.UserDeleteRequest") {
                let at = deleted.entry(text("user_id")).or_default();
                *at = (*at).max(*time);
            }
            if text("name") != WATCHED {
                continue;
            }
            let properties: serde_json::Value =
                serde_json::from_str(&text("properties")).expect("properties are JSON");
            let show = properties["show"].as_str().expect("has a show").to_owned();
            let newer = (*time, text("id"), Watched { show });
            let entry = last.entry(text("user_id"));
            entry
                .and_modify(|kept| {
                    if (kept.0, &kept.1) < (newer.0, &newer.1) {
                        *kept = (newer.0, newer.1.clone(), Watched { show: newer.2.show.clone() });
                    }
                })
                .or_insert(newer);
        }
    }
    let alive = last.into_iter().filter(|(user, (time, ..))| deleted.get(user) < Some(time));
    alive.map(|(user, (_, _, watched))| (user, watched)).collect()
}

/// Posts JSON, from a test that has no runtime of its own.
pub(crate) fn posted(url: &str, body: &serde_json::Value) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(async {
        let answer = reqwest::Client::new().post(url).json(body).send().await;
        answer.expect("is answered").text().await.expect("is text")
    })
}
