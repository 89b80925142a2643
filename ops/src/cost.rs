//! What a month on AWS costs.
//!
//! A load goes in, a bill comes out; nothing is asked of AWS. The load is checked in [`load`];
//! `month` takes a run that was counted as often as the load has it, and adds what no run has,
//! which is in `standing`; the room `bill` knows the prices. [`report`] says it all with its
//! assumptions; `docs/cost.md` says what is left out.

pub mod load;
mod month;
pub mod report;
mod standing;

use std::path::Path;

use anyhow::{Context as _, ensure};
use bill::prices::Prices;
use contract::units::Counted;
use load::Load;
use month::Month;

/// The run that the program carries; `docs/cost.md` says how it was counted.
const BUILT_IN: &str = include_str!("../counted.json");

/// What a run took: that of a file, or the built-in one.
pub fn counted(file: Option<&Path>) -> anyhow::Result<Counted> {
    let Some(path) = file else {
        return serde_json::from_str(BUILT_IN).context("the built-in run cannot be read");
    };
    let failed =
        || format!("{} is no counted run: `local --counted FILE` writes one", path.display());
    let counted: Counted =
        serde_json::from_str(&std::fs::read_to_string(path).with_context(failed)?)
            .with_context(failed)?;
    ensure!(
        counted.events > 0.0 && counted.triggering > 0.0,
        "{}: nothing triggered a campaign in that run, so nothing can be told by it",
        path.display()
    );
    Ok(counted)
}

/// What a month costs, in dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bill {
    /// What is used and what stands there, by service.
    pub of_services: bill::Bill,
    /// The key, the secret, alarms, metrics and the dashboard.
    pub key_and_alarms: f64,
    /// Bedrock alone, if every event that triggers were a call.
    pub one_call_per_event: f64,
}

impl Bill {
    /// Adds everything up.
    pub fn of(load: &Load, counted: &Counted, prices: &Prices) -> Self {
        let Month { units, triggering } = Month::of(load, counted);
        let used = bill::Bill::of(&units, load.front.into(), prices);
        let of_services = bill::Bill {
            kinesis: used.kinesis + standing::stream(prices),
            front: used.front + standing::front(load.front, prices),
            dynamodb: used.dynamodb + standing::items(load.users, prices),
            logs_and_traces: used.logs_and_traces + standing::traces(units.traced(), prices),
            ..used
        };
        let generation = prices.bedrock.usd(load.input_tokens, load.output_tokens);
        Self {
            of_services,
            key_and_alarms: standing::keys_and_alarms(prices),
            one_call_per_event: triggering * generation,
        }
    }

    /// All of this system.
    pub fn total(&self) -> f64 {
        self.of_services.total() + self.key_and_alarms
    }
}

/// Where this system and a call of the model for each event that triggers cost the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BreakEven {
    /// At so many different prompts a day; it costs less below.
    Prompts(f64),
    /// Nowhere: it costs more, even if all prompts were equal.
    Nowhere {
        /// What it takes without a single generation, in dollars a month.
        without_generations: f64,
    },
}

impl BreakEven {
    /// Compares all of this system with Bedrock alone.
    pub fn of(load: &Load, counted: &Counted, prices: &Prices) -> Self {
        let most = load.events * load.triggering;
        let at = |prompts| Bill::of(&Load { prompts, ..*load }, counted, prices);
        let (none, all) = (at(0.0), at(most));
        let left = all.one_call_per_event - none.total();
        if left <= 0.0 {
            return Self::Nowhere { without_generations: none.total() };
        }
        // Everything that generations take grows with their number.
        Self::Prompts((most * left / (all.total() - none.total())).min(most))
    }
}

#[cfg(test)]
mod tests;
