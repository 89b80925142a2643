//! JSON as values, and values as JSON.

use liquid_core::model::Value;
use liquid_core::{ValueView, model::Object};

use crate::ruby::{self, Kind};

/// A JSON value as one of a template.
pub fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::scalar(*flag),
        Json::Number(number) => match (number.as_i64(), number.is_u64()) {
            (Some(whole), _) => Value::scalar(whole),
            // There are no larger whole numbers here, and digits are what counts.
            (None, true) => Value::scalar(number.to_string()),
            (None, false) => Value::scalar(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::scalar(text.clone()),
        Json::Array(values) => Value::Array(values.iter().map(value).collect()),
        Json::Object(map) => Value::Object(
            map.iter().map(|(name, json)| (name.clone().into(), value(json))).collect::<Object>(),
        ),
    }
}

/// A value of a template as JSON.
pub(crate) fn of(value: &dyn ValueView) -> serde_json::Value {
    use serde_json::Value as Json;
    match ruby::kind(value) {
        Kind::Nil | Kind::Word(_) => Json::Null,
        Kind::Bool(flag) => Json::Bool(flag),
        Kind::Integer(number) => number.into(),
        Kind::Float(number) => number.into(),
        Kind::Text(text) => Json::String(text.into_owned()),
        Kind::List(list) => list.values().map(of).collect(),
        Kind::Map(map) => {
            Json::Object(map.iter().map(|(name, value)| (name.into_string(), of(value))).collect())
        }
    }
}
