//! One invocation: notifications in, the messages to deliver again out.

use std::collections::BTreeSet;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use contract::campaign::{self, InvalidCampaigns};
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use contract::user_record::UserRecord;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::container::{Container, Fallback, ReadError};
use crate::dead_letters::{DeadLetters, NotQueued};
use crate::grouping::Grouper;
use crate::object::{self, OpenError};
use crate::settings::Settings;
use crate::stream::{Put, PutError, Stream};
use crate::trigger::{ObjectRef, Trigger, UnknownTrigger};

/// Groups decoded ahead of the puts: one being put, one waiting.
const GROUPS_AHEAD: usize = 1;

/// Time kept back before the invocation's deadline to report what is not done.
const DEADLINE_MARGIN: Duration = Duration::from_secs(2);

/// Events decoded before the decoder looks whether anybody still waits for them.
const EVENTS_BETWEEN_LOOKS: u64 = 1_024;

/// Longest single attempt at a call of S3, Kinesis or SQS: 5 MiB take well under a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest call, the SDK's own retries included; the SDK by itself sets no limit.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything an invocation needs, built once per instance.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Reads the objects.
    pub s3: aws_sdk_s3::Client,
    /// Receives the user records.
    pub stream: Stream,
    /// Receives what could not be read.
    pub dead_letters: DeadLetters,
    /// Personal fields that some campaign asks for.
    pub wanted_fields: Arc<BTreeSet<String>>,
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
}

/// Why an object was not delivered: it must come again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The event does not say which objects to read.
    #[error(transparent)]
    Trigger(#[from] UnknownTrigger),
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
    /// The dead-letter queue did not take a letter.
    #[error(transparent)]
    DeadLetter(#[from] NotQueued),
}

impl Ingest {
    /// Builds the clients and reads the campaigns.
    pub async fn from_settings(settings: &Settings) -> Result<Self, InvalidCampaigns> {
        let campaigns = campaign::load(&settings.campaigns_dir)?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts.build())
            .load()
            .await;
        Ok(Self {
            s3: aws_sdk_s3::Client::new(&config),
            stream: Stream::new(
                aws_sdk_kinesis::Client::new(&config),
                settings.stream_name.clone(),
            ),
            dead_letters: DeadLetters::new(
                aws_sdk_sqs::Client::new(&config),
                settings.dead_letter_queue_url.clone(),
            ),
            wanted_fields: Arc::new(campaign::wanted_fields(&campaigns)),
        })
    }

    /// Delivers every object that `event` names, each on its own.
    ///
    /// A notification that came directly fails as a whole, so that Lambda
    /// repeats it; messages of a queue fail one by one.
    pub async fn handle(&self, event: Value, deadline: SystemTime) -> Result<Report, IngestError> {
        let remaining = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let deadline = Instant::now() + remaining.saturating_sub(DEADLINE_MARGIN);
        let mut report = Report::default();
        match Trigger::parse(event)? {
            Trigger::Direct(objects) => {
                self.deliver_all(&objects, deadline, &mut report.counts).await?;
            }
            Trigger::Queue(messages) => {
                for message in messages {
                    let delivered = match &message.objects {
                        Ok(objects) => {
                            self.deliver_all(objects, deadline, &mut report.counts).await
                        }
                        Err(body) => self.give_up_message(body, &mut report.counts).await,
                    };
                    if let Err(error) = delivered {
                        tracing::warn!(error = &error as &dyn std::error::Error, "not delivered");
                        report.response.batch_item_failures.push(failure(message.id));
                        report.errors.push(error);
                    }
                }
            }
        }
        Ok(report)
    }

    async fn deliver_all(
        &self,
        objects: &[ObjectRef],
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        for object in objects {
            self.deliver(object, deadline, counts).await?;
        }
        Ok(())
    }

    /// Puts one object's user records on the stream.
    async fn deliver(
        &self,
        object: &ObjectRef,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        if !object.key.ends_with(".avro") {
            counts.add(metrics::OBJECTS_IGNORED, 1);
            return Ok(());
        }
        let source = match object::open(&self.s3, object).await {
            Ok(source) => source,
            Err(OpenError::Gone) => {
                counts.add(metrics::OBJECTS_GONE, 1);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let (groups, mut decoded) = mpsc::channel(GROUPS_AHEAD);
        let (wanted, decoding) = (Arc::clone(&self.wanted_fields), object.clone());
        let decoding =
            tokio::task::spawn_blocking(move || decode(source, &decoding, &wanted, &groups));
        let out_of_time = |_| IngestError::OutOfTime;
        while let Some(group) = timeout_at(deadline, decoded.recv()).await.map_err(out_of_time)? {
            self.put(group, deadline, counts).await?;
        }
        // The channel is closed, so the task has ended or is about to; a panic of
        // the Avro reader is damage like any other.
        let Decoded { events, without_user, damage } = decoding.await.unwrap_or_else(|panic| {
            Decoded { damage: Some(Damage::panicked(&panic.to_string())), ..Decoded::default() }
        });
        counts.add(metrics::EVENTS_READ, events);
        counts.add(metrics::EVENTS_WITHOUT_USER, without_user);
        match damage {
            None => counts.add(metrics::OBJECTS_READ, 1),
            Some(Damage::Transport(error)) => return Err(IngestError::Read(error)),
            Some(Damage::Final { detail, offset_bytes }) => {
                counts.add(metrics::OBJECTS_DAMAGED, 1);
                let rest = Input::Object {
                    bucket: object.bucket.clone(),
                    key: object.key.clone(),
                    offset_bytes,
                    events_delivered: events,
                };
                let letter = DeadLetter::new("damaged_object", detail, rest);
                self.give_up(&letter, counts).await?;
            }
        }
        Ok(())
    }

    async fn put(
        &self,
        group: Vec<UserRecord>,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let mut put = Put::default();
        let user_records = group.len() as u64;
        let done = self.stream.put(group, deadline, &mut put).await;
        counts.add(metrics::STREAM_RECORDS, put.records);
        counts.add(metrics::ENTRIES_RESENT, put.resent);
        done?;
        counts.add(metrics::USER_RECORDS, user_records);
        for letter in put.too_large {
            self.give_up(&letter, counts).await?;
            counts.add(metrics::EVENTS_TOO_LARGE, 1);
        }
        Ok(())
    }

    async fn give_up_message(&self, body: &str, counts: &mut Counts) -> Result<(), IngestError> {
        let input = Input::Notification { body: body.to_owned() };
        let letter = DeadLetter::new("unknown_notification", "message names no object", input);
        self.give_up(&letter, counts).await
    }

    async fn give_up(&self, letter: &DeadLetter, counts: &mut Counts) -> Result<(), IngestError> {
        self.dead_letters.send(letter).await?;
        counts.add(metrics::DEAD_LETTERS, 1);
        Ok(())
    }
}

/// What decoding one object came to.
#[derive(Default)]
struct Decoded {
    events: u64,
    without_user: u64,
    damage: Option<Damage>,
}

/// Why decoding stopped before the end.
enum Damage {
    /// Reading again may help.
    Transport(ReadError),
    /// Reading again would end the same way.
    Final { detail: String, offset_bytes: u64 },
}

impl Damage {
    fn panicked(detail: &str) -> Self {
        Self::Final { detail: format!("the Avro reader failed: {detail}"), offset_bytes: 0 }
    }
}

impl From<ReadError> for Damage {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Transport(_) => Self::Transport(error),
            ReadError::NotRecords | ReadError::Empty => {
                Self::Final { detail: error.to_string(), offset_bytes: 0 }
            }
            ReadError::Damaged { offset_bytes, source, .. } => {
                Self::Final { detail: format!("{error}: {source}"), offset_bytes: *offset_bytes }
            }
        }
    }
}

/// Decodes a container and sends its groups; stops early when nobody receives them.
fn decode(
    source: impl Read,
    object: &ObjectRef,
    wanted: &BTreeSet<String>,
    groups: &mpsc::Sender<Vec<UserRecord>>,
) -> Decoded {
    let mut decoded = Decoded::default();
    let time = i64::try_from(object.uploaded_at_ms / 1_000).unwrap_or(i64::MAX);
    let fallback = Fallback { key: object.key.clone(), time };
    let mut container = match Container::open(source, wanted, fallback) {
        Ok(container) => container,
        Err(error) => return Decoded { damage: Some(error.into()), ..decoded },
    };
    let mut grouper = Grouper::new(container.event_type().to_owned(), object.uploaded_at_ms);
    loop {
        // What hostile bytes make the Avro reader do is damage, and nothing worse.
        let next = panic::catch_unwind(AssertUnwindSafe(|| container.next()));
        let full = match next {
            Ok(None) => break,
            Ok(Some(Ok(event))) => grouper.push(event),
            Ok(Some(Err(error))) => {
                decoded.damage = Some(error.into());
                break;
            }
            Err(_) => {
                decoded.damage = Some(Damage::panicked("see the log"));
                break;
            }
        };
        decoded.events += 1;
        let is_time_to_look = decoded.events.is_multiple_of(EVENTS_BETWEEN_LOOKS);
        if full.is_some_and(|group| groups.blocking_send(group).is_err())
            || (is_time_to_look && groups.is_closed())
        {
            return decoded;
        }
    }
    decoded.without_user = grouper.without_user;
    let rest = grouper.take();
    if !rest.is_empty() {
        // The receiver is gone only when a put failed, and then the object comes again.
        let _ = groups.blocking_send(rest);
    }
    decoded
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
