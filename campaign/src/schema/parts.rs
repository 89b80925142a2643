//! All schemas within a schema, with their places.

use serde_json::Value;

/// Keywords whose value is a schema for each name.
const MAPS: [&str; 5] =
    ["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];

/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];

/// Keywords whose value is a schema.
const SINGLES: [&str; 9] = [
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "then",
    "else",
    "not",
];

/// The keyword whose schema is a question, and asks for nothing.
const QUESTION: &str = "if";

/// A schema within a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part<'s> {
    /// Where it stands, as a JSON pointer.
    pub(crate) place: String,
    /// What it says.
    pub(crate) schema: &'s Value,
    /// A value must match it, or may; what stands in `if` and `not` is none that it must.
    pub(crate) is_wanted: bool,
}

/// A schema and all within it.
pub(crate) fn all(root: &Value) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    add(Part { place: String::new(), schema: root, is_wanted: true }, &mut found);
    found
}

/// The keyword in whose value a place lies, if it is the value of one and no schema.
pub(crate) fn keyword(place: &str) -> Option<&str> {
    let mut steps = place.split('/').skip(1);
    while let Some(step) = steps.next() {
        let is_container = MAPS.contains(&step) || LISTS.contains(&step);
        if is_container {
            // A name or a number, behind which a schema begins.
            if steps.next().is_none() {
                return Some(step);
            }
        } else if !SINGLES.contains(&step) && step != QUESTION {
            return Some(step);
        }
    }
    None
}

/// A name as a step of a JSON pointer.
pub(crate) fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn add<'s>(part: Part<'s>, found: &mut Vec<Part<'s>>) {
    let Value::Object(map) = part.schema else { return };
    let Part { place, is_wanted, .. } = part.clone();
    found.push(part);
    for (name, value) in map {
        let at = format!("{place}/{}", step(name));
        let is_wanted = is_wanted && name != "not" && name != QUESTION;
        match value {
            Value::Object(schemas) if MAPS.contains(&name.as_str()) => {
                for (name, schema) in schemas {
                    let place = format!("{at}/{}", step(name));
                    add(Part { place, schema, is_wanted }, found);
                }
            }
            Value::Array(schemas) if LISTS.contains(&name.as_str()) => {
                for (n, schema) in schemas.iter().enumerate() {
                    add(Part { place: format!("{at}/{n}"), schema, is_wanted }, found);
                }
            }
            schema if SINGLES.contains(&name.as_str()) || name == QUESTION => {
                add(Part { place: at, schema, is_wanted }, found);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_schema_is_found_with_its_place() {
        let schema = json!({
            "properties": { "a/b": { "items": { "type": "string" } }, "type": { "not": {} } },
            "$defs": { "x": { "anyOf": [{}, { "if": {} }] } },
            "enum": [{ "properties": {} }],
            "additionalProperties": false,
        });

        let places: Vec<(String, bool)> =
            all(&schema).into_iter().map(|part| (part.place, part.is_wanted)).collect();

        let mut expected = [
            ("", true),
            ("/$defs/x", true),
            ("/$defs/x/anyOf/0", true),
            ("/$defs/x/anyOf/1", true),
            ("/$defs/x/anyOf/1/if", false),
            ("/properties/a~1b", true),
            ("/properties/a~1b/items", true),
            ("/properties/type", true),
            ("/properties/type/not", false),
        ];
        let mut places = places;
        places.sort();
        expected.sort_unstable();
        assert_eq!(places.iter().map(|(at, is)| (at.as_str(), *is)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_place_is_a_keywords_or_a_schemas() {
        for (place, expected) in [
            ("/type", Some("type")),
            ("/properties/type", None),
            ("/properties/a/type/1", Some("type")),
            ("/properties/a/items/maxLength", Some("maxLength")),
            ("/anyOf/1/enum", Some("enum")),
            ("/required", Some("required")),
            ("/properties", Some("properties")),
            ("/items", None),
            ("", None),
        ] {
            assert_eq!(keyword(place), expected, "{place}");
        }
    }
}
