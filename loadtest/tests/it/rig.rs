//! A running system, and the program that puts load on it.

use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use contract::metrics;
use currents::generate::{Course, Plan, generate};
use currents::input::Input;
use currents::write::Compression;
use local::aws;
use local::bedrock::Behaviour;
use local::event_source::Mapping;
use local::front;
use local::pipeline::{Credentials, Model, Options, Pipeline};
use quota::{ModelQuota, ModelQuotas};
use tempfile::TempDir;

/// A running system; its state goes with it.
pub(crate) struct Rig {
    pub(crate) pipeline: Pipeline,
    _folder: TempDir,
}

/// Options that never wait for a quota and answer at once.
fn options() -> Options {
    const TOKENS_PER_MINUTE: u64 = 1_000_000_000;
    Options {
        campaigns_dir: Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns"),
        catalogs_dir: None,
        aws: aws::Options {
            shards: 2,
            enforce_limits: true,
            kept: false,
            faults: None,
            pace: aws::Pace::Fast,
        },
        bedrock: Model::StandIn(Behaviour {
            tokens_per_minute: TOKENS_PER_MINUTE,
            latency: Duration::from_millis(1),
            latency_per_token: Duration::ZERO,
            ..Behaviour::default()
        }),
        quotas: ModelQuotas::same(ModelQuota {
            output_burndown: NonZeroU32::new(5).expect("not zero"),
            ..ModelQuota::of_tokens(TOKENS_PER_MINUTE)
        }),
        max_concurrent_generations: 32,
        stream_format: Default::default(),
        job_hour: Duration::from_secs(4),
        content_form: Default::default(),
        mapping: Mapping::prompt(),
        credentials: Credentials::Asked,
        serves_only: false,
        // No message is rendered here.
        program: "local".into(),
    }
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
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let listener = front::bind(0).await.expect("a port is free");
        let pipeline = Pipeline::start(folder.path(), options(), listener).await.expect("starts");
        Self { pipeline, _folder: folder }
    }

    /// Uploads everything below `folder` and waits until it is processed.
    pub(crate) async fn process(&self, folder: &Path) {
        for file in &Input::find(&[folder.to_owned()]).expect("holds Avro files").files {
            self.pipeline.upload(file).await.expect("is uploaded");
        }
        self.pipeline.drain().await;
    }

    /// Users who have content.
    pub(crate) async fn users(&self) -> Vec<String> {
        let scan = self.pipeline.aws.dynamodb.scan().table_name(aws::TABLE);
        let items = scan
            .filter_expression("attribute_exists(#data)")
            .expression_attribute_names("#data", "data")
            .send()
            .await
            .expect("is read")
            .items
            .unwrap_or_default();
        items.iter().map(|item| item["user_id"].as_s().expect("is text").clone()).collect()
    }

    /// Opens the bucket for other processes, and says where.
    pub(crate) async fn open_bucket(&self) -> String {
        let listener = front::bind(0).await.expect("a port is free");
        let address = listener.local_addr().expect("is bound");
        self.pipeline.open_bucket(listener).expect("opens");
        format!("http://{address}")
    }

    pub(crate) fn events_read(&self) -> u64 {
        self.pipeline.totals.counts().get(metrics::EVENTS_READ)
    }

    /// Events that the processor received, or that nobody wants.
    pub(crate) fn events_received(&self) -> u64 {
        let counts = self.pipeline.totals.counts();
        counts.get(metrics::EVENTS_RECEIVED) + counts.get(metrics::EVENTS_UNWANTED)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.pipeline.address)
    }
}

/// Runs the program with this in its environment, while the system goes on.
pub(crate) async fn loadtest(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.env_clear().envs(environment.iter().copied()).args(arguments);
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.expect("ends").expect("program runs")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
