//! What stands there all month, and what a month has beside that which was counted.
//!
//! "Set" figures follow from the stack's settings or AWS' documents; "assumed" ones nobody has
//! measured on AWS yet.

use bill::HOURS;
use bill::prices::Prices;

use super::load::Front;

/// Set: a file every five minutes of each of the sample's six event types.
pub(super) const LEAST_FILES_A_DAY: f64 = 288.0 * 6.0;

/// Assumed: waiting for S3, Kinesis and the start, for a file that holds nearly nothing.
pub(super) const INGEST_MS_PER_FILE: f64 = 500.0;

/// Assumed: the stream records of such a file make a batch of each of the four parallel readers
/// (in `prod`) of each of the four shards that an on-demand stream begins with.
pub(super) const BATCHES_PER_FILE: f64 = 4.0 * 4.0;

/// Assumed: waiting for the tables, for such a batch.
pub(super) const PROCESSOR_MS_PER_BATCH: f64 = 100.0;

/// Set: that such a batch begins, and that it ended.
pub(super) const WRITES_PER_BATCH: f64 = 2.0;

/// Assumed: the lines of a function's own log and of Lambda.
pub(super) const LOG_BYTES_PER_INVOCATION: f64 = 1_600.0;

/// Set: lease, answer of two KiB, its settling; and 0.06 updates of the quota, measured.
pub(super) const WRITES_PER_GENERATION: f64 = 4.06;

/// Assumed: a generation of four seconds that has its instance for itself, the worst case;
/// up to 32 share one.
pub(super) const MS_PER_GENERATION: f64 = 4_000.0;

/// Assumed: an item, history included.
pub(super) const ITEM_BYTES: f64 = 3.0 * 1_024.0;

/// Set: five pollers of Lambda that ask every twenty seconds.
pub(super) const QUEUE_POLLS: f64 = 5.0 * HOURS * 3_600.0 / 20.0;

/// Set: most workers of asks in `prod`.
const MOST_WORKERS: f64 = 5.0;

/// Set: one is started each minute.
pub(super) const STARTS_OF_WORKERS: f64 = HOURS * 60.0;

/// Set: it looks into the three queues of a model, and into that of later asks.
pub(super) const QUEUE_REQUESTS_PER_START: f64 = 4.0;

/// Assumed: looking into queues that are empty.
pub(super) const MS_PER_START: f64 = 100.0;

/// Set: of what comes in, and of what is served.
const KEYS: f64 = 2.0;

/// Set: of the template of `prod`, with one model. Each metric behind an alarm is charged as an
/// alarm, and an alarm of alarms as five.
const ALARMS: f64 = 98.0;

/// Assumed: 60 of the programs' own are not zero at any hour, and those of one campaign; that those
/// of both methods of API Gateway and of the event source are charged as well.
const METRICS: f64 = 60.0 + 15.0 + 14.0 + 7.0;

/// Assumed: 32 instances about all the time, each with stream or bucket, queue and two tables.
const KEY_USERS: f64 = 32.0 * 4.0;

/// Set: every five minutes for each user of the key, as Kinesis and DynamoDB say.
/// <https://docs.aws.amazon.com/streams/latest/dev/costs-performance.html>
const KEY_CALLS_AN_HOUR: f64 = 12.0;

/// Set: X-Ray's default rule takes the first of each second, of all functions together.
const TRACES: f64 = HOURS * 3_600.0;

/// The stream's hours.
pub(super) fn stream(prices: &Prices) -> f64 {
    HOURS * prices.kinesis.stream_hour
}

/// The hours of what stands in front of the api.
pub(super) fn front(front: Front, prices: &Prices) -> f64 {
    match front {
        Front::Alb => HOURS * prices.load_balancer.hour,
        Front::Rest | Front::Http | Front::Url => 0.0,
    }
}

/// The traces that are recorded whatever the share, of so many invocations.
pub(super) fn traces(invocations: f64, prices: &Prices) -> f64 {
    invocations.min(TRACES) / 1e6 * prices.xray.million_traces
}

/// The items of so many users, and their recovery.
pub(super) fn items(users: f64, prices: &Prices) -> f64 {
    let price = &prices.dynamodb;
    users * ITEM_BYTES / f64::from(1 << 30) * (price.gb_month + price.gb_month_of_recovery)
}

/// The keys, the secret, and what watches.
pub(super) fn keys_and_alarms(prices: &Prices) -> f64 {
    let Prices { cloudwatch, kms, secrets_manager, .. } = prices;
    let key_calls = KEY_USERS * HOURS * KEY_CALLS_AN_HOUR;
    KEYS * kms.key_month
        + key_calls / 10_000.0 * kms.ten_thousand_requests
        + secrets_manager.secret_month
        + ALARMS * cloudwatch.alarm_month
        + METRICS * cloudwatch.metric_month
        + cloudwatch.dashboard_month
}

/// What all workers ask for if asks wait for the quota all month.
pub(super) fn waiting(memory_mib: u32, prices: &Prices) -> f64 {
    let gb_seconds = MOST_WORKERS * HOURS * 3_600.0 * f64::from(memory_mib) / 1_024.0;
    gb_seconds * prices.lambda.gb_second
}
