//! Settings that are right and seldom meant.

use serde_json::{Map, Value};

use crate::Campaign;
use crate::config::{Config, MAX_TIMEOUT_SECS, Price, Replace, model_id, paths, wait};

/// Where a prompt of the models that are used most can be cached from, in tokens.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
const CACHED_FROM_TOKENS: usize = 4_096;

/// Fewest bytes of a token, roughly.
pub(super) const BYTES_PER_TOKEN: usize = 4;

/// US dollars for a million output tokens between which the text models on Bedrock lie.
/// <https://aws.amazon.com/bedrock/pricing/>
const PRICES: (f64, f64) = (0.02, 200.0);

/// The same of Claude, whose models have lain between these from the first on.
const PRICES_OF_CLAUDE: (f64, f64) = (1.0, 150.0);

/// Below it, a price of a million tokens is that of one.
const PRICE_OF_ONE: f64 = 0.0001;

/// Everything that is odd about the settings; `fallback` is the content as its file has it.
pub(super) fn odd(campaign: &Campaign, fallback: &Map<String, Value>) -> Vec<String> {
    let config = &campaign.config;
    let mut odd = Vec::new();
    odd.extend(too_slow(config));
    odd.extend(too_few_tokens(config, fallback));
    odd.extend(model_id::odd(&config.model_id));
    odd.extend(config.fields.iter().filter_map(|path| {
        let number = paths::number_in(path)?;
        Some(format!(
            "fields: \"{path}\" looks for a property called {number}, and no list has one: name the list, and look into it in the prompt"
        ))
    }));
    odd.extend(config.price.and_then(|price| odd_price(price, &config.model_id)));
    let longest = wait::MAX.as_secs() / 3_600;
    if config.replace == Replace::Newest && u64::from(config.cooldown_hours) > longest {
        odd.push(format!(
            "replace = \"newest\" lets events wait for cooldown_hours = {}, and what waits is handed on every quarter of an hour, at a price: from {longest} hours on, rather let the next event ask",
            config.cooldown_hours
        ));
    }
    if config.fallback_language.is_some() && campaign.fallbacks.is_empty() {
        odd.push(
            "[fallback] says what tells the language, and there is fallback.json alone: add a file for each other language, such as fallback.de.json".to_owned(),
        );
    }
    if config.cache_system && campaign.system.len() / BYTES_PER_TOKEN < CACHED_FROM_TOKENS {
        odd.push(format!(
            "cache_system does nothing for so short a system.liquid: models cache from {CACHED_FROM_TOKENS} tokens on, some from 1,024"
        ));
    }
    odd
}

/// Answers that no slow model ends in time.
fn too_slow(config: &Config) -> Option<String> {
    let (slow, longest) = (config.slow_answer_secs(), config.timeout().as_secs());
    let fits = Config::tokens_within(u32::try_from(longest).unwrap_or(MAX_TIMEOUT_SECS));
    let remedy = match longest < u64::from(MAX_TIMEOUT_SECS) {
        true => "lower max_tokens or raise timeout_seconds".to_owned(),
        false => format!("lower max_tokens, of which {fits} fit, as no call is given more"),
    };
    (u64::from(slow) > longest).then(|| {
        format!(
            "an answer of max_tokens = {} takes a slow model about {slow} s, and a call is given {longest} s: it would be paid for and cut off; {remedy}",
            config.max_tokens
        )
    })
}

/// Fallback content is what an answer looks like, so an answer takes as many tokens.
fn too_few_tokens(config: &Config, fallback: &Map<String, Value>) -> Option<String> {
    let bytes = serde_json::to_string(fallback).map_or(0, |text| text.len());
    let tokens = bytes.div_ceil(BYTES_PER_TOKEN);
    (tokens > config.max_tokens as usize).then(|| {
        format!(
            "max_tokens = {} is too few for an answer as long as fallback.json, which is about {tokens} tokens: it would be cut off and paid for; raise max_tokens",
            config.max_tokens
        )
    })
}

fn odd_price(price: Price, model_id: &str) -> Option<String> {
    let (input, output) = (price.usd_per_million_input_tokens, price.usd_per_million_output_tokens);
    let (lowest, highest) = if model_id.contains("anthropic.") { PRICES_OF_CLAUDE } else { PRICES };
    if input == 0.0 || output == 0.0 {
        return Some(
            "a [price] of 0 makes every call free: remove it, or write the model's".into(),
        );
    }
    if output < PRICE_OF_ONE {
        return Some(format!(
            "output tokens of ${output} a million are cheaper than any model's: is it the price of one? write ${} for a million",
            rounded(output * 1e6)
        ));
    }
    if output < lowest {
        return Some(format!(
            "output tokens of ${output} a million are cheaper than any such model's: is it the price of a thousand? write ${} for a million",
            rounded(output * 1e3)
        ));
    }
    if output > highest {
        return Some(format!(
            "output tokens of ${output} a million are dearer than any such model's: is it in cents? write ${} for a million",
            rounded(output / 1e2)
        ));
    }
    (output < input)
        .then(|| "output tokens are cheaper than input tokens: are the two exchanged?".to_owned())
}

/// Without the digits that computing adds.
fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}
