//! What AWS asks for what was used, which whoever runs the system counts, or estimates, as
//! [`Units`].
//!
//! - [`prices`] — the price list: one file, with its date and the page that each price is from.
//! - [`mod@deployed`] — what of the bill follows from how the stack is deployed.
//!
//! [`Bill`] is the three of them multiplied. What stands there all month, whether anything comes
//! or not, is not in it.

pub mod deployed;
pub mod prices;
mod told;

use contract::units::Units;
use serde::Serialize;

use deployed::{TRACED, deployed, memory_mib};
use prices::Prices;
pub use told::Told;

/// Hours of a month, as AWS' calculator counts them.
pub const HOURS: f64 = 730.0;

/// Days of such a month.
pub const DAYS: f64 = HOURS / 24.0;

const MILLION: f64 = 1e6;
const GB: f64 = (1_u64 << 30) as f64;
const KIB: f64 = 1024.0;

/// What was used, in dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bill {
    /// The stream of user records.
    pub kinesis: f64,
    /// All functions.
    pub lambda: f64,
    /// All tables.
    pub dynamodb: f64,
    /// What stands in front of the api, and what leaves AWS.
    pub front: f64,
    /// Files, notifications and asks.
    pub s3_and_sqs: f64,
    /// Logs and traces.
    pub logs_and_traces: f64,
    /// Generations.
    pub bedrock: f64,
}

/// What stands in front of the api.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Front {
    /// A REST API.
    #[default]
    Rest,
    /// An HTTP API.
    Http,
    /// An Application Load Balancer; its hours are not in it.
    LoadBalancer,
    /// The function's own URL.
    Url,
}

/// Calls that a load balancer takes for one capacity unit of an hour: 25 new connections a second,
/// each of which makes one. Who keeps connections open pays less.
/// <https://aws.amazon.com/elasticloadbalancing/pricing/>
const CALLS_OF_A_UNIT: f64 = 25.0 * 3_600.0;

impl Bill {
    /// What these units cost.
    pub fn of(units: &Units, front: Front, prices: &Prices) -> Self {
        let seconds = units.functions.iter().map(|(function, used)| {
            used.billed_ms / 1_000.0 * f64::from(memory_mib(*function)) / 1_024.0
        });
        let call = match front {
            Front::Rest => prices.api_gateway.million_rest_calls,
            Front::Http => prices.api_gateway.million_http_calls,
            Front::LoadBalancer => MILLION / CALLS_OF_A_UNIT * prices.load_balancer.unit_hour,
            Front::Url => 0.0,
        };
        let Prices { lambda, dynamodb, api_gateway, s3, sqs, cloudwatch, xray, .. } = prices;
        Self {
            kinesis: stream(units.stream_kib * KIB / GB, prices),
            lambda: units.invocations() / MILLION * lambda.million_requests
                + seconds.sum::<f64>() * lambda.gb_second,
            dynamodb: units.write_units / MILLION * dynamodb.million_write_units
                + units.read_units / MILLION * dynamodb.million_read_units,
            front: units.calls / MILLION * call + units.answer_bytes / GB * api_gateway.gb_out,
            s3_and_sqs: units.objects_put / 1_000.0 * s3.thousand_puts
                + units.objects_fetched / 1_000.0 * s3.thousand_gets
                + units.object_bytes / GB * f64::from(deployed().object_days) / DAYS * s3.gb_month
                + units.queue_requests / MILLION * sqs.million_requests,
            logs_and_traces: units.log_bytes / GB * cloudwatch.log_gb
                + units.traced() * TRACED / MILLION * xray.million_traces,
            bedrock: prices.bedrock.usd(units.input_tokens, units.output_tokens),
        }
    }

    /// Each line with its name.
    pub fn lines(&self) -> [(&'static str, f64); 7] {
        let Self { kinesis, lambda, dynamodb, front, .. } = *self;
        let Self { s3_and_sqs, logs_and_traces, bedrock, .. } = *self;
        [
            ("Kinesis", kinesis),
            ("Lambda", lambda),
            ("DynamoDB", dynamodb),
            ("front", front),
            ("S3 and SQS", s3_and_sqs),
            ("logs and traces", logs_and_traces),
            ("Bedrock", bedrock),
        ]
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.lines().iter().map(|(_, usd)| usd).sum()
    }

    /// All but the model.
    pub fn besides_bedrock(&self) -> f64 {
        self.total() - self.bedrock
    }
}

/// What a stream on demand asks for as many GB in, read once, and kept; its hours are not in it.
pub fn stream(gb: f64, prices: &Prices) -> f64 {
    let price = &prices.kinesis;
    gb * (price.gb_in + price.gb_out)
        + gb / DAYS * f64::from(deployed().stream_days - 1) * price.gb_month_kept_beyond_a_day
}

#[cfg(test)]
mod tests;
