//! What there is no answer for, and whose fault it is.

use serde_json::json;

use super::{holding, written};
use crate::example::answer;

#[test]
fn what_cannot_be_made_is_said_as_the_stand_ins_own_limit() {
    let limit = written(json!({ "type": "string", "maxLength": 9, "pattern": r"^(ab|cd)\1$" }));
    assert_eq!(
        limit.expect_err("refers back").to_string(),
        "the stand-in cannot make a text of at most 9 characters for the pattern \"^(ab|cd)\\1$\" \
         at \"/a\": this is its own limit, a model may well do it"
    );
    for (property, said) in [
        (
            json!({ "type": "string", "minLength": 9_000, "maxLength": 64_000 }),
            "make a text of 9000",
        ),
        (
            json!({ "type": "array", "items": { "type": "null" }, "minItems": 5_000, "maxItems": 6_000 }),
            "write a list of 5000",
        ),
        (
            json!({ "type": "number", "multipleOf": 1e-30, "minimum": 1e-29, "maximum": 1e-28 }),
            "find a number within the bounds",
        ),
    ] {
        let limit = written(property.clone()).expect_err("cannot be made").to_string();
        let said = format!("the stand-in cannot {said}");
        assert!(limit.starts_with(&said), "{property}: {limit}");
    }
}

#[test]
fn what_no_model_could_write_is_said_as_the_schemas_own_contradiction() {
    for (property, said) in [
        (
            json!({ "type": "string", "minLength": 3, "maxLength": 2 }),
            "\"/properties/a\": together",
        ),
        (json!({ "type": "integer", "enum": ["x"] }), "\"/properties/a\": together"),
        (
            json!({ "type": "string", "maxLength": 0 }),
            "\"/a\": only a text fits that shows nothing",
        ),
        (
            json!({ "allOf": [
                { "type": "object", "additionalProperties": false, "required": ["x"],
                  "properties": { "x": { "type": "null" } } },
                { "type": "object", "additionalProperties": false, "required": ["y"],
                  "properties": { "y": { "type": "null" } } } ] }),
            "\"/properties/a\": together",
        ),
        (
            json!({ "type": "object", "additionalProperties": false, "required": ["x"] }),
            "\"/properties/a\": together",
        ),
        (json!({ "enum": ["", " "] }), "\"/a\": only a text fits that shows nothing"),
    ] {
        let limit = written(property.clone()).expect_err("cannot be made").to_string();
        let said = format!("no answer fits the schema, whoever writes it: {said}");
        assert!(limit.starts_with(&said), "{property}: {limit}");
    }
}

#[test]
fn a_property_that_need_not_be_there_is_left_out_where_it_cannot_be_made() {
    let mut schema = holding(json!({ "type": "integer" }));
    schema["properties"]["b"] =
        json!({ "type": "string", "maxLength": 9, "pattern": r"^(ab|cd)\1$" });

    let answer = answer(&schema, "Write.").expect("can be made");

    assert!(answer["a"].is_i64() && answer.get("b").is_none(), "{answer}");
}
