//! What happens in a month, and what each service asks for it.

use super::load::{Gateway, Load};
use super::measured as m;
use super::prices::Prices;

/// Days of a month, as AWS' calculator counts them: 730 hours.
const DAYS: f64 = 730.0 / 24.0;

const HOURS: f64 = 730.0;
const STARTS_OF_WORKERS: f64 = m::STARTS_OF_WORKERS_AN_HOUR * HOURS;
const MILLION: f64 = 1e6;
const GB: f64 = (1_u64 << 30) as f64;
const KIB: f64 = 1024.0;

/// What happens in a month.
#[derive(Debug)]
pub(super) struct Month {
    events: f64,
    files: f64,
    pub(super) triggering: f64,
    pub(super) generations: f64,
    users: f64,
    look_ups: f64,
}

impl Month {
    pub(super) fn of(load: &Load) -> Self {
        let events = load.events * DAYS;
        let triggering = events * load.triggering;
        Self {
            events,
            // A file is full or five minutes old, and none is empty.
            files: (events / m::EVENTS_OF_A_FILE).max(m::LEAST_FILES_A_DAY * DAYS).min(events),
            triggering,
            generations: triggering * load.prompts_per_thousand / 1000.0,
            users: load.users,
            look_ups: load.look_ups * DAYS,
        }
    }

    pub(super) fn generations_a_day(load: &Load) -> f64 {
        Self::of(load).generations / DAYS
    }

    /// Stream records: those of full files, or one for each group of users that a small file has.
    fn records(&self) -> f64 {
        let events_of_a_file = self.events / self.files;
        let groups = m::STREAM_BUCKETS * -(-events_of_a_file / m::STREAM_BUCKETS).exp_m1();
        (self.events * m::STREAM_RECORDS_PER_EVENT).max(self.files * groups)
    }

    fn batches(&self) -> f64 {
        self.records().min(self.files * m::BATCHES_PER_FILE).min(m::MOST_BATCHES_A_DAY * DAYS)
    }

    fn contents(&self) -> f64 {
        self.triggering * m::CONTENTS_PER_TRIGGER
    }

    fn invocations(&self) -> f64 {
        self.files + self.batches() + self.look_ups + STARTS_OF_WORKERS
    }

    pub(super) fn kinesis(&self, prices: &Prices) -> f64 {
        let kib = self.events * m::STREAM_KIB_PER_EVENT + self.records() * m::STREAM_KIB_PER_RECORD;
        stream(kib * KIB / GB, prices)
    }

    pub(super) fn lambda(&self, prices: &Prices) -> f64 {
        let seconds = self.events * m::INGEST_SECS_PER_EVENT
            + self.files * m::INGEST_WAIT_SECS
            + self.events * m::PROCESSOR_SECS_PER_EVENT
            + self.contents() * m::PROCESSOR_SECS_PER_CONTENT
            + self.batches() * m::PROCESSOR_WAIT_SECS
            + self.generations * m::GENERATION_SECS
            + STARTS_OF_WORKERS * m::WORKER_SECS
            + self.look_ups * m::LOOK_UP_SECS;
        self.invocations() / MILLION * prices.lambda.million_requests
            + seconds * m::MEMORY_GB * prices.lambda.gb_second
    }

    pub(super) fn dynamodb(&self, prices: &Prices) -> f64 {
        let price = &prices.dynamodb;
        let writes = self.contents() * m::WRITES_PER_CONTENT
            + self.users * m::WRITES_PER_NEW_USER
            + self.generations * m::WRITES_PER_GENERATION
            + self.batches() * m::WRITES_PER_BATCH;
        let reads = self.contents() * m::READS_PER_CONTENT + self.look_ups * m::READS_PER_LOOK_UP;
        let gb = self.users * m::ITEM_KIB * KIB / GB;
        writes / MILLION * price.million_write_units
            + reads / MILLION * price.million_read_units
            + gb * (price.gb_month + price.gb_month_of_recovery)
    }

    pub(super) fn api_gateway(&self, prices: &Prices, gateway: Gateway) -> f64 {
        let price = &prices.api_gateway;
        let million_calls = match gateway {
            Gateway::Rest => price.million_rest_calls,
            Gateway::Http => price.million_http_calls,
        };
        self.look_ups / MILLION * million_calls
            + self.look_ups * m::ANSWER_KIB * KIB / GB * price.gb_out
    }

    pub(super) fn s3_and_sqs(&self, prices: &Prices) -> f64 {
        let kept = self.events / DAYS * m::FILE_DAYS * m::FILE_BYTES_PER_EVENT / GB;
        let requests = self.files * m::QUEUE_CALLS_PER_FILE
            + m::QUEUE_POLLS_A_DAY * DAYS
            + STARTS_OF_WORKERS * m::QUEUE_CALLS_PER_START;
        self.files / 1000.0 * (prices.s3.thousand_puts + prices.s3.thousand_gets)
            + kept * prices.s3.gb_month
            + requests / MILLION * prices.sqs.million_requests
    }

    pub(super) fn logs_and_traces(&self, prices: &Prices) -> f64 {
        let log_gb = self.invocations() * m::LOG_KIB_PER_INVOCATION * KIB / GB;
        let traces = self.invocations() * m::TRACED;
        log_gb * prices.cloudwatch.log_gb + traces / MILLION * prices.xray.million_traces
    }

    /// What does not depend on the load: the key, the secret, and what watches.
    pub(super) fn key_and_alarms(prices: &Prices) -> f64 {
        let Prices { cloudwatch, kms, secrets_manager, .. } = prices;
        let key_calls = m::KEY_USERS * HOURS * m::KEY_CALLS_AN_HOUR;
        m::KEYS * kms.key_month
            + key_calls / 10_000.0 * kms.ten_thousand_requests
            + secrets_manager.secret_month
            + m::ALARMS * cloudwatch.alarm_month
            + m::METRICS * cloudwatch.metric_month
            + cloudwatch.dashboard_month
    }
}

/// What a stream on demand asks for as many GB in, read once, and kept.
pub(super) fn stream(gb: f64, prices: &Prices) -> f64 {
    let price = &prices.kinesis;
    HOURS * price.stream_hour
        + gb * (price.gb_in + price.gb_out)
        + gb / DAYS * m::DAYS_KEPT_BEYOND_ONE * price.gb_month_kept_beyond_a_day
}

/// What all workers ask for if asks wait for the quota all month.
pub(super) fn waiting(prices: &Prices) -> f64 {
    m::MOST_WORKERS * HOURS * 3600.0 * m::MEMORY_GB * prices.lambda.gb_second
}
