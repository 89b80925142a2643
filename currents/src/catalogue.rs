//! The fields of all 94 Currents event types, as Avro schemas.
//!
//! Read from `currents-fields.tsv`.

use std::collections::BTreeMap;

use apache_avro::Schema;
use serde_json::{Value, json};

use crate::event_types::FIELDS;

/// Fields that readers rely on: no version is without them.
const ALWAYS: [&str; 5] = ["id", "user_id", "time", "name", "properties"];

/// The field that a later version has more.
const ADDED: &str = "added_later";

/// What every record name of Currents starts with.
pub(crate) const RECORD_NAME_PREFIX: &str = "dataexport.S3.inner";

/// What the doc of a personal field starts with.
pub(crate) const PERSONAL_MARK: &str = "[PII]";

/// All event types with their schemas.
#[derive(Debug)]
pub struct Catalogue {
    schemas: BTreeMap<String, Schema>,
    fields: BTreeMap<String, Vec<Value>>,
}

/// A version of the export. Braze adds fields and never says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One optional field less than [`Version::Current`], for types that have one.
    Earlier,
    /// The catalogue's.
    Current,
    /// One optional field more.
    Later,
}

impl Version {
    /// Its number in keys.
    pub fn number(self) -> u32 {
        match self {
            Self::Earlier => 9,
            Self::Current => 10,
            Self::Later => 11,
        }
    }
}

/// A line of the table that makes no schema.
#[derive(Debug, thiserror::Error)]
pub enum BadCatalogue {
    /// The line does not have its six columns, or names an unknown type.
    #[error("line {line} of currents-fields.tsv cannot be read")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// There is no such event type.
    #[error("there is no event type \"{0}\"")]
    Unknown(String),
    /// The fields of an event type make no schema.
    #[error("fields of \"{event_type}\" make no schema")]
    Schema {
        /// The event type.
        event_type: String,
        /// What the Avro library said.
        #[source]
        source: Box<apache_avro::Error>,
    },
}

impl Catalogue {
    /// Reads the table.
    pub fn read() -> Result<Self, BadCatalogue> {
        let mut fields: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (number, line) in FIELDS.lines().enumerate().skip(1) {
            let (event_type, field) =
                parse_line(line).ok_or(BadCatalogue::Line { line: number + 1 })?;
            fields.entry(event_type).or_default().push(field);
        }
        let schemas = fields.iter().map(|(event_type, fields)| {
            let schema = record_schema(event_type, fields)?;
            Ok((event_type.clone(), schema))
        });
        Ok(Self { schemas: schemas.collect::<Result<_, _>>()?, fields })
    }

    /// A version of the schema of an event type.
    pub fn version(&self, event_type: &str, version: Version) -> Result<Schema, BadCatalogue> {
        let unknown = || BadCatalogue::Unknown(event_type.to_owned());
        let mut fields = self.fields.get(event_type).ok_or_else(unknown)?.clone();
        match version {
            Version::Earlier => {
                if let Some(last) = fields.iter().rposition(may_be_missing) {
                    fields.remove(last);
                }
            }
            Version::Current => {}
            Version::Later => {
                fields.push(json!({ "name": ADDED, "type": ["null", "string"], "default": null }));
            }
        }
        record_schema(event_type, &fields)
    }

    /// The schema of an event type.
    pub fn schema(&self, event_type: &str) -> Option<&Schema> {
        self.schemas.get(event_type)
    }

    /// All event types with their schemas, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.schemas.iter().map(|(event_type, schema)| (event_type.as_str(), schema))
    }
}

fn may_be_missing(field: &Value) -> bool {
    let is_relied_on = ALWAYS.iter().any(|name| field["name"] == *name);
    field["type"].is_array() && !is_relied_on
}

fn parse_line(line: &str) -> Option<(String, Value)> {
    let mut columns = line.split('\t');
    let (event_type, name) = (columns.next()?, columns.next()?);
    let (avro_type, nullable) = (columns.next()?, columns.next()? == "yes");
    let (_default, personal) = (columns.next()?, columns.next()? == "yes");
    let avro_type = match avro_type {
        "array<string>" => json!({ "type": "array", "items": "string" }),
        "array<null|string>" => json!({ "type": "array", "items": ["null", "string"] }),
        "string" | "int" | "long" | "boolean" | "float" => json!(avro_type),
        _ => return None,
    };
    let mut field = json!({ "name": name, "type": avro_type });
    if nullable {
        field["type"] = json!(["null", avro_type]);
        field["default"] = Value::Null;
    }
    if personal {
        field["doc"] = json!(format!("{PERSONAL_MARK} {name}"));
    }
    Some((event_type.to_owned(), field))
}

fn record_schema(event_type: &str, fields: &[Value]) -> Result<Schema, BadCatalogue> {
    let schema = json!({
        "type": "record",
        "name": format!("{RECORD_NAME_PREFIX}.{event_type}"),
        "fields": fields,
    });
    Schema::parse(&schema).map_err(|error| BadCatalogue::Schema {
        event_type: event_type.to_owned(),
        source: Box::new(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ninety_four_event_types_are_there() {
        let catalogue = Catalogue::read().expect("table is valid");

        assert_eq!(catalogue.iter().count(), 94);
        assert!(catalogue.schema("users.behaviors.CustomEvent").is_some());
    }
}
