//! What AWS charges for, in the units in which it does.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Mul};

use serde::{Deserialize, Serialize};

/// What is rounded up to one KiB, in bytes: records of a stream on demand.
const KIB: u64 = 1_024;

/// What part of the price a job of batch inference costs.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html>
pub const PRICE_OF_JOBS: f64 = 0.5;

/// What was used. Fractions are what an extrapolation comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Units {
    /// Kinesis: KiB of records put on the stream, each rounded up, and read once.
    pub stream_kib: f64,
    /// Lambda: what each function took.
    pub functions: BTreeMap<Function, Used>,
    /// DynamoDB: units written.
    pub write_units: f64,
    /// DynamoDB: units read.
    pub read_units: f64,
    /// S3: objects put.
    pub objects_put: f64,
    /// S3: objects, or parts of them, fetched.
    pub objects_fetched: f64,
    /// S3: bytes put.
    pub object_bytes: f64,
    /// SQS: requests.
    pub queue_requests: f64,
    /// What stands in front of the api: calls.
    pub calls: f64,
    /// What leaves AWS: bytes of answers.
    pub answer_bytes: f64,
    /// CloudWatch: bytes of logs.
    pub log_bytes: f64,
    /// Bedrock: input tokens at the whole price; those of jobs count half.
    pub input_tokens: f64,
    /// Bedrock: output tokens, counted alike.
    pub output_tokens: f64,
}

/// A run that was counted: what came, and what AWS would charge for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counted {
    /// Events that came in.
    pub events: f64,
    /// Those of them that triggered a campaign.
    pub triggering: f64,
    /// Contents that were stored.
    pub contents: f64,
    /// Generations.
    pub generations: f64,
    /// Look-ups.
    pub look_ups: f64,
    /// For the events, their contents and generations.
    pub of_events: Units,
    /// For the look-ups.
    pub of_look_ups: Units,
}

/// A function as it is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Reads objects.
    Ingest,
    /// Takes what is posted.
    EventsDoor,
    /// Works through batches of the stream.
    Processor,
    /// Takes up asks.
    AsksWorker,
    /// Answers look-ups.
    Api,
}

/// What a function took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Invocations.
    pub invocations: f64,
    /// Billed time, in milliseconds.
    pub billed_ms: f64,
}

impl Counted {
    /// For all of it.
    pub fn units(&self) -> Units {
        let mut all = self.of_events.clone();
        all += self.of_look_ups.clone();
        all
    }
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::EventsDoor, Self::Processor, Self::AsksWorker, Self::Api];
}

impl Units {
    /// Adds a record of the stream, of so many bytes, its partition key included.
    pub fn put_record(&mut self, bytes: usize) {
        self.stream_kib += (bytes as u64).div_ceil(KIB) as f64;
    }

    /// Adds an invocation of a function.
    pub fn invoke(&mut self, function: Function, billed_ms: u64) {
        let used = self.functions.entry(function).or_default();
        used.invocations += 1.0;
        used.billed_ms += billed_ms as f64;
    }

    /// Invocations of all functions.
    pub fn invocations(&self) -> f64 {
        self.functions.values().map(|used| used.invocations).sum()
    }

    /// Those of functions of which X-Ray records some.
    pub fn traced(&self) -> f64 {
        let traced = self.functions.iter().filter(|(function, _)| **function != Function::Api);
        traced.map(|(_, used)| used.invocations).sum()
    }

    /// All numbers, in the order of the fields.
    fn numbers(&mut self) -> [&mut f64; 12] {
        let Self {
            stream_kib,
            functions: _,
            write_units,
            read_units,
            objects_put,
            objects_fetched,
            object_bytes,
            queue_requests,
            calls,
            answer_bytes,
            log_bytes,
            input_tokens,
            output_tokens,
        } = self;
        [
            stream_kib,
            write_units,
            read_units,
            objects_put,
            objects_fetched,
            object_bytes,
            queue_requests,
            calls,
            answer_bytes,
            log_bytes,
            input_tokens,
            output_tokens,
        ]
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, mut other: Self) {
        for (own, more) in self.numbers().into_iter().zip(other.numbers()) {
            *own += *more;
        }
        for (function, more) in other.functions {
            let own = self.functions.entry(function).or_default();
            own.invocations += more.invocations;
            own.billed_ms += more.billed_ms;
        }
    }
}

impl Mul<f64> for Units {
    type Output = Self;

    fn mul(mut self, factor: f64) -> Self {
        self.numbers().into_iter().for_each(|number| *number *= factor);
        for used in self.functions.values_mut() {
            used.invocations *= factor;
            used.billed_ms *= factor;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of which each number is another.
    fn different() -> Units {
        let mut units = Units::default();
        units.numbers().into_iter().enumerate().for_each(|(n, number)| *number = n as f64 + 1.0);
        units.invoke(Function::Api, 5);
        units.invoke(Function::Api, 6);
        units
    }

    #[test]
    fn twice_is_the_sum_of_both() {
        let mut both = different();
        both += different();

        assert_eq!(both, different() * 2.0);
        let used = both.functions[&Function::Api];
        assert_eq!((used.invocations, used.billed_ms), (4.0, 22.0));
        let json = serde_json::to_value(different()).expect("is JSON");
        let fields = json.as_object().expect("is an object");
        let numbers: Vec<f64> = fields.values().filter_map(serde_json::Value::as_f64).collect();
        assert_eq!(numbers.len(), fields.len() - 1, "all but the functions are numbers");
        assert_eq!(numbers.iter().sum::<f64>(), f64::from((1..=12).sum::<i32>()));
    }

    #[test]
    fn a_record_is_rounded_up() {
        let mut units = Units::default();
        for bytes in [1, 1_024, 1_025] {
            units.put_record(bytes);
        }

        assert_eq!(units.stream_kib, 4.0);
    }
}
