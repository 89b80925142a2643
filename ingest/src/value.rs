//! Avro values as JSON, without a detour over Avro's generic value.
//!
//! Nulls are dropped, as are floating-point numbers that JSON cannot hold (NaN,
//! infinities). Bytes become strings of the code points 0 to 255, as in Avro's
//! own JSON encoding.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess as _, Visitor};
use serde_json::{Map, Value};

/// The fields of one event, nulls dropped.
pub(crate) struct Fields(pub(crate) Map<String, Value>);

/// A field's name, asked for as an identifier: the Avro reader gives it no other way.
struct Name(String);

/// A field's value; `None` is a null.
struct Field(Option<Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Record;
        impl<'de> Visitor<'de> for Record {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fields, A::Error> {
                read_map(map).map(Fields)
            }
        }
        deserializer.deserialize_any(Record)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_owned()))
            }
        }
        deserializer.deserialize_identifier(Text)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Field)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_f32<E>(self, value: f32) -> Result<Self::Value, E> {
        // The shortest decimal that is this f32: 9.99, not 9.989999771118164.
        Ok(value.to_string().parse().ok().and_then(finite))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(finite(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Self::Value, E> {
        Ok(Some(value.iter().map(|&byte| char::from(byte)).collect::<String>().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Field(value)) = seq.next_element()? {
            values.push(value.unwrap_or(Value::Null));
        }
        Ok(Some(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        read_map(map).map(|map| Some(Value::Object(map)))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, symbol: A) -> Result<Self::Value, A::Error> {
        let (Name(symbol), rest) = symbol.variant()?;
        rest.unit_variant()?;
        Ok(Some(Value::String(symbol)))
    }
}

fn read_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Map<String, Value>, A::Error> {
    let mut fields = Map::new();
    while let Some((Name(name), Field(value))) = map.next_entry()? {
        if let Some(value) = value {
            fields.insert(name, value);
        }
    }
    Ok(fields)
}

fn finite(value: f64) -> Option<Value> {
    serde_json::Number::from_f64(value).map(Value::Number)
}
