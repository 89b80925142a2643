//! Content as it is written into an answer.
//!
//! Stored content is written from the SDK's value straight into the answer's text, without a
//! value in between. Names are in order, so that equal content makes an equal answer.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Number, Value};

/// One user's content of one campaign.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The content itself.
    pub data: Data<'a>,
    /// Whether it was not written for this user.
    pub is_fallback: bool,
}

/// The content itself, in the shape of the campaign's schema.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// As DynamoDB holds it.
    Stored(&'a AttributeValue),
    /// As a campaign's folder or a model's answer has it.
    Json(&'a Map<String, Value>),
}

/// Writes content as DynamoDB writes items: `{"S": "text"}`.
#[derive(Debug)]
pub struct DynamoDbJson<'a>(pub Data<'a>);

/// Writes content as JSON usually looks.
#[derive(Debug)]
pub struct PlainJson<'a>(pub Data<'a>);

impl Serialize for DynamoDbJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Data::Stored(value) => Typed(value).serialize(serializer),
            Data::Json(map) => tagged(serializer, "M", &TypedMap(map)),
        }
    }
}

impl Serialize for PlainJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Data::Stored(value) => Plain(value).serialize(serializer),
            Data::Json(map) => map.serialize(serializer),
        }
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(
    serializer: S,
    tag: &'static str,
    value: &T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

fn in_order(map: &HashMap<String, AttributeValue>) -> Vec<(&String, &AttributeValue)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    entries
}

/// A value of the SDK with its types.
struct Typed<'a>(&'a AttributeValue);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Entries<'a>(&'a HashMap<String, AttributeValue>);
        impl Serialize for Entries<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(in_order(self.0).into_iter().map(|(k, v)| (k, Typed(v))))
            }
        }
        struct Values<'a>(&'a [AttributeValue]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map(Typed))
            }
        }
        match self.0 {
            AttributeValue::S(text) => tagged(serializer, "S", text),
            AttributeValue::N(number) => tagged(serializer, "N", number),
            AttributeValue::Bool(flag) => tagged(serializer, "BOOL", flag),
            AttributeValue::L(values) => tagged(serializer, "L", &Values(values)),
            AttributeValue::M(map) => tagged(serializer, "M", &Entries(map)),
            // Content is written from JSON, which has no other types.
            _ => tagged(serializer, "NULL", &true),
        }
    }
}

/// A value of the SDK without its types.
struct Plain<'a>(&'a AttributeValue);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::S(text) => serializer.serialize_str(text),
            AttributeValue::N(number) => number.parse::<Number>().ok().serialize(serializer),
            AttributeValue::Bool(flag) => serializer.serialize_bool(*flag),
            AttributeValue::L(values) => serializer.collect_seq(values.iter().map(Plain)),
            AttributeValue::M(map) => {
                serializer.collect_map(in_order(map).into_iter().map(|(k, v)| (k, Plain(v))))
            }
            _ => serializer.serialize_unit(),
        }
    }
}

/// JSON with DynamoDB's types.
struct TypedJson<'a>(&'a Value);

impl Serialize for TypedJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Values<'a>(&'a [Value]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map(TypedJson))
            }
        }
        match self.0 {
            Value::Null => tagged(serializer, "NULL", &true),
            Value::Bool(flag) => tagged(serializer, "BOOL", flag),
            Value::Number(number) => tagged(serializer, "N", &number.to_string()),
            Value::String(text) => tagged(serializer, "S", text),
            Value::Array(values) => tagged(serializer, "L", &Values(values)),
            Value::Object(map) => tagged(serializer, "M", &TypedMap(map)),
        }
    }
}

/// The entries of an object with DynamoDB's types.
struct TypedMap<'a>(&'a Map<String, Value>);

impl Serialize for TypedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, TypedJson(value))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    fn every_type() -> (Map<String, Value>, AttributeValue) {
        let Value::Object(json) = json!({
            "a": "text \" <b>", "b": 1.5, "c": true, "d": null, "e": ["x", { "y": 2 }],
        }) else {
            panic!("is an object")
        };
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let number = |n: &str| AttributeValue::N(n.to_owned());
        let map = |entries: Vec<(&str, AttributeValue)>| {
            AttributeValue::M(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        };
        let stored = map(vec![
            ("a", text("text \" <b>")),
            ("b", number("1.5")),
            ("c", AttributeValue::Bool(true)),
            ("d", AttributeValue::Null(true)),
            ("e", AttributeValue::L(vec![text("x"), map(vec![("y", number("2"))])])),
        ]);
        (json, stored)
    }

    #[test]
    fn stored_content_and_the_json_it_came_from_are_written_alike() {
        let (json, stored) = every_type();

        let typed = to_value(DynamoDbJson(Data::Stored(&stored))).expect("is JSON");
        assert_eq!(typed, to_value(DynamoDbJson(Data::Json(&json))).expect("is JSON"));
        assert_eq!(typed["M"]["e"]["L"][1]["M"]["y"]["N"], "2");
        assert_eq!(typed["M"]["d"], json!({ "NULL": true }));
        let plain = to_value(PlainJson(Data::Stored(&stored))).expect("is JSON");
        assert_eq!(plain, Value::Object(json));
    }

    #[test]
    fn equal_content_is_equal_text() {
        let text = |stored: &AttributeValue| {
            serde_json::to_string(&DynamoDbJson(Data::Stored(stored))).expect("is JSON")
        };
        let first = text(&every_type().1);

        // Every map of the standard library has an order of its own.
        assert!((0..20).all(|_| text(&every_type().1) == first));
    }
}
