//! Hostile and broken containers, each with its exact outcome.

use std::io::Cursor;

use currents::read::container::{MAX_HEADER_BYTES, Position};
use currents::read::{MAX_EMPTY_ITEMS, MAX_EVENT_BYTES, Reader, Source};
use serde_json::{Value, json};

use crate::bytes_of::{SYNC, block, compressed, header, long, text};
use crate::reading::{KEY, Read, TIME, USER, read, read_with, reader};

fn schema_with(field: Value) -> String {
    json!({ "type": "record", "name": "dataexport.S3.inner.users.Test", "fields": [
        { "name": "user_id", "type": "string" }, field,
    ] })
    .to_string()
}

fn schema() -> String {
    schema_with(json!({ "name": "text", "type": "string" }))
}

fn event(user: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
    [text(user), text(value)].concat()
}

/// A header, a good block of three events, and whatever follows.
fn after_a_good_block(codec: &str, rest: &[u8]) -> (Vec<u8>, Position) {
    let events = [event("a", "1"), event("b", "2"), event("a", "3")].concat();
    let header = header(&schema(), codec);
    let good = match codec {
        "null" => events,
        codec => compressed(codec, &events),
    };
    let good = block(3, &good);
    let at = Position { offset_bytes: (header.len() + good.len()) as u64, block: 1, records: 3 };
    ([header, good, rest.to_vec()].concat(), at)
}

/// Asserts that the good block was delivered and the damage named with its place.
#[track_caller]
fn assert_damaged(case: &str, read: &Read, at: Position, reason: &str) {
    let stopped = read.stopped.as_ref().unwrap_or_else(|| panic!("{case}: is damaged"));
    assert_eq!(stopped.at, at, "{case}");
    assert!(read.fault().contains(reason), "{case}: {}", read.fault());
    assert_eq!(read.events, at.records, "{case}: everything before the damage is delivered");
}

#[test]
fn a_damaged_header_is_named() {
    let start = Position::default();
    let good = header(&schema(), "null");
    let unknown_type = schema_with(json!({ "name": "x", "type": "string" }))
        .replace("\"string\"}]", "\"Nowhere\"}]");
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(200), "}".repeat(200));
    let deep = schema_with(json!({ "name": "x", "type": "DEEP" })).replace("\"DEEP\"", &deep);
    let fields: Vec<Value> =
        (0..5_000).map(|n| json!({ "name": format!("f{n}"), "type": "int" })).collect();
    let wide = json!({ "type": "record", "name": "R", "fields": fields }).to_string();
    let long_name = schema().replace("users.Test", &"x".repeat(300));
    let large = [b"Obj\x01".to_vec(), long(1), text("x"), text(vec![0; MAX_HEADER_BYTES])].concat();
    let many = [b"Obj\x01".to_vec(), long(i64::MAX), [0, 0].repeat(MAX_HEADER_BYTES)].concat();
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("empty file", Vec::new(), "file is empty"),
        ("two bytes", b"Ob".to_vec(), "does not begin with the bytes"),
        ("bad magic", [b"PAR1".to_vec(), good.clone()].concat(), "does not begin with the bytes"),
        ("cut header", good[..40].to_vec(), "file ends inside its header"),
        ("cut sync marker", good[..good.len() - 1].to_vec(), "file ends inside its header"),
        (
            "negative length",
            [b"Obj\x01".to_vec(), long(1), long(-5)].concat(),
            "a length is negative",
        ),
        ("header too large", large, "header is longer than"),
        ("endless header", many, "header is longer than"),
        ("unknown codec", header(&schema(), "lz4"), "codec \"lz4\" is not one of"),
        ("schema is no JSON", header("{", "null"), "schema cannot be read"),
        ("schema names nothing", header(&unknown_type, "null"), "schema cannot be read"),
        ("schema too deep", header(&deep, "null"), "schema cannot be read"),
        ("schema too wide", header(&wide, "null"), "more than 4096 fields"),
        ("event type too long", header(&long_name, "null"), "event type is longer"),
    ];
    for (case, bytes, reason) in cases {
        assert_damaged(case, &read(&bytes), start, reason);
    }
    let no_record = header("\"string\"", "null");
    assert_damaged("no records", &read(&no_record), start, "does not hold records");
    let no_schema = [b"Obj\x01".to_vec(), long(0), SYNC.to_vec()].concat();
    assert_damaged("no schema", &read(&no_schema), start, "no schema");
}

#[test]
fn a_damaged_block_is_named_and_what_comes_before_it_is_delivered() {
    let good = block(1, &event("c", "4"));
    let flipped = {
        let mut bytes = good.clone();
        *bytes.last_mut().expect("has bytes") ^= 1;
        bytes
    };
    let with_sync = |bytes: Vec<u8>| [bytes, SYNC.to_vec()].concat();
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("cut after the count", good[..1].to_vec(), "file ends inside the block"),
        ("cut in the data", good[..4].to_vec(), "file ends inside the block"),
        ("cut in the sync marker", good[..good.len() - 3].to_vec(), "file ends inside the block"),
        ("flipped sync marker", flipped, "sync marker"),
        ("negative count", with_sync([long(-1), text("")].concat()), "claims -1 records"),
        ("negative size", with_sync([long(1), long(-7)].concat()), "in -7 bytes"),
        ("huge size", [long(1), long(i64::MAX)].concat(), "larger than 67108864 bytes"),
        (
            "size beyond the file",
            [long(1), long(1_000_000), vec![0; 10]].concat(),
            "file ends inside the block",
        ),
        ("endless integer", vec![0xFF; 12], "claims"),
        ("huge count", block(i64::MAX, b""), "beyond the end of the block"),
        ("bytes left over", block(1, &[event("c", "4"), vec![1, 2]].concat()), "2 bytes left over"),
        ("too few bytes", block(2, &event("c", "4")), "record 1 of the block: a value goes beyond"),
        ("string beyond the block", block(1, &[text("c"), long(99)].concat()), "beyond the end"),
        ("negative string", block(1, &[text("c"), long(-1)].concat()), "a length is negative"),
    ];
    for (case, rest, reason) in cases {
        let (bytes, at) = after_a_good_block("null", &rest);
        let read = read(&bytes);
        // Records that parse are delivered, also when the rest of their block does not.
        let of_the_block = u64::from(matches!(case, "bytes left over" | "too few bytes"));
        assert_eq!(read.events, 3 + of_the_block, "{case}");
        let read = Read { events: 3, ..read };
        assert_damaged(case, &read, at, reason);
    }
}

#[test]
fn a_block_that_does_not_decompress_is_named() {
    for codec in ["deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let (bytes, at) = after_a_good_block(codec, &block(1, b"this is not compressed at all"));
        assert_damaged(codec, &read(&bytes), at, "is not valid");

        let mut cut = compressed(codec, &event("c", "some text that is long enough"));
        cut.truncate(cut.len() - 6);
        let (bytes, at) = after_a_good_block(codec, &block(1, &cut));
        // What came of an unfinished deflate stream is read, and something is missing in it.
        let reason = if codec == "deflate" { "beyond the end" } else { "is not valid" };
        assert_damaged(codec, &read(&bytes), at, reason);
    }
    let mut wrong = compressed("snappy", &event("c", "4"));
    *wrong.last_mut().expect("has bytes") ^= 1;
    let (bytes, at) = after_a_good_block("snappy", &block(1, &wrong));
    assert_damaged("snappy", &read(&bytes), at, "checksum does not match");
}

#[test]
fn a_bomb_is_not_inflated() {
    let limit = 1024 * 1024;
    let reader = Reader { max_block_bytes: limit, ..reader(&[]) };
    for codec in ["deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let bomb = compressed(codec, &vec![0; 64 * limit]);
        let bomb = match codec {
            // Snappy packs no tighter than 21 to 1, so the bomb itself is over the limit.
            "snappy" => compressed(codec, &vec![0; 4 * limit]),
            _ => bomb,
        };
        assert!(bomb.len() < limit, "{codec}");
        let (bytes, at) = after_a_good_block(codec, &block(1, &bomb));

        let read = read_with(&reader, Source::Whole(Cursor::new(bytes)));

        assert_damaged(codec, &read, at, "decompresses to more than 1048576 bytes");
    }
}

#[test]
fn a_block_as_large_as_is_allowed_is_read() {
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let events = event("c", "x".repeat(500_000));
        let reader = Reader { max_block_bytes: events.len(), ..reader(&[]) };
        let packed = if codec == "null" { events } else { compressed(codec, &events) };
        let (bytes, _) = after_a_good_block(codec, &block(1, &packed));

        let read = read_with(&reader, Source::Whole(Cursor::new(bytes)));

        assert!(read.stopped.is_none(), "{codec}: {}", read.fault());
        assert_eq!(read.events, 4);
    }
}

#[test]
fn items_without_bytes_cannot_be_claimed_for_ever() {
    let nulls = json!({ "name": "n", "type": { "type": "array", "items": "null" } });
    let head = header(&schema_with(nulls), "null");
    let record = [text("a"), long(i64::MAX), long(0)].concat();
    let at = Position { offset_bytes: head.len() as u64, block: 0, records: 0 };
    let claims = read(&[head, block(1, &record)].concat());
    assert_damaged("array of nulls", &claims, at, "too many items that take no bytes");

    let empty = header(r#"{"type":"record","name":"R","fields":[]}"#, "null");
    let read = read(&[empty, block(i64::MAX, b"")].concat());
    assert_eq!(read.without_user, MAX_EMPTY_ITEMS);
    assert!(read.fault().contains("too many items that take no bytes"));
}

#[test]
fn values_cannot_be_nested_for_ever() {
    let chain = json!({ "name": "chain", "type": { "type": "record", "name": "Link", "fields": [
        { "name": "next", "type": ["null", "Link"] },
    ] } });
    let head = header(&schema_with(chain), "null");
    let deep = |levels: usize| [text("a"), long(1).repeat(levels), long(0)].concat();
    let good = read(&[head.clone(), block(1, &deep(30))].concat());
    assert!(good.stopped.is_none(), "{}", good.fault());

    let read = read(&[head, block(1, &deep(1_000_000))].concat());
    assert!(read.fault().contains("nested too deeply"), "{}", read.fault());
}

#[test]
fn text_that_is_not_utf8_is_mended_and_a_user_id_that_is_not_names_nobody() {
    let block =
        block(2, &[event("a", b"caf\xE9"), [text(b"\xFF\xFE"), text("x")].concat()].concat());
    let read = read(&[header(&schema(), "null"), block].concat());

    assert!(read.stopped.is_none(), "{}", read.fault());
    assert_eq!((read.events, read.without_user), (2, 1));
    assert_eq!(read.user_events()[0].1.fields["text"], "caf\u{FFFD}");
}

#[test]
fn numbers_that_json_has_not_are_left_out_and_large_ones_are_kept_exactly() {
    let schema = json!({ "type": "record", "name": "R", "fields": [
        { "name": "user_id", "type": "string" },
        { "name": "nan", "type": "double" }, { "name": "infinity", "type": "float" },
        { "name": "list", "type": { "type": "array", "items": "double" } },
        { "name": "large", "type": "long" },
    ] });
    let list = [long(2), f64::NAN.to_le_bytes().to_vec(), 1.5_f64.to_le_bytes().to_vec(), long(0)];
    let record = [
        text("a"),
        f64::NAN.to_le_bytes().to_vec(),
        f32::INFINITY.to_le_bytes().to_vec(),
        list.concat(),
        long(i64::MAX - 1),
    ];
    let read = read(&[header(&schema.to_string(), "null"), block(1, &record.concat())].concat());

    let fields = &read.user_events()[0].1.fields;
    assert_eq!(
        json!(fields),
        json!({ "list": [null, 1.5], "large": 9_223_372_036_854_775_806_i64 })
    );
}

#[test]
fn events_without_a_usable_user_are_counted_and_are_no_fault() {
    let nullable = json!({ "type": "record", "name": "R", "fields": [
        { "name": "user_id", "type": ["null", "string"] },
    ] });
    let records = [long(0), [long(1), text("")].concat(), [long(1), text("u")].concat()];
    let counted =
        read(&[header(&nullable.to_string(), "null"), block(3, &records.concat())].concat());
    assert!(counted.stopped.is_none());
    assert_eq!((counted.events, counted.without_user), (3, 2));

    let none = json!({ "type": "record", "name": "R", "fields": [{ "name": "x", "type": "int" }] });
    let counted = read(&[header(&none.to_string(), "null"), block(1, &long(5))].concat());
    assert_eq!((counted.events, counted.without_user), (1, 1));
}

#[test]
fn test_events_with_junk_values_of_the_right_type_pass() {
    let schema = json!({ "type": "record", "name": "dataexport.S3.inner.users.Test", "fields": [
        { "name": "id", "type": "string" }, { "name": "user_id", "type": "string" },
        { "name": "time", "type": "int" }, { "name": "properties", "type": ["null", "string"] },
    ] });
    let event = [text("%%%"), text("\u{0}\n\"junk"), long(-5), long(1), text("{not json")].concat();
    let read = read(&[header(&schema.to_string(), "null"), block(1, &event)].concat());

    assert_eq!(read.event_type, "users.Test");
    let (user_id, event) = &read.user_events()[0];
    assert_eq!((user_id.as_str(), event.id.as_str(), event.time), ("\u{0}\n\"junk", "%%%", -5));
    assert_eq!(event.fields["properties"], "{not json");
}

#[test]
fn what_an_event_lacks_is_filled_in_and_its_time_is_not_far_ahead() {
    let schema = json!({ "type": "record", "name": "R", "fields": [
        { "name": "user_id", "type": "string" }, { "name": "time", "type": ["null", "long"] },
    ] });
    let records = [[text("a"), long(0)].concat(), [text("b"), long(1), long(TIME * 2)].concat()];
    let bytes = [header(&schema.to_string(), "null"), block(2, &records.concat())].concat();

    let events = read(&bytes).user_events();

    assert_eq!((events[0].1.id.as_str(), events[0].1.time), (&*format!("{KEY}#0"), TIME));
    assert_eq!((events[1].1.id.as_str(), events[1].1.time), (&*format!("{KEY}#1"), TIME + 3_600));
}

#[test]
fn a_file_without_records_is_read() {
    for blocks in [Vec::new(), block(0, b"")] {
        let read = read(&[header(&schema(), "null"), blocks].concat());
        assert!(read.stopped.is_none(), "{}", read.fault());
        assert_eq!(read.events, 0);
    }
}

#[test]
fn an_array_that_writes_far_more_than_it_reads_is_cut() {
    // One byte of Avro makes 200 of JSON.
    let item = json!({ "type": "record", "name": "I", "fields": [{ "name": "n".repeat(200), "type": "boolean" }] });
    let field = json!({ "name": "list", "type": { "type": "array", "items": item } });
    let record = [text("a"), long(10_000_000), vec![1; 10_000_000], long(0)].concat();
    let read = read(&[header(&schema_with(field), "null"), block(1, &record)].concat());

    assert!(read.stopped.is_none(), "{}", read.fault());
    assert_eq!((read.too_large.len(), read.user_events().len()), (1, 0));
}

#[test]
fn an_event_that_is_too_large_is_told_by_name_and_the_others_go_on() {
    // Six bytes of JSON for each byte of Avro.
    let large = event(USER, vec![1; MAX_EVENT_BYTES / 6 + 1]);
    let huge = event("other", vec![b'x'; 5_000_000]);
    let bytes = [event("a", "1"), large, huge.clone(), event("a", "2")].concat();
    let read = read(&[header(&schema(), "null"), block(4, &bytes)].concat());

    assert!(read.stopped.is_none());
    let expected = |user_id: &str, place: u32, size: usize| {
        (user_id.to_owned(), format!("{KEY}#{place}"), size as u64)
    };
    let large_bytes = MAX_EVENT_BYTES / 6 + 1 + 3 + 25;
    let told = [expected(USER, 1, large_bytes), expected("other", 2, huge.len())];
    assert_eq!(read.too_large, told);
    assert_eq!((read.events, read.user_events().len()), (4, 2));
}

#[test]
fn an_event_id_that_is_too_long_to_be_kept_is_known_by_its_digest() {
    let schema = json!({ "type": "record", "name": "R", "fields": [
        { "name": "user_id", "type": "string" }, { "name": "id", "type": "string" },
    ] });
    let long_id = "i".repeat(500);
    let records = [event("a", &long_id), event("b", &long_id), event("c", "short")].concat();
    let bytes = [header(&schema.to_string(), "null"), block(3, &records)].concat();

    let events = read(&bytes).user_events();

    let ids: Vec<&str> = events.iter().map(|(_, event)| event.id.as_str()).collect();
    assert_eq!(ids[0].len(), 64);
    assert_eq!((ids[0], ids[2]), (ids[1], "short"));
}

#[test]
fn reading_can_begin_again_at_any_place_that_was_told() {
    let mut bytes = header(&schema(), "deflate");
    for n in 0..20 {
        let events: Vec<u8> = (0..50).flat_map(|e| event(&format!("user-{n}-{e}"), "x")).collect();
        bytes.extend(block(50, &compressed("deflate", &events)));
    }
    let whole = read(&bytes);
    let mut resumes = whole.resumes.clone();
    resumes.dedup();
    let all = whole.user_events();
    assert_eq!(resumes.len(), 21);
    for from in resumes {
        let rest = Cursor::new(bytes[from.offset_bytes as usize..].to_vec());
        let source = Source::Rest { header: Cursor::new(bytes.clone()), blocks: rest, from };

        let mut again = read_with(&reader(&[]), source).user_events();

        let mut expected: Vec<_> = all
            .iter()
            .filter(|(_, event)| {
                let place: u64 =
                    event.id.rsplit('#').next().and_then(|n| n.parse().ok()).expect("number");
                place >= from.records
            })
            .cloned()
            .collect();
        again.sort_by(|a, b| a.1.id.cmp(&b.1.id));
        expected.sort_by(|a, b| a.1.id.cmp(&b.1.id));
        assert_eq!(again, expected, "from block {}", from.block);
    }
}
