//! Containers that their writers' own libraries read, though they break the specification.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::bytes_of::{SYNC, block, compressed, header, long, text};
use crate::reading::{Read, read};

const CODECS: [&str; 5] = ["deflate", "snappy", "zstandard", "bzip2", "xz"];

/// Three events of a schema whose second field is `field`, written as a text.
fn three(schema: &Value) -> Read {
    let events: Vec<u8> =
        (0..3).flat_map(|n| [text("u"), text(format!("t{n}"))].concat()).collect();
    read(&[header(&schema.to_string(), "null"), block(3, &events)].concat())
}

fn record(name: Value, field: Value) -> Value {
    let mut schema = json!({ "type": "record", "fields": [
        { "name": "user_id", "type": "string" }, field,
    ] });
    for (key, value) in name.as_object().expect("is an object") {
        schema[key] = value.clone();
    }
    schema
}

#[test]
fn what_a_reader_does_not_need_of_a_schema_refuses_nothing() {
    let plain = json!({ "name": "R" });
    let field = |more: Value| {
        let mut field = json!({ "name": "text", "type": "string" });
        for (key, value) in more.as_object().expect("is an object") {
            field[key] = value.clone();
        }
        field
    };
    for (case, schema) in [
        ("default of another type", record(plain.clone(), field(json!({ "default": 7 })))),
        ("default of null", record(plain.clone(), field(json!({ "default": null })))),
        ("name with a hyphen", record(plain.clone(), field(json!({ "name": "te-xt" })))),
        ("name with a digit first", record(plain.clone(), field(json!({ "name": "1" })))),
        ("name with a blank and more", record(plain.clone(), field(json!({ "name": "t é.$" })))),
        ("aliases that are none", record(plain.clone(), field(json!({ "aliases": "a-b" })))),
        ("order that is none", record(plain.clone(), field(json!({ "order": "sideways" })))),
        ("doc that is none", record(plain.clone(), field(json!({ "doc": ["x"] })))),
        (
            "logical type that is none",
            record(
                plain.clone(),
                field(json!({ "type": { "type": "string", "logicalType": "uuid4" } })),
            ),
        ),
        (
            "logical type of another type",
            record(
                plain.clone(),
                field(json!({ "type": { "type": "string", "logicalType": "date" } })),
            ),
        ),
        (
            "namespace of an inner class",
            record(json!({ "name": "R", "namespace": "com.example.Outer$" }), field(json!({}))),
        ),
        (
            "name of an inner class",
            record(json!({ "name": "com.x.Outer$Inner" }), field(json!({}))),
        ),
        ("empty namespace", record(json!({ "name": "R", "namespace": "" }), field(json!({})))),
        (
            "type in a type",
            record(plain.clone(), field(json!({ "type": { "type": { "type": "string" } } }))),
        ),
        (
            "an error for a record",
            record(json!({ "name": "R", "type": "error" }), field(json!({}))),
        ),
    ] {
        let read = three(&schema);

        assert!(read.stopped.is_none(), "{case}: {}", read.fault());
        assert_eq!(read.events, 3, "{case}");
        let fields: Vec<String> =
            read.user_events().iter().flat_map(|(_, event)| event.fields.keys().cloned()).collect();
        let name = schema["fields"][1]["name"].as_str().expect("has a name");
        assert_eq!(fields, vec![name; 3], "{case}");
    }
}

#[test]
fn the_event_type_is_the_name_as_it_was_written() {
    let schema = record(
        json!({ "name": "users.My-Event", "namespace": "x" }),
        json!({ "name": "t", "type": "string" }),
    );

    let read = three(&schema);

    assert_eq!(read.user_records[0].event_type, "users.My-Event");
}

#[test]
fn a_deflate_block_that_was_flushed_and_not_finished_is_read() {
    let schema =
        record(json!({ "name": "R" }), json!({ "name": "t", "type": "string" })).to_string();
    let event = |n: usize| [text("u"), text(format!("t{n}"))].concat();
    let flushed = |bytes: &[u8]| {
        // Stored blocks: one of the bytes, and the empty one of a flush, neither the last.
        let length = u16::try_from(bytes.len()).expect("is short");
        let stored = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat();
        [stored, vec![0, 0, 0, 0xFF, 0xFF]].concat()
    };
    let mut file = header(&schema, "deflate");
    file.extend(block(2, &compressed("deflate", &[event(0), event(1)].concat())));
    file.extend(block(1, &flushed(&event(2))));
    file.extend(block(2, &compressed("deflate", &[event(3), event(4)].concat())));

    let whole = read(&file);

    assert!(whole.stopped.is_none(), "{}", whole.fault());
    assert_eq!(whole.events, 5);
}

#[test]
fn a_flushed_block_is_as_large_as_any_other_may_be() {
    let schema =
        record(json!({ "name": "R" }), json!({ "name": "t", "type": "string" })).to_string();
    let event = [text("u"), text("x".repeat(700_000))].concat();
    let mut flushed = Vec::new();
    for piece in event.chunks(60_000) {
        let length = u16::try_from(piece.len()).expect("is short");
        flushed.write_all(&[0]).expect("fits");
        flushed.extend(length.to_le_bytes());
        flushed.extend((!length).to_le_bytes());
        flushed.extend(piece);
    }

    let read = read(&[header(&schema, "deflate"), block(1, &flushed)].concat());

    assert!(read.stopped.is_none(), "{}", read.fault());
    assert_eq!(read.events, 1);
}

#[test]
fn a_block_of_nothing_is_empty_under_any_codec() {
    let schema =
        record(json!({ "name": "R" }), json!({ "name": "t", "type": "string" })).to_string();
    let event = [text("u"), text("t")].concat();
    for codec in CODECS {
        let empty = [long(0), long(0), SYNC.to_vec()].concat();
        let good = block(1, &compressed(codec, &event));

        let read = read(&[header(&schema, codec), empty.clone(), good, empty].concat());

        assert!(read.stopped.is_none(), "{codec}: {}", read.fault());
        assert_eq!(read.events, 1, "{codec}");
    }
}
