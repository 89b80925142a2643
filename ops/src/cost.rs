//! What a month on AWS costs.
//!
//! A load goes in, a bill comes out; nothing is asked of AWS. Prices are in one file
//! ([`prices`]), and how much of everything an event takes is in [`measured`], from what
//! `docs/measurements.md` reports. `docs/cost.md` says what is left out.

pub mod measured;
pub mod prices;

use std::fmt::{self, Display, Formatter};

use clap::{Args, ValueEnum};

use measured as m;
use prices::Prices;

/// Days of a month, as AWS' calculator counts them: 730 hours.
const DAYS: f64 = 730.0 / 24.0;

const HOURS: f64 = 730.0;
const MILLION: f64 = 1e6;
const GB: f64 = (1_u64 << 30) as f64;
const KIB: f64 = 1024.0;

/// What a system has to do.
#[derive(Debug, Clone, Args)]
pub struct Load {
    /// Events a day.
    #[arg(long, value_name = "N", default_value_t = 10_000_000.0)]
    pub events: f64,
    /// Users who have content.
    #[arg(long, value_name = "N", default_value_t = 1_000_000.0)]
    pub users: f64,
    /// Share of the events that trigger a campaign, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.284)]
    pub triggering: f64,
    /// Different prompts among a thousand events that trigger.
    #[arg(long, value_name = "N", default_value_t = 6.76)]
    pub prompts_per_thousand: f64,
    /// Input tokens of a generation.
    #[arg(long, value_name = "N", default_value_t = 600.0)]
    pub input_tokens: f64,
    /// Output tokens of a generation.
    #[arg(long, value_name = "N", default_value_t = 150.0)]
    pub output_tokens: f64,
    /// Look-ups a day; Braze makes two or three for each recipient.
    #[arg(long, value_name = "N", default_value_t = 2_000_000.0)]
    pub look_ups: f64,
    /// What stands in front of the api.
    #[arg(long, value_enum, default_value_t = Gateway::Rest)]
    pub gateway: Gateway,
}

/// What stands in front of the api.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gateway {
    /// A REST API, which the stack deploys.
    Rest,
    /// An HTTP API: cheaper, without AWS WAF and policies by address.
    Http,
}

/// What a month costs, in dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bill {
    /// The stream of user records.
    pub kinesis: f64,
    /// All three functions.
    pub lambda: f64,
    /// Both tables.
    pub dynamodb: f64,
    /// Calls through API Gateway, and what leaves AWS.
    pub api_gateway: f64,
    /// Files and their notifications.
    pub s3_and_sqs: f64,
    /// Logs and traces.
    pub logs_and_traces: f64,
    /// Generations.
    pub bedrock: f64,
    /// Bedrock alone, if every event that triggers were a call.
    pub one_call_per_event: f64,
}

impl Bill {
    /// Adds everything up.
    pub fn of(load: &Load, prices: &Prices) -> Self {
        let month = Month::of(load);
        Self {
            kinesis: month.kinesis(prices),
            lambda: month.lambda(prices),
            dynamodb: month.dynamodb(prices),
            api_gateway: month.api_gateway(prices, load.gateway),
            s3_and_sqs: month.s3_and_sqs(prices),
            logs_and_traces: month.logs_and_traces(prices),
            bedrock: bedrock(month.generations, load, prices),
            one_call_per_event: bedrock(month.triggering, load, prices),
        }
    }

    /// All of this system.
    pub fn total(&self) -> f64 {
        self.without_bedrock() + self.bedrock
    }

    /// What this system takes beside the model.
    pub fn without_bedrock(&self) -> f64 {
        self.kinesis
            + self.lambda
            + self.dynamodb
            + self.api_gateway
            + self.s3_and_sqs
            + self.logs_and_traces
    }
}

impl Display for Bill {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lines = [
            ("Kinesis", self.kinesis),
            ("Lambda", self.lambda),
            ("DynamoDB", self.dynamodb),
            ("API Gateway", self.api_gateway),
            ("S3 and SQS", self.s3_and_sqs),
            ("logs and traces", self.logs_and_traces),
            ("Bedrock", self.bedrock),
            ("this system", self.total()),
        ];
        for (name, dollars) in lines {
            writeln!(f, "{name:<24}{dollars:>12.2}")?;
        }
        write!(f, "{:<24}{:>12.2}", "one call per event", self.one_call_per_event)
    }
}

/// What happens in a month.
#[derive(Debug)]
struct Month {
    events: f64,
    files: f64,
    triggering: f64,
    contents: f64,
    generations: f64,
    users: f64,
    look_ups: f64,
}

impl Month {
    fn of(load: &Load) -> Self {
        let events = load.events * DAYS;
        let triggering = events * load.triggering;
        // A file is full or five minutes old; a quiet hour makes files all the same.
        let files = (events / m::EVENTS_OF_A_FILE).max(m::LEAST_FILES_A_DAY * DAYS);
        Self {
            events,
            files,
            triggering,
            contents: triggering * m::CONTENTS_PER_TRIGGER,
            generations: triggering * load.prompts_per_thousand / 1000.0,
            users: load.users,
            look_ups: load.look_ups * DAYS,
        }
    }

    fn kinesis(&self, prices: &Prices) -> f64 {
        let price = &prices.kinesis;
        let gb = self.events * m::STREAM_KIB_PER_EVENT * KIB / GB;
        let kept = gb / DAYS * m::DAYS_KEPT_BEYOND_ONE;
        HOURS * price.stream_hour
            + gb * (price.gb_in + price.gb_out)
            + kept * price.gb_month_kept_beyond_a_day
    }

    fn batches(&self) -> f64 {
        let records = self.events * m::STREAM_RECORDS_PER_EVENT;
        records.min(m::MOST_BATCHES_A_DAY * DAYS)
    }

    fn invocations(&self) -> f64 {
        self.files + self.batches() + self.look_ups
    }

    fn logs_and_traces(&self, prices: &Prices) -> f64 {
        let log_gb = self.invocations() * m::LOG_KIB_PER_INVOCATION * KIB / GB;
        let traces = self.invocations() * m::TRACED;
        log_gb * prices.cloudwatch.log_gb + traces / MILLION * prices.xray.million_traces
    }

    fn lambda(&self, prices: &Prices) -> f64 {
        let batches = self.batches();
        let seconds = self.events * m::INGEST_SECS_PER_EVENT
            + self.files * m::INGEST_WAIT_SECS
            + self.events * m::PROCESSOR_SECS_PER_EVENT
            + batches * m::PROCESSOR_WAIT_SECS
            + self.generations * m::GENERATION_SECS
            + self.look_ups * m::LOOK_UP_SECS;
        self.invocations() / MILLION * prices.lambda.million_requests
            + seconds * m::MEMORY_GB * prices.lambda.gb_second
    }

    fn dynamodb(&self, prices: &Prices) -> f64 {
        let price = &prices.dynamodb;
        let writes = self.contents * m::WRITES_PER_CONTENT
            + self.users * m::WRITES_PER_NEW_USER
            + self.generations * m::WRITES_PER_GENERATION;
        let reads = self.contents * m::READS_PER_CONTENT + self.look_ups * m::READS_PER_LOOK_UP;
        let gb = self.users * m::ITEM_KIB * KIB / GB;
        writes / MILLION * price.million_write_units
            + reads / MILLION * price.million_read_units
            + gb * (price.gb_month + price.gb_month_of_recovery)
    }

    fn api_gateway(&self, prices: &Prices, gateway: Gateway) -> f64 {
        let price = &prices.api_gateway;
        let million_calls = match gateway {
            Gateway::Rest => price.million_rest_calls,
            Gateway::Http => price.million_http_calls,
        };
        self.look_ups / MILLION * million_calls
            + self.look_ups * m::ANSWER_KIB * KIB / GB * price.gb_out
    }

    fn s3_and_sqs(&self, prices: &Prices) -> f64 {
        let kept = self.events / DAYS * m::FILE_DAYS * m::FILE_BYTES_PER_EVENT / GB;
        let requests = self.files * m::QUEUE_CALLS_PER_FILE + m::QUEUE_POLLS_A_DAY * DAYS;
        self.files / 1000.0 * (prices.s3.thousand_puts + prices.s3.thousand_gets)
            + kept * prices.s3.gb_month
            + requests / MILLION * prices.sqs.million_requests
    }
}

fn bedrock(calls: f64, load: &Load, prices: &Prices) -> f64 {
    let price = &prices.bedrock;
    calls
        * (load.input_tokens * price.million_input_tokens
            + load.output_tokens * price.million_output_tokens)
        / MILLION
}

#[cfg(test)]
mod tests;
