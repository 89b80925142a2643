//! What a campaign's folder says to all three Lambdas.
//!
//! A campaign is a folder whose name is the campaign's name:
//!
//! ```text
//! campaigns/new-episode/
//!   campaign.toml        trigger, model, limits, allow-listed fields
//!   prompt.liquid        what is asked, over the user's events
//!   system.liquid        the standing instructions
//!   answer.schema.json   the shape of an answer (JSON Schema)
//!   fallback.json        what is served while there is no answer
//! ```
//!
//! [`load`] reads all campaigns of a folder and reports every fault at once, each
//! with its file, its line and a remedy. It does not compile templates, conditions
//! or schemas: `processor` does, at its start, and adds its faults to these.

mod config;
mod files;
mod schema;
pub mod schemas;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::safe_text;

pub use schema::line_of;

/// Longest name of a campaign, in characters.
pub const MAX_NAME_CHARS: usize = 64;

/// What a slow model takes to begin its answer, in seconds, when it has much to do.
const FIRST_TOKEN_SECS: u32 = 30;

/// Tokens that a slow model writes in a second; small ones write a hundred and more.
const SLOW_TOKENS_PER_SECOND: u32 = 20;

/// One campaign, as its folder describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Name of the folder; also part of the content's key.
    pub name: String,
    /// The settings in `campaign.toml`.
    pub config: Config,
    /// The template in `prompt.liquid`.
    pub prompt: String,
    /// The template in `system.liquid`.
    pub system: String,
    /// The JSON Schema in `answer.schema.json`.
    pub answer_schema: Value,
    /// The content in `fallback.json`, safe like every content.
    pub fallback: Map<String, Value>,
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
    /// Which events ask for content.
    pub trigger: Trigger,
    /// What generations may cost in a day.
    pub budget: Option<Budget>,
    /// What the model's tokens cost.
    pub price: Option<Price>,
    /// Guardrail of the account that every answer passes.
    pub guardrail: Option<Guardrail>,
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
    pub when: Option<Condition>,
}

/// A condition in the Common Expression Language (CEL, <https://cel.dev>) over `event`,
/// the fields of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The expression.
    pub text: String,
    /// Its line in `campaign.toml`.
    pub line: usize,
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

/// A campaign as far as its files can be read.
#[derive(Debug)]
pub struct Draft {
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// `campaign.toml`.
    pub config: Option<Config>,
    /// `prompt.liquid`.
    pub prompt: Option<String>,
    /// `system.liquid`.
    pub system: Option<String>,
    /// `answer.schema.json`.
    pub answer_schema: Option<Value>,
    /// `fallback.json`, as text for its lines, and as content.
    pub fallback: Option<(String, Map<String, Value>)>,
}

/// Every fault found in a folder of campaigns.
#[derive(Debug, thiserror::Error)]
#[error("campaigns cannot be used:{}", join(.0))]
pub struct InvalidCampaigns(pub Vec<Fault>);

/// One place that makes a campaign unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// The line, from 1, where there is one to blame.
    pub line: Option<usize>,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

/// Reads every campaign in `folder`, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<Campaign>, InvalidCampaigns> {
    let (drafts, faults) = read(folder);
    if !faults.is_empty() {
        return Err(InvalidCampaigns(faults));
    }
    Ok(drafts.into_iter().filter_map(Draft::finish).collect())
}

/// Reads every campaign in `folder` as far as that is possible; a draft without
/// faults is complete.
pub fn read(folder: &Path) -> (Vec<Draft>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut drafts = Vec::new();
    for path in files::subfolders(folder, &mut faults) {
        drafts.extend(files::read_campaign(&path, &mut faults));
    }
    if drafts.is_empty() && faults.is_empty() {
        faults.push(Fault::new(
            folder,
            None,
            "holds no campaign: put a folder with a campaign.toml into it",
        ));
    }
    (drafts, faults)
}

/// The personal fields that some campaign asks for, by their top-level names: those that
/// its prompt may see, and those that its condition looks at.
pub fn wanted_fields(campaigns: &[Campaign]) -> BTreeSet<String> {
    let fields = campaigns.iter().flat_map(|campaign| &campaign.config.fields);
    let first = |field: &String| field.split('.').next().unwrap_or(field).to_owned();
    let conditions = campaigns.iter().filter_map(|each| each.config.trigger.when.as_ref());
    fields.map(first).chain(conditions.flat_map(Condition::fields)).collect()
}

/// Tells whether `name` can name a campaign: lower-case letters, digits and `-`.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(allowed)
}

impl Condition {
    /// The top-level fields of the event that it looks at, as far as they are written
    /// `event.name` or `event["name"]`; the processor refuses a condition with others.
    pub fn fields(&self) -> BTreeSet<String> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut fields = BTreeSet::new();
        for (at, event) in self.text.match_indices("event") {
            if self.text[..at].ends_with(|c| is_word(c) || c == '.') {
                continue;
            }
            let rest = self.text[at + event.len()..].trim_start();
            if let Some(rest) = rest.strip_prefix('.') {
                let rest = rest.trim_start();
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                fields.insert(rest[..end].to_owned());
            } else if let Some(rest) = rest.strip_prefix('[') {
                let quoted = rest.trim_start();
                if let Some(quote) = quoted.chars().next().filter(|c| matches!(c, '"' | '\'')) {
                    fields.extend(quoted.split(quote).nth(1).map(str::to_owned));
                }
            }
        }
        fields
    }
}

impl Config {
    /// Longest time that a call of the model may take: what the campaign says, or what an
    /// answer of `max_tokens` takes a slow model.
    pub fn timeout(&self) -> Duration {
        let secs = self.timeout_secs.unwrap_or_else(|| self.slow_answer_secs());
        Duration::from_secs(secs.min(config::MAX_TIMEOUT_SECS).into())
    }

    /// What an answer of `max_tokens` takes a slow model, in seconds.
    pub fn slow_answer_secs(&self) -> u32 {
        FIRST_TOKEN_SECS + self.max_tokens.div_ceil(SLOW_TOKENS_PER_SECOND)
    }
}

impl Draft {
    /// The campaign, if every file could be read.
    pub fn finish(self) -> Option<Campaign> {
        let answer_schema = self.answer_schema?;
        let fallback = match safe_text::decoded(Value::Object(self.fallback?.1)) {
            Value::Object(fallback) => safe_text::safe(fallback, &answer_schema),
            // An object stays one.
            _ => return None,
        };
        Some(Campaign {
            name: self.name,
            config: self.config?,
            prompt: self.prompt?,
            system: self.system?,
            answer_schema,
            fallback,
        })
    }
}

impl Fault {
    /// Blames a place.
    pub fn new(path: &Path, line: Option<usize>, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, reason: reason.into() }
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

/// Looks up `properties.show` in nested objects.
pub fn field<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = fields.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.reason)
    }
}

fn join(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository_campaigns() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaigns")
    }

    #[test]
    fn the_sample_campaign_loads_and_asks_for_no_personal_field() {
        let campaigns = load(&repository_campaigns()).expect("sample campaigns are valid");

        assert_eq!(campaigns[0].name, "new-episode");
        let wanted = wanted_fields(&campaigns);
        assert!(wanted.contains("properties"));
        assert!(!wanted.contains("external_user_id"));
    }

    #[test]
    fn a_condition_asks_for_the_fields_that_it_looks_at() {
        let mut campaigns = load(&repository_campaigns()).expect("sample campaigns are valid");
        let text = "event.email_address != '' && event [ 'city' ] == 'Graz' && has(event.a.b) \
                    && my_event.no == 1";
        campaigns[0].config.fields.clear();
        campaigns[0].config.trigger.when = Some(Condition { text: text.to_owned(), line: 1 });

        let wanted: Vec<String> = wanted_fields(&campaigns).into_iter().collect();

        assert_eq!(wanted, ["a", "city", "email_address"]);
    }

    #[test]
    fn every_fault_of_every_campaign_is_reported_at_once_with_its_line() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken-campaigns");

        let InvalidCampaigns(faults) = load(&folder).expect_err("all are broken");

        let listed: Vec<String> = faults
            .iter()
            .map(|fault| {
                let text = fault.to_string();
                text.trim_start_matches(folder.to_str().expect("is UTF-8")).to_owned()
            })
            .collect();
        let expected = [
            "/Upper_Case: a campaign's name is 1 to 64 lower-case",
            "/half/campaign.toml:2: max_tokens must be 1 to 64000",
            "/half/campaign.toml:3: temperature must be 0 to 1",
            "/half/campaign.toml:5: unknown setting \"colour\"",
            "/half/campaign.toml:6: fields: invalid type: integer `7`",
            "/half/campaign.toml:9: event_types must name at least one event type",
            "/half/campaign.toml:12: a budget is tokens_per_day or usd_per_day",
            "/half/campaign.toml: ttl_days is missing",
            "/half/prompt.liquid: cannot be read",
            "/half/answer.schema.json:1: is not a JSON object: key must be",
            "/long/answer.schema.json:4: a text needs a maxLength",
        ];
        assert_eq!(listed.len(), expected.len(), "{listed:#?}");
        for (expected, fault) in expected.iter().zip(&listed) {
            assert!(fault.starts_with(expected), "{fault}\n{expected}");
        }
    }
}
