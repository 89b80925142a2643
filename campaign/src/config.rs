//! The settings of a campaign, as `campaign.toml` says them.

pub(crate) mod model_id;
pub(crate) mod paths;
mod rules;
mod toml;
pub mod wait;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

pub use rules::{CheckSettings, LanguageOf, Lined, Passage, RuleSettings};
pub(crate) use toml::{MAX_TIMEOUT_SECS, read};

/// What a slow model takes to begin its answer, in seconds, when it has much to do.
const FIRST_TOKEN_SECS: u32 = 30;

/// Tokens that a slow model writes in a second; small ones write a hundred and more.
const SLOW_TOKENS_PER_SECOND: u32 = 20;

/// What the trigger's `when` is called where something is wrong with it: people know it as
/// the condition.
pub(crate) const WHEN: &str = "condition";

/// Name of a setting.
pub(crate) const UNLESS: &str = "unless";

/// Name of a setting.
pub(crate) const RETRACT_WHEN: &str = "retract_when";

/// What `campaign.toml` names that other files and the catalogue of events must fit, as far
/// as it can be read, whatever else is wrong there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Named {
    /// Fields that the prompt may see, each with its line; `None` if the setting cannot be read.
    pub(crate) fields: Option<Vec<(usize, String)>>,
    /// Attributes that the prompt may see.
    pub(crate) attributes: BTreeSet<String>,
    /// Event types, each with its line.
    pub(crate) event_types: Vec<(usize, String)>,
    /// What else must hold of an event.
    pub(crate) when: Option<Expression>,
    /// Which events end what waits.
    pub(crate) unless: Option<Expression>,
    /// Which events take content out of service.
    pub(crate) retract_when: Option<Expression>,
    /// How the model is held to the schema.
    pub(crate) structured_output: StructuredOutput,
    /// What is demanded of answers.
    pub(crate) rules: RuleSettings,
    /// What the content takes over.
    pub(crate) fields_from: Vec<Passage>,
    /// What tells the language of fallback content, with its line.
    pub(crate) fallback_language: Option<(usize, LanguageOf)>,
}

/// The settings in `campaign.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Model or inference profile that writes the content.
    pub model_id: String,
    /// How the model is held to the schema.
    pub structured_output: StructuredOutput,
    /// Most output tokens of one answer; part of every reservation of quota.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 1.
    pub temperature: Option<f32>,
    /// How long content is served, in days.
    pub ttl_days: u32,
    /// Most of a user's events that are remembered and that the prompt sees, newest kept.
    pub history: usize,
    /// Time between two events of a user that get content, in hours; 0 for none.
    pub cooldown_hours: u32,
    /// Which of the events within a cooldown gets content.
    pub replace: Replace,
    /// Most contents of one user in an hour; what goes beyond waits. 0 for as many as come.
    pub hourly_limit: u32,
    /// Which events take content out of service that was written for an older event.
    pub retract_when: Option<Expression>,
    /// How long an answer stands for every equal prompt, in hours.
    pub cache_hours: u32,
    /// Campaigns of a higher priority are served first.
    pub priority: i32,
    /// Whether the service may keep the standing instructions between calls.
    pub cache_system: bool,
    /// Longest time that a call of the model may take, in seconds, where it is said; see
    /// [`Config::timeout`].
    pub timeout_secs: Option<u32>,
    /// Fields of an event that the prompt may see; `properties.show` names one
    /// inside another. Personal fields that are not named never leave the bucket.
    pub fields: BTreeSet<String>,
    /// Fields without which an event is not answered, where they are said; otherwise the
    /// prompt tells them.
    pub required: Option<BTreeSet<String>>,
    /// Attributes of the user that the prompt may see, by the names that Braze's Liquid has for
    /// them: `first_name`, `custom_attribute.genre`. Others are not kept.
    pub attributes: BTreeSet<String>,
    /// What is demanded of answers beyond their schema.
    pub rules: RuleSettings,
    /// Properties of the content that are taken over as they are, and never asked for.
    pub fields_from: Vec<Passage>,
    /// What tells the language of the fallback content that a user gets; nothing if there is
    /// fallback content of one language only.
    pub fallback_language: Option<LanguageOf>,
    /// What becomes of an event that leads to an item that is in no catalog.
    pub on_missing_item: OnMissingItem,
    /// How long the prompt and the answer of content are kept beside it, in days; 0 for not at
    /// all.
    pub keep_prompts_days: u32,
    /// Which events ask for content.
    pub trigger: Trigger,
    /// What generations may cost in a day.
    pub budget: Option<Budget>,
    /// What becomes of events whose content the budget of the day does not allow.
    pub over_budget: OverBudget,
    /// What the model's tokens cost.
    pub price: Option<Price>,
    /// Guardrail of the account that every answer passes.
    pub guardrail: Option<Guardrail>,
    /// Within how many hours content is to be there, where it can wait to be asked for in a job, at
    /// half the price; content is asked for at once where it is not said.
    pub batch_within_hours: Option<u32>,
}

impl Named {
    /// The conditions, each with the name that faults have of it.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (&'static str, &Expression)> {
        let all = [(WHEN, &self.when), (UNLESS, &self.unless), (RETRACT_WHEN, &self.retract_when)];
        all.into_iter().filter_map(|(name, condition)| Some((name, condition.as_ref()?)))
    }

    /// The fields that the prompt may see, without their lines.
    pub(crate) fn paths(&self) -> Option<BTreeSet<String>> {
        let fields = self.fields.as_ref()?;
        Some(fields.iter().map(|(_, path)| path.clone()).collect())
    }
}

/// How the model is held to the answer's schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StructuredOutput {
    /// Converse's output configuration, for models that have it.
    #[default]
    JsonSchema,
    /// A forced tool call, for models that do not.
    Tool,
}

/// Which events ask for content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Event types, e.g. `users.behaviors.CustomEvent`.
    pub event_types: BTreeSet<String>,
    /// What else must hold.
    pub when: Option<Expression>,
    /// How long after the newest of these events content is asked for; at once if it is not
    /// said.
    pub after: Option<Duration>,
    /// Which events, after the newest that triggers, end what waits for that time.
    pub unless: Option<Expression>,
}

impl fmt::Display for Trigger {
    /// The event types, and the condition if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: Vec<&str> = self.event_types.iter().map(String::as_str).collect();
        f.write_str(&types.join(", "))?;
        self.when.as_ref().map_or(Ok(()), |when| write!(f, " with {}", when.text.trim()))
    }
}

/// A condition in the Common Expression Language (CEL, <https://cel.dev>) over `event`,
/// the fields of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The expression.
    pub text: String,
    /// Its line in `campaign.toml`.
    pub line: usize,
}

/// Which of the events within a cooldown gets content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replace {
    /// The first one, which began it; later ones are skipped.
    #[default]
    First,
    /// The first one, and the newest one as soon as the cooldown is over.
    Newest,
}

/// What becomes of an event that leads to an item that is in no catalog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMissingItem {
    /// It is skipped: the model would have to say nothing, or invent.
    #[default]
    Skip,
    /// The model is asked without it; the template says what then.
    Ask,
}

/// What becomes of events whose content the budget of the day does not allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverBudget {
    /// They are skipped.
    #[default]
    Skip,
    /// They wait for the budget of the next day.
    Wait,
}

/// What generations may cost in a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// Input and output tokens.
    Tokens(u64),
    /// US dollars, by the campaign's [`Price`].
    Usd(f64),
}

/// What a model's tokens cost, in US dollars for a million.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Input tokens.
    pub usd_per_million_input_tokens: f64,
    /// Output tokens.
    pub usd_per_million_output_tokens: f64,
}

/// A guardrail of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardrail {
    /// Its id or ARN.
    pub id: String,
    /// Its version, a number or `DRAFT`.
    pub version: String,
}

impl Config {
    /// Longest time that a call of the model may take: what the campaign says, or what an
    /// answer of `max_tokens` takes a slow model.
    pub fn timeout(&self) -> Duration {
        let secs = self.timeout_secs.unwrap_or_else(|| self.slow_answer_secs());
        Duration::from_secs(secs.min(MAX_TIMEOUT_SECS).into())
    }

    /// The attribute that tells the language of the fallback content that a user gets, if one
    /// does. It is kept for that, beside those that the prompt may see.
    pub fn fallback_attribute(&self) -> Option<&str> {
        match &self.fallback_language {
            Some(LanguageOf::Attribute(name)) => Some(name),
            Some(LanguageOf::Event(_)) | None => None,
        }
    }

    /// The attributes that are kept of a user for this campaign: those that the prompt may see,
    /// and the one that tells the language of fallback content.
    pub fn kept_attributes(&self) -> impl Iterator<Item = &str> {
        let listed = self.attributes.iter().map(String::as_str);
        listed.chain(self.fallback_attribute().filter(|name| !self.attributes.contains(*name)))
    }

    /// How many tokens a slow model writes in so many seconds.
    pub(crate) fn tokens_within(secs: u32) -> u32 {
        secs.saturating_sub(FIRST_TOKEN_SECS) * SLOW_TOKENS_PER_SECOND
    }

    /// What an answer of `max_tokens` takes a slow model, in seconds.
    pub fn slow_answer_secs(&self) -> u32 {
        FIRST_TOKEN_SECS + self.max_tokens.div_ceil(SLOW_TOKENS_PER_SECOND)
    }
}

impl Price {
    /// What a call costs, in US dollars; input tokens are priced ones, see
    /// `Usage::priced_input_tokens` in `processor`.
    pub fn usd(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.usd_per_million_input_tokens
            + output_tokens as f64 * self.usd_per_million_output_tokens)
            / 1e6
    }
}
