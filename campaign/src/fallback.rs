//! What is wrong with `fallback.json`: it is written by an author, so that it may be told with
//! its names, which the answer of a model never is.

pub(crate) mod languages;

use std::collections::BTreeMap;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Rule;
use serde_json::{Map, Value};

use crate::answer;
use crate::folder::Found;
use crate::lines::line_of;
use crate::safe_text;
use crate::schema::{places, step};

/// Most violations that are named of one fallback content.
const MAX_VIOLATIONS: usize = 20;

/// What is wrong with the fallback content of a campaign; `text` is its file.
pub(crate) fn faults(
    (text, fallback): (&str, &Map<String, Value>),
    (schema, validator): (&Value, &Validator),
) -> Vec<Found> {
    if fallback.is_empty() {
        let reason = "says nothing: write what users without content of their own get";
        return vec![(Some(1), reason.to_owned())];
    }
    let fallback = safe_text::decoded(Value::Object(fallback.clone()));
    let mut faults = Vec::new();
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for error in validator.iter_errors(&fallback).take(MAX_VIOLATIONS) {
        let place = error.instance_path().to_string();
        match error.kind() {
            Rule::AdditionalProperties { unexpected } => {
                faults.extend(unexpected.iter().map(|name| surplus(text, &place, name, schema)));
            }
            Rule::Required { property } => {
                missing.entry(place).or_default().push(property.to_string());
            }
            _ => {}
        }
    }
    faults.extend(missing.into_iter().map(|(place, names)| {
        let reason =
            format!("does not match answer.schema.json: lacks {} at \"{place}\"", names.join(", "));
        (line_of(text, &place), reason)
    }));
    for violation in answer::violations(&fallback, validator, MAX_VIOLATIONS) {
        let reason = match violation.rule.as_str() {
            "additionalProperties" | "required" => continue,
            answer::BLANK => format!("shows nothing at \"{}\": write a text", violation.place),
            _ => format!("does not match answer.schema.json: {violation}"),
        };
        faults.push((line_of(text, &violation.place), reason));
    }
    faults.sort();
    faults
}

/// What is said of a property that the schema does not have.
fn surplus(text: &str, place: &str, name: &str, schema: &Value) -> Found {
    let of_place = places::Of::at(schema, place);
    let line = line_of(text, &format!("{place}/{}", step(name)));
    if of_place.properties().any(|known| known == name) {
        let reason = format!(
            "has \"{name}\", which one part of answer.schema.json has and another forbids: join no closed objects by allOf"
        );
        return (line, reason);
    }
    let meant = dialect::did_you_mean(name, of_place.properties());
    let remedy = if meant.is_empty() { ": remove it, or add it there" } else { &meant };
    (line, format!("has \"{name}\", which answer.schema.json does not have{remedy}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::validator;

    fn told(text: &str) -> String {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["heading", "day"],
            "properties": {
                "heading": { "type": "string", "maxLength": 9 },
                "day": { "type": "string", "format": "date", "maxLength": 10 },
                "more": { "$ref": "#/$defs/more" },
            },
            "$defs": { "more": { "type": "object", "additionalProperties": false, "properties": {
                "cta": { "type": "string", "maxLength": 9 } } } },
        });
        let validator = validator(&schema).expect("is a schema");
        let fallback = serde_json::from_str(text).expect("is an object");
        let faults = faults((text, &fallback), (&schema, &validator));
        faults.iter().map(|(line, reason)| format!("{}: {reason}\n", line.unwrap_or(0))).collect()
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_line_and_its_name() {
        for (text, expected) in [
            ("{ \"heading\": \"Hi\", \"day\": \"2026-02-28\" }", ""),
            ("{}", "1: says nothing: write what users without content of their own get\n"),
            (
                "{ \"day\": \"2026-02-28\", \"heading\": \"Hi\",\n\"headng\": \"Hi\",\n\"url\": \"x\" }",
                "2: has \"headng\", which answer.schema.json does not have: did you mean heading?\n\
                 3: has \"url\", which answer.schema.json does not have: remove it, or add it there\n",
            ),
            (
                "{ \"day\": \"2026-02-28\", \"heading\": \"Hi\", \"more\": {\n\"ctas\": \"Go\" } }",
                "2: has \"ctas\", which answer.schema.json does not have: did you mean cta?\n",
            ),
            (
                "{ \"more\":\n{} }",
                "1: does not match answer.schema.json: lacks \"heading\", \"day\" at \"\"\n",
            ),
            (
                "{ \"day\": \"2026-02-28\",\n\"heading\": \" \" }",
                "2: shows nothing at \"/heading\": write a text\n",
            ),
            (
                "{ \"heading\": \"Hi\",\n\"day\": \"2026-02-30\" }",
                "2: does not match answer.schema.json: format at \"/day\" (wants the format date)\n",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }
}
