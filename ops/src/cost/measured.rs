//! How much of everything an event takes.
//!
//! "Measured" figures are those of `docs/measurements.md`, or say of what run; "set" ones follow from the stack's
//! settings or AWS' documents; "assumed" ones nobody has measured on AWS yet.

/// Set: a full file of Currents.
pub const EVENTS_OF_A_FILE: f64 = 15_000.0;

/// Set: a file every five minutes of each of the sample's six event types.
pub const LEAST_FILES_A_DAY: f64 = 288.0 * 6.0;

/// Assumed: every event that triggers gets content. It is fewer where the newest event of a user
/// in a batch speaks for the others, which over a day seldom happens.
pub const CONTENTS_PER_TRIGGER: f64 = 1.0;

/// Set: groups of users that share stream records.
pub const STREAM_BUCKETS: f64 = 128.0;

/// Measured: stream records of a million events in full files (16,915).
pub const STREAM_RECORDS_PER_EVENT: f64 = 0.016_915;

/// Measured: a million events in 16,828 stream records are 384.2 MiB, and in 160,693 they are 424.3
/// (`make run` with `--events 1000000 --users 100000`, and over `make generate` with
/// `--hours 24` besides).
pub const STREAM_KIB_PER_EVENT: f64 = 0.389;

/// Measured, as above: what a stream record takes beside its events; and half a KiB, as each is
/// rounded up to one.
pub const STREAM_KIB_PER_RECORD: f64 = 0.285 + 0.5;

/// Set: a week of retention, of which a day is free.
pub const DAYS_KEPT_BEYOND_ONE: f64 = 6.0;

/// Set: 1,769 MiB, one processor.
pub const MEMORY_GB: f64 = 1_769.0 / 1_024.0;

/// Measured: clicks with deflate, the slowest files (689,000 events a CPU second).
pub const INGEST_SECS_PER_EVENT: f64 = 1.0 / 689_000.0;

/// Assumed: waiting for S3, Kinesis and the start, per file.
pub const INGEST_WAIT_SECS: f64 = 0.5;

/// Assumed: reading, deciding and writing an event.
pub const PROCESSOR_SECS_PER_EVENT: f64 = 0.000_05;

/// Measured: processor time of a content in whole runs, that of all emulators included.
pub const PROCESSOR_SECS_PER_CONTENT: f64 = 0.000_82;

/// Assumed: waiting for the tables, per batch.
pub const PROCESSOR_WAIT_SECS: f64 = 0.1;

/// Assumed: the stream records of a file come within the five seconds that a batch waits, and so
/// make a batch of each of the four parallel readers (in `prod`) of each of the four shards that
/// an on-demand stream begins with.
pub const BATCHES_PER_FILE: f64 = 4.0 * 4.0;

/// Set: a batch of each of them every five seconds.
pub const MOST_BATCHES_A_DAY: f64 = BATCHES_PER_FILE * 86_400.0 / 5.0;

/// Set: most workers of asks in `prod`.
pub const MOST_WORKERS: f64 = 5.0;

/// Set: one is started each minute.
pub const STARTS_OF_WORKERS_AN_HOUR: f64 = 60.0;

/// Set: it looks into the three queues of a model, and into that of later asks.
pub const QUEUE_CALLS_PER_START: f64 = 4.0;

/// Assumed: looking into queues that are empty.
pub const WORKER_SECS: f64 = 0.1;

/// Assumed: a generation of four seconds that has its instance for itself, the worst case;
/// up to 32 share one.
pub const GENERATION_SECS: f64 = 4.0;

/// Assumed: a warm look-up, nearly all of it waiting for the table.
pub const LOOK_UP_SECS: f64 = 0.01;

/// Assumed: an item of three KiB, history included. With ten events of the sample, and the stand-in's
/// texts, which are short, it is 2.6 KB.
pub const ITEM_KIB: f64 = 3.0;

/// Set: a write unit for each KiB.
pub const WRITES_PER_CONTENT: f64 = 3.0;

/// Set: the first write is a transaction (twice the units) that also checks the tombstone (two).
pub const WRITES_PER_NEW_USER: f64 = 5.0;

/// Set: lease, answer of two KiB, its settling; and 0.06 updates of the quota, measured.
pub const WRITES_PER_GENERATION: f64 = 4.06;

/// Set: that a batch begins, and that it ended.
pub const WRITES_PER_BATCH: f64 = 2.0;

/// Set: the item and the tombstone, consistently, and the cached answer.
pub const READS_PER_CONTENT: f64 = 3.0;

/// Set: up to four KiB, eventually consistent.
pub const READS_PER_LOOK_UP: f64 = 0.5;

/// Assumed: an answer with its headers.
pub const ANSWER_KIB: f64 = 1.5;

/// Assumed: the lines of a function's own log and of Lambda, and API Gateway's line of a look-up.
pub const LOG_KIB_PER_INVOCATION: f64 = 1.6;

/// Set: X-Ray's default rule takes one of twenty (and one a second, which is left out).
pub const TRACED: f64 = 0.05;

/// Set: files stay as long as `dev` keeps them.
pub const FILE_DAYS: f64 = 30.0;

/// Measured: `loadtest generate --events 100000 --users 10000 --codec deflate` (7,445,183 bytes).
pub const FILE_BYTES_PER_EVENT: f64 = 74.5;

/// Set: sent, received, deleted.
pub const QUEUE_CALLS_PER_FILE: f64 = 3.0;

/// Set: five pollers of Lambda that ask every twenty seconds.
pub const QUEUE_POLLS_A_DAY: f64 = 5.0 * 86_400.0 / 20.0;

/// Set: of what comes in, and of what is served.
pub const KEYS: f64 = 2.0;

/// Set: of the template of `prod`, with one model. Each metric behind an alarm is charged as an alarm, and
/// an alarm of alarms as five.
pub const ALARMS: f64 = 96.0;

/// Assumed: 60 of the programs' own are not zero at any hour, and those of one campaign; that those of
/// both methods of API Gateway and of the event source are charged as well.
pub const METRICS: f64 = 60.0 + 15.0 + 14.0 + 7.0;

/// Assumed: 32 instances about all the time, each with stream or bucket, queue and two tables.
pub const KEY_USERS: f64 = 32.0 * 4.0;

/// Set: every five minutes for each user of the key, as Kinesis and DynamoDB say.
/// <https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html>
pub const KEY_CALLS_AN_HOUR: f64 = 12.0;
