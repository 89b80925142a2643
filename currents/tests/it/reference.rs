//! The reference: what `apache-avro` reads, as the events that `ingest` must make of it.

use std::collections::BTreeSet;

use apache_avro::types::Value;
use apache_avro::{Reader, Schema};
use contract::attributes::PROFILE_UPDATE;
use contract::user_record::Event;
use serde_json::{Map, Value as Json, json};

use crate::reading::{KEY, TIME};

/// All events that have a user, with it, ordered by user and id.
pub(crate) fn user_events(bytes: &[u8], wanted: &[&str]) -> Vec<(String, Event)> {
    let reader = Reader::new(bytes).expect("is a container");
    let hidden = hidden(reader.writer_schema(), wanted);
    let mut events = Vec::new();
    for (position, record) in reader.enumerate() {
        let Value::Record(fields) = record.expect("is a record") else { panic!("holds records") };
        let mut values: Map<String, Json> = fields
            .into_iter()
            .filter(|(name, _)| !hidden.contains(name))
            .filter_map(|(name, value)| Some((name, json(value)?)))
            .collect();
        let mut text = |name: &str| {
            values.remove(name).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let (user_id, id) = (text("user_id"), text("id"));
        let time = values.remove("time").and_then(|time| time.as_i64());
        if let Some(properties) = values.get_mut("properties")
            && let Some(parsed) = properties.as_str().and_then(|t| serde_json::from_str(t).ok())
        {
            *properties = parsed;
        }
        let id = if id.is_empty() { format!("{KEY}#{position}") } else { id };
        let time = time.unwrap_or(TIME).min(TIME + 3_600);
        if !user_id.is_empty() {
            events.push((user_id, Event { id, time, fields: values }));
        }
    }
    events.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
    events
}

/// The names of a schema's fields that carry the mark of personal data.
pub(crate) fn personal(schema: &Schema) -> Vec<&str> {
    let Schema::Record(record) = schema else { return Vec::new() };
    let is_personal = |doc: &Option<String>| doc.as_ref().is_some_and(|d| d.starts_with("[PII]"));
    let marked = record.fields.iter().filter(|field| is_personal(&field.doc));
    marked.map(|field| field.name.as_str()).filter(|name| *name != "user_id").collect()
}

fn hidden(schema: &Schema, wanted: &[&str]) -> BTreeSet<String> {
    let Schema::Record(record) = schema else { return BTreeSet::new() };
    if record.name.fullname(None).ends_with(PROFILE_UPDATE) {
        // It carries attributes, of which none is wanted here, and nothing else.
        let needed = ["user_id", "id", "time"];
        let names = record.fields.iter().map(|field| field.name.as_str());
        return names.filter(|name| !needed.contains(name)).map(str::to_owned).collect();
    }
    let names = personal(schema).into_iter().filter(|name| !wanted.contains(name));
    names.map(str::to_owned).collect()
}

/// An Avro value as JSON; `None` for what JSON does not have.
fn json(value: Value) -> Option<Json> {
    let text = |bytes: Vec<u8>| json!(bytes.into_iter().map(char::from).collect::<String>());
    Some(match value {
        Value::Null => return None,
        Value::Boolean(value) => json!(value),
        Value::Int(n) | Value::Date(n) | Value::TimeMillis(n) => json!(n),
        Value::Long(n)
        | Value::TimeMicros(n)
        | Value::TimestampMillis(n)
        | Value::TimestampMicros(n)
        | Value::TimestampNanos(n)
        | Value::LocalTimestampMillis(n)
        | Value::LocalTimestampMicros(n)
        | Value::LocalTimestampNanos(n) => json!(n),
        // The shortest decimal that is this f32, as the JSON library writes it: of two that
        // are equally short, others may choose the other.
        Value::Float(n) if n.is_finite() => {
            let shortest = serde_json::to_string(&n).expect("is JSON");
            serde_json::from_str(&shortest).expect("is a number")
        }
        Value::Double(n) if n.is_finite() => json!(n),
        Value::Float(_) | Value::Double(_) => return None,
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => text(bytes),
        Value::Decimal(decimal) => text(Vec::try_from(decimal).expect("has bytes")),
        Value::Duration(duration) => text(<[u8; 12]>::from(duration).to_vec()),
        Value::String(text) => json!(text),
        Value::Uuid(uuid) => json!(uuid.to_string()),
        Value::Enum(_, symbol) => json!(symbol),
        Value::Union(_, value) => return json(*value),
        Value::Array(values) => {
            Json::Array(values.into_iter().map(|value| json(value).unwrap_or(Json::Null)).collect())
        }
        Value::Map(values) => {
            Json::Object(values.into_iter().filter_map(|(k, v)| Some((k, json(v)?))).collect())
        }
        Value::Record(fields) => {
            Json::Object(fields.into_iter().filter_map(|(k, v)| Some((k, json(v)?))).collect())
        }
        Value::BigDecimal(_) => panic!("is not generated"),
    })
}
