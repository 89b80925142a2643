//! What no answer can fulfil: then the schema is wrong, and not the answer.

use serde_json::Value;

use super::parts::{self, Part};

/// Least and most of the same; a value lies between them.
const BOUNDS: [(&str, &str); 4] = [
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minimum", "maximum"),
];

/// Least and most of which one is not reached.
const OPEN_BOUNDS: [(&str, &str); 3] = [
    ("exclusiveMinimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
];

/// Everything in a schema that no value fulfils: JSON pointers with what is wrong there.
pub(crate) fn contradictions(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in parts::all(schema).into_iter().filter(|part| part.is_wanted) {
        found.extend(bounds(&part));
        found.extend(choices(&part));
        found.extend(empty_text(&part));
        found.extend(required(&part));
    }
    found
}

fn bounds(part: &Part<'_>) -> Vec<(String, String)> {
    let number = |keyword: &str| part.schema.get(keyword).and_then(Value::as_f64);
    let crosses = |least: &str, most: &str, is_wrong: fn(f64, f64) -> bool| {
        let (low, high) = (number(least)?, number(most)?);
        let said = |keyword: &str| format!("{keyword} {}", part.schema[keyword]);
        let reason = format!("{} is above {}: no value fits", said(least), said(most));
        is_wrong(low, high).then(|| (format!("{}/{least}", part.place), reason))
    };
    let closed = BOUNDS.iter().filter_map(|(a, b)| crosses(a, b, |low, high| low > high));
    let open = OPEN_BOUNDS.iter().filter_map(|(a, b)| crosses(a, b, |low, high| low >= high));
    closed.chain(open).collect()
}

/// A text of no characters, which counts as one that shows nothing.
fn empty_text(part: &Part<'_>) -> Option<(String, String)> {
    let reason = "maxLength 0 leaves the empty text alone, which shows nothing: no value fits";
    let is_empty = part.schema["type"] == "string" && part.schema["maxLength"] == 0;
    is_empty.then(|| (format!("{}/maxLength", part.place), reason.to_owned()))
}

/// Choices that are none, or none of the type.
fn choices(part: &Part<'_>) -> Option<(String, String)> {
    let place = |keyword: &str| format!("{}/{keyword}", part.place);
    let values = match (part.schema.get("enum"), part.schema.get("const")) {
        (Some(Value::Array(values)), _) if values.is_empty() => {
            return Some((place("enum"), "enum is empty: no value fits".to_owned()));
        }
        (Some(Value::Array(values)), _) => values.iter().collect::<Vec<_>>(),
        (_, Some(value)) => vec![value],
        _ => return None,
    };
    let types: Vec<&str> = match part.schema.get("type")? {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let keyword = if part.schema.get("enum").is_some() { "enum" } else { "const" };
    let fits = |value: &Value| types.iter().any(|name| is_of_type(value, name));
    (!types.is_empty() && !values.into_iter().any(fits)).then(|| {
        let reason = format!("nothing in {keyword} is of type {}: no value fits", types.join(", "));
        (place(keyword), reason)
    })
}

/// Names that a closed object does not have.
fn required(part: &Part<'_>) -> Vec<(String, String)> {
    let (Some(names), Some(properties)) =
        (part.schema["required"].as_array(), part.schema["properties"].as_object())
    else {
        return Vec::new();
    };
    if part.schema["additionalProperties"] != false
        || part.schema.get("patternProperties").is_some()
    {
        return Vec::new();
    }
    let named = names.iter().enumerate().filter_map(|(n, name)| Some((n, name.as_str()?)));
    let unknown = named.filter(|(_, name)| !properties.contains_key(*name));
    unknown
        .map(|(n, name)| {
            let meant = dialect::did_you_mean(name, properties.keys().map(String::as_str));
            let remedy = if meant.is_empty() { ": remove it, or add the property" } else { &meant };
            let reason =
                format!("required names \"{name}\", which properties does not have{remedy}");
            (format!("{}/required/{n}", part.place), reason)
        })
        .collect()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // A fraction of nothing is none.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        // What is no type is told elsewhere.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value) -> String {
        let told = contradictions(&json!({ "properties": { "a": schema } }));
        told.iter().map(|(place, reason)| format!("{place}: {reason}\n")).collect()
    }

    #[test]
    fn what_no_value_fulfils_is_told_where_it_stands() {
        for (schema, expected) in [
            (json!({ "minItems": 4, "maxItems": 3 }), "/minItems: minItems 4 is above maxItems 3"),
            (json!({ "minLength": 9, "maxLength": 3 }), "/minLength: minLength 9 is above"),
            (json!({ "minimum": 2, "maximum": 1.5 }), "/minimum: minimum 2 is above maximum 1.5"),
            (
                json!({ "exclusiveMinimum": 1, "maximum": 1 }),
                "/exclusiveMinimum: exclusiveMinimum 1 is above maximum 1",
            ),
            (json!({ "minProperties": 2, "maxProperties": 1 }), "/minProperties: minProperties 2"),
            (json!({ "enum": [] }), "/enum: enum is empty"),
            (json!({ "type": "string", "maxLength": 0 }), "/maxLength: maxLength 0 leaves"),
            (
                json!({ "type": "string", "enum": [1, 2] }),
                "/enum: nothing in enum is of type string",
            ),
            (
                json!({ "type": ["integer", "null"], "const": "a" }),
                "/const: nothing in const is of type integer, null",
            ),
            (
                json!({ "required": ["headng"], "properties": { "heading": {} },
                        "additionalProperties": false }),
                "/required/0: required names \"headng\", which properties does not have: did you mean heading?",
            ),
            (
                json!({ "required": ["heading", "cta"], "properties": { "heading": {} },
                        "additionalProperties": false }),
                "/required/1: required names \"cta\", which properties does not have: remove it, or",
            ),
            (
                json!({ "items": { "minLength": 2, "maxLength": 1 } }),
                "/items/minLength: minLength 2",
            ),
        ] {
            let told = found(schema.clone());
            assert!(told.starts_with(&format!("/properties/a{expected}")), "{schema}: {told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }

    #[test]
    fn what_some_value_fulfils_is_no_contradiction() {
        for schema in [
            json!({ "minItems": 3, "maxItems": 3 }),
            json!({ "minimum": 1, "maximum": 1 }),
            json!({ "type": "string", "enum": ["a", null] }),
            json!({ "type": "integer", "const": 1.0 }),
            json!({ "anyOf": [{ "required": ["a"] }, { "required": ["b"] }] }),
            json!({ "required": ["a"], "properties": {} }),
            json!({ "not": { "enum": [] }, "if": { "minLength": 2, "maxLength": 1 } }),
        ] {
            assert_eq!(found(schema.clone()), "", "{schema}");
        }
    }
}
