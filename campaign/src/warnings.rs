//! What is worth a look in a campaign that can be used.

mod conditions;
mod links;
mod markup;
mod names;
mod settings;
#[cfg(test)]
mod tests;
mod unheard;

use std::path::Path;

use serde_json::{Map, Value};

use crate::Campaign;
use crate::condition::Condition;
use crate::fault::Fault;
use crate::lines::line_of;
use crate::prompt::Prompt;
use crate::safe_text::PLAIN;
use crate::schema::travelling::TravellingSchema;
use crate::schema::{parts, unknown_formats};
use settings::BYTES_PER_TOKEN;

/// Media types of texts that are known: of any other one nobody here knows what is safe in it.
const MEDIA_TYPES: [&str; 2] = [PLAIN, "text/html"];

/// How many events a price is said for.
const MANY_EVENTS: f64 = 1e6;

/// A campaign with what was made of it.
pub(crate) struct Look<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) campaign: &'a Campaign,
    pub(crate) prompt: &'a Prompt,
    /// The conditions, each with the name that is said of it.
    pub(crate) conditions: &'a [(&'static str, Option<&'a Condition>)],
    /// What the model is asked of `answer.schema.json`.
    pub(crate) asked: &'a Value,
    pub(crate) reduced: &'a TravellingSchema,
    /// The text of `answer.schema.json`.
    pub(crate) schema: &'a str,
    /// The files of fallback content with their texts, `fallback.json` first.
    pub(crate) fallbacks: &'a [(String, String)],
}

/// Everything that is worth a look.
pub(crate) fn of(look: &Look<'_>) -> Vec<Fault> {
    let read =
        |text: &str| -> Map<String, Value> { serde_json::from_str(text).unwrap_or_default() };
    let fallback = look.fallbacks.first().map(|(_, text)| read(text)).unwrap_or_default();
    let mut warnings = Vec::new();
    let mut warn = |file: &str, line: Option<usize>, reason: String| {
        warnings.push(Fault::new(&look.folder.join(file), line, reason));
    };
    for (line, reason) in of_schema(look) {
        warn("answer.schema.json", line, reason);
    }
    for reason in settings::odd(look.campaign, &fallback) {
        warn("campaign.toml", None, reason);
    }
    for (line, reason) in conditions::odd(look) {
        warn("campaign.toml", line, reason);
    }
    for reason in of_prompt(look) {
        warn("prompt.liquid", None, reason);
    }
    for (file, text) in look.fallbacks {
        for place in markup::places(&Value::Object(read(text))) {
            let reason = "holds markup, an entity or a template, which is shown as it is written: write text";
            warn(file, line_of(text, &place), reason.to_owned());
        }
    }
    warnings
}

fn of_schema(look: &Look<'_>) -> Vec<(Option<usize>, String)> {
    let schema = &look.campaign.answer_schema;
    let line = |place: &str| line_of(look.schema, place);
    let mut said = Vec::new();
    for (place, keyword) in &look.reduced.left_out {
        let media_type = schema.pointer(place).and_then(|schema| schema.get(keyword));
        let is_known = media_type.is_some_and(|said| MEDIA_TYPES.iter().any(|known| said == known));
        if keyword == "contentMediaType" && !is_known {
            let reason = format!(
                "contentMediaType at \"{place}\" is neither text/plain nor text/html: the text is made safe for HTML"
            );
            said.push((line(&format!("{place}/{keyword}")), reason));
        }
    }
    let unchecked = unknown_formats(schema);
    for (place, format) in &unchecked {
        let reason =
            format!("the format {format} is not checked, as nobody here knows it: write a pattern");
        said.push((line(place), reason));
    }
    for part in parts::all(schema).iter().filter(|part| part.schema["nullable"] == true) {
        let reason =
            "nullable is OpenAPI's and means nothing here: write \"type\": [\"string\", \"null\"]";
        said.push((line(&format!("{}/nullable", part.place)), reason.to_owned()));
    }
    said.extend(names::odd(schema).into_iter().map(|(place, reason)| (line(&place), reason)));
    said.extend(links::asked_for(look).into_iter().map(|(place, why)| (line(&place), why)));
    said.extend(unheard::rules(look.campaign, look.reduced, &unchecked).map(|rules| (None, rules)));
    said
}

fn of_prompt(look: &Look<'_>) -> Vec<String> {
    let mut said = Vec::new();
    if !look.prompt.shows_events {
        said.push(
            "shows no field of any event: every user gets the same text; show what they did".into(),
        );
    }
    if look.prompt.shows_time {
        said.push(cost_of_time(look.campaign));
    }
    said
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
