//! The schema in a container's header, as far as reading its records needs it.
//!
//! Java's container reader, which Braze writes for, does not validate it; `apache-avro` does.
//! So what a reader does not need is left out before the schema is parsed (defaults, aliases,
//! logical types and whatever else is said), and names that break the specification's rules
//! are replaced by others, from which [`Names`] leads back.

use std::collections::{HashMap, HashSet};

use apache_avro::Schema;
use serde_json::{Map, Value};

use crate::lenient;

/// Deepest schema that is read.
const MAX_DEPTH: usize = 100;

/// Types that have no name of their own.
const PRIMITIVES: [&str; 8] =
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// Why a schema cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSchema {
    /// It is not JSON.
    #[error("schema is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It is no schema.
    #[error(transparent)]
    NotASchema(Box<apache_avro::Error>),
}

/// Names that stand for others in a parsed schema.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What stands in the place of a name.
    replaced: HashMap<String, String>,
    /// The name that it stands for.
    originals: HashMap<String, String>,
    /// Everything that is a name as it was written.
    taken: HashSet<String>,
}

/// Parses the text of a schema.
pub(crate) fn parse(text: &str) -> Result<(Schema, Names), InvalidSchema> {
    let text = text.trim_start_matches('\u{feff}');
    let json = match serde_json::from_str(text) {
        Ok(json) => json,
        // Such as a default of NaN, which Python writes.
        Err(error) => match lenient::read(text, MAX_DEPTH) {
            Some(read) if error.is_syntax() => read.value,
            _ => return Err(InvalidSchema::NotJson(error)),
        },
    };
    let mut names = Names::default();
    names.note(&json);
    let needed = names.needed(&json);
    let schema = Schema::parse(&needed).map_err(|error| InvalidSchema::NotASchema(error.into()))?;
    Ok((schema, names))
}

impl Names {
    /// The name, parts joined by dots, that stands in the schema as it was written.
    pub(crate) fn original(&self, name: &str) -> String {
        let parts = name.split('.');
        let parts = parts.map(|part| self.originals.get(part).map_or(part, String::as_str));
        parts.collect::<Vec<_>>().join(".")
    }

    /// Collects the texts of a schema that are valid names, so that none is given again.
    fn note(&mut self, schema: &Value) {
        match schema {
            Value::String(text) => {
                self.taken.extend(text.split('.').filter(|part| is_name(part)).map(str::to_owned));
            }
            Value::Array(values) => values.iter().for_each(|value| self.note(value)),
            Value::Object(map) => map.values().for_each(|value| self.note(value)),
            _ => {}
        }
    }

    /// What of a schema is needed to read records.
    fn needed(&mut self, schema: &Value) -> Value {
        match schema {
            Value::String(name) if PRIMITIVES.contains(&name.as_str()) => schema.clone(),
            Value::String(name) => Value::String(self.full(name)),
            Value::Array(branches) => branches.iter().map(|branch| self.needed(branch)).collect(),
            Value::Object(map) => self.needed_of(map),
            other => other.clone(),
        }
    }

    fn needed_of(&mut self, map: &Map<String, Value>) -> Value {
        let mut needed = Map::new();
        let kind = map.get("type");
        if let Some(kind) = kind {
            let kind = match kind.as_str() {
                // An error is a record that somebody returns.
                Some("record" | "error") => Value::from("record"),
                Some("enum" | "fixed" | "array" | "map") => kind.clone(),
                _ => self.needed(kind),
            };
            needed.insert("type".to_owned(), kind);
        }
        for (keyword, value) in map {
            let value = match (keyword.as_str(), value) {
                ("name" | "namespace", Value::String(name)) => Value::String(self.full(name)),
                ("items" | "values", value) => self.needed(value),
                ("fields", Value::Array(fields)) => {
                    fields.iter().map(|field| self.field(field)).collect()
                }
                ("symbols", Value::Array(symbols)) => {
                    let symbols = symbols.iter().map(|symbol| match symbol {
                        Value::String(symbol) => Value::String(self.part(symbol)),
                        other => other.clone(),
                    });
                    symbols.collect()
                }
                ("size", value) => value.clone(),
                _ => continue,
            };
            needed.insert(keyword.clone(), value);
        }
        Value::Object(needed)
    }

    fn field(&mut self, field: &Value) -> Value {
        let Value::Object(map) = field else { return field.clone() };
        let mut needed = Map::new();
        for (keyword, value) in map {
            let value = match (keyword.as_str(), value) {
                // A field's name is one name, whatever is in it.
                ("name", Value::String(name)) => Value::String(self.part(name)),
                ("type", value) => self.needed(value),
                // It says which fields are personal.
                ("doc", Value::String(_)) => value.clone(),
                _ => continue,
            };
            needed.insert(keyword.clone(), value);
        }
        Value::Object(needed)
    }

    /// A valid full name in the place of another.
    fn full(&mut self, name: &str) -> String {
        if name.is_empty() {
            // No namespace.
            return String::new();
        }
        let parts: Vec<String> = name.split('.').map(|part| self.part(part)).collect();
        parts.join(".")
    }

    /// A valid name in the place of another, always the same.
    fn part(&mut self, name: &str) -> String {
        if is_name(name) {
            return name.to_owned();
        }
        if let Some(replaced) = self.replaced.get(name) {
            return replaced.clone();
        }
        let mut replaced = format!("name_{}", self.replaced.len());
        while !self.taken.insert(replaced.clone()) {
            replaced.push('_');
        }
        self.replaced.insert(name.to_owned(), replaced.clone());
        self.originals.insert(replaced.clone(), name.to_owned());
        replaced
    }
}

fn is_name(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_first) && text.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_break_the_rules_are_replaced_and_found_again() {
        let schema = json!({
            "type": "record", "name": "Inner", "namespace": "com.example.Outer$", "fields": [
                { "name": "n-me", "type": "string" },
                { "name": "name_0", "type": ["null", "Inner"] },
                { "name": "2nd field", "type": { "type": "enum", "name": "E.é", "symbols": ["a b", "c"] } },
                { "name": "again", "type": "E.é" },
            ],
        });

        let (schema, names) = parse(&schema.to_string()).expect("can be read");

        let Schema::Record(record) = schema else { panic!("is a record") };
        assert_eq!(names.original(&record.name.fullname(None)), "com.example.Outer$.Inner");
        let fields: Vec<String> =
            record.fields.iter().map(|field| names.original(&field.name)).collect();
        assert_eq!(fields, ["n-me", "name_0", "2nd field", "again"]);
    }

    #[test]
    fn what_no_reader_needs_is_not_looked_at() {
        let schema = r#"{ "type": "record", "name": "R", "aliases": ["a-b", 7], "fields": [
            { "name": "a", "type": "int", "default": "none", "aliases": "x", "order": 3 },
            { "name": "b", "type": "double", "default": NaN },
            { "name": "c", "type": ["string", "null"], "default": null, "doc": 5 },
            { "name": "d", "type": { "type": "bytes", "logicalType": "decimal", "scale": -1 } },
            { "name": "e", "type": { "type": "string", "avro.java.string": "String" } },
            { "name": "f", "type": { "type": { "type": "array", "items": "long", "default": 1 } } },
            { "name": "g", "type": { "type": "enum", "name": "E", "symbols": ["a"], "default": "z" } }
        ], "doc": [] }"#;

        assert!(parse(schema).is_ok(), "{:?}", parse(schema).err());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for schema in ["{", "[", "7", "\"Nowhere\"", "{\"type\":\"record\",\"name\":\"R\"}"] {
            assert!(parse(schema).is_err(), "{schema}");
        }
    }
}
