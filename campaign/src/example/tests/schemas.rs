//! Schemas of all kinds: what `check` accepts, the stand-in fits, or says why not.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::config::StructuredOutput;
use crate::example::{Limit, answer};
use crate::schema::{faults, travelling};

/// Answers like the processor, and says what is wrong with the answer.
pub(super) fn fit(schema: &Value, prompt: &str) -> Result<Value, Limit> {
    let answer = answer(schema, prompt)?;
    let validator = crate::schema::validator(schema).expect("is a schema");
    let accepted = crate::answer::accept(&answer.to_string(), &validator, schema);
    accepted.unwrap_or_else(|error| panic!("{error}\n{schema}\n{answer}"));
    Ok(answer)
}

/// Tells whether `check` would say nothing against a schema.
pub(super) fn is_checked(schema: &Value) -> bool {
    let reduces = travelling::reduced(schema, StructuredOutput::JsonSchema).is_ok();
    faults(&schema.to_string(), schema).is_empty() && reduces
}

/// Properties of one answer, each of another kind, none of which may ever be a limit.
const NEVER_LIMITS: &str = include_str!("never_limits.json");

#[test]
fn common_kinds_of_schemas_are_never_a_limit() {
    let kinds: Map<String, Value> = serde_json::from_str(NEVER_LIMITS).expect("is JSON");
    for (kind, property) in kinds {
        let mut schema = super::holding(property);
        schema["$defs"] = json!({
            "title": { "type": "string", "maxLength": 30, "contentMediaType": "text/plain" },
            "pick": { "type": "object", "additionalProperties": false, "required": ["title"],
                      "properties": { "title": { "$ref": "#/$defs/title" } } }
        });
        assert!(is_checked(&schema), "{kind} is none that check accepts");
        for show in ["Harbour Lights", "أضواء الميناء", "🎬"] {
            let answer = fit(&schema, &super::prompt(show, 7));
            assert!(answer.is_ok(), "{kind}: {answer:?}");
        }
    }
}

#[test]
fn drafts_formats_and_dependencies_of_whole_answers_are_kept_to() {
    for schema in [
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
                "additionalProperties": false, "required": ["a"], "dependencies": { "a": ["b"] },
                "properties": { "a": { "type": "string", "format": "date", "maxLength": 10 },
                                "b": { "type": "string", "format": "email", "maxLength": 40 } } }),
        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
                "additionalProperties": false, "required": ["n"],
                "properties": { "n": { "type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1 } } }),
        json!({ "type": "object", "additionalProperties": false, "minProperties": 2,
                "dependentRequired": { "a": ["b"] },
                "properties": { "a": { "type": "integer" }, "b": { "type": "integer" }, "c": { "type": "integer" } } }),
        json!({ "type": "object", "additionalProperties": false, "maxProperties": 1,
                "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } } }),
        json!({ "type": "object", "additionalProperties": false, "required": ["kind"],
                "properties": { "kind": { "enum": ["sale", "news"] }, "price": { "type": "integer" } },
                "if": { "properties": { "kind": { "const": "sale" } } },
                "then": { "required": ["price"] }, "else": { "not": { "required": ["price"] } } }),
        json!({ "type": "object", "additionalProperties": false, "not": { "required": ["a", "b"] },
                "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } } }),
        json!({ "type": "object", "additionalProperties": false, "unevaluatedProperties": false,
                "properties": { "a": { "type": "integer" } }, "dependencies": { "a": [] } }),
    ] {
        assert!(is_checked(&schema), "{schema}");
        for show in ["Harbour Lights", "Old Town"] {
            let answer = fit(&schema, &super::prompt(show, 3));
            assert!(answer.is_ok(), "{schema}: {answer:?}");
        }
    }
}

#[test]
fn a_schema_that_outgrows_its_normal_form_is_fitted_all_the_same() {
    let properties = |n: usize| -> Map<String, Value> {
        let texts =
            (0..40).map(|p| (format!("p{p}"), json!({ "type": "string", "maxLength": 30 + p })));
        texts.chain([(format!("k{n}"), json!({ "type": "integer" }))]).collect()
    };
    let many = (0..20).map(
        |n| json!({ "type": "object", "additionalProperties": false, "properties": properties(n) }),
    );
    let answer = fit(&super::holding(json!({ "anyOf": many.collect::<Vec<_>>() })), "Write.");

    assert!(answer.is_ok(), "{answer:?}");
}

/// A text's rules.
fn text() -> impl Strategy<Value = Value> {
    let patterns = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            r"^[^<>]*$",
            r"^\S",
            r"^[A-Z]",
            r"[a-z]+",
            r"^\w[\w ]*$",
            r"^[\p{L}\p{N} .,:()\[\]-]+$",
        ]),
    );
    let formats =
        prop::option::weighted(0.2, prop::sample::select(vec!["date", "uri", "email", "odd"]));
    (0..40_usize, 1..200_usize, patterns, formats).prop_map(|(least, more, pattern, format)| {
        // A format has a length of its own.
        if let Some(format) = format {
            return json!({ "type": "string", "format": format, "maxLength": 60 });
        }
        let mut text = json!({ "type": "string", "minLength": least, "maxLength": least + more });
        if let Some(pattern) = pattern {
            text["pattern"] = pattern.into();
        }
        text
    })
}

fn number() -> impl Strategy<Value = Value> {
    let steps = prop::option::of(prop::sample::select(vec![1.0, 2.0, 0.5, 0.05, 3.0]));
    (-50..50_i64, 4..60_i64, steps, any::<bool>(), any::<bool>()).prop_map(
        |(least, more, step, is_integer, is_open)| {
            let kind = if is_integer { "integer" } else { "number" };
            let low = if is_open { "exclusiveMinimum" } else { "minimum" };
            let mut number = json!({ "type": kind, low: least, "maximum": least + more });
            if let Some(step) = step {
                number["multipleOf"] = step.into();
            }
            number
        },
    )
}

/// Any value's rules; deeper ones hold others.
pub(super) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text(),
        2 => number(),
        1 => Just(json!({ "type": "boolean" })),
        1 => Just(json!({ "enum": ["warm", "brisk", null, 7] })),
        1 => Just(json!({ "const": "fixed" })),
        1 => Just(json!({ "type": ["string", "null"], "maxLength": 12 })),
        1 => Just(json!({ "$ref": "#/$defs/title" })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list = (inner.clone(), 0..3_usize, 0..4_usize, any::<bool>()).prop_map(
            |(items, least, more, is_unique)| {
                // Few different values can be too few for a list without repeats.
                let is_unique = is_unique && items["type"] == "string";
                json!({ "type": "array", "items": items, "minItems": least,
                        "maxItems": least + more, "uniqueItems": is_unique })
            },
        );
        let pair = prop::collection::vec(inner.clone(), 1..3).prop_map(|items| {
            json!({ "type": "array", "items": false, "minItems": items.len(), "prefixItems": items })
        });
        let either = prop::collection::vec(inner.clone(), 1..3);
        let either = either.prop_map(|branches| json!({ "anyOf": branches }));
        prop_oneof![3 => object(inner), 2 => list, 1 => pair, 1 => either]
    })
}

pub(super) fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let properties =
        prop::collection::btree_map("[a-z]{1,3}(~|/|Title)?", (inner, any::<bool>()), 0..4);
    properties.prop_map(|properties| {
        let needed =
            |(name, (_, is_needed)): (&String, &(Value, bool))| is_needed.then(|| name.clone());
        let required: Vec<String> = properties.iter().filter_map(needed).collect();
        let schemas: Map<String, Value> =
            properties.into_iter().map(|(name, (schema, _))| (name, schema)).collect();
        json!({ "type": "object", "additionalProperties": false, "properties": schemas,
                "required": required })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_check_accepts_is_fitted(schema in object(value()), prompt in "\\PC{0,60}") {
        let mut schema = schema;
        schema["$defs"] = json!({ "title": { "type": "string", "maxLength": 40 } });
        prop_assume!(is_checked(&schema));
        let answer = fit(&schema, &prompt);
        prop_assert!(answer.is_ok(), "{schema}\n{answer:?}");
        prop_assert_eq!(answer, fit(&schema, &prompt));
    }
}
