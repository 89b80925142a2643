//! What is worth a look in a campaign that can be used.

use std::path::Path;

use serde_json::Value;

use crate::Campaign;
use crate::condition::Condition;
use crate::config::{Config, model_id};
use crate::fault::Fault;
use crate::lines::line_of;
use crate::prompt::Prompt;
use crate::safe_text::{self, PLAIN};
use crate::schema::travelling::TravellingSchema;

/// Media types of texts that are known: of any other one nobody here knows what is safe in it.
const MEDIA_TYPES: [&str; 2] = [PLAIN, "text/html"];

/// Where a prompt of the models that are used most can be cached from, in tokens.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
const CACHED_FROM_TOKENS: usize = 4_096;

/// Fewest bytes of a token, roughly.
const BYTES_PER_TOKEN: usize = 4;

/// US dollars for a million output tokens that no text model on Bedrock is below.
/// <https://aws.amazon.com/bedrock/pricing/>
const LOWEST_PRICE: f64 = 0.02;

/// How many events a price is said for.
const MANY_EVENTS: f64 = 1e6;

/// Everything that is worth a look; `fallback` is the text of `fallback.json`.
pub(crate) fn of(
    folder: &Path,
    campaign: &Campaign,
    (prompt, condition): (&Prompt, Option<&Condition>),
    reduced: &TravellingSchema,
    fallback: &str,
) -> Vec<Fault> {
    let mut warnings = Vec::new();
    let mut warn = |file: &str, line: Option<usize>, reason: String| {
        warnings.push(Fault::new(&folder.join(file), line, reason));
    };
    for (path, keyword) in &reduced.left_out {
        match keyword.as_str() {
            "contentMediaType" => {
                let said = campaign.answer_schema.pointer(path).map(|schema| &schema[keyword]);
                if !said.is_some_and(|said| MEDIA_TYPES.iter().any(|known| said == known)) {
                    let reason = format!(
                        "contentMediaType at \"{path}\" is neither text/plain nor text/html: the text is made safe for HTML"
                    );
                    warn("answer.schema.json", None, reason);
                }
            }
            // Every text has one, and models keep to it if the prompt says it.
            "maxLength" | "minLength" | "maxItems" => {}
            _ => {
                let reason = format!(
                    "{keyword} at \"{path}\" is not told to the model, which the service would refuse: only the answer is checked, so say it in the prompt"
                );
                warn("answer.schema.json", None, reason);
            }
        }
    }
    let config = &campaign.config;
    let (slow, longest) = (config.slow_answer_secs(), config.timeout().as_secs());
    if u64::from(slow) > longest {
        let reason = format!(
            "an answer of max_tokens = {} takes a slow model about {slow} s, and a call is given {longest} s: it would be paid for and cut off; lower max_tokens or raise timeout_seconds",
            config.max_tokens
        );
        warn("campaign.toml", None, reason);
    }
    for reason in odd_settings(config) {
        warn("campaign.toml", None, reason);
    }
    for path in condition.into_iter().flat_map(Condition::truths) {
        let line = config.trigger.when.as_ref().map(|when| when.line);
        let reason = format!(
            "condition: event.{path} by itself is met only where it is true, not by a number or a text: compare it, e.g. event.{path} == true"
        );
        warn("campaign.toml", line, reason);
    }
    if config.cache_system && campaign.system.len() / BYTES_PER_TOKEN < CACHED_FROM_TOKENS {
        let reason = format!(
            "cache_system does nothing for so short a system.liquid: models cache from {CACHED_FROM_TOKENS} tokens on, some from 1,024"
        );
        warn("campaign.toml", None, reason);
    }
    if prompt.shows_time {
        warn("prompt.liquid", None, cost_of_time(campaign));
    }
    let parsed: Value = serde_json::from_str(fallback).unwrap_or_default();
    markup(&parsed, &mut String::new(), &mut |path| {
        let reason =
            "holds markup, an entity or a template, which is shown as it is written: write text";
        warn("fallback.json", line_of(fallback, path), reason.to_owned());
    });
    warnings
}

/// Settings that are right and seldom meant.
fn odd_settings(config: &Config) -> Vec<String> {
    let mut odd = Vec::new();
    odd.extend(model_id::odd(&config.model_id));
    if let Some(price) = config.price {
        let (input, output) =
            (price.usd_per_million_input_tokens, price.usd_per_million_output_tokens);
        if input == 0.0 || output == 0.0 {
            odd.push(
                "a [price] of 0 makes every call free: remove it, or write the model's".into(),
            );
        } else if output < LOWEST_PRICE {
            odd.push(format!(
                "output tokens of ${output} a million are cheaper than any model's: is it the price of a thousand?"
            ));
        } else if output < input {
            odd.push("output tokens are cheaper than input tokens: are the two exchanged?".into());
        }
    }
    odd
}

/// What it costs to show a model when exactly something happened.
fn cost_of_time(campaign: &Campaign) -> String {
    let config = &campaign.config;
    let input_bytes =
        campaign.prompt.len() + campaign.system.len() + campaign.answer_schema.to_string().len();
    let usd = config.price.map(|price| {
        let input_tokens = (input_bytes / BYTES_PER_TOKEN) as u64;
        price.usd(input_tokens, config.max_tokens.into()) * MANY_EVENTS
    });
    let most = usd.map_or(String::new(), |usd| format!(", up to ${usd:.0} for a million events"));
    format!(
        "shows when something happened more exactly than the day: no two events make equal prompts, so each is asked and paid for{most}; show a day, or a part of the day"
    )
}

/// Finds texts that were written for HTML or Liquid.
fn markup(value: &Value, path: &mut String, found: &mut impl FnMut(&str)) {
    let length = path.len();
    match value {
        Value::String(text) if is_markup(text) => found(path),
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                path.push_str(&format!("/{n}"));
                markup(value, path, found);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                path.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
                markup(value, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn is_markup(text: &str) -> bool {
    let is_tag = text.split('<').skip(1).any(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!')
            && rest.contains('>')
    });
    let is_entity = safe_text::decoded(text.into()) != *text;
    is_tag || is_entity || text.contains("{{") || text.contains("{%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::tests::{compiled, draft};
    use crate::folder::Draft;

    fn warnings_of(change: impl FnOnce(&mut Draft)) -> String {
        let mut draft = draft();
        change(&mut draft);
        let warnings = compiled(draft).warnings;
        warnings.iter().map(|each| format!("{each}\n")).collect()
    }

    #[test]
    fn the_sample_campaign_needs_no_look() {
        assert_eq!(warnings_of(|_| {}), "");
    }

    #[test]
    fn a_keyword_that_no_model_hears_of_is_told() {
        let said = warnings_of(|draft| {
            let schema = draft.answer_schema.as_mut().expect("is there");
            schema["properties"]["heading"]["pattern"] = "^[A-Z]".into();
            schema["properties"]["emailTitle"]["contentMediaType"] = "text/markdown".into();
        });

        assert!(said.contains("pattern at \"/properties/heading\""), "{said}");
        assert!(said.contains("contentMediaType at \"/properties/emailTitle\""), "{said}");
    }

    #[test]
    fn answers_that_no_slow_model_ends_in_time_are_told() {
        let said = warnings_of(|draft| {
            draft.config.as_mut().expect("is there").max_tokens = 10_000;
        });

        assert!(said.contains("530 s, and a call is given 240 s"), "{said}");
    }

    #[test]
    fn settings_that_are_seldom_meant_are_told() {
        let said = warnings_of(|draft| {
            let config = draft.config.as_mut().expect("is there");
            config.model_id = "claude-haiku".to_owned();
            let price = config.price.as_mut().expect("is there");
            price.usd_per_million_output_tokens = 0.005;
            draft.named.when.as_mut().expect("is there").text = "event.properties.first".into();
        });

        assert!(said.contains("names no provider"), "{said}");
        assert!(said.contains("is it the price of a thousand?"), "{said}");
        assert!(said.contains("event.properties.first by itself is met only"), "{said}");
    }

    #[test]
    fn a_prompt_that_tells_the_minute_is_told_with_what_that_costs() {
        let said = warnings_of(|draft| {
            let prompt = draft.prompt.as_mut().expect("is there");
            prompt.push_str("{{ last.time | date: \"%F %R\" }}");
        });

        assert!(said.contains("more exactly than the day"), "{said}");
        assert!(said.contains("up to $"), "{said}");
        let day = warnings_of(|draft| {
            let prompt = draft.prompt.as_mut().expect("is there");
            prompt.push_str("{{ last.time | date: \"%A\" }}");
        });
        assert_eq!(day, "");
    }

    #[test]
    fn markup_in_fallback_content_is_told_with_its_line() {
        let said = warnings_of(|draft| {
            let (text, fallback) = draft.fallback.as_mut().expect("is there");
            *text = text.replace("Watch now", "<b>Watch</b> &amp; go");
            *fallback = serde_json::from_str(text).expect("is JSON");
        });

        assert!(said.contains("fallback.json:5: holds markup"), "{said}");
        for plain in ["Q&A; more", "1 < 2", "a<3", "R&D", "{a}"] {
            assert!(!is_markup(plain), "{plain}");
        }
    }
}
