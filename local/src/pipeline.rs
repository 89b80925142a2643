//! The three Lambdas, wired to the embedded AWS.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::handler::Api;
use api::settings::UnknownUser;
use api::table::Table;
use aws_sdk_s3::primitives::ByteStream;
use campaign::Campaign;
use catalog::cache::{CachedItems, DEFAULT_MAX_BYTES};
use contract::ask::QueueUrls;
use contract::wanted::Unmarked;
use currents::input::InputFile;
use currents::read::Reader;
use currents::read::container::DEFAULT_MAX_BLOCK_BYTES;
use ingest::decode::Decoder;
use ingest::grouping::MAX_GROUP_BYTES;
use ingest::handler::{Asked, Ingest};
use ingest::queue::Queue;
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use ingest::stream::Stream;
use ingest::stream::packing::Format;
use processor::asks;
use processor::coordination::SharedTable;
use processor::dead_letters::{DeadLetterQueue, Sqs};
use processor::handler::{Jobs, Ports, Processor, models};
use processor::held::{Access, Held};
use processor::jobs;
use processor::jobs::schedule::{HOUR_MS, Schedule};
use processor::model::Bedrock;
use processor::store::{DynamoDb, Form};
use program::causes;
use program::credentials::Gate;
use quota::clock::Clock;
use quota::jitter::Jitter;
use quota::{ModelQuotas, Quotas};
use registry::Registry;
use registry::current::{Current, NotLoaded};
use registry::folder::Folder;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authoring;
use crate::aws::{self, BUCKET, COORDINATION_TABLE, EmbeddedAws, JOBS, STREAM, TABLE};
use crate::bedrock::{Behaviour, StandIn};
use crate::catalogs;
use crate::event_source::Mapping;
use crate::event_source::asks::{Asks, VISIBILITY};
use crate::event_source::bucket::Notifications;
use crate::event_source::shards::{Shards, Wiring};
use crate::faults::{Faults, Service};
use crate::front;
use crate::metrics::Metrics;
use crate::page::Page;
use crate::page::recent::{Noting, Recent};
use crate::page::render::Renderer;
use crate::page::samples::Samples;
use crate::parked::Parked;
use crate::standstill::Standstill;
use crate::totals::{Totals, add, get};

/// How often the end of the work is looked for.
const DRAIN_INTERVAL: Duration = Duration::from_millis(50);

/// Longest wait for servers and tasks to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Objects of other processes that wait to be announced: as many as a billion events in files
/// of the usual size, so that, as on AWS, the one who puts them is not made to wait.
const MAX_UNANNOUNCED: usize = 65_536;

/// As whom the stand-in reads and writes the files of jobs, which asks for no role.
const ROLE_OF_JOBS: &str = "arn:aws:iam::000000000000:role/jobs";

/// How the pipeline is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of campaigns.
    pub campaigns_dir: PathBuf,
    /// Folder of catalogs, if there is one.
    pub catalogs_dir: Option<PathBuf>,
    /// The embedded AWS.
    pub aws: aws::Options,
    /// Who writes the text.
    pub bedrock: Model,
    /// What the account allows.
    pub quotas: ModelQuotas,
    /// Most calls of the model at a time.
    pub max_concurrent_generations: usize,
    /// The form of stream records.
    pub stream_format: Format,
    /// The form of content items.
    pub content_form: Form,
    /// How stream records become batches.
    pub mapping: Mapping,
    /// How long an hour of jobs is: nobody waits for a real one.
    pub job_hour: Duration,
    /// Whether the api asks for credentials.
    pub credentials: Credentials,
    /// Whether what is on the stream is left there, and only the api answers.
    pub serves_only: bool,
    /// The program `local`, which renders the page's messages in processes of their own.
    pub program: PathBuf,
}

/// Whether the api asks for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// For [`front::CREDENTIALS`].
    Asked,
    /// It answers everybody who reaches it.
    Off,
}

/// Who writes the text.
#[derive(Debug, Clone)]
pub enum Model {
    /// The stand-in in this process.
    StandIn(Behaviour),
    /// Amazon Bedrock, with the credentials of the environment.
    Aws,
}

/// The running system.
#[derive(Debug)]
pub struct Pipeline {
    /// The embedded AWS.
    pub aws: EmbeddedAws,
    /// What has happened so far.
    pub totals: Arc<Totals>,
    /// What is answered for.
    pub campaigns: Vec<Campaign>,
    /// Notices that nothing moves.
    pub standstill: Arc<Standstill>,
    /// The queues of asks.
    pub ask_queues: QueueUrls,
    /// What waits, and whether it is to be waited for.
    pub parked: Arc<Parked>,
    /// Where the api listens.
    pub address: SocketAddr,
    /// The stand-in for Bedrock, if one is used.
    pub stand_in: Option<StandIn>,
    folder: PathBuf,
    notifications: Notifications,
    shards: Shards,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What campaigns need, and nothing else, as ingest is deployed.
fn needed(folder: &Path) -> Result<Asked, NotLoaded> {
    Asked::read(folder, Unmarked::Stay)
}

fn follow<T>(
    folder: &Path,
    load: impl Fn(&Path) -> Result<T, NotLoaded> + Send + Sync + 'static,
) -> anyhow::Result<Current<T>> {
    let registry: Box<dyn Registry> = Box::new(Folder(folder.to_owned()));
    let current = Current::new(folder, Box::new(load), Some(registry), authoring::LOOK);
    current.map_err(|error| anyhow::anyhow!(error))
}

impl Pipeline {
    /// Starts everything, with its state in `folder` and the api on `listener`.
    pub async fn start(
        folder: &Path,
        options: Options,
        listener: TcpListener,
    ) -> anyhow::Result<Self> {
        let campaigns_dir = options.campaigns_dir;
        let compiled = campaign::load(&campaigns_dir)?;
        let campaigns: Vec<Campaign> = compiled.iter().map(|each| each.campaign.clone()).collect();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (aws, notifications) = EmbeddedAws::start(folder, &options.aws, &tasks, &stop).await?;
        let (bedrock_config, stand_in) = match options.bedrock {
            Model::StandIn(mut behaviour) => {
                behaviour.campaigns.clone_from(&compiled);
                let stand_in = StandIn::start(behaviour, &tasks, &stop).await?;
                (aws::config_for(stand_in.address), Some(stand_in))
            }
            Model::Aws => (program::aws::account(program::aws::environment()).await?, None),
        };
        let faults = options.aws.faults;
        let clock = faults.as_ref().map_or(Clock::System, Faults::clock);
        let bedrock_config = match &faults {
            Some(faults) => faults.through(&bedrock_config, Service::Bedrock),
            None => bedrock_config,
        };
        let queue_url = &aws.dead_letter_queue_url;
        let catalogs = catalogs::table(&aws.dynamodb);
        if let Some(folder) = &options.catalogs_dir {
            catalogs::import(folder, &catalogs).await?;
        }
        let catalogs = Arc::new(catalogs);
        let items = CachedItems::new(Arc::clone(&catalogs) as _, DEFAULT_MAX_BYTES);
        let of_page = items.clone();
        let ingest = Ingest {
            catalogs,
            s3: aws.s3.clone(),
            stream: Stream::new(aws.kinesis.clone(), STREAM.to_owned()),
            dead_letters: Queue::new(aws.sqs.clone(), queue_url.clone()),
            continuations: Some(Queue::new(aws.sqs.clone(), aws.notification_queue_url.clone())),
            campaigns: campaigns.iter().map(|each| each.name.clone()).collect(),
            published: Some(Arc::new(follow(&campaigns_dir, needed)?)),
            outdated: None,
            decoder: Decoder {
                reader: Reader {
                    wanted: Asked::of(&compiled).wanted,
                    max_block_bytes: DEFAULT_MAX_BLOCK_BYTES,
                },
                max_group_bytes: MAX_GROUP_BYTES,
                buckets: DEFAULT_STREAM_BUCKETS,
                format: options.stream_format,
            },
        };
        let lanes =
            quota::dynamodb::Lanes::new(aws.dynamodb.clone(), COORDINATION_TABLE.to_owned());
        let instance = quota::Instance {
            table: Arc::new(lanes),
            instances: NonZeroU32::MIN,
            clock,
            jitter: Arc::default(),
        };
        let quotas = Quotas::new(&options.quotas, models(&compiled), &instance)?;
        let model_ids: Vec<String> = models(&compiled).map(str::to_owned).collect();
        let ask_queues = aws.queues.open_asks(&model_ids, VISIBILITY)?;
        let recent = Arc::new(Recent::default());
        let table = DynamoDb::new(aws.dynamodb.clone(), TABLE.to_owned());
        let table = table.writing(options.content_form);
        let dead_letters: Arc<dyn DeadLetterQueue> =
            Arc::new(Sqs::new(aws.sqs.clone(), queue_url.clone()));
        let ports = Ports {
            model: Arc::new(Bedrock::new(&bedrock_config)),
            quotas,
            table: Arc::new(Noting { table, recent: Arc::clone(&recent) }),
            items,
            coordination: Arc::new(SharedTable::new(
                aws.dynamodb.clone(),
                COORDINATION_TABLE.to_owned(),
            )),
            dead_letters: Arc::clone(&dead_letters),
            asks: Arc::new(asks::Sqs::new(aws.sqs.clone(), ask_queues.clone())),
            jobs: stand_in.as_ref().map(|stand_in| {
                stand_in.open_jobs(aws.s3.clone());
                let bedrock = aws_sdk_bedrock::Client::new(&aws::config_for(stand_in.address));
                let place = (JOBS.to_owned(), ROLE_OF_JOBS.to_owned());
                let service = Arc::new(jobs::Bedrock::new(bedrock, aws.s3.clone(), place));
                let hour_ms = u64::try_from(options.job_hour.as_millis()).unwrap_or(HOUR_MS);
                Jobs { service, schedule: Schedule { hour_ms } }
            }),
        };
        let questions = options.max_concurrent_generations;
        let models = Some(model_ids.into_iter().collect());
        let access = Access { models, guardrails: None, has_jobs: stand_in.is_some() };
        let read = move |folder: &Path| Held::with_access(folder, &access);
        let held = Arc::new(follow(&campaigns_dir, read)?);
        let chance = (clock, Jitter::default());
        let processor = Processor::new(Arc::clone(&held), ports, questions, chance);
        let table = Table::new(&aws.billing.counts_reads(&aws.dynamodb_config), TABLE.to_owned());
        let gate = match options.credentials {
            Credentials::Asked => front::gate(),
            Credentials::Off => Gate::Open,
        };
        let of_api = Arc::new(follow(&campaigns_dir, api::handler::load)?);
        let api = Arc::new(Api::new(table, gate, None, of_api, UnknownUser::Fallback));
        let totals = Arc::new(Totals::beside(&aws.billing));
        let processor = Arc::new(processor);
        let (queues, of_asks) = (aws.queues.clone(), Arc::clone(&processor));
        let parked = Parked::new(queues, of_asks, Arc::clone(&totals), &compiled);
        let parked = Arc::new(parked);
        let standstill =
            Standstill::new(Arc::clone(&totals), Arc::clone(&processor), Arc::clone(&parked));
        let standstill = Arc::new(standstill);
        let metrics = Metrics::new(
            Arc::clone(&totals),
            stand_in.clone(),
            faults.clone(),
            Some((Arc::clone(&standstill), Arc::clone(&parked))),
        );
        let page = Page {
            samples: Samples::start(metrics.clone(), &tasks, &stop),
            metrics,
            faults: faults.clone(),
            api: Arc::clone(&api),
            dynamodb: aws.uncounted_dynamodb.clone(),
            items: of_page,
            campaigns: Arc::clone(&held),
            campaigns_dir: campaigns_dir.clone(),
            recent,
            renderer: Renderer::new(options.program),
        };

        let asks = Asks {
            processor: Arc::clone(&processor),
            queues: aws.queues.clone(),
            totals: Arc::clone(&totals),
            faults: faults.clone(),
        };
        let wiring = Wiring {
            kinesis: aws.kinesis.clone(),
            processor,
            dead_letters,
            mapping: options.mapping,
            totals: Arc::clone(&totals),
            faults,
            folder: folder.to_owned(),
            retained: aws.retained.clone(),
        };
        let shards = match options.serves_only {
            true => Shards::default(),
            false => {
                asks.start(&tasks, &stop);
                Shards::start(&wiring, &tasks, &stop).await?
            }
        };
        let of_posts = Arc::new(match options.credentials {
            Credentials::Asked => front::gate(),
            Credentials::Off => Gate::Open,
        });
        let posts = (Arc::new(ingest.clone()), of_posts);
        authoring::watch(campaigns_dir, held, &tasks, &stop);
        // What it took to set it up is no part of a run.
        aws.billing.restart();
        let notifications = Notifications::start(&ingest, notifications, &totals, &tasks, &stop);
        let address = front::serve(
            listener,
            (api, posts),
            Arc::clone(&totals),
            Arc::new(page),
            &tasks,
            &stop,
        )?;
        let folder = folder.to_owned();
        Ok(Self {
            aws,
            totals,
            campaigns,
            standstill,
            ask_queues,
            parked,
            address,
            stand_in,
            folder,
            notifications,
            shards,
            tasks,
            stop,
        })
    }

    /// Lets other processes put objects into the bucket, through `listener`; each is
    /// announced as S3 does it.
    pub fn open_bucket(&self, listener: TcpListener) -> anyhow::Result<()> {
        let (sender, mut created) = mpsc::channel(MAX_UNANNOUNCED);
        aws::serve_s3(listener, &self.folder, Some(sender), &self.tasks, &self.stop)?;
        let (totals, notifications) = (Arc::clone(&self.totals), self.notifications.clone());
        let announce = async move {
            while let Some(aws::CreatedObject { key, bytes }) = created.recv().await {
                add(&totals.uploaded, 1);
                totals.billing.put_object(bytes);
                add(&totals.notified, 1);
                notifications.object_created(&key, bytes).await;
            }
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled(announce).await });
        Ok(())
    }

    /// Uploads a file and announces it.
    pub async fn upload(&self, file: &InputFile) -> anyhow::Result<()> {
        let failed = || format!("uploading {}", file.path.display());
        let body = ByteStream::from_path(&file.path).await.with_context(failed)?;
        let bytes = body.size_hint().0;
        let put = self.aws.s3.put_object().bucket(BUCKET).key(&file.key).body(body);
        put.send().await.with_context(failed)?;
        add(&self.totals.uploaded, 1);
        self.totals.billing.put_object(bytes);
        add(&self.totals.notified, 1);
        self.notifications.object_created(&file.key, bytes).await;
        Ok(())
    }

    /// Announces an object once more; `false` if it cannot be found in the bucket.
    pub async fn announce(&self, key: &str) -> bool {
        let head = match self.aws.s3.head_object().bucket(BUCKET).key(key).send().await {
            Ok(head) => head,
            // The embedded S3 says of an object that is gone only that something failed.
            Err(error) => {
                tracing::warn!(key, error = causes::told(&error), "object was not found");
                return false;
            }
        };
        let bytes = u64::try_from(head.content_length().unwrap_or_default()).unwrap_or_default();
        add(&self.totals.uploaded, 1);
        add(&self.totals.notified, 1);
        self.notifications.object_created(key, bytes).await;
        true
    }

    /// Delivers a notification as it is.
    pub async fn notify(&self, body: &str) {
        add(&self.totals.notified, 1);
        self.notifications.message(body.to_owned()).await;
    }

    /// Waits until everything uploaded has been processed to its end, but for asks that wait
    /// for a time that is far off.
    pub async fn drain(&self) {
        loop {
            self.drain_stream().await;
            if self.parked.is_at_rest() {
                return;
            }
            sleep(DRAIN_INTERVAL).await;
        }
    }

    /// Begins to count at zero again; only while nothing is under way.
    pub fn restart_totals(&self) {
        self.totals.restart(self.parked.waits().sent);
    }

    /// Waits until the stream is empty, and nothing is on its way there.
    async fn drain_stream(&self) {
        while get(&self.totals.notifications_done) < get(&self.totals.notified) {
            sleep(DRAIN_INTERVAL).await;
        }
        let all_on_the_stream = Instant::now();
        while !self.shards.all_empty_since(all_on_the_stream)
            || get(&self.totals.records_done) < get(&self.totals.records_taken)
        {
            sleep(DRAIN_INTERVAL).await;
        }
    }

    /// Stops all servers and tasks.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STOP_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::debug!("some tasks did not end in time");
        }
    }
}
