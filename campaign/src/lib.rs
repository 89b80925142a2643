//! A campaign's folder, and what is made of it: everything that a campaign decides.
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
//!   fallback.de.json     the same in another language; need not be there
//!   message.liquid       what stands in Braze, beside subject.liquid and content_blocks/
//! ```
//!
//! ```text
//! folder -> draft -> compiled: event -> triggered? -> past event -> prompt -> hash
//!  (folder, config,  (compiled,  (condition)           (past)      (prompt)  (prompt_hash)
//!   json, schema)     fallback,  answer -> checked, safe content
//!                     warnings)             (answer, safe_text)
//! ```
//!
//! [`load`] reads and compiles all campaigns of a folder and reports every fault at once,
//! each with its file, its line and a remedy; [`check`] looks at messages and the names of
//! events besides. [`read`] reads them for who only serves.
//!
//! Read [`compiled`] first.

pub mod answer;
mod brand;
pub mod compiled;
pub mod condition;
pub mod config;
pub mod example;
mod fallback;
pub mod fault;
mod folded;
mod folder;
pub mod grounds;
mod json;
pub mod known_catalogs;
pub mod known_events;
mod lines;
pub mod message;
mod passed;
pub mod past;
pub mod prompt;
mod prompt_hash;
pub mod reference;
mod rules;
pub mod safe_text;
mod schema;
mod sources;
mod warnings;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use compiled::{CompiledCampaign, Examined, check, load, wanted_event_types, wanted_fields};
pub use config::{
    Budget, Config, Guardrail, OnMissingItem, OverBudget, Price, Replace, StructuredOutput,
};
use fallback::languages;
pub use fault::{Fault, InvalidCampaigns};
pub use folded::folded;
pub use folder::read;
pub use grounds::{Brief, Grounds, Item, Items, Lack, Rendering, Told};
pub use past::Past;
pub use rules::Broken;

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
    /// The content in `fallback.json`, safe like every content.
    pub fallback: Map<String, Value>,
    /// The same in other languages, by their tags: `fallback.pt-BR.json` under `pt-BR`.
    pub fallbacks: BTreeMap<String, Map<String, Value>>,
}

impl Campaign {
    /// The fallback content for a language, such as `de-AT`: in it, in the language without its
    /// region, or what `fallback.json` has.
    pub fn fallback_for(&self, language: Option<&str>) -> &Map<String, Value> {
        self.best_fallback(language).map_or(&self.fallback, |(_, content)| content)
    }

    /// The tag of that content, as the file is called by it; `None` for `fallback.json`.
    pub fn fallback_tag(&self, language: Option<&str>) -> Option<&str> {
        self.best_fallback(language).map(|(tag, _)| tag)
    }

    fn best_fallback(&self, language: Option<&str>) -> Option<(&str, &Map<String, Value>)> {
        languages::best(&self.fallbacks, language?)
    }
}

/// Tells whether `name` can name a campaign: lower-case letters, digits and `-`.
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.chars().all(allowed)
}

/// Looks up `properties.show` in nested objects.
pub fn field<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = fields.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_campaigns_of_this_project_can_be_used() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let examples = std::fs::read_dir(root.join("examples")).expect("are there").flatten();
        let folders = examples.map(|example| example.path().join("campaigns"));
        // Whoever has campaigns of their own may have taken the sample out.
        let own = [root.join("campaigns")]
            .into_iter()
            .filter(|own| std::fs::read_dir(own).is_ok_and(|mut entries| entries.next().is_some()));

        let loaded = folders.chain(own).map(|folder| load(&folder).expect("all are valid").len());

        assert!(loaded.sum::<usize>() >= 3);
    }

    #[test]
    fn a_personal_field_that_no_campaign_names_is_not_wanted() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/campaigns");
        let campaigns = load(&folder).expect("is valid");

        let wanted = wanted_fields(&campaigns);
        assert!(wanted.fields.contains("properties"));
        assert!(!wanted.fields.contains("external_user_id"));
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
            "/half/campaign.toml:6: fields must be a list of texts, and 7 is none",
            "/half/campaign.toml:9: event_types must name at least one event type",
            "/half/campaign.toml:12: a budget is tokens_per_day or usd_per_day",
            "/half/campaign.toml: ttl_days is missing",
            "/half/prompt.liquid: cannot be read",
            "/half/answer.schema.json:1: a name stands in double quotes: write \"broken\"",
            "/long/answer.schema.json:4: a text needs a maxLength",
        ];
        assert_eq!(listed.len(), expected.len(), "{listed:#?}");
        for (expected, fault) in expected.iter().zip(&listed) {
            assert!(fault.starts_with(expected), "{fault}\n{expected}");
        }
    }
}
