//! What is remembered of an event: its allow-listed fields.
//!
//! Guarantees: nothing that is not on the campaign's list, and a size that no event
//! decides.

use std::collections::BTreeSet;

use contract::user_record::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::field;

/// Longest text of a field that is remembered, in characters; the rest is cut.
pub const MAX_VALUE_CHARS: usize = 300;

/// Most entries of an array or object that are remembered.
pub(crate) const MAX_ENTRIES: usize = 50;

/// Deepest nesting of a field's value that is remembered.
pub(crate) const MAX_DEPTH: usize = 8;

/// Most bytes of one event that are remembered; fields that would go beyond are left out.
const MAX_EVENT_BYTES: usize = 8 * 1_024;

/// One event as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Identifies the event.
    pub id: String,
    /// When it happened, in UNIX seconds.
    pub time: i64,
    /// Type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The allow-listed fields that it has.
    pub fields: Map<String, Value>,
}

impl Past {
    /// Remembers the `allowed` fields of an event, and tells how many of them are not
    /// remembered whole.
    pub fn of(event_type: &str, event: &Event, allowed: &BTreeSet<String>) -> (Self, u64) {
        let mut fields = Map::new();
        let mut left = MAX_EVENT_BYTES;
        let mut cut = 0;
        for path in allowed {
            let Some(whole) = field(&event.fields, path) else { continue };
            let value = capped(whole, 0);
            let size = path.len() + size_of(&value);
            let is_kept = size <= left;
            cut += u64::from(!is_kept || value != *whole);
            if is_kept {
                left -= size;
                insert(&mut fields, path, value);
            }
        }
        let (id, event_type) = (event.id.clone(), event_type.to_owned());
        (Self { id, time: event.time, event_type, fields }, cut)
    }

    /// How large it is in memory, roughly, in bytes.
    pub fn size_bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name.len() + size_of(value));
        self.id.len() + self.event_type.len() + fields.sum::<usize>()
    }

    /// Events are ordered by time, and by id within a second, so that two instances
    /// that see them in different orders agree.
    pub fn order(&self) -> (i64, &str) {
        (self.time, &self.id)
    }
}

/// Puts a value at a path such as `properties.show`.
pub(crate) fn insert(fields: &mut Map<String, Value>, path: &str, value: Value) {
    let names: Vec<&str> = path.split('.').collect();
    insert_at(fields, &names, value);
}

/// Puts a value where these names lead.
pub(crate) fn insert_at(fields: &mut Map<String, Value>, names: &[impl AsRef<str>], value: Value) {
    let Some((name, rest)) = names.split_first() else { return };
    if rest.is_empty() {
        fields.insert(name.as_ref().to_owned(), value);
        return;
    }
    let inner = fields.entry(name.as_ref()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        insert_at(inner, rest, value);
    }
}

fn capped(value: &Value, depth: usize) -> Value {
    match value {
        _ if depth > MAX_DEPTH => Value::Null,
        Value::String(text) => Value::String(capped_text(text)),
        Value::Array(values) => {
            Value::Array(values.iter().take(MAX_ENTRIES).map(|v| capped(v, depth + 1)).collect())
        }
        Value::Object(map) => {
            let entries = map.iter().take(MAX_ENTRIES);
            Value::Object(entries.map(|(k, v)| (capped_text(k), capped(v, depth + 1))).collect())
        }
        other => other.clone(),
    }
}

fn capped_text(text: &str) -> String {
    let end = text.char_indices().nth(MAX_VALUE_CHARS).map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

/// Bytes of a value as JSON, roughly; never so few that the cap would not hold.
fn size_of(value: &Value) -> usize {
    // A character may be escaped to six bytes, and a number has some twenty.
    match value {
        Value::Null | Value::Bool(_) => 8,
        Value::Number(_) => 24,
        Value::String(text) => {
            text.chars().map(|c| if c.is_control() { 6 } else { c.len_utf8() + 1 }).sum::<usize>()
                + 8
        }
        Value::Array(values) => values.iter().map(size_of).sum::<usize>() + 8,
        Value::Object(map) => {
            map.iter().map(|(name, value)| name.len() * 2 + size_of(value) + 8).sum::<usize>() + 8
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(fields: Value) -> Event {
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        Event { id: "e".to_owned(), time: 7, fields }
    }

    #[test]
    fn only_fields_on_the_list_are_remembered() {
        let allowed = ["properties.show".to_owned(), "absent".to_owned()].into();
        let event = event(json!({ "email": "a@b", "properties": { "show": "A", "other": 1 } }));

        let (past, cut) = Past::of("t", &event, &allowed);

        assert_eq!(cut, 0);
        assert_eq!(Value::Object(past.fields), json!({ "properties": { "show": "A" } }));
    }

    #[test]
    fn no_event_decides_how_much_is_remembered() {
        let names: Vec<String> = (0..100).map(|n| format!("field{n}")).collect();
        let long = "\u{1}".repeat(100_000);
        let fields = names.iter().map(|name| (name.clone(), json!([long, { "deep": long }])));
        let event = event(Value::Object(fields.collect()));

        let (past, cut) = Past::of("t", &event, &names.into_iter().collect());

        assert_eq!(cut, 100);
        let bytes = serde_json::to_string(&past).expect("is JSON").len();
        assert!((1_000..MAX_EVENT_BYTES + 100).contains(&bytes), "{bytes}");
    }
}
