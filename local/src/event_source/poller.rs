//! One sequence of batches of one shard, with its retries.
//!
//! As AWS documents it for streams: the lowest sequence number that the function
//! returns is the checkpoint, and everything from it on is delivered again; a
//! batch that fails as a whole is split in two, which uses up no retry; what has
//! been tried too often, or is too old, goes to the on-failure destination.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use contract::units::Function;
use contract::user_record::unpack;
use processor::dead_letters::DeadLetterQueue;
use processor::handler::Processor;
use program::causes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::shards::Checkpoint;
use super::{Mapping, heard, life};
use crate::aws::StreamContents;
use crate::faults::Faults;
use crate::totals::{Totals, add};

/// Largest payload of an invocation (AWS limit: 6 MB), in bytes of records.
///
/// Records travel in base64, which makes four bytes of three.
const MAX_BATCH_BYTES: usize = 6_000_000 / 4 * 3;

/// Waits before a batch comes again.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times();

/// Records of one poller on their way to the function.
pub(super) struct Poller {
    pub(super) processor: Arc<Processor>,
    pub(super) dead_letters: Arc<dyn DeadLetterQueue>,
    pub(super) mapping: Mapping,
    pub(super) totals: Arc<Totals>,
    pub(super) faults: Option<Faults>,
    pub(super) checkpoint: Checkpoint,
    pub(super) shard_id: String,
    pub(super) retained: StreamContents,
    pub(super) records: mpsc::Receiver<KinesisEventRecord>,
    pub(super) stop: CancellationToken,
}

/// Records that are delivered together, and how often they were.
struct Attempt {
    records: Vec<KinesisEventRecord>,
    retries: u32,
}

/// What the function said of a batch.
enum InvocationEnd {
    /// The first so many records are done.
    Done(usize),
    /// It failed as a whole.
    Failed,
}

impl Poller {
    /// Delivers batches until the shard ends or the process stops.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        while let Some(Some(batch)) = stop.run_until_cancelled(self.next_batch()).await {
            if stop.run_until_cancelled(self.deliver(batch)).await.is_none() {
                return;
            }
        }
    }

    async fn next_batch(&mut self) -> Option<Vec<KinesisEventRecord>> {
        let first = self.records.recv().await?;
        let due = Instant::now() + self.mapping.batching_window;
        let mut bytes = first.kinesis.data.len();
        let mut batch = vec![first];
        while batch.len() < self.mapping.batch_size && bytes < MAX_BATCH_BYTES {
            match timeout_at(due, self.records.recv()).await {
                Ok(Some(record)) => {
                    bytes += record.kinesis.data.len();
                    batch.push(record);
                }
                _ => break,
            }
        }
        Some(batch)
    }

    /// Delivers a batch until every record of it is done or given up.
    async fn deliver(&self, batch: Vec<KinesisEventRecord>) {
        let mut waiting = VecDeque::from([Attempt { records: batch, retries: 0 }]);
        let mut waits = BACKOFF.build();
        while let Some(mut attempt) = waiting.pop_front() {
            if self.is_given_up(&attempt) {
                self.give_up(&attempt.records).await;
                continue;
            }
            match self.invoke(&attempt.records).await {
                InvocationEnd::Done(done) => {
                    let rest = attempt.records.split_off(done);
                    self.finish(&attempt.records).await;
                    if done > 0 {
                        waits = BACKOFF.build();
                    }
                    attempt = Attempt { records: rest, retries: attempt.retries + 1 };
                }
                InvocationEnd::Failed
                    if self.mapping.bisect_batch_on_function_error && attempt.records.len() > 1 =>
                {
                    let second = attempt.records.split_off(attempt.records.len() / 2);
                    waiting.push_front(Attempt { records: second, retries: attempt.retries });
                }
                InvocationEnd::Failed => attempt.retries += 1,
            }
            if !attempt.records.is_empty() {
                waiting.push_front(attempt);
                sleep(waits.next().unwrap_or_default()).await;
            }
        }
    }

    /// Runs the function once; a panic, or that it is dropped, is its failure as a whole.
    async fn invoke(&self, records: &[KinesisEventRecord]) -> InvocationEnd {
        let mut event = KinesisEvent::default();
        event.records = records.to_vec();
        let deadline = SystemTime::now() + self.mapping.function_timeout;
        let processor = Arc::clone(&self.processor);
        let invocation = async move { processor.handle(event, deadline).await };
        let began = Instant::now();
        let report = heard(invocation, life(self.faults.as_ref())).await;
        let Some(report) = report else { return InvocationEnd::Failed };
        self.totals.billing.invoked(Function::Processor, began.elapsed(), &report.counts);
        self.totals.add(&report.counts);
        let failed = report.response.batch_item_failures.iter();
        let is_failed = |record: &KinesisEventRecord| {
            failed.clone().any(|failure| {
                failure.item_identifier.as_deref() == Some(&record.kinesis.sequence_number)
            })
        };
        let done = records.iter().position(is_failed).unwrap_or(records.len());
        let returned = report.returned_for.filter(|_| done < records.len());
        let returned = returned.map(|reason| (reason, records.len() - done));
        self.totals.note_returned(&self.shard_id, returned);
        InvocationEnd::Done(done)
    }

    fn is_given_up(&self, attempt: &Attempt) -> bool {
        let tried_too_often =
            self.mapping.maximum_retry_attempts.is_some_and(|most| attempt.retries > most);
        let arrived_at = attempt
            .records
            .first()
            .map(|record| SystemTime::from(record.kinesis.approximate_arrival_timestamp.0));
        let age = arrived_at.and_then(|at| SystemTime::now().duration_since(at).ok());
        tried_too_often || age.is_some_and(|age| age > self.mapping.maximum_record_age)
    }

    /// Sends the records, each in a letter of its own; AWS puts those of a batch into one
    /// object of a bucket.
    async fn give_up(&self, records: &[KinesisEventRecord]) {
        for record in records {
            let input = Input::StreamRecord {
                sequence_number: record.kinesis.sequence_number.clone(),
                partition_key: record.kinesis.partition_key.clone(),
                member: None,
                data_base64: Some(BASE64.encode(&record.kinesis.data.0)),
            };
            let letter = DeadLetter::new("record_given_up", "tried too often or too old", input);
            if let Err(error) = self.dead_letters.send(&letter).await {
                tracing::error!(error = causes::told(&error), "a given-up record is lost");
            }
        }
        let mut counts = Counts::default();
        counts.add(metrics::DEAD_LETTERS, records.len() as u64);
        self.totals.add(&counts);
        self.finish(records).await;
    }

    async fn finish(&self, records: &[KinesisEventRecord]) {
        let user_records =
            records.iter().flat_map(|record| unpack(record.kinesis.data.0.clone().into()));
        for record in user_records.filter_map(|(_, record)| record.ok()) {
            add(&self.totals.events_done, record.events.len());
            self.totals.add_events_of(&record.event_type, record.events.len() as u64);
        }
        add(&self.totals.records_done, records.len());
        let bytes = records.iter().map(|record| record.kinesis.data.0.len());
        add(&self.totals.bytes_done, bytes.sum());
        self.totals.billing.add(|units| {
            for KinesisEventRecord { kinesis, .. } in records {
                units.put_record(kinesis.data.0.len() + kinesis.partition_key.len());
            }
        });
        let passed = self.checkpoint.done(records);
        self.retained.forget(&self.shard_id, &passed).await;
    }
}
