//! Values that can only be read as data.

use dialect::{Object, Value};

use crate::past::{MAX_DEPTH, MAX_ENTRIES, MAX_VALUE_CHARS};

/// How much of a value a prompt sees.
#[derive(Debug)]
pub(super) struct Caps {
    /// Longest text, in characters.
    chars: usize,
    /// Most entries of an array or object.
    entries: usize,
}

/// Of an event or an attribute: as much as is remembered.
pub(super) const EVENT: Caps = Caps { chars: MAX_VALUE_CHARS, entries: MAX_ENTRIES };

/// Of a catalog's item: as much as Braze takes, a thousand columns.
pub(super) const ITEM: Caps = Caps { chars: 5_000, entries: 1_000 };

/// Makes a value that can only be read as data.
pub(super) fn inert(value: &serde_json::Value, caps: &Caps, depth: usize) -> Value {
    use serde_json::Value as Json;
    match value {
        _ if depth > MAX_DEPTH => Value::Nil,
        Json::String(text) => Value::scalar(capped(text, caps)),
        Json::Array(values) => {
            let values = values.iter().take(caps.entries);
            Value::Array(values.map(|value| inert(value, caps, depth + 1)).collect())
        }
        Json::Object(map) => Value::Object(inert_map(map, caps, depth + 1)),
        plain => dialect::json::value(plain),
    }
}

/// Does the same for all values of an object.
pub(super) fn inert_map(
    map: &serde_json::Map<String, serde_json::Value>,
    caps: &Caps,
    depth: usize,
) -> Object {
    let entries = map.iter().take(caps.entries);
    entries.map(|(name, value)| (capped(name, caps).into(), inert(value, caps, depth))).collect()
}

pub(super) fn inert_text(text: &str) -> String {
    capped(text, &EVENT)
}

fn capped(text: &str, caps: &Caps) -> String {
    text.chars().take(caps.chars).map(harmless).collect()
}

/// A text of any length that can close no delimiters.
pub(crate) fn without_delimiters(text: &str) -> String {
    text.chars().map(harmless).collect()
}

fn harmless(c: char) -> char {
    match c {
        '<' => '‹',
        '>' => '›',
        '"' => '”',
        c if c.is_control() => ' ',
        c => c,
    }
}
