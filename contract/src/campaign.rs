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
//! [`load`] reads all campaigns of a folder and reports every fault at once.
//! It does not compile templates or schemas: `processor` does, at its start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest name of a campaign, in characters.
pub const MAX_NAME_CHARS: usize = 64;

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
    /// The content in `fallback.json`.
    pub fallback: Map<String, Value>,
}

/// The settings in `campaign.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Model or inference profile that writes the content.
    pub model_id: String,
    /// How the model is held to the schema.
    #[serde(default)]
    pub structured_output: StructuredOutput,
    /// Most output tokens of one answer; part of every reservation of quota.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 1.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// How long content is served, in days.
    pub ttl_days: u32,
    /// Most of a user's events that the prompt sees, newest kept.
    #[serde(default = "default_history")]
    pub max_events: usize,
    /// Fields of an event that the prompt may see; `properties.show` names one
    /// inside another. Personal fields that are not named never leave the bucket.
    pub fields: BTreeSet<String>,
    /// Which events ask for content.
    pub trigger: Trigger,
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
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Event types, e.g. `users.behaviors.CustomEvent`.
    pub event_types: BTreeSet<String>,
    /// Fields that must have exactly these values.
    #[serde(default)]
    pub equals: BTreeMap<String, Value>,
}

/// Every fault found in a folder of campaigns.
#[derive(Debug, thiserror::Error)]
#[error("invalid campaigns: {}", join(.0))]
pub struct InvalidCampaigns(pub Vec<Fault>);

/// One file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it and what would be right.
    pub reason: String,
}

const fn default_history() -> usize {
    10
}

/// Reads every campaign in `folder`, in the order of their names.
pub fn load(folder: &Path) -> Result<Vec<Campaign>, InvalidCampaigns> {
    let mut faults = Vec::new();
    let mut campaigns = Vec::new();
    for path in subfolders(folder, &mut faults) {
        campaigns.extend(read_campaign(&path, &mut faults));
    }
    if campaigns.is_empty() && faults.is_empty() {
        faults.push(Fault { path: folder.to_owned(), reason: "holds no campaign folder".into() });
    }
    if faults.is_empty() { Ok(campaigns) } else { Err(InvalidCampaigns(faults)) }
}

/// The personal fields that some campaign asks for, by their top-level names.
pub fn wanted_fields(campaigns: &[Campaign]) -> BTreeSet<String> {
    let fields = campaigns.iter().flat_map(|campaign| &campaign.config.fields);
    fields.map(|field| field.split('.').next().unwrap_or(field).to_owned()).collect()
}

/// Tells whether `name` can name a campaign: lower-case letters, digits and `-`.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(allowed)
}

impl Trigger {
    /// Tells whether an event of this type with these fields asks for content.
    pub fn matches(&self, event_type: &str, fields: &Map<String, Value>) -> bool {
        self.event_types.contains(event_type)
            && self.equals.iter().all(|(path, wanted)| field(fields, path) == Some(wanted))
    }
}

/// Looks up `properties.show` in nested objects.
pub fn field<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = fields.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

fn subfolders(folder: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            faults.push(Fault { path: folder.to_owned(), reason: error.to_string() });
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}

fn read_campaign(folder: &Path, faults: &mut Vec<Fault>) -> Option<Campaign> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_name(name) {
        faults.push(Fault {
            path: folder.to_owned(),
            reason: format!(
                "a campaign's name is 1 to {MAX_NAME_CHARS} lower-case letters, digits and hyphens"
            ),
        });
        return None;
    }
    let mut files = Files { folder, faults };
    let config: Option<Config> = files.parse("campaign.toml", |text| {
        toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))
    });
    let prompt = files.text("prompt.liquid");
    let system = files.text("system.liquid");
    let answer_schema = files.parse("answer.schema.json", json);
    let fallback = files.parse("fallback.json", json);
    if let Some(config) = &config {
        files.check("campaign.toml", config.fault());
    }
    Some(Campaign {
        name: name.to_owned(),
        config: config?,
        prompt: prompt?,
        system: system?,
        answer_schema: answer_schema?,
        fallback: fallback?,
    })
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Config {
    fn fault(&self) -> Option<String> {
        let fault = if self.max_tokens == 0 {
            "max_tokens must be at least 1"
        } else if self.ttl_days == 0 {
            "ttl_days must be at least 1"
        } else if self.max_events == 0 {
            "max_events must be at least 1"
        } else if self.temperature.is_some_and(|t| !(0.0..=1.0).contains(&t)) {
            "temperature must be between 0 and 1"
        } else if self.trigger.event_types.is_empty() {
            "trigger.event_types must name at least one event type"
        } else {
            return None;
        };
        Some(fault.to_owned())
    }
}

/// Reads the files of one campaign and remembers what is wrong with them.
struct Files<'a> {
    folder: &'a Path,
    faults: &'a mut Vec<Fault>,
}

impl Files<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Some(text),
            Err(error) => {
                self.check(name, Some(error.to_string()));
                None
            }
        }
    }

    fn parse<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(parsed) => Some(parsed),
            Err(reason) => {
                self.check(name, Some(reason));
                None
            }
        }
    }

    fn check(&mut self, name: &str, fault: Option<String>) {
        let path = self.folder.join(name);
        self.faults.extend(fault.map(|reason| Fault { path, reason }));
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

fn join(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    faults.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
    fn every_fault_of_every_campaign_is_reported_at_once() {
        let error = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken-campaigns"))
            .expect_err("all are broken");

        let reasons = error.to_string();
        assert!(reasons.contains("Upper_Case: a campaign's name is"), "{reasons}");
        assert!(reasons.contains("max_tokens must be at least 1"), "{reasons}");
        assert!(reasons.contains("half/prompt.liquid"), "{reasons}");
        assert!(reasons.contains("answer.schema.json: key must be"), "{reasons}");
    }

    #[test]
    fn a_trigger_matches_on_type_and_nested_fields() {
        let trigger = Trigger {
            event_types: ["a".to_owned()].into(),
            equals: [("properties.show".to_owned(), json!("Harbour Lights"))].into(),
        };
        let event = |show: &str| match json!({ "properties": { "show": show } }) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };

        assert!(trigger.matches("a", &event("Harbour Lights")));
        assert!(!trigger.matches("a", &event("Other")));
        assert!(!trigger.matches("b", &event("Harbour Lights")));
        assert!(!trigger.matches("a", &Map::new()));
    }
}
