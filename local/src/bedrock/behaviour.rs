//! How the stand-in behaves, as tests and the command line set it.

use std::sync::Arc;
use std::time::Duration;

use campaign::CompiledCampaign;
use serde_json::Value;

use super::scenario::Rule;
use super::text::Answer;
use super::{BLOCKED, text};

/// What [`Scenario::Slow`](super::scenario::Scenario::Slow) takes, unless it is said: longer than any caller should wait.
pub const DEFAULT_SLOW: Duration = Duration::from_secs(60);

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Tokens admitted in any sixty seconds.
    pub tokens_per_minute: u64,
    /// What an output token counts when a call is settled.
    pub output_burndown: u64,
    /// Time to the first token.
    pub latency: Duration,
    /// Time for each token of output.
    pub latency_per_token: Duration,
    /// Answer every so-manieth call with a throttle, whatever the quota; 0 for none.
    pub throttle_every: u64,
    /// Which answers cannot be used.
    pub unusable: Unusable,
    /// Stop reason of the unusable answers; without one, they break the schema.
    pub stop_reason: Option<&'static str>,
    /// What the account's guardrails let nobody read; they look at texts, not at what is
    /// put into a tool.
    pub forbidden: Option<&'static str>,
    /// What else goes wrong, beside what the model's id says.
    pub scenarios: Vec<Rule>,
    /// What [`Scenario::Slow`](super::scenario::Scenario::Slow) takes.
    pub slow: Duration,
    /// Campaigns whose whole schemas its text fits; of others it knows what travels.
    pub campaigns: Vec<Arc<CompiledCampaign>>,
}

/// Which answers cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// None.
    None,
    /// The first to each prompt; a correction gets a good one.
    First,
    /// All.
    All,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            tokens_per_minute: 20_000_000,
            output_burndown: 5,
            latency: Duration::from_millis(20),
            latency_per_token: Duration::from_micros(100),
            throttle_every: 0,
            unusable: Unusable::None,
            stop_reason: None,
            forbidden: None,
            scenarios: Vec::new(),
            slow: DEFAULT_SLOW,
            campaigns: Vec::new(),
        }
    }
}

impl Behaviour {
    /// Makes an answer unusable, where that is what it shall be, and says why it stopped then.
    pub(super) fn spoil(&self, request: &Value, answer: &mut Answer) -> Option<&'static str> {
        let is_unusable = match self.unusable {
            Unusable::None => false,
            Unusable::First => !text::is_correction(request),
            Unusable::All => true,
        };
        if is_unusable && self.stop_reason.is_none() {
            "{}".clone_into(&mut answer.text);
        }
        let is_blocked = request["guardrailConfig"].is_object()
            && !answer.is_tool()
            && self.forbidden.is_some_and(|word| answer.text.contains(word));
        if is_blocked {
            BLOCKED.clone_into(&mut answer.text);
            return Some("guardrail_intervened");
        }
        self.stop_reason.filter(|_| is_unusable)
    }
}
