//! How much of logs an invocation writes.

use std::collections::BTreeMap;
use std::fmt;

use contract::metrics::Counts;
use contract::units::Function;
use program::telemetry::meter::Meter;

/// What Lambda writes of an invocation itself, in JSON: that it starts, and its report. Both as
/// AWS documents them, and what CloudWatch adds to each line.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-formats.html>
const OF_LAMBDA: u64 = 150 + 420 + 2 * OF_A_LINE;

/// API Gateway's line about a call, with values as long as they are.
pub(super) const OF_A_CALL: u64 = 290 + OF_A_LINE;

/// What CloudWatch adds to a line.
const OF_A_LINE: u64 = 26;

/// A namespace as long as that of a stack.
const NAMESPACE: &str = "braze-content-prod";

/// The meters of the functions, of which only the size of what they would write is asked.
pub(super) struct Lines(BTreeMap<Function, Meter>);

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self(Function::ALL.into_iter().map(|function| (function, meter(function))).collect())
    }
}

impl Lines {
    /// Bytes that an invocation writes that counted this.
    pub(super) fn bytes(&self, function: Function, counts: &Counts) -> u64 {
        let written = self.0.get(&function).map_or(0, |meter| meter.size(counts));
        // Of look-ups it writes those that failed.
        let of_lambda = if function == Function::Api { 0 } else { OF_LAMBDA };
        of_lambda + written as u64 + if written > 0 { OF_A_LINE } else { 0 }
    }
}

fn meter(function: Function) -> Meter {
    match function {
        Function::Ingest | Function::EventsDoor => Meter::new("ingest", NAMESPACE),
        Function::Processor | Function::AsksWorker => Meter::new("processor", NAMESPACE),
        Function::Api => Meter::new("api", NAMESPACE).gathering(api::GATHER),
    }
}
