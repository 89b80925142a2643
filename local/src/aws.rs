//! The embedded AWS: servers on loopback that the real SDK clients talk to.
//!
//! Kinesis is `ferrokinesis`, DynamoDB is `dynoxide`, S3 is `s3s` over a folder; `queue`
//! tells of SQS. State lives in one folder.

mod dynamodb;
mod kinesis;
mod queue;
mod s3;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use clap::ValueEnum;
use contract::local::{ENDPOINTS_FILE, Endpoints};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::billing::Billing;
use crate::faults::{Faults, Service};
use crate::pace;
pub(crate) use kinesis::StreamContents;
pub(crate) use s3::{CreatedObject, serve_on as serve_s3};

pub use queue::{Queues, Waits, ask_queue_urls, dead_letters_so_far, read_dead_letters};

/// Bucket that Currents writes to.
pub const BUCKET: &str = "currents";
/// Bucket for files that are kept to be replayed; nobody processes what is in it.
pub const ARCHIVE: &str = "archive";
/// Bucket for the files of jobs.
pub const JOBS: &str = "jobs";
/// Stream of user records.
pub const STREAM: &str = "user-records";
/// Content table.
pub const TABLE: &str = "content";

/// Table in which the instances of the processor share answers and budgets.
pub const COORDINATION_TABLE: &str = "coordination";

/// Table of catalogs.
pub const CATALOG_TABLE: &str = "catalogs";

/// Credentials that the embedded S3 asks for.
pub const ACCESS_KEY: &str = "local";
/// The secret beside it, which is none: the servers listen on loopback only.
pub const SECRET_KEY: &str = "local-secret";

/// Region of the embedded AWS.
pub const REGION: &str = "us-east-1";

/// How the embedded AWS behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Shards of the stream.
    pub shards: i32,
    /// Refuse what is above a shard's limits, as AWS does.
    pub enforce_limits: bool,
    /// Whether another run finds the state. The embedded Kinesis then writes all that it
    /// holds with every request, and the embedded DynamoDB waits for the disk.
    pub kept: bool,
    /// What goes wrong, if anything may.
    pub faults: Option<Faults>,
    /// How long calls take.
    pub pace: Pace,
}

/// How long calls take, and how files come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// As fast as this machine.
    #[default]
    Fast,
    /// As on AWS: calls wait, and each file comes when the one before is done.
    Aws,
}

/// Clients for the embedded AWS.
#[derive(Debug, Clone)]
pub struct EmbeddedAws {
    /// Objects.
    pub s3: aws_sdk_s3::Client,
    /// The stream.
    pub kinesis: aws_sdk_kinesis::Client,
    /// What the stream holds.
    pub(crate) retained: StreamContents,
    /// Configuration whose endpoint is the embedded DynamoDB.
    pub dynamodb_config: SdkConfig,
    /// The tables, for the functions.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The tables, for those who look at what the functions did.
    pub uncounted_dynamodb: aws_sdk_dynamodb::Client,
    /// What the functions would be charged for.
    pub billing: Arc<Billing>,
    /// The queues.
    pub sqs: aws_sdk_sqs::Client,
    /// The queues, for those who open them and look into them.
    pub queues: Queues,
    /// Address of the dead-letter queue.
    pub dead_letter_queue_url: String,
    /// Address of the queue of notifications.
    pub notification_queue_url: String,
}

/// Tells whether a folder is one that a run kept.
pub(crate) fn holds_state(folder: &Path) -> bool {
    folder.join(dynamodb::FILE).is_file()
}

impl EmbeddedAws {
    /// Starts all servers with their state in `folder`; they stop with `stop`. Also
    /// returns the messages of the notification queue.
    pub async fn start(
        folder: &Path,
        options: &Options,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<String>)> {
        let (kinesis, retained) = kinesis::serve(folder, options, tasks, stop).await?;
        let dynamodb = dynamodb::serve(folder, options.kept, tasks, stop).await?;
        let s3 = s3::serve(folder, tasks, stop).await?;
        let (queues, notifications) = queue::serve(folder, options.kept, tasks, stop).await?;

        let slowed = |address, wait| match options.pace {
            Pace::Fast => config_for(address),
            Pace::Aws => pace::slowed(&config_for(address), wait),
        };
        let config = |address, service, wait| {
            let config = slowed(address, wait);
            let faults = options.faults.as_ref();
            faults.map_or(config.clone(), |faults| faults.through(&config, service))
        };
        let dynamodb_config = config(dynamodb, Service::DynamoDb, pace::DYNAMODB);
        let billing = Arc::new(Billing::default());
        let s3_config = aws_sdk_s3::config::Builder::from(&slowed(s3, pace::S3))
            .force_path_style(true)
            .interceptor(billing.interceptor());
        let sqs_config = aws_sdk_sqs::config::Builder::from(&slowed(queues.address(), pace::SQS))
            .interceptor(billing.interceptor());
        let embedded = Self {
            s3: aws_sdk_s3::Client::from_conf(s3_config.build()),
            kinesis: aws_sdk_kinesis::Client::new(&config(
                kinesis,
                Service::Kinesis,
                pace::KINESIS,
            )),
            retained,
            dynamodb: dynamodb::client(&dynamodb_config, Some(&billing)),
            uncounted_dynamodb: dynamodb::client(&dynamodb_config, None),
            dynamodb_config,
            sqs: aws_sdk_sqs::Client::from_conf(sqs_config.build()),
            billing,
            dead_letter_queue_url: queues.dead_letters_url(),
            notification_queue_url: queues.notifications_url(),
            queues,
        };
        for bucket in [BUCKET, ARCHIVE, JOBS] {
            s3::create_bucket(&embedded.s3, bucket).await?;
        }
        kinesis::create_stream(&embedded.kinesis, STREAM, options.shards).await?;
        dynamodb::create_tables(&embedded.uncounted_dynamodb).await?;
        if options.kept {
            tell(folder, dynamodb)?;
        }
        Ok((embedded, notifications))
    }
}

/// Tells `ops` where the tables are.
fn tell(folder: &Path, dynamodb: SocketAddr) -> anyhow::Result<()> {
    let (dynamodb, content_table) = (format!("http://{dynamodb}"), TABLE.to_owned());
    let endpoints = serde_json::to_string(&Endpoints { dynamodb, content_table })?;
    let path = folder.join(ENDPOINTS_FILE);
    std::fs::write(&path, endpoints).with_context(|| format!("writing {}", path.display()))
}

/// SDK configuration whose every call goes to `address`.
pub fn config_for(address: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(format!("http://{address}"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(aws_sdk_s3::config::SharedAsyncSleep::new(TokioSleep))
        .build()
}

/// Lets the SDK's time-outs follow tokio's clock.
#[derive(Debug)]
struct TokioSleep;

impl aws_sdk_s3::config::AsyncSleep for TokioSleep {
    fn sleep(&self, duration: std::time::Duration) -> aws_sdk_s3::config::Sleep {
        aws_sdk_s3::config::Sleep::new(tokio::time::sleep(duration))
    }
}

/// Binds a free port on loopback.
pub(crate) async fn free_port() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("binding a loopback port")?;
    let address = listener.local_addr().context("reading the bound port")?;
    Ok((listener, address))
}
