//! `ingest` and the objects in the bucket: too large for one invocation, gone, refused.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use apache_avro::types::Value as AvroValue;
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use contract::metrics;
use contract::user_record::unpack;
use currents::catalogue::Catalogue;
use currents::read::Reader;
use currents::read::container::DEFAULT_MAX_BLOCK_BYTES;
use currents::write::sample::{self, Occasion};
use currents::write::{self as writer, Compression};
use ingest::decode::Decoder;
use ingest::handler::{DEADLINE_MARGIN, Ingest, Report};
use ingest::queue::Queue;
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use ingest::stream::Stream;
use ingest::stream::packing::Format;
use local::aws::{BUCKET, CATALOG_TABLE, EmbeddedAws, Options, Pace, STREAM};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use registry::current::Outdated;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The embedded AWS with `ingest`, and nobody who processes what it puts.
pub(crate) struct Bench {
    pub(crate) aws: EmbeddedAws,
    pub(crate) ingest: Ingest,
    pub(crate) notifications: mpsc::UnboundedReceiver<String>,
    pub(crate) folder: TempDir,
}

pub(crate) async fn start(max_group_bytes: usize) -> Bench {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let options =
        Options { shards: 1, enforce_limits: true, kept: false, faults: None, pace: Pace::Fast };
    let (aws, notifications) =
        EmbeddedAws::start(folder.path(), &options, &tasks, &stop).await.expect("starts");
    let catalogs = catalog::table::DynamoDb::new(aws.dynamodb.clone(), CATALOG_TABLE.to_owned());
    let ingest = Ingest {
        published: None,
        outdated: None,
        campaigns: Vec::new(),
        catalogs: std::sync::Arc::new(catalogs.without_kept_heads()),
        s3: aws.s3.clone(),
        stream: Stream::new(aws.kinesis.clone(), STREAM.to_owned()),
        dead_letters: Queue::new(aws.sqs.clone(), aws.dead_letter_queue_url.clone()),
        continuations: Some(Queue::new(aws.sqs.clone(), aws.notification_queue_url.clone())),
        decoder: Decoder {
            reader: Reader {
                wanted: contract::wanted::Wanted::default(),
                max_block_bytes: DEFAULT_MAX_BLOCK_BYTES,
            },
            max_group_bytes,
            buckets: DEFAULT_STREAM_BUCKETS,
            format: Format::Zstd,
        },
    };
    Bench { aws, ingest, notifications, folder }
}

fn id_of(event: &AvroValue) -> String {
    let AvroValue::Record(fields) = event else { panic!("{event:?} is no record") };
    match fields.iter().find(|(name, _)| name == "id") {
        Some((_, AvroValue::String(id))) => id.clone(),
        Some((_, AvroValue::Union(_, id))) => match id.as_ref() {
            AvroValue::String(id) => id.clone(),
            other => panic!("{other:?} is no id"),
        },
        other => panic!("{other:?} is no id"),
    }
}

/// A notification as EventBridge sends it.
pub(crate) fn created(bucket: &str, key: &str) -> String {
    json!({
        "detail-type": "Object Created", "source": "aws.s3", "time": "2025-04-01T17:00:00Z",
        "detail": { "bucket": { "name": bucket }, "object": { "key": key } },
    })
    .to_string()
}

impl Bench {
    pub(crate) async fn handle(&self, body: &str, time: Duration) -> Report {
        let message = json!({ "messageId": "1", "eventSource": "aws:sqs", "body": body });
        let event: Value = json!({ "Records": [message] });
        self.ingest.handle(event, SystemTime::now() + time).await
    }

    /// Uploads a file of so many events, whose ids the seed decides.
    pub(crate) async fn upload(&self, key: &str, events: usize, seed: u64) -> HashSet<String> {
        let catalogue = Catalogue::read().expect("catalogue is valid");
        let schema = catalogue.schema("users.behaviors.CustomEvent").expect("is in the catalogue");
        let mut rng = StdRng::seed_from_u64(seed);
        let events: Vec<AvroValue> = (0..events)
            .map(|n| {
                let user_id = format!("{:024x}", n % 3_000);
                sample::event(schema, &Occasion { user_id, time: 1_743_526_800 }, &mut rng)
            })
            .collect();
        let ids = events.iter().map(id_of).collect();
        let body = writer::container(schema, Compression::Deflate, events);
        let put = self.aws.s3.put_object().bucket(BUCKET).key(key);
        let body = ByteStream::from(body.expect("is written"));
        put.body(body).send().await.expect("is uploaded");
        ids
    }

    /// The ids of all events on the stream.
    async fn ids_on_the_stream(&self) -> HashSet<String> {
        let kinesis = &self.aws.kinesis;
        let shards = kinesis.list_shards().stream_name(STREAM).send().await.expect("has shards");
        let shard_id = shards.shards()[0].shard_id();
        let first = kinesis
            .get_shard_iterator()
            .stream_name(STREAM)
            .shard_id(shard_id)
            .shard_iterator_type(ShardIteratorType::TrimHorizon);
        let mut iterator = first.send().await.expect("has a beginning").shard_iterator;
        let mut ids = HashSet::new();
        loop {
            let read = kinesis.get_records().set_shard_iterator(iterator).send().await;
            let read = read.expect("can be read");
            if read.records.is_empty() {
                return ids;
            }
            for record in read.records {
                for (_, user_record) in unpack(record.data.into_inner().into()) {
                    let events = user_record.expect("is a user record").events;
                    ids.extend(events.into_iter().map(|event| event.id));
                }
            }
            iterator = read.next_shard_iterator;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_too_large_for_one_invocation_is_continued_where_it_ended() {
    const EVENTS: usize = 10_000;
    let mut bench = start(128 * 1024).await;
    bench.upload("large.avro", EVENTS, 4).await;

    // A shard takes 1 MiB a second, so no invocation has time for the whole of it.
    let time = DEADLINE_MARGIN + Duration::from_secs(2);
    let (mut message, mut continued, mut read) = (created(BUCKET, "large.avro"), 0, 0);
    for _ in 0..100 {
        let report = bench.handle(&message, time).await;
        read += report.counts.get(metrics::EVENTS_READ);
        if report.counts.get(metrics::OBJECTS_READ) == 1 {
            break;
        }
        if report.response.batch_item_failures.is_empty() {
            continued += report.counts.get(metrics::OBJECTS_CONTINUED);
            message = bench.notifications.try_recv().expect("the rest is in the queue");
        }
    }

    assert!(continued > 0, "it was continued");
    assert!(read >= EVENTS as u64, "{read} events were read");
    assert_eq!(bench.ids_on_the_stream().await.len(), EVENTS, "nothing is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_done_and_one_that_is_refused_comes_again() {
    let mut bench = start(1024 * 1024).await;
    let time = Duration::from_secs(60);

    let gone = bench.handle(&created(BUCKET, "gone.avro"), time).await;
    assert_eq!(gone.counts.get(metrics::OBJECTS_GONE), 1);
    assert!(gone.response.batch_item_failures.is_empty());

    let ignored = bench.handle(&created(BUCKET, "a/_SUCCESS"), time).await;
    assert_eq!(ignored.counts.get(metrics::OBJECTS_IGNORED), 1);

    // As access denied and throttling are, credentials that S3 does not take are no fault
    // of the object.
    let strange = Credentials::new("local", "not-the-secret", None, None, "test");
    let config = bench.aws.s3.config().to_builder().credentials_provider(strange).build();
    bench.ingest.s3 = aws_sdk_s3::Client::from_conf(config);
    let refused = bench.handle(&created(BUCKET, "gone.avro"), time).await;
    assert_eq!(refused.response.batch_item_failures.len(), 1);
    assert_eq!(refused.counts.get(metrics::OBJECTS_GONE), 0);
    assert_eq!(refused.errors[0].to_string(), "object could not be opened: SignatureDoesNotMatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_while_nobody_can_tell_what_campaigns_want_and_all_of_it_afterwards() {
    let mut bench = start(1024 * 1024).await;
    bench.upload("file.avro", 10, 4).await;
    let time = Duration::from_secs(60);
    bench.ingest.outdated = Some(Outdated(time));

    let kept = bench.handle(&created(BUCKET, "file.avro"), time).await;
    assert_eq!(kept.response.batch_item_failures.len(), 1);
    let counts = [metrics::NOTIFICATIONS_RETURNED, metrics::OBJECTS_READ, metrics::EVENTS_READ];
    assert_eq!(counts.map(|name| kept.counts.get(name)), [1, 0, 0]);
    // One that Lambda was told of itself fails, for Lambda to repeat it.
    let event = serde_json::from_str(&created(BUCKET, "file.avro")).expect("is JSON");
    let direct = bench.ingest.handle(event, SystemTime::now() + time).await;
    assert_eq!(direct.counts.get(metrics::NOTIFICATIONS_RETURNED), 1);
    let failed = direct.into_answer().expect_err("fails");
    assert_eq!(failed.to_string(), "nothing is read while it is not known what is published");

    bench.ingest.outdated = None;
    let read = bench.handle(&created(BUCKET, "file.avro"), time).await;
    assert_eq!(read.counts.get(metrics::EVENTS_READ), 10);
    read.into_answer().expect("nothing comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_replaced_an_object_that_was_begun_is_read_from_its_beginning() {
    const EVENTS: usize = 10_000;
    let mut bench = start(128 * 1024).await;
    bench.upload("large.avro", EVENTS, 4).await;
    let short = DEADLINE_MARGIN + Duration::from_secs(2);
    let begun = bench.handle(&created(BUCKET, "large.avro"), short).await;
    assert_eq!(begun.counts.get(metrics::OBJECTS_CONTINUED), 1);
    let rest = bench.notifications.try_recv().expect("the rest is in the queue");

    // Longer than what was read of the first, so that reading could go on in it.
    let ids = bench.upload("large.avro", EVENTS, 5).await;
    let read = bench.handle(&rest, Duration::from_secs(60)).await;

    assert_eq!(read.counts.get(metrics::OBJECTS_REPLACED), 1);
    assert_eq!(read.counts.get(metrics::OBJECTS_READ), 1);
    assert_eq!(read.counts.get(metrics::OBJECTS_DAMAGED), 0);
    assert_eq!(read.counts.get(metrics::EVENTS_READ), EVENTS as u64);
    assert!(ids.is_subset(&bench.ids_on_the_stream().await), "nothing of it is missing");
}
