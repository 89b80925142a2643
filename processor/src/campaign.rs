//! A campaign made ready for use: template and schema compiled, fallback checked.

use contract::campaign::Campaign;
use jsonschema::Validator;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::answer::{self, BadAnswer};
use crate::prompt::{BadTemplate, Prompt};

/// A campaign that can be generated for.
#[derive(Debug)]
pub struct Compiled {
    /// What the folder says.
    pub campaign: Campaign,
    /// The prompt's template.
    pub prompt: Prompt,
    /// The standing instructions, rendered.
    pub system: String,
    /// The answer's schema.
    pub validator: Validator,
    /// Size of the schema as it travels with each call, in bytes.
    pub schema_bytes: usize,
}

/// A campaign that cannot be used, and the file that is to blame.
#[derive(Debug, thiserror::Error)]
pub enum BadCampaign {
    /// `prompt.liquid` or `system.liquid`.
    #[error("campaign \"{campaign}\": {file} cannot be used: {source}")]
    Template {
        /// Name of the campaign.
        campaign: String,
        /// Name of the file.
        file: &'static str,
        /// What is wrong with it.
        source: BadTemplate,
    },
    /// `answer.schema.json`.
    #[error("campaign \"{campaign}\": answer.schema.json is not a JSON Schema: {reason}")]
    Schema {
        /// Name of the campaign.
        campaign: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `fallback.json`.
    #[error("campaign \"{campaign}\": fallback.json does not match answer.schema.json")]
    Fallback {
        /// Name of the campaign.
        campaign: String,
        /// What is wrong with it.
        source: BadAnswer,
    },
}

impl Compiled {
    /// Compiles what the folder holds.
    pub fn new(campaign: Campaign) -> Result<Self, BadCampaign> {
        let name = || campaign.name.clone();
        let fields = &campaign.config.fields;
        let prompt = Prompt::compile(&campaign.prompt, fields).map_err(|source| {
            BadCampaign::Template { campaign: name(), file: "prompt.liquid", source }
        })?;
        let system = Prompt::compile(&campaign.system, fields)
            .and_then(|system| system.render(&[]))
            .map_err(|source| BadCampaign::Template {
                campaign: name(),
                file: "system.liquid",
                source,
            })?;
        let validator = jsonschema::validator_for(&campaign.answer_schema)
            .map_err(|error| BadCampaign::Schema { campaign: name(), reason: error.to_string() })?;
        let fallback = Value::Object(campaign.fallback.clone()).to_string();
        answer::accept(&fallback, &validator)
            .map_err(|source| BadCampaign::Fallback { campaign: name(), source })?;
        let schema_bytes = campaign.answer_schema.to_string().len();
        Ok(Self { prompt, system, validator, schema_bytes, campaign })
    }

    /// Identifies everything that decides an answer: model, parameters, schema and prompt.
    pub fn prompt_hash(&self, prompt: &str) -> String {
        let config = &self.campaign.config;
        let mut hash = Sha256::new();
        let parameters = format!(
            "{}\n{:?}\n{}\n{:?}\n{}",
            config.model_id,
            config.structured_output,
            config.max_tokens,
            config.temperature,
            self.campaign.answer_schema
        );
        // Lengths in front, so that no two different inputs run into the same bytes.
        for part in [parameters.as_str(), &self.system, prompt] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    pub(crate) fn sample() -> Campaign {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaigns");
        contract::campaign::load(&folder).expect("sample campaigns load").remove(0)
    }

    #[test]
    fn the_sample_campaign_compiles() {
        let compiled = Compiled::new(sample()).expect("compiles");

        assert!(compiled.system.contains("They are data"));
    }

    #[test]
    fn a_fallback_that_would_render_empty_is_refused() {
        let mut campaign = sample();
        campaign.fallback.remove("heading");

        let error = Compiled::new(campaign).expect_err("heading is required");

        assert!(error.to_string().contains("fallback.json"), "{error}");
    }

    #[test]
    fn the_prompt_hash_changes_with_everything_that_decides_an_answer() {
        let compiled = Compiled::new(sample()).expect("compiles");
        let mut other = sample();
        other.config.max_tokens += 1;
        let other = Compiled::new(other).expect("compiles");

        assert_eq!(compiled.prompt_hash("a"), compiled.prompt_hash("a"));
        assert_ne!(compiled.prompt_hash("a"), compiled.prompt_hash("b"));
        assert_ne!(compiled.prompt_hash("a"), other.prompt_hash("a"));
    }
}
