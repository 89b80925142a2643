//! Reads the stream's shards and hands their records to pollers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::Context as _;
use aws_lambda_events::encodings::SecondTimestamp;
use aws_lambda_events::event::kinesis::KinesisEventRecord;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use processor::dead_letters::DeadLetterQueue;
use processor::handler::Processor;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Mapping;
use super::poller::Poller;
use crate::aws::{STREAM, StreamContents};
use crate::faults::Faults;
use crate::totals::{Totals, add};

/// Wait between two reads of a shard (AWS limit: five reads a second).
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Most records of one read (AWS limit: 10,000).
const READ_LIMIT: i32 = 2_000;

/// Records that wait in a poller; a reader that is ahead by more waits itself.
const LANE_LENGTH: usize = 1_000;

/// The readers of all shards.
#[derive(Debug, Clone, Default)]
pub struct Shards {
    /// When each shard last turned out to be empty.
    empty_since: Arc<Mutex<Vec<Option<Instant>>>>,
}

/// Everything that readers and pollers share.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Reads the stream.
    pub kinesis: Client,
    /// The function.
    pub processor: Arc<Processor>,
    /// The mapping's destination for what it gives up.
    pub dead_letters: Arc<dyn DeadLetterQueue>,
    /// How records become batches.
    pub mapping: Mapping,
    /// What is counted.
    pub totals: Arc<Totals>,
    /// What goes wrong, if anything may.
    pub faults: Option<Faults>,
    /// Folder of the checkpoints.
    pub folder: PathBuf,
    /// What the stream holds, of which records that are done are forgotten.
    pub(crate) retained: StreamContents,
}

impl Shards {
    /// Starts reading all shards, each from its checkpoint.
    pub async fn start(
        wiring: &Wiring,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let listed = wiring.kinesis.list_shards().stream_name(STREAM).send().await;
        let shards = listed.context("listing the shards")?.shards.unwrap_or_default();
        let empty_since = Arc::new(Mutex::new(vec![None; shards.len()]));
        for (place, shard) in shards.into_iter().enumerate() {
            let checkpoint = Checkpoint::open(&wiring.folder, shard.shard_id())?;
            let shard_id = shard.shard_id();
            let pollers = (0..wiring.mapping.parallelization_factor.max(1))
                .map(|_| start_poller(wiring, shard_id, &checkpoint, tasks, stop))
                .collect();
            let reader = Reader {
                kinesis: wiring.kinesis.clone(),
                shard_id: shard.shard_id,
                place,
                checkpoint,
                pollers,
                totals: Arc::clone(&wiring.totals),
                empty_since: Arc::clone(&empty_since),
            };
            let stop = stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(reader.run()).await });
        }
        Ok(Self { empty_since })
    }

    /// Tells whether every shard was found empty by a read that began after `then`.
    pub fn all_empty_since(&self, then: Instant) -> bool {
        locked(&self.empty_since).iter().all(|at| at.is_some_and(|at| at > then))
    }
}

fn start_poller(
    wiring: &Wiring,
    shard_id: &str,
    checkpoint: &Checkpoint,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> mpsc::Sender<KinesisEventRecord> {
    let (sender, records) = mpsc::channel(LANE_LENGTH);
    let poller = Poller {
        processor: Arc::clone(&wiring.processor),
        dead_letters: Arc::clone(&wiring.dead_letters),
        mapping: wiring.mapping.clone(),
        totals: Arc::clone(&wiring.totals),
        faults: wiring.faults.clone(),
        checkpoint: checkpoint.clone(),
        shard_id: shard_id.to_owned(),
        retained: wiring.retained.clone(),
        records,
        stop: stop.clone(),
    };
    tasks.spawn(poller.run());
    sender
}

struct Reader {
    kinesis: Client,
    shard_id: String,
    place: usize,
    checkpoint: Checkpoint,
    pollers: Vec<mpsc::Sender<KinesisEventRecord>>,
    totals: Arc<Totals>,
    empty_since: Arc<Mutex<Vec<Option<Instant>>>>,
}

impl Reader {
    async fn run(self) {
        let mut iterator = None;
        loop {
            let began = Instant::now();
            match self.read(iterator.take()).await {
                Ok((next, records)) => {
                    iterator = next;
                    if records.is_empty() {
                        locked(&self.empty_since)[self.place] = Some(began);
                    }
                    for record in records {
                        self.hand_over(record).await;
                    }
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, shard = self.shard_id, "read failed");
                }
            }
            sleep(POLL_INTERVAL.saturating_sub(began.elapsed())).await;
        }
    }

    async fn read(
        &self,
        iterator: Option<String>,
    ) -> anyhow::Result<(Option<String>, Vec<Record>)> {
        let iterator = match iterator {
            Some(iterator) => iterator,
            None => self.iterator().await?,
        };
        let read = self.kinesis.get_records().shard_iterator(iterator).limit(READ_LIMIT);
        let read = read.send().await?;
        Ok((read.next_shard_iterator, read.records))
    }

    async fn iterator(&self) -> anyhow::Result<String> {
        let request =
            self.kinesis.get_shard_iterator().stream_name(STREAM).shard_id(&self.shard_id);
        let request = match self.checkpoint.last_taken() {
            Some(sequence_number) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(sequence_number),
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let iterator = request.send().await.context("getting a shard iterator")?;
        iterator.shard_iterator.context("Kinesis gave no shard iterator")
    }

    async fn hand_over(&self, record: Record) {
        let mut hash = DefaultHasher::new();
        record.partition_key.hash(&mut hash);
        let poller = (hash.finish() % self.pollers.len() as u64) as usize;
        let record = as_delivered(record);
        self.checkpoint.taken(&record.kinesis.sequence_number);
        add(&self.totals.records_taken, 1);
        // A poller ends only when the process stops.
        let _ = self.pollers[poller].send(record).await;
    }
}

fn as_delivered(record: Record) -> KinesisEventRecord {
    let arrived_at =
        record.approximate_arrival_timestamp.and_then(|at| SystemTime::try_from(at).ok());
    let mut delivered = KinesisEventRecord::default();
    delivered.kinesis.approximate_arrival_timestamp =
        SecondTimestamp(arrived_at.unwrap_or(SystemTime::UNIX_EPOCH).into());
    delivered.kinesis.partition_key = record.partition_key.unwrap_or_default();
    delivered.kinesis.sequence_number = record.sequence_number;
    delivered.kinesis.data.0 = record.data.into_inner();
    delivered
}

/// How far a shard is done: everything up to it is, whatever poller it went to.
#[derive(Debug, Clone)]
pub struct Checkpoint(Arc<Mutex<Progress>>);

#[derive(Debug)]
struct Progress {
    path: PathBuf,
    /// Records taken and not below the checkpoint, with whether they are done.
    open: BTreeMap<SequenceNumber, bool>,
    last_taken: Option<String>,
}

/// A sequence number; longer numbers are greater, and it can have 56 digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SequenceNumber(usize, String);

impl SequenceNumber {
    fn new(digits: &str) -> Self {
        Self(digits.len(), digits.to_owned())
    }
}

impl Checkpoint {
    fn open(folder: &Path, shard_id: &str) -> anyhow::Result<Self> {
        let path = folder.join(format!("checkpoint-{shard_id}"));
        let last_taken = match fs::read_to_string(&path) {
            Ok(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits)
            }
            // Without a checkpoint everything is delivered again, which harms nothing.
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        Ok(Self(Arc::new(Mutex::new(Progress { path, open: BTreeMap::new(), last_taken }))))
    }

    fn last_taken(&self) -> Option<String> {
        locked(&self.0).last_taken.clone()
    }

    fn taken(&self, sequence_number: &str) {
        let mut progress = locked(&self.0);
        progress.open.insert(SequenceNumber::new(sequence_number), false);
        progress.last_taken = Some(sequence_number.to_owned());
    }

    /// Marks records as done and moves the checkpoint as far as nothing is left out. Returns
    /// the sequence numbers that it passed.
    pub(super) fn done(&self, records: &[KinesisEventRecord]) -> Vec<String> {
        let mut progress = locked(&self.0);
        for record in records {
            progress.open.insert(SequenceNumber::new(&record.kinesis.sequence_number), true);
        }
        let mut passed = Vec::new();
        while let Some(first) = progress.open.first_entry() {
            if !first.get() {
                break;
            }
            passed.push(first.remove_entry().0.1);
        }
        if let Some(digits) = passed.last()
            && let Err(error) = write_whole(&progress.path, digits)
        {
            tracing::error!(%error, "checkpoint was not written; records will be delivered again");
            // They must be there to be delivered.
            return Vec::new();
        }
        passed
    }
}

/// Writes a file so that a reader finds the old text or the new one, never a part.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds these locks, so what they guard is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence_number: &str) -> KinesisEventRecord {
        let mut record = KinesisEventRecord::default();
        record.kinesis.sequence_number = sequence_number.to_owned();
        record
    }

    #[test]
    fn the_checkpoint_never_passes_a_record_that_is_not_done() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let checkpoint = Checkpoint::open(folder.path(), "shard").expect("opens");
        for sequence_number in ["8", "9", "10"] {
            checkpoint.taken(sequence_number);
        }
        let reopened = || Checkpoint::open(folder.path(), "shard").expect("opens").last_taken();

        checkpoint.done(&[record("9")]);
        assert_eq!(reopened(), None);

        checkpoint.done(&[record("8")]);
        assert_eq!(reopened().as_deref(), Some("9"));

        checkpoint.done(&[record("10")]);
        assert_eq!(reopened().as_deref(), Some("10"));
    }
}
