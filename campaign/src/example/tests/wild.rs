//! Schemas that say more than anybody writes: a limit is allowed then, but rare, and an answer
//! that would be refused is not.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::schemas::{fit, is_checked, object, value};
use crate::example::Limit;

const PATTERNS: [&str; 14] = [
    r"^[A-Z]{2,4}-\d{3}$",
    r"^\d{1,3}([.,]\d{3})*$",
    r"^(?=.*\d)(?=.*[a-z])[a-z0-9]{4,9}$",
    r"^(?!.*(free|win)).*$",
    r"^([a-z]+)( [a-z]+){1,3}$",
    r"[aeiou]{2}",
    r"^\p{Lu}[\p{Ll}' -]+\.$",
    r"^#[0-9a-f]{6}$",
    r"^[^aeiou]+$",
    r"^.{4}\b.{3}$",
    r"^(?:\+|00)[1-9]\d{6,12}$",
    r"^[^\s]+@[^\s]+$",
    r"(^a|b$|^$|c)",
    r"^[\u0400-\u04FF ]+[!?]?$",
];

fn wild() -> impl Strategy<Value = Value> {
    let text = (0..7_usize, 10..60_usize, prop::sample::select(PATTERNS.to_vec())).prop_map(
        |(least, most, pattern)| {
            json!({ "type": "string", "minLength": least, "maxLength": most, "pattern": pattern })
        },
    );
    prop_oneof![text, value()].prop_recursive(3, 20, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let several = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several.clone().prop_map(|branches| json!({ "oneOf": branches })),
            several.prop_map(|branches| json!({ "anyOf": branches })),
            two.clone().prop_map(
                |(one, other)| json!({ "anyOf": [one, other], "not": { "type": "null" } })
            ),
            inner.clone().prop_map(|one| json!({ "allOf": [one], "not": { "const": "fixed" } })),
            inner.clone().prop_map(|one| json!({ "allOf": [one], "not": { "pattern": "xy?z" } })),
            (inner.clone(), 0..3_usize, any::<bool>()).prop_map(|(items, least, unique)| {
                json!({ "type": "array", "items": items, "minItems": least, "maxItems": least + 2,
                        "uniqueItems": unique, "contains": { "not": { "const": 7 } } })
            }),
            object(inner.clone()),
            (object(inner), 0..3_usize).prop_map(|(mut object, least)| {
                object["minProperties"] = least.into();
                object["maxProperties"] = (least + 2).into();
                object["dependentRequired"] = json!({ "a": ["b"] });
                object["if"] =
                    json!({ "properties": { "c": { "type": "string" } }, "required": ["c"] });
                object["then"] = json!({ "properties": { "d": { "not": { "type": "boolean" } } } });
                object
            }),
        ]
    })
}

#[test]
fn wild_schemas_are_fitted_or_told_as_a_limit_and_that_is_rare() {
    let (strategy, mut runner) = (object(wild()), TestRunner::deterministic());
    let (mut tried, mut limits) = (0, Vec::new());
    while tried < 300 {
        let mut schema = strategy.new_tree(&mut runner).expect("has values").current();
        schema["$defs"] = json!({ "title": { "type": "string", "maxLength": 40 } });
        if !is_checked(&schema) {
            continue;
        }
        tried += 1;
        match fit(&schema, &super::prompt("Harbour Lights", tried)) {
            Ok(_) | Err(Limit::Schema { .. }) => {}
            Err(limit) => limits.push(format!("{limit}\n{schema}")),
        }
    }

    assert!(limits.len() * 100 <= tried as usize, "{}: {}", limits.len(), limits.join("\n"));
}
