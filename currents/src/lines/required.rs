//! What every event must have, and what people write in its place.

use contract::user_record::MAX_USER_ID_BYTES;
use serde_json::value::RawValue;

use super::line::told;
use super::object::{Object, quoted};
use super::time;
use crate::read::MAX_EVENT_TYPE_BYTES;

/// What other programs call what an event must have.
const OTHER_NAMES: [(&str, &[&str]); 4] = [
    ("event_type", &["eventType", "type", "event", "event_name"]),
    ("user_id", &["userId", "external_user_id", "external_id", "braze_id"]),
    ("id", &["event_id", "eventId", "_id", "uuid"]),
    ("time", &["timestamp", "time_ms", "ts", "event_time", "occurred_at"]),
];

/// A value that every event has, or what it may be called instead.
fn required<'t>(object: &mut Object<'t>, name: &str) -> Result<&'t RawValue, String> {
    if let Some(value) = object.take(name) {
        return Ok(value);
    }
    let others = OTHER_NAMES.iter().find(|(known, _)| *known == name);
    let other = others.and_then(|(_, others)| others.iter().find(|other| object.has(other)));
    Err(match other {
        Some(other) => format!("\"{name}\" is missing: is \"{other}\" meant?"),
        None => format!("\"{name}\" is missing"),
    })
}

/// A text that every event has.
pub(super) fn text_in(object: &mut Object<'_>, name: &str) -> Result<String, String> {
    let value = required(object, name)?.get();
    let what = match value.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(value) {
            Ok(text) if text.is_empty() => "is empty".to_owned(),
            Ok(text) => return Ok(text),
            Err(error) => format!("cannot be read: {}", told(&error)),
        },
        Some(b'{') => "is an object: a text is wanted".to_owned(),
        Some(b'[') => "is a list: a text is wanted".to_owned(),
        _ => format!("is no text: write \"{}\"", value.chars().take(40).collect::<String>()),
    };
    Err(format!("\"{name}\" {what}"))
}

/// The event type, which names a record of Avro.
/// <https://avro.apache.org/docs/1.12.0/specification/#names>
pub(super) fn event_type(object: &mut Object<'_>) -> Result<String, String> {
    let name = text_in(object, "event_type")?;
    let is_part = |part: &str| {
        !part.starts_with(|c: char| c.is_ascii_digit())
            && !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if name.len() <= MAX_EVENT_TYPE_BYTES && name.split('.').all(is_part) {
        return Ok(name);
    }
    Err(format!(
        "\"event_type\" is {}: it has letters, digits, _ and single dots only, as in \
         users.behaviors.CustomEvent, and {MAX_EVENT_TYPE_BYTES} bytes at most",
        quoted(&name)
    ))
}

/// The Braze id.
pub(super) fn user_id(object: &mut Object<'_>) -> Result<String, String> {
    let id = text_in(object, "user_id")?;
    match id.len() {
        0..=MAX_USER_ID_BYTES => Ok(id),
        bytes => Err(format!(
            "\"user_id\" has {bytes} bytes: {MAX_USER_ID_BYTES} are the most, a Braze id has 24"
        )),
    }
}

/// The time, in UNIX seconds.
pub(super) fn time(object: &mut Object<'_>) -> Result<i64, String> {
    required(object, "time").and_then(time::seconds)
}
