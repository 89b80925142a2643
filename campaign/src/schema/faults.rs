//! What is wrong with an `answer.schema.json`: what leaves the model a choice that nobody
//! checks.

use serde_json::Value;

use super::{contradictions, keywords, references, step};
use crate::folder::Found;
use crate::lines::line_of;

/// Deepest schema that is looked at; structured output takes far less.
const MAX_DEPTH: usize = 32;

/// What is wrong with a schema of answers, as far as it can be told without compiling it: it
/// must be an object, say all that it holds, cap every text, and let some answer fit.
pub(crate) fn faults(text: &str, schema: &Value) -> Vec<Found> {
    let mut faults = references::faults(text, schema);
    let found = contradictions(schema).into_iter().chain(keywords::slips(schema));
    faults.extend(found.map(|(place, reason)| (line_of(text, &place), reason)));
    if schema["type"] != "object" && !keywords::is_slipped(schema, "type") {
        let line = line_of(text, "/type").or(Some(1));
        faults.push((line, "an answer must be an object: \"type\": \"object\"".to_owned()));
    }
    open_ended(text, schema, &mut String::new(), 0, &mut faults);
    faults.sort();
    faults
}

/// Finds what leaves the model a choice that nobody checks.
fn open_ended(
    text: &str,
    schema: &Value,
    path: &mut String,
    depth: usize,
    faults: &mut Vec<Found>,
) {
    let length = path.len();
    if depth > MAX_DEPTH {
        faults.push((line_of(text, path), format!("is nested more than {MAX_DEPTH} deep")));
        return;
    }
    let types = &schema["type"];
    let is_text = types == "string"
        || types.as_array().is_some_and(|types| types.iter().any(|each| each == "string"));
    let is_fixed = schema.get("enum").is_some() || schema.get("const").is_some();
    let is_slipped = |keyword: &str| keywords::is_slipped(schema, keyword);
    // A value of the wrong kind is told as such.
    let is_there = |keyword: &str| schema.get(keyword).is_some() || is_slipped(keyword);
    if is_text && !is_fixed && !is_there("maxLength") {
        let reason = "a text needs a maxLength, so that no answer breaks the message's layout";
        faults.push((line_of(text, path), reason.to_owned()));
    }
    let is_object = types == "object"
        || types.as_array().is_some_and(|types| types.iter().any(|each| each == "object"))
        || schema.get("properties").is_some();
    if is_object
        && !is_slipped("additionalProperties")
        && (schema["additionalProperties"] != false || schema.get("patternProperties").is_some())
    {
        let reason = "an object needs \"additionalProperties\": false and no patternProperties, \
                      so that the model adds nothing of its own";
        faults.push((line_of(text, path), reason.to_owned()));
    }
    let is_array = types == "array"
        || types.as_array().is_some_and(|types| types.iter().any(|each| each == "array"))
        || schema.get("items").is_some()
        || schema.get("prefixItems").is_some();
    let is_bounded = schema["items"] == false
        || ((schema["items"].is_object() || is_slipped("items")) && is_there("maxItems"));
    if is_array && !is_fixed && !is_bounded {
        let reason = "an array needs items (a schema) and maxItems, so that no answer holds \
                      what nobody checks or more than the message shows";
        faults.push((line_of(text, path), reason.to_owned()));
    }
    let is_said = ["type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"];
    if is_said.iter().all(|name| !is_there(name)) {
        let reason = "a value needs a type, or the model may write anything".to_owned();
        faults.push((line_of(text, path), reason));
    }
    for map in ["properties", "$defs", "definitions"] {
        for (name, schema) in schema[map].as_object().into_iter().flatten() {
            path.push_str(&format!("/{map}/{}", step(name)));
            open_ended(text, schema, path, depth + 1, faults);
            path.truncate(length);
        }
    }
    for list in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for (n, schema) in schema[list].as_array().into_iter().flatten().enumerate() {
            path.push_str(&format!("/{list}/{n}"));
            open_ended(text, schema, path, depth + 1, faults);
            path.truncate(length);
        }
    }
    if schema["items"].is_object() {
        path.push_str("/items");
        open_ended(text, &schema["items"], path, depth + 1, faults);
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_longest_length_is_a_fault_wherever_it_hides() {
        let schema = |text: &str| -> Vec<usize> {
            let value = serde_json::from_str(text).expect("is JSON");
            faults(text, &value).into_iter().filter_map(|(line, _)| line).collect()
        };

        assert_eq!(schema(r#"{"type": "string"}"#), [1, 1]);
        let hidden = "{ \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n\
            \"list\": { \"type\": \"array\", \"maxItems\": 3, \"items\":\n{ \"type\": [\"string\", \"null\"] } },\n\
            \"choice\": { \"type\": \"string\", \"enum\": [\"a\"] },\n\
            \"text\": { \"type\": \"string\", \"maxLength\": 9 } } }";
        assert_eq!(schema(hidden), [3]);
    }

    #[test]
    fn an_array_says_what_it_holds_and_how_much() {
        let text = r#"{ "type": "object", "additionalProperties": false, "properties": {
            "anything": { "type": "array", "maxItems": 3 },
            "true": { "type": "array", "items": true, "maxItems": 3 },
            "endless": { "type": ["array", "null"], "items": { "type": "integer" } },
            "right": { "type": "array", "items": { "type": "integer" }, "maxItems": 3 },
            "pair": { "prefixItems": [{ "type": "integer" }], "items": false, "type": "array" }
            } }"#;
        let value = serde_json::from_str(text).expect("is JSON");

        let mut lines: Vec<_> = faults(text, &value).into_iter().map(|(line, _)| line).collect();

        lines.sort();
        assert_eq!(lines, [Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn what_the_model_may_add_by_itself_is_a_fault() {
        let text = "{ \"type\": \"object\", \"additionalProperties\": false, \"properties\": {\n\
            \"open\": { \"type\": \"object\" },\n\
            \"by_pattern\": { \"type\": \"object\", \"additionalProperties\": false,\n\
            \"patternProperties\": {} },\n\
            \"any\": {} } }";
        let value = serde_json::from_str(text).expect("is JSON");

        let mut lines: Vec<_> = faults(text, &value).into_iter().map(|(line, _)| line).collect();

        lines.sort();
        assert_eq!(lines, [Some(2), Some(3), Some(5)]);
    }
}
