//! Files as people have them, and what is said of their lines.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::*;

const EVENT: &str = r#"{"event_type":"a.B","user_id":"u","id":"e","time":1764000000}"#;

/// Ids of the events of a file, and its faults without its name.
fn read(bytes: impl Into<Vec<u8>>) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut faults) = (Vec::new(), Vec::new());
    let mut fault = |fault: Fault| faults.push(fault.to_string().replacen("f.jsonl:", "", 1));
    match Opened::of(Cursor::new(bytes.into()), Path::new("f.jsonl")) {
        Ok(Opened::Lines(mut lines)) => {
            while let Some(read) = lines.next_event() {
                match read {
                    Ok(line) => ids.push(line.id),
                    Err(wrong) => fault(wrong),
                }
            }
        }
        Ok(Opened::Avro(_)) => ids.push("avro".to_owned()),
        Err(wrong) => fault(wrong),
    }
    (ids, faults)
}

/// An event with other values; `null` takes one out.
fn event(id: &str, other: Value) -> String {
    let mut event: Value = serde_json::from_str(EVENT).expect("is JSON");
    event["id"] = id.into();
    if let (Some(event), Value::Object(other)) = (event.as_object_mut(), other) {
        event.extend(other);
        event.retain(|_, value| !value.is_null());
    }
    event.to_string()
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("is packed");
    encoder.finish().expect("is packed")
}

#[track_caller]
fn assert_faults(bytes: impl Into<Vec<u8>>, expected: &[&str]) {
    let (_, faults) = read(bytes);
    assert_eq!(faults.len(), expected.len(), "{faults:?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(fault.contains(expected), "{expected}: {fault}");
    }
}

#[test]
fn what_editors_put_around_lines_is_no_fault() {
    let (one, two) = (event("1", json!({})), event("2", json!({})));
    for text in [
        format!("{one}\n{two}\n"),
        format!("{one}\n{two}"),
        format!("\u{feff}{one}\r\n\u{feff}{two}\r\n"),
        format!("\n \t\n  {one}  \n\r\n{two}\n\n\n"),
    ] {
        assert_eq!(read(text.clone()), (vec!["1".to_owned(), "2".to_owned()], vec![]), "{text:?}");
    }
}

#[test]
fn a_bad_line_is_named_with_its_number_and_the_others_go_on() {
    let text =
        format!("{}\n\nnot JSON\n{}\n{{\"id\":5\n", event("1", json!({})), event("2", json!({})));

    let (ids, faults) = read(text);

    assert_eq!(ids, ["1", "2"]);
    assert_eq!(faults[0], "3: is no event: a JSON object is wanted, which begins with {");
    assert_eq!(faults[1], "5: ends in the middle of the event: one event a line is wanted");
}

#[test]
fn all_that_a_line_lacks_is_told_at_once_with_what_may_be_meant() {
    assert_faults(
        "{}",
        &[
            "1: \"event_type\" is missing; \"user_id\" is missing; \"id\" is missing; \"time\" is missing",
        ],
    );
    let other = json!({ "user_id": null, "time": null, "external_user_id": "x", "timestamp": 5 });
    assert_faults(
        event("e", other),
        &[
            "\"user_id\" is missing: is \"external_user_id\" meant?; \"time\" is missing: is \"timestamp\" meant?",
        ],
    );
    assert_faults(r#"{"events":[]}"#, &["write it with `jq -c '.events[]'`"]);
}

#[test]
fn each_mistake_is_told_with_what_would_be_right() {
    for (line, what) in [
        (event("", json!({})), "\"id\" is empty"),
        (event("e", json!({ "user_id": 5 })), "\"user_id\" is no text: write \"5\""),
        (event("e", json!({ "user_id": {} })), "\"user_id\" is an object: a text is wanted"),
        (
            event("e", json!({ "user_id": "x".repeat(129) })),
            "\"user_id\" has 129 bytes: 128 are the most",
        ),
        (
            event("e", json!({ "time": 1_764_000_000_000_u64 })),
            "looks like milliseconds, write 1764000000",
        ),
        (event("e", json!({ "n": u64::MAX })), "\"n\" is larger than a number of Currents can be"),
        (EVENT.replace("}", ",\"id\":\"f\"}"), "\"id\" stands in it twice: keep one"),
        (EVENT.replace("}", ",\"a\":\"\\ud83d\"}"), "\"a\" cannot be read: "),
        (
            format!("{EVENT}{EVENT}"),
            "trailing characters (column 62): these are several events, `jq -c .`",
        ),
        (format!("{EVENT},"), "trailing characters (column 62): leave the comma at its end out"),
        (format!("{EVENT} done"), "is not JSON: trailing characters (column 63)"),
        ("{'id': 'e'}".to_owned(), "key must be a string (column 2): names stand in double quotes"),
        ("{\"id\": 'e'}".to_owned(), "expected value (column 8): texts stand in double quotes"),
        ("{\"id\": \"a\tb\"}".to_owned(), "found while parsing a string (column 9)"),
        (
            event("e", json!({ "a": 1 })).replace(":1,", ":1e999,"),
            "\"a\" cannot be read: number out of range",
        ),
        (
            event("e", json!({ "a": 1 }))
                .replace(":1,", &format!(":{}1{},", "[".repeat(200), "]".repeat(200))),
            "\"a\" cannot be read: it is nested too deeply",
        ),
        ("{\"id\": NaN}".to_owned(), "expected value (column 8): JSON has no NaN"),
        ("{\"id\": True}".to_owned(), "expected value (column 8): JSON has no True"),
        (event("e", json!({ "x".repeat(257): 1 })), "a field's name has more than 256 bytes"),
    ] {
        assert_faults(line, &[what]);
    }
    assert_faults(
        format!("{EVENT}\n[1]\n\"{{}}\"\n7\n"),
        &["2: is a list: one event a line", "3: is a text: an object is wanted", "4: is no event"],
    );
    assert_faults(
        [EVENT.as_bytes(), b"\n{\"caf\xE9\":1}\n"].concat(),
        &["2: is not UTF-8 at byte 6"],
    );
}

#[test]
fn an_event_type_is_what_a_record_of_avro_can_be_called() {
    for good in ["users.behaviors.CustomEvent", "a", "_a.b_2"] {
        assert_faults(event("e", json!({ "event_type": good })), &[]);
    }
    for bad in ["a b", "a-b", "a/../b", "a..b", ".a", "a.", "2a", "é", &"x".repeat(257)] {
        assert_faults(
            event("e", json!({ "event_type": bad })),
            &["it has letters, digits, _ and single dots only"],
        );
    }
}

#[test]
fn json_that_is_not_one_event_a_line_is_told_once() {
    let pretty = "{\n  \"id\": 1\n}\n";
    assert_faults(
        pretty,
        &[
            " has events over several lines, and one event a line is wanted: write it with `jq -c .`",
        ],
    );
    assert_faults("{ \"id\": 1,\n\"time\": 2 }\n", &["write it with `jq -c .`"]);
    for array in [format!("[{EVENT},{EVENT}]"), format!("[\n{EVENT},\n{EVENT}\n]\n")] {
        assert_faults(
            array,
            &[" is one JSON array, and one event a line is wanted: write it with `jq -c '.[]'`"],
        );
    }
    assert_faults("", &[" is empty"]);
    assert_faults("\n \r\n", &[" holds no event: all its lines are blank"]);
}

#[test]
fn a_file_that_is_cut_off_gives_the_events_before() {
    let text = format!("{}\n{}", event("1", json!({})), event("2", json!({})));
    let cut = &text[..text.len() - 5];

    assert_eq!(read(cut).0, ["1"]);
    assert_faults(cut, &["2: is cut off: the file ends in the middle of the event"]);
    let inside_a_character = format!("{EVENT}\n{{\"é");
    assert_faults(
        &inside_a_character.as_bytes()[..inside_a_character.len() - 1],
        &["2: is cut off"],
    );
}

#[test]
fn a_line_that_is_too_long_costs_itself_only_and_no_memory() {
    let long = |bytes: usize| event("long", json!({ "text": "x".repeat(bytes) }));
    let text = [long(3 * MAX_LINE_BYTES), long(MAX_LINE_BYTES - 10_000), event("e", json!({}))];

    let (ids, faults) = read(text.join("\n"));

    assert_eq!(ids, ["e"]);
    assert_eq!(
        faults[0],
        format!("1: is longer than {MAX_LINE_BYTES} bytes: Braze exports no event above 900 KB")
    );
    assert!(faults[1].contains("2: has more than 1000000 bytes"), "{}", faults[1]);
    assert_eq!(read(long(900_000)).0, ["long"]);
}

#[test]
fn packed_lines_are_read_of_all_members_and_as_far_as_they_go() {
    let mut text = String::new();
    for n in 0..3_000 {
        let _ = writeln!(text, "{}", event(&n.to_string(), json!({ "noise": n * 7_919 % 10_007 })));
    }
    let (first, second) = text.split_at(text.len() / 3);
    let whole = [packed(first), packed(second)].concat();

    assert_eq!(read(whole.clone()).0.len(), 3_000);
    let (ids, faults) = read(&whole[..whole.len() - 2_000]);
    assert!(ids.len() > 1_000 && ids.len() < 3_000, "{}", ids.len());
    let line = ids.len() + 1;
    assert_eq!(faults, [format!("{line}: cannot be read any further: the packed file is cut off")]);
    let (ids, faults) = read([whole.clone(), vec![0; 100]].concat());
    assert_eq!((ids.len(), faults.len()), (3_000, 1));
    assert!(faults[0].contains("other bytes follow"), "{faults:?}");
    let mut damaged = whole.clone();
    let place = damaged.len() - 6;
    damaged[place] ^= 1;
    let (ids, faults) = read(damaged);
    assert_eq!(ids.len(), 3_000);
    assert!(faults[0].contains("the packed file is damaged"), "{faults:?}");
}

#[test]
fn what_is_packed_in_vain_is_named() {
    assert_faults(packed(""), &[" unpacked, it is empty"]);
    assert_faults(packed(&format!("[{EVENT}]")), &[" unpacked, it is one JSON array"]);
    assert_faults(packed("Obj\u{1}..."), &["is an Avro file packed with gzip: unpack it"]);
    let twice = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&packed(EVENT)).expect("is packed");
        encoder.finish().expect("is packed")
    };
    assert_faults(twice, &["is packed with gzip twice"]);
    assert_faults(b"\x1F\x8B\x08\0junk that is no gzip", &["unpacked, it cannot be read"]);
}
