//! Every event type of Currents, and what is not Currents at all.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeSet, HashMap};
use std::io::Cursor;

use apache_avro::Schema;
use apache_avro::types::Value;
use ingest::container::{Container, Fallback, UserEvent};
use loadtest::catalogue::Catalogue;
use loadtest::sample::{self, Occasion};
use loadtest::writer::{self, Compression};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

const USER: &str = "5f1a2b3c4d5e6f7a8b9c0d1e";
const TIME: i64 = 1_743_526_800;

fn open(bytes: Vec<u8>, wanted: &[&str]) -> Container<Cursor<Vec<u8>>> {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let fallback = Fallback { key: "a/b.avro".to_owned(), time: TIME };
    Container::open(Cursor::new(bytes), &wanted, fallback).expect("is a container")
}

fn read(bytes: Vec<u8>, wanted: &[&str]) -> Vec<UserEvent> {
    open(bytes, wanted).collect::<Result<_, _>>().expect("is undamaged")
}

/// The names of a record's fields that carry the mark of personal data.
fn personal(schema: &Schema) -> Vec<&str> {
    let Schema::Record(record) = schema else { return Vec::new() };
    let marked = record.fields.iter().filter(|field| field.doc.is_some());
    marked.map(|field| field.name.as_str()).collect()
}

#[test]
fn every_event_type_of_currents_passes_in_every_codec_with_every_field() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let codecs =
        [Compression::Null, Compression::Deflate, Compression::Snappy, Compression::Zstandard];
    let mut rng = StdRng::seed_from_u64(1);
    for (number, (event_type, schema)) in catalogue.iter().enumerate() {
        let occasion = Occasion { user_id: USER.to_owned(), time: TIME };
        let written: Vec<Value> =
            (0..20).map(|_| sample::event(schema, &occasion, &mut rng)).collect();
        let codec = codecs[number % codecs.len()];
        let bytes = writer::container(schema, codec, written.clone()).expect("is written");

        let container = open(bytes, &personal(schema));
        assert_eq!(container.event_type(), event_type);
        let events: Vec<UserEvent> = container.map(|event| event.expect("is undamaged")).collect();

        assert_eq!(events.len(), 20, "{event_type}");
        for (event, written) in events.iter().zip(&written) {
            assert_same(event_type, event, written);
        }
    }
}

/// Compares an event with the Avro value it was written from, field by field.
fn assert_same(event_type: &str, event: &UserEvent, written: &Value) {
    let Value::Record(fields) = written else { panic!("{event_type} is not a record") };
    let fields: HashMap<&str, &Value> = fields.iter().map(|(n, v)| (n.as_str(), v)).collect();
    for (name, value) in &fields {
        let value = match value {
            Value::Union(_, inner) => inner,
            value => *value,
        };
        let read = match *name {
            "id" => Some(json!(event.event.id)),
            "time" => Some(json!(event.event.time)),
            "user_id" => event.user_id.as_ref().map(|id| json!(id)),
            name => event.event.fields.get(name).cloned(),
        };
        let expected = match value {
            Value::Null => None,
            Value::String(text) if *name == "properties" => {
                Some(serde_json::from_str(text).expect("properties are JSON"))
            }
            Value::Float(number) => Some(json!(number.to_string().parse::<f64>().expect("number"))),
            value => Some(serde_json::Value::try_from(value.clone()).expect("is JSON")),
        };
        assert_eq!(read, expected, "{event_type}.{name}");
    }
    assert!(event.event.fields.keys().all(|name| fields.contains_key(name.as_str())));
}

#[test]
fn personal_fields_are_dropped_unless_a_campaign_names_them() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let mut rng = StdRng::seed_from_u64(2);
    for (event_type, schema) in catalogue.iter() {
        let occasion = Occasion { user_id: USER.to_owned(), time: TIME };
        let events: Vec<Value> =
            (0..20).map(|_| sample::event(schema, &occasion, &mut rng)).collect();
        let bytes = writer::container(schema, Compression::Null, events).expect("is written");

        let read = read(bytes, &[]);

        for name in personal(schema).into_iter().filter(|name| *name != "user_id") {
            let leaked = read.iter().any(|event| event.event.fields.contains_key(name));
            assert!(!leaked, "{event_type}.{name}");
        }
    }
}

#[test]
fn a_type_that_braze_has_not_invented_yet_passes_with_all_its_fields() {
    let schema = Schema::parse(&json!({
        "type": "record",
        "name": "dataexport.S3.inner.users.behaviors.Teleported",
        "fields": [
            { "name": "user_id", "type": ["null", "string"], "default": null },
            { "name": "distance", "type": "double" },
            { "name": "tags", "type": { "type": "map", "values": ["null", "long"] } },
            { "name": "hops", "type": { "type": "array", "items": {
                "type": "record", "name": "Hop", "fields": [{ "name": "at", "type": "bytes" }]
            } } },
            { "name": "mood", "type": { "type": "enum", "name": "Mood", "symbols": ["dizzy"] } },
        ]
    }))
    .expect("schema is valid");
    let hop = Value::Record(vec![("at".to_owned(), Value::Bytes(vec![b'x', 0xFF]))]);
    let event = Value::Record(vec![
        ("user_id".to_owned(), Value::Union(1, Box::new(Value::String(USER.to_owned())))),
        ("distance".to_owned(), Value::Double(f64::NAN)),
        (
            "tags".to_owned(),
            Value::Map(HashMap::from([
                ("big".to_owned(), Value::Union(1, Box::new(Value::Long(1 << 60)))),
                ("none".to_owned(), Value::Union(0, Box::new(Value::Null))),
            ])),
        ),
        ("hops".to_owned(), Value::Array(vec![hop])),
        ("mood".to_owned(), Value::Enum(0, "dizzy".to_owned())),
    ]);
    let bytes = writer::container(&schema, Compression::Null, [event]).expect("is written");

    let container = open(bytes, &[]);
    assert_eq!(container.event_type(), "users.behaviors.Teleported");
    let events: Vec<UserEvent> = container.collect::<Result<_, _>>().expect("is undamaged");

    let event = &events[0].event;
    assert_eq!(events[0].user_id.as_deref(), Some(USER));
    assert_eq!((event.id.as_str(), event.time), ("a/b.avro#0", TIME), "what it lacks is filled in");
    assert!(!event.fields.contains_key("distance"), "JSON has no NaN");
    assert_eq!(event.fields["tags"], json!({ "big": 1_i64 << 60 }));
    assert_eq!(event.fields["hops"], json!([{ "at": "x\u{ff}" }]));
    assert_eq!(event.fields["mood"], "dizzy");
}

#[test]
fn a_container_without_users_is_read_and_names_none() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema("agentconsole.ToolInvocation").expect("is in the catalogue");
    let occasion = Occasion { user_id: USER.to_owned(), time: TIME };
    let event = sample::event(schema, &occasion, &mut StdRng::seed_from_u64(3));
    let bytes = writer::container(schema, Compression::Null, [event]).expect("is written");

    assert_eq!(read(bytes, &[])[0].user_id, None);
}
