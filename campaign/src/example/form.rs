//! Reads a schema into a form that says for every value one thing after the other.
//!
//! The validator's own crate has such a normal form: what `allOf`, references, conditions and
//! exclusions say together stands there in one place. It is taken as a schema, because its
//! other interface is said to change. Where it has no form for a schema, parts of the schema
//! are left out, and the finished answer shows whether that was right.

use jsonschema::canonical::{CanonicalKind, UnsatisfiableReason, options};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

/// How a schema is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// With formats as rules, as structured output holds to them.
    Formats,
    /// With formats as hints, as JSON Schema has them since 2019 and the validator too.
    Hints,
    /// Without conditions, and of alternatives only the one of that number.
    Narrow(usize),
}

/// The ways to read a schema, the best first.
pub(super) const READINGS: [Reading; 5] =
    [Reading::Formats, Reading::Hints, Reading::Narrow(0), Reading::Narrow(1), Reading::Narrow(2)];

/// What is left out of a narrow reading.
const CONDITIONS: [&str; 10] = [
    "if",
    "then",
    "else",
    "not",
    "dependentSchemas",
    "dependentRequired",
    "dependencies",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
];

/// The normal form of a schema, or `None` where there is none.
pub(super) fn normal(schema: &Value, reading: Reading) -> Option<Value> {
    let narrowed;
    let schema = match reading {
        Reading::Narrow(nth) => {
            narrowed = narrow(schema, nth);
            &narrowed
        }
        Reading::Formats | Reading::Hints => schema,
    };
    let options = match reading {
        Reading::Hints => options(),
        Reading::Formats | Reading::Narrow(_) => options().should_validate_formats(true),
    };
    let canonical = options.offline().canonicalize(schema).ok()?;
    match canonical.kind() {
        CanonicalKind::Raw => None,
        CanonicalKind::False => Some(Value::Bool(false)),
        _ => Some(canonical.to_json_schema()),
    }
}

/// Where and why a schema leaves no value, the innermost place first: a JSON pointer into the
/// schema, and the keywords that exclude each other there.
pub(super) fn contradiction(schema: &Value) -> Option<(String, String)> {
    let empty = options().offline().prepare(schema).ok()?.unsatisfiable().ok()?;
    let causes = empty.into_iter().filter_map(|(pointer, reason)| match reason {
        UnsatisfiableReason::Literal => None,
        UnsatisfiableReason::Empty(cause) => Some((pointer, vec![cause])),
        UnsatisfiableReason::Conflict(causes) => Some((pointer, causes)),
    });
    let (pointer, causes) = causes.max_by_key(|(pointer, _)| pointer.matches('/').count())?;
    let parts = causes.into_iter().flat_map(|cause| match cause.keywords.is_empty() {
        true => vec![cause.pointer],
        false => cause.keywords,
    });
    Some((pointer, parts.collect::<Vec<_>>().join(", ")))
}

/// What a reference in a schema in its normal form refers to.
pub(super) fn target<'s>(root: &'s Value, schema: &Value) -> Option<&'s Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(&percent_decode_str(pointer).decode_utf8().ok()?)
}

/// What both of two schemas in their normal form say, beside the definitions of `root`.
pub(super) fn both(root: &Value, one: &Value, other: &Value) -> Option<Value> {
    let mut schema = json!({ "allOf": [one, other] });
    copy_surroundings(root, &mut schema);
    normal(&schema, Reading::Formats).filter(|both| *both != false)
}

/// Tells whether a value is what a part of a schema in its normal form says.
pub(super) fn validator(root: &Value, part: &Value) -> Option<jsonschema::Validator> {
    let mut schema = if part.is_object() { part.clone() } else { json!({ "allOf": [part] }) };
    copy_surroundings(root, &mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).ok()
}

/// Gives a part of a schema what it needs to stand alone.
fn copy_surroundings(root: &Value, part: &mut Value) {
    for keyword in ["$schema", "$defs", "definitions"] {
        if let Some(value) = root.get(keyword) {
            part[keyword] = value.clone();
        }
    }
}

/// A schema without its conditions, and with one of its alternatives.
fn narrow(schema: &Value, nth: usize) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let each = |value: &Value| match value {
        Value::Object(named) => {
            let named = named.iter().map(|(name, schema)| (name.clone(), narrow(schema, nth)));
            Value::Object(named.collect())
        }
        Value::Array(schemas) => schemas.iter().map(|schema| narrow(schema, nth)).collect(),
        other => other.clone(),
    };
    let (mut kept, mut all) = (Map::new(), Vec::new());
    for (keyword, value) in map {
        let kept_value = match keyword.as_str() {
            keyword if CONDITIONS.contains(&keyword) => continue,
            "properties" | "$defs" | "definitions" | "prefixItems" => each(value),
            "items" | "contains" | "additionalProperties" => narrow(value, nth),
            "allOf" | "anyOf" | "oneOf" => {
                let schemas = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let chosen = schemas
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| keyword == "allOf" || *n == nth % schemas.len());
                all.extend(chosen.map(|(_, schema)| narrow(schema, nth)));
                continue;
            }
            _ => value.clone(),
        };
        kept.insert(keyword.clone(), kept_value);
    }
    if !all.is_empty() {
        kept.insert("allOf".to_owned(), all.into());
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_no_value_is_named_where_it_is() {
        let schema = json!({ "type": "object", "required": ["a"], "properties": {
            "a": { "type": "string", "minLength": 3, "maxLength": 2 } } });

        let expected = ("/properties/a".to_owned(), "type, minLength, maxLength".to_owned());
        assert_eq!(contradiction(&schema), Some(expected));
        assert_eq!(contradiction(&json!({ "type": "object" })), None);
    }

    #[test]
    fn a_reference_is_followed_whatever_signs_are_in_its_name() {
        let root = json!({ "$defs": { "A/B C": 7 } });
        assert_eq!(target(&root, &json!({ "$ref": "#/$defs/A~1B%20C" })), Some(&json!(7)));
        assert_eq!(target(&root, &json!({ "$ref": "#/$defs/D" })), None);
    }

    #[test]
    fn what_several_keywords_say_together_stands_in_one_place() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": { "a": { "$ref": "#/$defs/a", "maxLength": 9, "not": { "const": "no" } } },
            "$defs": { "a": { "type": "string", "minLength": 2, "maxLength": 12 } }
        });

        let form = normal(&schema, Reading::Formats).expect("has one");

        let a = &form["properties"]["a"];
        assert_eq!((&a["minLength"], &a["maxLength"]), (&json!(2), &json!(9)));
        let nothing = json!({ "type": "object", "required": ["a"], "properties": { "a": false } });
        assert_eq!(normal(&nothing, Reading::Formats), Some(json!(false)));
    }

    #[test]
    fn a_narrow_reading_has_one_alternative_and_no_condition_but_keeps_properties_called_so() {
        let schema = json!({
            "properties": { "not": { "anyOf": [{ "const": 1 }, { "const": 2 }] } },
            "if": { "required": ["not"] }, "then": false, "allOf": [{ "required": ["not"] }]
        });

        let expected = json!({
            "properties": { "not": { "allOf": [{ "const": 2 }] } }, "allOf": [{ "required": ["not"] }]
        });
        assert_eq!(narrow(&schema, 1), expected);
    }
}
