//! The values that a field has, as a schema of Avro, and the values in its binary form.
//!
//! Every value stands in a union of the kinds that there are. So a list of nulls has a byte
//! for each of them, and whoever counts items without bytes has nothing to count.
//! <https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>

use serde_json::{Value, json};

use crate::write::encode::{length, long, text};

/// Kinds of values, in the order that they have in unions.
const KINDS: [&str; 7] = ["null", "boolean", "long", "double", "string", "array", "map"];
const NULL: usize = 0;
const ARRAY: usize = 5;
const MAP: usize = 6;

/// Most bytes that a kind adds to a schema: `{"items":[],"type":"array"},`.
const KIND_BYTES: usize = 32;

/// What values there are.
#[derive(Debug, Default)]
pub(super) struct Shape {
    kinds: [bool; KINDS.len()],
    /// The items of all lists, and the values of all objects.
    items: Option<Box<Shape>>,
    members: Option<Box<Shape>>,
}

impl Shape {
    /// Values that may be missing.
    pub(super) fn nullable() -> Self {
        let mut shape = Self::default();
        shape.kinds[NULL] = true;
        shape
    }

    /// Takes a value in, and tells by how many bytes the schema grows at most.
    pub(super) fn add(&mut self, value: &Value) -> usize {
        let kind = kind(value);
        let grows = if self.kinds[kind] { 0 } else { KIND_BYTES };
        self.kinds[kind] = true;
        let inner: usize = match value {
            Value::Array(items) => {
                let shape = self.items.get_or_insert_default();
                items.iter().map(|item| shape.add(item)).sum()
            }
            Value::Object(members) => {
                let shape = self.members.get_or_insert_default();
                members.values().map(|member| shape.add(member)).sum()
            }
            _ => 0,
        };
        grows + inner
    }

    /// The schema of all values that were taken in.
    pub(super) fn schema(&self) -> Value {
        if !self.kinds.contains(&true) {
            return json!("null");
        }
        let inner = |shape: &Option<Box<Self>>| shape.as_ref().map(|shape| shape.schema());
        let kinds = KINDS.iter().enumerate().filter(|(kind, _)| self.kinds[*kind]);
        let kinds = kinds.map(|(kind, name)| match kind {
            ARRAY => json!({ "type": name, "items": inner(&self.items) }),
            MAP => json!({ "type": name, "values": inner(&self.members) }),
            _ => json!(name),
        });
        kinds.collect()
    }

    /// Writes a value that was taken in; none is written as null.
    pub(super) fn write(&self, value: &Value, out: &mut Vec<u8>) {
        let kind = kind(value);
        length(self.kinds[..kind].iter().filter(|is_there| **is_there).count(), out);
        match value {
            Value::Null => {}
            Value::Bool(value) => out.push(u8::from(*value)),
            Value::Number(number) => match number.as_i64() {
                Some(number) => long(number, out),
                None => out.extend_from_slice(&number.as_f64().unwrap_or_default().to_le_bytes()),
            },
            Value::String(value) => text(value, out),
            Value::Array(items) => {
                if let Some(shape) = self.items.as_ref().filter(|_| !items.is_empty()) {
                    length(items.len(), out);
                    items.iter().for_each(|item| shape.write(item, out));
                }
                length(0, out);
            }
            Value::Object(members) => {
                if let Some(shape) = self.members.as_ref().filter(|_| !members.is_empty()) {
                    length(members.len(), out);
                    for (name, member) in members {
                        text(name, out);
                        shape.write(member, out);
                    }
                }
                length(0, out);
            }
        }
    }
}

/// The place of a value's kind in [`KINDS`].
fn kind(value: &Value) -> usize {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => 1,
        Value::Number(number) if number.is_f64() => 3,
        Value::Number(_) => 2,
        Value::String(_) => 4,
        Value::Array(_) => ARRAY,
        Value::Object(_) => MAP,
    }
}
