//! The events of one type that wait for their container.
//!
//! An event waits as its line until enough have come together, because the schema of a
//! container comes before its events. The schema says what values the fields have, and which
//! of them are personal.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Line;
use super::line::Content;
use super::shape::Shape;
use crate::catalogue::{PERSONAL_MARK, RECORD_NAME_PREFIX};
use crate::event_types::is_personal;
use crate::write::encode::{long, text};
use crate::write::{Compression, Container, Packer, header};

/// Currents writes a file after this many events.
const MAX_EVENTS: usize = 15_000;

/// Size of a schema and number of its fields from which on a container is written: a line
/// more, and a reader could refuse them.
const MAX_SCHEMA_BYTES: usize = 512 * 1024;
const MAX_SCHEMA_FIELDS: usize = 2_000;

/// Most bytes that a field adds to a schema beside its name and its kinds of values.
const FIELD_BYTES: usize = 64;

/// Most bytes of JSON that a byte of a name can take.
const ESCAPED_BYTES: usize = 6;

/// The events of one type that wait.
#[derive(Default)]
pub(super) struct Waiting {
    /// Their lines, each with a newline.
    lines: String,
    pub(super) events: usize,
    has_properties: bool,
    fields: BTreeMap<String, Shape>,
    schema_bytes: usize,
}

impl Waiting {
    /// Takes an event.
    pub(super) fn add(&mut self, line: &Line<'_>) {
        self.lines.push_str(line.text);
        self.lines.push('\n');
        self.events += 1;
        for (name, content) in &line.fields {
            let Content::Plain(value) = content else {
                self.has_properties = true;
                continue;
            };
            if !self.fields.contains_key(name) {
                self.fields.insert(name.clone(), Shape::nullable());
                self.schema_bytes += FIELD_BYTES + ESCAPED_BYTES * name.len();
            }
            if let Some(shape) = self.fields.get_mut(name) {
                self.schema_bytes += shape.add(value);
            }
        }
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// Tells whether a container has to be written.
    pub(super) fn is_full(&self) -> bool {
        self.events >= MAX_EVENTS
            || self.schema_bytes > MAX_SCHEMA_BYTES
            || self.fields.len() > MAX_SCHEMA_FIELDS
    }

    /// The container of all that wait.
    pub(super) fn container(
        &self,
        event_type: &str,
        packer: &mut Packer,
    ) -> Result<Vec<u8>, Box<apache_avro::Error>> {
        let schema = self.schema(event_type).to_string();
        let mut container = Container::new(&header(&schema, Compression::Deflate.name()));
        let mut event = Vec::new();
        for line in self.lines.lines() {
            // It was read before.
            let Ok(line) = Line::parse(line.as_bytes()) else { continue };
            event.clear();
            self.encode(&line, &mut event);
            container.push(&event, packer)?;
        }
        container.finish(packer)
    }

    fn schema(&self, event_type: &str) -> Value {
        let mut fields = vec![
            json!({ "name": "id", "type": "string" }),
            json!({ "name": "user_id", "type": "string" }),
            json!({ "name": "time", "type": "long" }),
        ];
        let mut add = |name: &str, schema: Value| {
            let mut field = json!({ "name": name, "type": schema, "default": null });
            if is_personal(event_type, name) {
                field["doc"] = json!(PERSONAL_MARK);
            }
            fields.push(field);
        };
        if self.has_properties {
            add("properties", json!(["null", "string"]));
        }
        for (name, shape) in &self.fields {
            add(name, shape.schema());
        }
        let name = format!("{RECORD_NAME_PREFIX}.{event_type}");
        json!({ "type": "record", "name": name, "fields": fields })
    }

    /// Writes an event in the order of the schema's fields.
    fn encode(&self, line: &Line<'_>, out: &mut Vec<u8>) {
        text(&line.id, out);
        text(&line.user_id, out);
        long(line.time, out);
        let mut properties = None;
        let mut values = BTreeMap::new();
        for (name, content) in &line.fields {
            match content {
                Content::Properties(text) => properties = Some(text),
                Content::Plain(value) => {
                    values.insert(name.as_str(), value);
                }
            }
        }
        if self.has_properties {
            long(i64::from(properties.is_some()), out);
            if let Some(properties) = properties {
                text(properties, out);
            }
        }
        for (name, shape) in &self.fields {
            shape.write(values.get(name.as_str()).copied().unwrap_or(&Value::Null), out);
        }
    }
}
