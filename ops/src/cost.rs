//! What a month on AWS costs.
//!
//! A load goes in, a bill comes out; nothing is asked of AWS. The load is checked in [`load`],
//! prices are in one file ([`prices`]), how much of everything an event takes is in
//! [`measured`], from what `docs/measurements.md` reports, and `month` multiplies. [`report`]
//! says it all with its assumptions; `docs/cost.md` says what is left out.

pub mod load;
pub mod measured;
mod month;
pub mod prices;
pub mod report;

use load::Load;
use month::Month;
use prices::Prices;

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
    /// The key, the secret, alarms, metrics and the dashboard.
    pub key_and_alarms: f64,
    /// Generations.
    pub bedrock: f64,
    /// Bedrock alone, if every event that triggers were a call.
    pub one_call_per_event: f64,
}

impl Bill {
    /// Adds everything up.
    pub fn of(load: &Load, prices: &Prices) -> Self {
        let month = Month::of(load);
        let generation = prices.bedrock.usd(load.input_tokens, load.output_tokens);
        Self {
            kinesis: month.kinesis(prices),
            lambda: month.lambda(prices),
            dynamodb: month.dynamodb(prices),
            api_gateway: month.api_gateway(prices, load.gateway),
            s3_and_sqs: month.s3_and_sqs(prices),
            logs_and_traces: month.logs_and_traces(prices),
            key_and_alarms: Month::key_and_alarms(prices),
            bedrock: month.generations * generation,
            one_call_per_event: month.triggering * generation,
        }
    }

    /// All of this system.
    pub fn total(&self) -> f64 {
        self.kinesis
            + self.lambda
            + self.dynamodb
            + self.api_gateway
            + self.s3_and_sqs
            + self.logs_and_traces
            + self.key_and_alarms
            + self.bedrock
    }
}

/// Where this system and a call of the model for each event that triggers cost the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BreakEven {
    /// At so many different prompts among a thousand events that trigger; it costs less below.
    PromptsPerThousand(f64),
    /// Nowhere: it costs more, even if all prompts were equal.
    Nowhere {
        /// What it takes without a single generation, in dollars a month.
        without_generations: f64,
    },
}

impl BreakEven {
    /// Compares all of this system with Bedrock alone.
    pub fn of(load: &Load, prices: &Prices) -> Self {
        let at = |prompts_per_thousand| Bill::of(&Load { prompts_per_thousand, ..*load }, prices);
        let (none, all) = (at(0.0), at(1000.0));
        let left = all.one_call_per_event - none.total();
        if left <= 0.0 {
            return Self::Nowhere { without_generations: none.total() };
        }
        // Everything that generations take grows with their number.
        Self::PromptsPerThousand((1000.0 * left / (all.total() - none.total())).min(1000.0))
    }
}

#[cfg(test)]
mod tests;
