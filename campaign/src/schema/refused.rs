//! What makes a file no JSON Schema, with what would be right: the words of the schema that
//! schemas must match are of its own making.

use jsonschema::ValidationError;
use serde_json::Value;

use super::parts;
use crate::answer::numbers;
use crate::folder::Found;
use crate::lines::line_of;

/// Most places that are told.
const MAX_FAULTS: usize = 20;

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// Types of other languages.
const TYPES_ELSEWHERE: [(&str, &str); 16] = [
    ("bool", "boolean"),
    ("char", "string"),
    ("date", "string"),
    ("decimal", "number"),
    ("dict", "object"),
    ("double", "number"),
    ("enum", "string"),
    ("float", "number"),
    ("int", "integer"),
    ("list", "array"),
    ("long", "integer"),
    ("map", "object"),
    ("nil", "null"),
    ("none", "null"),
    ("str", "string"),
    ("text", "string"),
];

/// Keywords whose value is a whole number.
const COUNTS: [&str; 8] = [
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
];

/// Keywords whose value is a number.
const NUMBERS: [&str; 5] =
    ["exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"];

/// What is wrong with a schema that cannot be compiled because of `error`.
pub(crate) fn faults(text: &str, schema: &Value, error: &ValidationError<'_>) -> Vec<Found> {
    let meta = jsonschema::meta::validator_for(schema).ok();
    let mut found: Vec<Found> = Vec::new();
    for error in meta.iter().flat_map(|meta| meta.iter_errors(schema)).take(MAX_FAULTS) {
        let told = told(text, &error);
        if !found.contains(&told) {
            found.push(told);
        }
    }
    if found.is_empty() {
        found.push(told(text, error));
    }
    found
}

fn told(text: &str, error: &ValidationError<'_>) -> Found {
    let place = error.instance_path().to_string();
    let value = error.instance().as_ref();
    let reason = match parts::keyword(&place) {
        Some("type") => wrong_type(value),
        Some("required") if !value.is_array() => {
            "required is a list of names beside properties: \"required\": [\"heading\"]".to_owned()
        }
        Some("pattern") => format!("pattern {value} is no regular expression"),
        Some(keyword @ ("exclusiveMinimum" | "exclusiveMaximum")) if value.is_boolean() => {
            let plain = keyword.trim_start_matches("exclusive").to_lowercase();
            format!("{keyword} is a number: write \"{keyword}\": 0 in the place of \"{plain}\": 0")
        }
        Some(keyword) if COUNTS.contains(&keyword) => {
            format!("{keyword} must be a whole number{}", without_quotes(value))
        }
        Some(keyword) if NUMBERS.contains(&keyword) => {
            format!("{keyword} must be a number{}", without_quotes(value))
        }
        Some(keyword) => format!("{keyword} {}", wanted(error)),
        None if !value.is_object() => {
            format!("a schema is an object, such as {{\"type\": \"string\"}}, and not {value}")
        }
        None => format!("is not a JSON Schema: {error}"),
    };
    (line_of(text, &place), reason)
}

fn wrong_type(value: &Value) -> String {
    let known = TYPES.join(", ");
    match value {
        Value::String(name) => {
            let lower = name.to_lowercase();
            let elsewhere = TYPES_ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == lower);
            let meant = elsewhere.map_or_else(
                || dialect::did_you_mean(name, TYPES),
                |(_, here)| format!(": did you mean {here}?"),
            );
            format!("\"{name}\" is no type{meant} (there is {known})")
        }
        Value::Null => "null is no type by itself: write \"null\" in quotes".to_owned(),
        Value::Array(types) => {
            let other = types.iter().find(|each| !TYPES.iter().any(|name| *each == name));
            other.map_or_else(|| "names a type twice".to_owned(), wrong_type)
        }
        value => format!("type {value} is none: write one of {known}"),
    }
}

fn without_quotes(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim().parse::<f64>().is_ok() => {
            format!(", without quotes: write {}", text.trim())
        }
        value => format!(", and not {value}"),
    }
}

fn wanted(error: &ValidationError<'_>) -> String {
    match numbers::of(error.kind(), error.instance()) {
        wanted if wanted.is_empty() => format!("is wrong: {error}"),
        wanted => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::validator;

    fn told_of(inside: &str) -> String {
        let text = format!("{{ \"type\": \"object\", \"properties\": {{\n\"a\": {inside} }} }}");
        let schema: Value = serde_json::from_str(&text).expect("is JSON");
        let error = validator(&schema).expect_err(inside);
        let found = faults(&text, &schema, &error);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Some(2), "{found:?}");
        found[0].1.clone()
    }

    #[test]
    fn what_is_no_schema_is_told_with_its_line_and_what_would_be_right() {
        for (inside, expected) in [
            (
                r#"{ "type": "strng" }"#,
                "\"strng\" is no type: did you mean string? (there is array",
            ),
            (r#"{ "type": "text" }"#, "\"text\" is no type: did you mean string?"),
            (r#"{ "type": "Float" }"#, "\"Float\" is no type: did you mean number?"),
            (r#"{ "type": ["string", null] }"#, "null is no type by itself: write \"null\""),
            (r#"{ "type": ["string", "int"] }"#, "\"int\" is no type: did you mean integer?"),
            (r#"{ "type": 7 }"#, "type 7 is none: write one of array"),
            (
                r#"{ "maxLength": "60" }"#,
                "maxLength must be a whole number, without quotes: write 60",
            ),
            (r#"{ "minItems": -1 }"#, "minItems must be a whole number, and not -1"),
            (r#"{ "maxLength": 1.5 }"#, "maxLength must be a whole number, and not 1.5"),
            (r#"{ "minimum": "1" }"#, "minimum must be a number, without quotes: write 1"),
            (
                r#"{ "exclusiveMinimum": true }"#,
                "exclusiveMinimum is a number: write \"exclusiveMinimum\": 0 in the place of \"minimum\": 0",
            ),
            (r#"{ "type": "string", "required": true }"#, "required is a list of names beside"),
            (r#"{ "enum": "a" }"#, "enum is string, wants array"),
            (r#"{ "pattern": "^[A-Z" }"#, "pattern \"^[A-Z\" is no regular expression"),
            (r#"{ "properties": 7 }"#, "is integer, wants object"),
            (
                r#""string""#,
                "a schema is an object, such as {\"type\": \"string\"}, and not \"string\"",
            ),
        ] {
            let told = told_of(inside);
            assert!(told.contains(expected), "{inside}: {told}");
        }
    }
}
