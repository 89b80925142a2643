//! One invocation: notifications in, the messages to deliver again out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use campaign::CompiledCampaign;
use catalog::table::{ImportTable, TableError};
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use contract::wanted::{Unmarked, Wanted};
use program::credentials::managed::ManagedSecrets;
use program::credentials::secrets_manager::SecretsManager;
use program::credentials::{Gate, ValidSecrets};
use program::telemetry::meter::Remarks;
use registry::current::{Current, NotLoaded, Outdated};
use serde_json::Value;
use tokio::time::Instant;

pub use crate::deadline::DEADLINE_MARGIN;
use crate::deadline::Deadline;
use crate::decode::Decoder;
use crate::grouping::MAX_GROUP_BYTES;
use crate::object::OpenError;
use crate::posts::Posts;
use crate::queue::{NotQueued, Queue};
use crate::settings::Settings;
use crate::stream::{PutError, Stream};
use crate::trigger::{Continuation, Notification, ObjectRef, RefusedPart, Trigger, UnknownTrigger};
use currents::read::Reader;
use currents::read::container::ReadError;

/// Longest single attempt at a call of S3, Kinesis or SQS: 5 MiB take well under a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest call, the SDK's own retries included; the SDK by itself sets no limit.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Most objects that the line about an invocation names.
const MAX_NAMED: usize = 10;

/// Everything an invocation needs, built once per instance.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Reads the objects.
    pub s3: aws_sdk_s3::Client,
    /// Receives the user records.
    pub stream: Stream,
    /// Receives what could not be read.
    pub dead_letters: Queue,
    /// Receives the rest of objects that take longer than an invocation.
    pub continuations: Option<Queue>,
    /// Reads the objects' bytes.
    pub decoder: Decoder,
    /// Names of the campaigns, whose content webhooks may ask for.
    pub campaigns: Vec<String>,
    /// Receives the catalogs' items.
    pub catalogs: Arc<dyn ImportTable>,
    /// The campaigns as they are published, which [`Ingest::now`] takes over.
    pub published: Option<Arc<Current<Asked>>>,
    /// Set where nobody can tell any more what campaigns want: what they do not want is dropped for
    /// good, so nothing is taken then.
    pub outdated: Option<Outdated>,
}

/// What campaigns want of what comes.
#[derive(Debug)]
pub struct Asked {
    names: Vec<String>,
    /// What may pass of what comes.
    pub wanted: Wanted,
}

impl Asked {
    /// That of these campaigns.
    pub fn of(campaigns: &[Arc<CompiledCampaign>]) -> Self {
        Self {
            names: campaigns.iter().map(|each| each.campaign.name.clone()).collect(),
            wanted: Wanted {
                event_types: campaign::wanted_event_types(campaigns),
                ..campaign::wanted_fields(campaigns)
            },
        }
    }

    /// That of a folder's campaigns; fields that none of them names pass or stay.
    pub fn read(folder: &Path, unmarked: Unmarked) -> Result<Self, NotLoaded> {
        let mut asked = Self::of(&campaign::load(folder)?);
        asked.wanted.unmarked = unmarked;
        Ok(asked)
    }
}

/// What an invocation did.
#[derive(Debug, Default)]
pub struct Report {
    /// The messages that the queue must deliver again.
    pub response: SqsBatchResponse,
    /// What was counted.
    pub counts: Counts,
    /// Why messages were not delivered.
    pub errors: Vec<IngestError>,
    /// Keys of the objects that it was told of, ten at most.
    pub objects: Vec<String>,
    /// Whether the event as a whole must come again.
    failed: bool,
}

/// Why an object was not delivered: it must come again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The event does not say which objects to read.
    #[error(transparent)]
    Trigger(#[from] UnknownTrigger),
    /// What campaigns want is not known.
    #[error("nothing is read while it is not known what is published")]
    Outdated(#[source] Outdated),
    /// The object could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The object stopped coming.
    #[error("object could not be read to its end")]
    Read(#[source] ReadError),
    /// The invocation's time ran out while the object was being read.
    #[error("out of time while the object was being read")]
    OutOfTime,
    /// The stream did not take all user records.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The table of catalogs did not take all of a file.
    #[error("catalog was not imported")]
    Catalog(#[source] TableError),
    /// A queue did not take a message.
    #[error(transparent)]
    NotQueued(#[from] NotQueued),
}

impl Report {
    fn name(&mut self, notification: &Notification) {
        let room = MAX_NAMED.saturating_sub(self.objects.len());
        let keys = notification.objects.iter().take(room).map(|object| object.key.clone());
        self.objects.extend(keys);
    }

    fn returned(&mut self, error: IngestError) {
        tracing::warn!(error = &error as &dyn std::error::Error, "not delivered");
        self.counts.add(metrics::NOTIFICATIONS_RETURNED, 1);
        self.errors.push(error);
    }

    /// What is answered to Lambda: the messages that must come again, or why all of it must.
    pub fn into_answer(mut self) -> Result<SqsBatchResponse, IngestError> {
        match self.failed.then(|| self.errors.pop()).flatten() {
            Some(error) => Err(error),
            None => Ok(self.response),
        }
    }
}

impl Ingest {
    /// Builds the clients and reads the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, NotLoaded> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let config = program::aws::environment().timeout_config(timeouts.build()).load().await;
        let registry = settings.registry.open(&config);
        let follow = settings.registry.follow;
        let unmarked = settings.unmarked_fields;
        let read = Box::new(move |folder: &Path| Asked::read(folder, unmarked));
        let published = Current::new(&settings.campaigns_dir, read, registry, follow)?;
        // What is not wanted yet is not read again when it is.
        published.begin().await?;
        let own = published.known();
        let sqs = aws_sdk_sqs::Client::new(&config);
        let catalogs = catalog::table::DynamoDb::new(
            aws_sdk_dynamodb::Client::new(&config),
            settings.catalog_table.clone(),
        );
        Ok(Self {
            catalogs: Arc::new(catalogs),
            s3: aws_sdk_s3::Client::new(&config),
            stream: Stream::new(
                aws_sdk_kinesis::Client::new(&config),
                settings.stream_name.clone(),
            ),
            dead_letters: Queue::new(sqs.clone(), settings.dead_letter_queue_url.clone()),
            continuations: settings
                .continuation_queue_url
                .clone()
                .map(|url| Queue::new(sqs.clone(), url)),
            campaigns: own.campaigns.names.clone(),
            decoder: Decoder {
                reader: Reader {
                    wanted: own.campaigns.wanted.clone(),
                    max_block_bytes: usize::from(settings.max_block_mib.get()) << 20,
                },
                max_group_bytes: MAX_GROUP_BYTES,
                buckets: settings.stream_buckets,
                format: settings.stream_format,
            },
            published: Some(Arc::new(published)),
            outdated: None,
        })
    }

    /// The same with the campaigns as they are now, for one invocation: it sees one version.
    pub async fn now(&self) -> Self {
        let mut now = self.clone();
        if let Some(published) = &self.published {
            let edition = published.now().await;
            let Asked { names, wanted } = &*edition.campaigns;
            now.campaigns.clone_from(names);
            now.decoder.reader.wanted.clone_from(wanted);
            now.outdated = published.outdated();
        }
        now
    }

    /// Counts what went wrong with what is published since this was asked last.
    pub fn count_published(&self, counts: &mut Counts) {
        if let Some(published) = &self.published {
            published.count(counts);
        }
    }

    /// What the line about an invocation says beside its counters.
    pub fn remarks(&self) -> Remarks {
        let publication = self.published.as_ref().map(|each| each.known().publication);
        vec![("publication", publication.unwrap_or_default().to_string())]
    }

    /// Who may post: nobody where no secret is named.
    pub async fn gate(settings: &Settings) -> Arc<Gate> {
        let Some(arn) = &settings.events_secret_arn else {
            return Arc::new(Gate::Fixed(ValidSecrets::new(&[])));
        };
        let config = program::aws::environment().load().await;
        let secrets = SecretsManager::new(&config, arn.clone());
        let secrets = ManagedSecrets::new(secrets);
        // Or the first post would have to wait for a connection, and could not be judged.
        let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        secrets.warm(i64::try_from(now).unwrap_or(i64::MAX)).await;
        Arc::new(Gate::Managed(secrets))
    }

    /// The door for what is posted, behind `gate`.
    pub fn door(&self, gate: Arc<Gate>) -> Posts {
        let (stream, decoder) = (self.stream.clone(), self.decoder.clone());
        let (campaigns, outdated) = (self.campaigns.clone(), self.outdated);
        Posts { stream, decoder, campaigns, outdated, gate }
    }

    /// Delivers every object that `event` names, each on its own.
    ///
    /// A notification that came directly fails as a whole ([`Report::into_answer`]), so that
    /// Lambda repeats it; messages of a queue fail one by one.
    pub async fn handle(&self, event: Value, deadline: SystemTime) -> Report {
        let deadline = Deadline::before(deadline);
        let began = Instant::now();
        let mut report = Report::default();
        self.count_published(&mut report.counts);
        match Trigger::parse(&event) {
            Ok(Trigger::Direct(notification)) => {
                report.name(&notification);
                let taken = self.take(&notification, deadline, &mut report.counts).await;
                if let Err(error) = taken {
                    report.returned(error);
                    report.failed = true;
                }
            }
            Ok(Trigger::Queue(messages)) => {
                for message in messages {
                    report.name(&message.notification);
                    let taken =
                        self.take(&message.notification, deadline, &mut report.counts).await;
                    if let Err(error) = taken {
                        report.returned(error);
                        report.response.batch_item_failures.push(failure(message.id));
                    }
                }
            }
            Err(unknown) => {
                report.returned(unknown.into());
                report.failed = true;
            }
        }
        report.counts.took(metrics::BATCH_TIME, began.elapsed());
        report
    }

    /// Delivers what a notification names, then gives up what of it names nothing: in this
    /// order, because what fails brings all of it back.
    async fn take(
        &self,
        notification: &Notification,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        self.deliver_all(&notification.objects, deadline, counts).await?;
        for refused in &notification.refused {
            self.give_up_part(refused, deadline, counts).await?;
        }
        counts.add(metrics::NOTIFICATIONS_IGNORED, notification.ignored);
        Ok(())
    }

    async fn deliver_all(
        &self,
        objects: &[ObjectRef],
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        for (n, object) in objects.iter().enumerate() {
            match (self.deliver(object, deadline, counts).await, &self.continuations) {
                (Ok(()), _) => {}
                // The message would bring back what is done already, again and again.
                (Err(IngestError::OutOfTime), Some(continuations)) if n > 0 => {
                    for object in &objects[n..] {
                        let rest = Continuation::new(object, object.from);
                        continuations.send_before(rest.encode(), deadline.end).await?;
                        counts.add(metrics::OBJECTS_CONTINUED, 1);
                    }
                    return Ok(());
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(())
    }

    async fn give_up_part(
        &self,
        refused: &RefusedPart,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let input = Input::Notification { body: refused.body.clone() };
        let letter = DeadLetter::new("unknown_notification", refused.reason.as_str(), input);
        tracing::warn!(reason = refused.reason, "a notification names no object");
        Ok(self.give_up(&letter, deadline.end, counts).await?)
    }

    pub(crate) async fn give_up(
        &self,
        letter: &DeadLetter,
        end: Instant,
        counts: &mut Counts,
    ) -> Result<(), NotQueued> {
        self.dead_letters.send_before(letter.encode(), end).await?;
        counts.add(metrics::DEAD_LETTERS, 1);
        Ok(())
    }
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
