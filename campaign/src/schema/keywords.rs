//! Keywords that are a slip of the hand: what is no keyword says nothing, without a word.

use serde_json::Value;

use super::parts;

/// The keywords of JSON Schema 2020-12, and of drafts before it.
const KEYWORDS: [&str; 62] = [
    "$anchor",
    "$comment",
    "$defs",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$ref",
    "$schema",
    "$vocabulary",
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "definitions",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
];

/// Keywords of OpenAPI and of draft 4 that are like others and no slip.
const ELSEWHERE: [&str; 3] = ["example", "id", "nullable"];

/// The keyword that was meant by a name that is none.
pub(crate) fn meant_by(name: &str) -> Option<&'static str> {
    let is_known = KEYWORDS.contains(&name) || ELSEWHERE.contains(&name);
    if is_known { None } else { dialect::misspelt(name, KEYWORDS) }
}

/// Tells whether a schema has a slip in the place of a keyword.
pub(crate) fn is_slipped(schema: &Value, keyword: &str) -> bool {
    let names = schema.as_object().into_iter().flat_map(serde_json::Map::keys);
    names.into_iter().any(|name| meant_by(name) == Some(keyword))
}

/// All slips in a schema: JSON pointers with what is said of them.
pub(crate) fn slips(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in parts::all(schema) {
        for name in part.schema.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if let Some(meant) = meant_by(name) {
                let reason =
                    format!("\"{name}\" is no keyword of JSON Schema: did you mean {meant}?");
                found.push((format!("{}/{}", part.place, parts::step(name)), reason));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slip_of_a_keyword_is_told_and_names_of_properties_and_of_others_are_not() {
        let schema = json!({
            "properties": { "titel": { "maxLenght": 3, "x-order": 1 }, "typ": { "example": 1 } },
            "requred": [],
        });

        let told: Vec<String> =
            slips(&schema).into_iter().map(|(at, reason)| format!("{at}: {reason}")).collect();

        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().any(|told| told.contains("/properties/titel/maxLenght: ")
            && told.contains("did you mean maxLength?")));
        assert!(told.iter().any(|told| told.contains("did you mean required?")));
        assert!(is_slipped(&schema, "required") && !is_slipped(&schema, "type"));
    }
}
