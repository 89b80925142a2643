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

/// One event of a schema that has `fields` besides its user, as JSON.
fn one(fields: &Value, bytes: &[u8]) -> Value {
    let mut schema = json!({ "type": "record", "name": "n.R", "fields": [
        { "name": "user_id", "type": "string" },
    ] });
    let all = schema["fields"].as_array_mut().expect("is a list");
    all.extend(fields.as_array().expect("is a list").iter().cloned());
    let read = one_of(&schema.to_string(), bytes);
    assert!(read.stopped.is_none(), "{fields}: {}", read.fault());
    json!(read.user_events()[0].1.fields)
}

fn one_of(schema: &str, bytes: &[u8]) -> Read {
    read(&[header(schema, "null"), block(1, &[&text("u"), bytes].concat())].concat())
}

#[test]
fn types_that_the_specification_forbids_are_read_as_they_were_written() {
    let fixed = |size| json!({ "type": "fixed", "name": "F", "size": size });
    let cases = [
        (
            "two fields with one name",
            json!([{ "name": "a", "type": "string" }, { "name": "a", "type": "string" }]),
            [text("1"), text("2")].concat(),
            json!({ "a": "2" }),
        ),
        (
            "symbols that are none, and come twice",
            json!([{ "name": "e", "type":
                { "type": "enum", "name": "E", "symbols": ["a b", "c", "c"] } }]),
            long(2),
            json!({ "e": "c" }),
        ),
        (
            "equal branches",
            json!([{ "name": "u", "type": ["null", "string", "null", "string"] }]),
            [long(3), text("x")].concat(),
            json!({ "u": "x" }),
        ),
        (
            "a union in a union",
            json!([{ "name": "u", "type": ["null", ["int", "string"]] }]),
            [long(1), long(1), text("x")].concat(),
            json!({ "u": "x" }),
        ),
        (
            "a name that is defined twice",
            json!([{ "name": "a", "type": fixed(1) }, { "name": "b", "type": fixed(2) }]),
            b"xyz".to_vec(),
            json!({ "a": "x", "b": "yz" }),
        ),
        (
            "a name before its definition",
            json!([{ "name": "a", "type": ["null", "F"] }, { "name": "b", "type": fixed(2) }]),
            [long(1), b"wxyz".to_vec()].concat(),
            json!({ "a": "wx", "b": "yz" }),
        ),
        (
            "names with and without their namespace",
            json!([{ "name": "a", "type": fixed(1) }, { "name": "b", "type": "F" },
                { "name": "c", "type": "n.F" }, { "name": "d", "type": { "type": "F" } }]),
            b"wxyz".to_vec(),
            json!({ "a": "w", "b": "x", "c": "y", "d": "z" }),
        ),
        (
            "a decimal finer than it is precise",
            json!([{ "name": "d", "type": { "type": "bytes", "logicalType": "decimal",
                "precision": 2, "scale": 9 } }]),
            text("7"),
            json!({ "d": "7" }),
        ),
        (
            "a duration of another size, a uuid of bytes",
            json!([
                { "name": "d", "type": { "type": "fixed", "name": "D", "size": 1,
                    "logicalType": "duration" } },
                { "name": "u", "type": { "type": "bytes", "logicalType": "uuid" } },
            ]),
            [b"d".to_vec(), text("u")].concat(),
            json!({ "d": "d", "u": "u" }),
        ),
    ];
    for (case, fields, bytes, expected) in cases {
        assert_eq!(one(&fields, &bytes), expected, "{case}");
    }
}

#[test]
fn a_schema_is_read_although_its_text_is_not_quite_json() {
    let schema = |doc: &str, default: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"user_id","type":"string"}},
                {{"name":"t","type":"string","doc":"{doc}","default":{default}}}]}}"#
        )
    };
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    for schema in [
        format!("\u{feff}{}", schema("x", "1")),
        format!("{}\0\0", schema("x", "1")),
        format!("/* ours */ {}", schema("x", "1")),
        schema("cut \\ud83d", "1"),
        schema("a\tb", "1"),
        schema("x", "NaN"),
        schema("x", "1e999"),
        schema("x", "340282366920938463463374607431768211456"),
        schema("x", &deep),
    ] {
        let read = one_of(&schema, &text("v"));

        assert!(read.stopped.is_none(), "{schema}: {}", read.fault());
        assert_eq!(read.user_events()[0].1.fields["t"], "v", "{schema}");
    }
    let latin = schema("caf\u{e9}", "1").chars().map(|c| c as u8).collect::<Vec<u8>>();
    let entries = [text("avro.schema"), text(latin)].concat();
    let head = [b"Obj\x01".to_vec(), long(1), entries, long(0), SYNC.to_vec()].concat();
    let read = read(&[head, block(1, &[text("u"), text("v")].concat())].concat());
    assert!(read.stopped.is_none(), "{}", read.fault());
}

#[test]
fn a_personal_field_stays_hidden_whatever_else_its_schema_says() {
    for doc in [json!("[PII] x"), json!(["[PII]"]), json!({ "de": "[PII] x" })] {
        let field = json!([{ "name": "e-mail", "type": "string", "doc": doc, "default": 7 }]);
        assert_eq!(one(&field, &text("a@b")), json!({}), "{doc}");
    }
    // What was cut off could have been the mark.
    let cut = r#"{"type":"record","name":"R","fields":[{"name":"user_id","type":"string"},
        {"name":"email","type":"string","doc":[PII] x}]}"#;
    assert!(one_of(cut, &text("a@b")).fault().contains("schema is not JSON"));
}

#[test]
fn a_codec_without_a_name_is_none() {
    let schema =
        record(json!({ "name": "R" }), json!({ "name": "t", "type": "string" })).to_string();
    let events = block(1, &[text("u"), text("t")].concat());
    let without = [b"Obj\x01".to_vec(), long(1), text("avro.schema"), text(&schema), long(0)];
    for head in [header(&schema, ""), [without.concat(), SYNC.to_vec()].concat()] {
        assert_eq!(read(&[head, events.clone()].concat()).events, 1);
    }
}

#[test]
fn a_deflate_block_is_read_to_its_end_and_no_further() {
    let schema =
        record(json!({ "name": "R" }), json!({ "name": "t", "type": "string" })).to_string();
    let event = [text("u"), text("some text, some text")].concat();
    let whole = compressed("deflate", &event);
    // What zlib writes of `\x02u\x02t` for a partial flush: it ends within a byte.
    let endless = vec![0x62, 0x2A, 0x65, 0x2A, 0x01, 0x08];
    let followed = [whole.clone(), b"more".to_vec()].concat();
    for (case, bytes) in [("followed", followed), ("endless", endless)] {
        let good = block(1, &whole);
        let file = [header(&schema, "deflate"), good.clone(), block(1, &bytes), good].concat();

        let read = read(&file);

        assert!(read.stopped.is_none(), "{case}: {}", read.fault());
        assert_eq!(read.events, 3, "{case}");
    }
    let nothing = [header(&schema, "deflate"), block(0, &[0, 0, 0, 0xFF, 0xFF])].concat();
    assert!(read(&nothing).stopped.is_none());
}

#[test]
fn the_event_type_is_the_name_as_it_was_written() {
    let schema = record(
        json!({ "name": "users.My-Event", "namespace": "x" }),
        json!({ "name": "t", "type": "string" }),
    );

    let read = three(&schema);

    assert_eq!(read.event_type, "users.My-Event");
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
