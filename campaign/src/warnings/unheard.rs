//! Rules of a schema that no model hears of: the service takes a part of JSON Schema, and the
//! prompt is where the rest can be said.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Campaign;
use crate::schema::travelling::TravellingSchema;

/// Keywords that an answer is checked by. Every text has a longest length, and models keep to
/// lengths if the prompt says them.
const CHECKED: [&str; 25] = [
    "additionalProperties",
    "const",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxProperties",
    "maximum",
    "minItems",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "prefixItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// What is said of all such rules, in one sentence: those whose number the prompt says beside
/// the property's name are left out.
pub(super) fn rules(
    campaign: &Campaign,
    reduced: &TravellingSchema,
    unchecked: &[(String, String)],
) -> Option<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (place, keyword) in &reduced.left_out {
        let is_checked = CHECKED.contains(&keyword.as_str())
            && unchecked.iter().all(|(other, _)| *other != format!("{place}/{keyword}"));
        if is_checked && !is_said(campaign, place, keyword) {
            places.entry(keyword).or_default().push(format!("\"{place}\""));
        }
    }
    // Keywords of the same places, such as minimum and maximum, are told together.
    let mut keywords: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (keyword, places) in places {
        keywords.entry(places.join(", ")).or_default().push(keyword);
    }
    let rules: Vec<String> = keywords
        .into_iter()
        .map(|(places, keywords)| format!("{} at {places}", keywords.join(" and ")))
        .collect();
    (!rules.is_empty()).then(|| {
        format!(
            "the model is not told, as the service would refuse it, of {}: only the answer is checked, so check that the prompt says it",
            rules.join("; ")
        )
    })
}

/// Tells whether a line of the prompt, or of the instructions, has the property's name and the
/// number of the rule. What is no number cannot be looked for.
fn is_said(campaign: &Campaign, place: &str, keyword: &str) -> bool {
    let limit = campaign.answer_schema.pointer(place).and_then(|schema| schema.get(keyword));
    let (Some(Value::Number(limit)), Some(name)) = (limit, property(place)) else { return false };
    let limit = limit.to_string();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let says = |line: &str| {
        let words: Vec<&str> = line.split(|c| !is_part(c)).collect();
        words.contains(&name) && words.contains(&limit.as_str())
    };
    campaign.prompt.lines().chain(campaign.system.lines()).any(says)
}

/// The name of the property that a place is in.
fn property(place: &str) -> Option<&str> {
    let (_, rest) = place.rsplit_once("/properties/")?;
    rest.split('/').next()
}
