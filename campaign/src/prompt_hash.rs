//! Identifies everything that decides an answer: model, parameters, schema and prompt, the rules
//! by which texts are made safe, the campaign's own rules, and what its checks look at. What the
//! content takes over beside the answer is no part of it: that is each user's own.

use contract::digest;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::config::{CheckSettings, Config, Guardrail, Lined};
use crate::config::{RuleSettings, StructuredOutput, Trigger};
use crate::{Campaign, safe_text};

/// What decides an answer besides the prompt.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Sha256);

impl Parameters {
    /// Of a campaign whose standing instructions are rendered, and of whose schema the model is
    /// asked this. Every setting is named here, so that a new one cannot be forgotten.
    pub(crate) fn new(campaign: &Campaign, asked: &Value, system: &str) -> Self {
        let Campaign {
            name: _,
            config,
            prompt: _,
            system: _,
            answer_schema: _,
            fallback: _,
            fallbacks: _,
        } = campaign;
        let Config {
            model_id,
            structured_output,
            max_tokens,
            temperature,
            guardrail,
            rules,
            // These decide whether and when is asked, and what that may cost.
            ttl_days: _,
            history: _,
            cooldown_hours: _,
            replace: _,
            hourly_limit: _,
            retract_when: _,
            cache_hours: _,
            priority: _,
            cache_system: _,
            timeout_secs: _,
            fields: _,
            required: _,
            attributes: _,
            fields_from: _,
            fallback_language: _,
            on_missing_item: _,
            keep_prompts_days: _,
            trigger: Trigger { event_types: _, when: _, after: _, unless: _ },
            budget: _,
            over_budget: _,
            price: _,
            batch_within_hours,
        } = config;
        let form = match structured_output {
            StructuredOutput::JsonSchema => "json-schema",
            StructuredOutput::Tool => "tool",
        };
        let temperature = temperature.map_or(String::new(), |temperature| temperature.to_string());
        let (id, version) = match guardrail {
            Some(Guardrail { id, version }) => (id.as_str(), version.as_str()),
            None => ("", ""),
        };
        let mut hash = Sha256::new();
        add(&mut hash, &safe_text::VERSION.to_string());
        add(&mut hash, model_id);
        add(&mut hash, form);
        add(&mut hash, &max_tokens.to_string());
        add(&mut hash, &temperature);
        add(&mut hash, id);
        add(&mut hash, version);
        add(&mut hash, &asked.to_string());
        add(&mut hash, system);
        add_rules(&mut hash, rules);
        // What is to be answered at once waits for nobody's job.
        if batch_within_hours.is_some() {
            add(&mut hash, "job");
        }
        Self(hash)
    }

    /// Identifies a prompt with these parameters, in hexadecimal; `seen` is what else decides
    /// whether an answer passes.
    pub(crate) fn with(&self, prompt: &str, seen: &str) -> String {
        let mut hash = self.0.clone();
        add(&mut hash, prompt);
        add(&mut hash, seen);
        digest::as_hex(&hash.finalize())
    }
}

/// Adds what is demanded of answers, each list with its length.
fn add_rules(hash: &mut Sha256, rules: &RuleSettings) {
    let RuleSettings { checks, forbidden, links, grounded } = rules;
    add(hash, &checks.len().to_string());
    // What a check is called decides nothing.
    for CheckSettings { name: _, when, say } in checks {
        add(hash, &when.text);
        add(hash, say);
    }
    for list in [forbidden, links, grounded] {
        add(hash, &list.len().to_string());
        list.iter().for_each(|Lined { text, line: _ }| add(hash, text));
    }
}

/// Adds a text with its length in front, so that no two different inputs run into the
/// same bytes.
fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::compiled::tests::{compiled, draft};
    use crate::config::Expression;

    #[test]
    fn everything_that_decides_an_answer_changes_the_hash() {
        let hash = |change: fn(&mut Campaign), system: &str, prompt: &str| {
            let mut campaign = compiled(draft()).campaign;
            change(&mut campaign);
            let asked = campaign.answer_schema.clone();
            Parameters::new(&campaign, &asked, system).with(prompt, "")
        };
        let changes: [fn(&mut Campaign); 12] = [
            |_| {},
            |one| one.config.model_id.push('x'),
            |one| one.config.structured_output = StructuredOutput::Tool,
            |one| one.config.max_tokens += 1,
            |one| one.config.temperature = Some(0.25),
            |one| one.config.guardrail = guardrail_of("one", "1"),
            |one| one.config.guardrail = guardrail_of("one", "2"),
            |one| one.answer_schema["title"] = "another".into(),
            |one| one.config.rules.forbidden = vec![lined("cheap")],
            |one| one.config.rules.links = vec![lined("cheap")],
            |one| one.config.rules.grounded = vec![lined("cheap")],
            |one| one.config.rules.checks = vec![check("answer.a", "say it")],
        ];

        let mut hashes: BTreeSet<String> =
            changes.iter().map(|change| hash(*change, "system", "prompt")).collect();
        hashes.insert(hash(|_| {}, "another", "prompt"));
        hashes.insert(hash(|_| {}, "system", "another"));

        assert_eq!(hashes.len(), changes.len() + 2, "all of them differ");
        assert_eq!(hash(|one| one.config.ttl_days += 1, "system", "prompt"), {
            hash(|_| {}, "system", "prompt")
        });
    }

    fn lined(text: &str) -> Lined {
        Lined { text: text.to_owned(), line: 1 }
    }

    fn check(when: &str, say: &str) -> CheckSettings {
        let when = Expression { text: when.to_owned(), line: 1 };
        CheckSettings { name: "check-1".to_owned(), when, say: say.to_owned() }
    }

    fn guardrail_of(id: &str, version: &str) -> Option<Guardrail> {
        Some(Guardrail { id: id.to_owned(), version: version.to_owned() })
    }
}
