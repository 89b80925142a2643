//! Names of properties that a message cannot write, or takes one for another.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::schema::{parts, step};

/// What is said of such names: JSON pointers with reasons.
pub(super) fn odd(schema: &Value) -> Vec<(String, String)> {
    let mut odd = Vec::new();
    for part in parts::all(schema) {
        let properties = part.schema.get("properties").and_then(Value::as_object);
        let mut alike: BTreeMap<String, &str> = BTreeMap::new();
        for name in properties.into_iter().flat_map(serde_json::Map::keys) {
            let place = format!("{}/properties/{}", part.place, step(name));
            if !follows_a_dot(name) {
                let reason = format!(
                    "\"{name}\" cannot follow a dot in Liquid: a message writes [\"{name}\"]"
                );
                odd.push((place.clone(), reason));
            }
            let letters: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
            if let Some(other) = alike.insert(letters.to_lowercase(), name) {
                let reason = format!(
                    "\"{other}\" and \"{name}\" differ in nothing that is heard: a message takes one for the other"
                );
                odd.push((place, reason));
            }
        }
    }
    odd
}

fn follows_a_dot(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_a_message_cannot_write_or_tell_apart_are_told() {
        let told = |names: &[&str]| -> Vec<String> {
            let properties: serde_json::Map<String, Value> =
                names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
            odd(&json!({ "properties": { "in": { "properties": properties } } }))
                .into_iter()
                .map(|(place, reason)| format!("{place}: {reason}"))
                .collect()
        };

        for right in ["heading", "lead_product", "lead-product", "h1", "_a", "größe"] {
            assert_eq!(told(&[right]), [""; 0], "{right}");
        }
        for wrong in ["lead product", "1st", "a.b", "a/b", "it's"] {
            assert!(told(&[wrong])[0].contains("cannot follow a dot"), "{wrong}");
        }
        let alike = told(&["leadProduct", "lead_product"]);
        assert_eq!(alike.len(), 1, "{alike:?}");
        assert!(alike[0].contains("\"leadProduct\" and \"lead_product\" differ"), "{alike:?}");
    }
}
