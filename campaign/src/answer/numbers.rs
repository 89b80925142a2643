//! What a rule of a schema wants and what there is instead: in numbers, and in names and
//! values that the schema itself holds. Nothing of the answer's own text is told.

use jsonschema::error::{TypeKind, ValidationErrorKind as Rule};
use serde_json::Value;

/// Longest list of allowed values, or pattern, that is told, in characters.
const MAX_TOLD_CHARS: usize = 80;

/// What there is and what is wanted, or nothing where the rule's name says it all.
pub(crate) fn of(rule: &Rule, value: &Value) -> String {
    let chars = || count(value.as_str().map_or(0, |text| text.chars().count()), "character");
    let items = || count(value.as_array().map_or(0, Vec::len), "item");
    let properties = || count(value.as_object().map_or(0, serde_json::Map::len), "property");
    match rule {
        Rule::MaxLength { limit } => format!("has {}, wants at most {limit}", chars()),
        Rule::MinLength { limit } => format!("has {}, wants {limit} or more", chars()),
        Rule::MaxItems { limit } => format!("has {}, wants at most {limit}", items()),
        Rule::MinItems { limit } => format!("has {}, wants {limit} or more", items()),
        Rule::AdditionalItems { limit } => format!("has {}, wants at most {limit}", items()),
        Rule::MaxProperties { limit } => format!("has {}, wants at most {limit}", properties()),
        Rule::MinProperties { limit } => format!("has {}, wants {limit} or more", properties()),
        Rule::Maximum { limit } => format!("wants {limit} at most"),
        Rule::Minimum { limit } => format!("wants {limit} or more"),
        Rule::ExclusiveMaximum { limit } => format!("wants less than {limit}"),
        Rule::ExclusiveMinimum { limit } => format!("wants more than {limit}"),
        Rule::MultipleOf { multiple_of } => format!("wants a multiple of {multiple_of}"),
        Rule::Constant { expected_value } => format!("wants {}", told(&expected_value.to_string())),
        Rule::Enum { options } => format!("wants one of {}", told(&options.to_string())),
        Rule::Format { format } => format!("wants the format {format}"),
        Rule::Pattern { pattern } => format!("wants {}", told(pattern)),
        Rule::Required { property } => format!("lacks {property}"),
        Rule::AdditionalProperties { unexpected } => {
            format!("has {} too many", unexpected.len())
        }
        Rule::Type { kind } => format!("is {}, wants {}", kind_of(value), wanted(kind)),
        _ => String::new(),
    }
}

/// `1 item`, `2 items`.
fn count(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {what}s"),
    }
}

fn told(text: &str) -> String {
    let mut told: String = text.chars().take(MAX_TOLD_CHARS).collect();
    if told.len() < text.len() {
        told.push_str("...");
    }
    told
}

fn wanted(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|each| each.to_string()).collect();
            names.join(" or ")
        }
    }
}

/// The kind of a value, as a schema's `type` names it.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told_of(schema: Value, value: Value) -> String {
        let validator = crate::schema::validator(&schema).expect("is a schema");
        let error = validator.iter_errors(&value).next().expect("breaks it");
        of(error.kind(), error.instance())
    }

    #[test]
    fn a_rule_that_is_broken_says_what_there_is_and_what_is_wanted() {
        for (schema, value, expected) in [
            (json!({ "minItems": 2 }), json!(["a"]), "has 1 item, wants 2 or more"),
            (json!({ "maxItems": 1 }), json!(["a", "b"]), "has 2 items, wants at most 1"),
            (json!({ "maxLength": 3 }), json!("four"), "has 4 characters, wants at most 3"),
            (json!({ "minimum": 3 }), json!(1), "wants 3 or more"),
            (json!({ "exclusiveMaximum": 1.5 }), json!(2), "wants less than 1.5"),
            (json!({ "enum": ["a", "b"] }), json!("c"), r#"wants one of ["a","b"]"#),
            (json!({ "required": ["cta"] }), json!({}), r#"lacks "cta""#),
            (
                json!({ "properties": { "a": {} }, "additionalProperties": false }),
                json!({ "x": 1 }),
                "has 1 too many",
            ),
            (
                json!({ "type": ["integer", "null"] }),
                json!("7"),
                "is string, wants null or integer",
            ),
            (json!({ "minProperties": 2 }), json!({ "x": 1 }), "has 1 property, wants 2 or more"),
        ] {
            assert_eq!(told_of(schema, value), expected);
        }
    }

    #[test]
    fn no_word_of_an_answer_is_told() {
        let told = told_of(json!({ "pattern": "^[a-z]+$" }), json!("A SECRET"));

        assert_eq!(told, "wants ^[a-z]+$");
    }
}
