//! Schemas and events that nobody thought of, read by both readers.

use std::collections::HashMap;

use apache_avro::types::Value;
use apache_avro::{Days, Decimal, Duration, Millis, Months, Schema};
use currents::write::{self as writer, Compression};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use crate::reading::{TIME, read};
use crate::reference;

/// Deepest nesting of random types.
const DEPTH: u32 = 3;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_schema_is_read_as_the_reference_reads_it(seed in any::<u64>()) {
        let mut random = Random { rng: StdRng::seed_from_u64(seed), names: 0 };
        let (schema, types) = random.event_schema();
        let parsed = Schema::parse(&schema).expect("schema is valid");
        let events: Vec<Value> = (0..10).map(|n| random.event(&types, n)).collect();
        let codec = Compression::ALL[(seed % 6) as usize];
        let bytes = writer::container(&parsed, codec, events).expect("is written");

        let read = read(&bytes);

        prop_assert!(read.stopped.is_none(), "{}: {schema}", read.fault());
        prop_assert_eq!(read.events, 10);
        let (read, expected) = (read.user_events(), reference::user_events(&bytes, &[]));
        prop_assert_eq!(read.len(), expected.len());
        for (read, expected) in read.iter().zip(&expected) {
            prop_assert_eq!((&read.0, &read.1.id, read.1.time), (&expected.0, &expected.1.id, expected.1.time));
            for (name, value) in &expected.1.fields {
                prop_assert_eq!(read.1.fields.get(name), Some(value), "{}: {}", name, &schema);
            }
            prop_assert_eq!(read.1.fields.len(), expected.1.fields.len());
        }
    }
}

/// A type, with what is needed to make a value of it.
enum Type {
    Plain(&'static str),
    Logical(&'static str),
    Fixed(usize),
    Enum(Vec<String>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Record(Vec<(String, Type)>),
    /// A record that may hold another of its kind.
    Chain,
}

struct Random {
    rng: StdRng,
    names: u32,
}

impl Random {
    fn event_schema(&mut self) -> (Json, Vec<(String, Type)>) {
        let mut types = Vec::new();
        let mut fields = vec![
            json!({ "name": "user_id", "type": "string" }),
            json!({ "name": "id", "type": ["null", "string"] }),
            json!({ "name": "time", "type": "long" }),
        ];
        for n in 0..self.rng.random_range(0..8) {
            let (schema, kind) = self.kind(DEPTH);
            let name = format!("field_{n}");
            let doc = if self.rng.random_bool(0.2) { "[PII] secret" } else { "open" };
            fields.push(json!({ "name": name, "type": schema, "doc": doc }));
            types.push((name, kind));
        }
        (json!({ "type": "record", "name": "Event", "fields": fields }), types)
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("Name{}", self.names)
    }

    fn kind(&mut self, depth: u32) -> (Json, Type) {
        let inner = if depth == 0 { 5 } else { 10 };
        match self.rng.random_range(0..inner) {
            0 | 1 => {
                let all = ["boolean", "int", "long", "float", "double", "bytes", "string", "null"];
                let name = all[self.rng.random_range(0..all.len())];
                (json!(name), Type::Plain(name))
            }
            2 => self.logical(),
            3 => {
                let size = self.rng.random_range(0..20);
                (json!({ "type": "fixed", "name": self.name(), "size": size }), Type::Fixed(size))
            }
            4 => {
                let symbols: Vec<String> =
                    (0..self.rng.random_range(1..5)).map(|n| format!("SYMBOL_{n}")).collect();
                (
                    json!({ "type": "enum", "name": self.name(), "symbols": symbols }),
                    Type::Enum(symbols),
                )
            }
            5 => {
                let (items, item) = self.kind(depth - 1);
                (json!({ "type": "array", "items": items }), Type::Array(Box::new(item)))
            }
            6 => {
                let (values, value) = self.kind(depth - 1);
                (json!({ "type": "map", "values": values }), Type::Map(Box::new(value)))
            }
            7 => {
                // A union may hold each unnamed type once.
                let record = self.record(depth - 1);
                let all = [
                    (json!("null"), Type::Plain("null")),
                    (json!("string"), Type::Plain("string")),
                    record,
                ];
                let (schemas, types): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                (json!(schemas), Type::Union(types))
            }
            8 => self.record(depth - 1),
            _ => {
                let name = self.name();
                let schema = json!({ "type": "record", "name": name, "fields": [
                    { "name": "n", "type": "int" }, { "name": "next", "type": ["null", name] },
                ] });
                (schema, Type::Chain)
            }
        }
    }

    fn record(&mut self, depth: u32) -> (Json, Type) {
        let (name, mut fields, mut types) = (self.name(), Vec::new(), Vec::new());
        for n in 0..self.rng.random_range(0..4) {
            let (schema, kind) = self.kind(depth);
            fields.push(json!({ "name": format!("inner_{n}"), "type": schema }));
            types.push((format!("inner_{n}"), kind));
        }
        (json!({ "type": "record", "name": name, "fields": fields }), Type::Record(types))
    }

    fn logical(&mut self) -> (Json, Type) {
        let all = [
            ("int", "date"),
            ("int", "time-millis"),
            ("long", "time-micros"),
            ("long", "timestamp-millis"),
            ("long", "timestamp-micros"),
            ("long", "local-timestamp-millis"),
            ("string", "uuid"),
            ("bytes", "decimal"),
            ("fixed", "duration"),
        ];
        let (beneath, logical) = all[self.rng.random_range(0..all.len())];
        let mut schema = json!({ "type": beneath, "logicalType": logical });
        match logical {
            "decimal" => {
                schema["precision"] = json!(9);
                schema["scale"] = json!(2);
            }
            "duration" => {
                schema["name"] = json!(self.name());
                schema["size"] = json!(12);
            }
            _ => {}
        }
        (schema, Type::Logical(logical))
    }

    fn event(&mut self, types: &[(String, Type)], n: u32) -> Value {
        let id = match self.rng.random_bool(0.3) {
            true => Value::Union(0, Box::new(Value::Null)),
            false => Value::Union(1, Box::new(Value::String(format!("id-{n}")))),
        };
        let mut fields = vec![
            ("user_id".to_owned(), Value::String(format!("user-{}", n / 2))),
            ("id".to_owned(), id),
            (
                "time".to_owned(),
                Value::Long(TIME + i64::from(self.rng.random_range(-9_000..9_000))),
            ),
        ];
        fields.extend(types.iter().map(|(name, kind)| (name.clone(), self.value(kind))));
        Value::Record(fields)
    }

    fn value(&mut self, kind: &Type) -> Value {
        match kind {
            Type::Plain(name) => self.plain(name),
            Type::Logical(name) => self.logical_value(name),
            Type::Fixed(size) => Value::Fixed(*size, self.bytes(*size)),
            Type::Enum(symbols) => {
                let place = self.rng.random_range(0..symbols.len());
                Value::Enum(place as u32, symbols[place].clone())
            }
            Type::Array(item) => {
                Value::Array((0..self.rng.random_range(0..4)).map(|_| self.value(item)).collect())
            }
            Type::Map(value) => {
                let entries = self.rng.random_range(0..4);
                let entry = |n| (format!("key \"{n}\" \u{e9}"), self.value(value));
                Value::Map((0..entries).map(entry).collect::<HashMap<_, _>>())
            }
            Type::Union(branches) => {
                let place = self.rng.random_range(0..branches.len());
                Value::Union(place as u32, Box::new(self.value(&branches[place])))
            }
            Type::Record(fields) => Value::Record(
                fields.iter().map(|(name, kind)| (name.clone(), self.value(kind))).collect(),
            ),
            Type::Chain => {
                let mut next = Value::Union(0, Box::new(Value::Null));
                for n in 0..self.rng.random_range(0..20) {
                    let link = vec![("n".to_owned(), Value::Int(n)), ("next".to_owned(), next)];
                    next = Value::Union(1, Box::new(Value::Record(link)));
                }
                Value::Record(vec![("n".to_owned(), Value::Int(-1)), ("next".to_owned(), next)])
            }
        }
    }

    fn plain(&mut self, name: &str) -> Value {
        match name {
            "boolean" => Value::Boolean(self.rng.random()),
            "int" => Value::Int(self.rng.random()),
            "long" => Value::Long(self.rng.random::<i64>() >> self.rng.random_range(0..64)),
            "float" => Value::Float(f32::from_bits(self.rng.random())),
            "double" => Value::Double(f64::from_bits(self.rng.random())),
            "bytes" => {
                let length = self.rng.random_range(0..40);
                Value::Bytes(self.bytes(length))
            }
            "string" => {
                let any = || char::from_u32(self.rng.random_range(0..0x3000));
                Value::String(std::iter::repeat_with(any).take(12).flatten().collect())
            }
            _ => Value::Null,
        }
    }

    fn logical_value(&mut self, name: &str) -> Value {
        match name {
            "date" => Value::Date(self.rng.random()),
            "time-millis" => Value::TimeMillis(self.rng.random()),
            "time-micros" => Value::TimeMicros(self.rng.random()),
            "timestamp-millis" => Value::TimestampMillis(self.rng.random()),
            "timestamp-micros" => Value::TimestampMicros(self.rng.random()),
            "local-timestamp-millis" => Value::LocalTimestampMillis(self.rng.random()),
            "uuid" => Value::String(format!(
                "{:08x}-0000-4000-8000-00000000000a",
                self.rng.random::<u32>()
            )),
            "decimal" => {
                let length = self.rng.random_range(1..4);
                Value::Decimal(Decimal::from(self.bytes(length)))
            }
            _ => Value::Duration(Duration::new(
                Months::new(self.rng.random()),
                Days::new(self.rng.random()),
                Millis::new(self.rng.random()),
            )),
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}
