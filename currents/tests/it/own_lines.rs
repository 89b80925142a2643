//! Lines that people wrote, made containers of: the event that is read from the container is
//! the one that its line says.

use std::fs;
use std::path::{Path, PathBuf};

use contract::user_record::Event;
use contract::wanted::Wanted;
use currents::input::InputFile;
use currents::lines::containers::{self, MAX_TYPES};
use currents::lines::{Faults, Opened};
use currents::read::{Reader, Source};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::reading::{Read, TIME, read_with, reader};

const TYPE: &str = "users.behaviors.CustomEvent";

/// Type, user and event.
type Told = (String, String, Event);

/// What came of a text of lines.
struct Both {
    from_lines: Vec<Told>,
    from_containers: Vec<Told>,
    faults: Vec<String>,
    files: Vec<InputFile>,
    _folder: tempfile::TempDir,
}

fn event(other: Value) -> Value {
    let mut event = json!({ "event_type": TYPE, "user_id": "u", "id": "e", "time": TIME - 60 });
    if let (Some(event), Value::Object(other)) = (event.as_object_mut(), other) {
        event.extend(other);
    }
    event
}

fn both(text: &str, wanted: &[&str]) -> Both {
    let names = wanted.iter().map(|name| (*name).to_owned());
    both_of(text, &Wanted::fields(names.collect()))
}

fn both_of(text: &str, wanted: &Wanted) -> Both {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("own.jsonl");
    fs::write(&path, text).expect("is written");
    let from_lines = told_by_lines(&path, wanted);
    let mut faults = Vec::new();
    let files = {
        let mut shown = Faults::new(|fault| faults.push(fault.to_owned()));
        let into = folder.path().join("containers");
        containers::write(&[path], &into, &mut shown, || true).expect("are written").files
    };
    let from_containers = files.iter().flat_map(|file| told_by_container(&file.path, wanted));
    let mut from_containers: Vec<Told> = from_containers.collect();
    from_containers.sort_by(|one, other| one.2.id.cmp(&other.2.id));
    Both { from_lines, from_containers, faults, files, _folder: folder }
}

/// The events of the lines, as `preview` takes them, ordered by id.
fn told_by_lines(path: &Path, wanted: &Wanted) -> Vec<Told> {
    let mut told = Vec::new();
    if let Ok(Opened::Lines(mut lines)) = Opened::open(path) {
        while let Some(line) = lines.next_event() {
            let Ok(line) = line else { continue };
            let mut record = line.user_record(wanted, TIME as u64 * 1_000);
            told.push((record.event_type, record.user_id, record.events.remove(0)));
        }
    }
    told.sort_by(|one, other| one.2.id.cmp(&other.2.id));
    told
}

/// The events of a container, as `ingest` reads them.
fn told_by_container(path: &PathBuf, wanted: &Wanted) -> Vec<Told> {
    let bytes = fs::read(path).expect("is there");
    let reader = Reader { wanted: wanted.clone(), ..reader(&[]) };
    let read: Read = read_with(&reader, Source::Whole(std::io::Cursor::new(bytes)));
    assert!(read.stopped.is_none(), "{}", read.fault());
    assert!(read.too_large.is_empty() && read.without_user == 0);
    let event_type = read.event_type.clone();
    read.user_events.into_iter().map(|(user, event)| (event_type.clone(), user, event)).collect()
}

#[track_caller]
fn assert_equal(events: &[Value], wanted: &[&str]) -> Vec<Map<String, Value>> {
    let text: Vec<String> = events.iter().map(Value::to_string).collect();
    let both = both(&text.join("\n"), wanted);
    assert_eq!(both.faults, Vec::<String>::new());
    assert_eq!(both.from_lines.len(), events.len());
    assert_eq!(both.from_lines, both.from_containers);
    both.from_containers.into_iter().map(|(_, _, event)| event.fields).collect()
}

#[test]
fn every_kind_of_value_is_read_back_equal() {
    let values = json!({
        "name": "episode_watched",
        "text": "Grüße, \u{1f600} \"quoted\" \\ \u{2028} \u{0} {{ a }}",
        "empty": "", "yes": true, "no": false,
        "large": i64::MAX, "small": i64::MIN, "beyond_2^53": 9_007_199_254_740_993_i64,
        "float": 0.1, "whole_float": 10.0, "tiny": 5e-324, "huge": 1.7976931348623157e308, "minus": -0.0,
        "list": [1, "a", null, [true, []], { "b": 1.5 }], "nothing": [], "nulls": [null, null],
        "object": { "a-b": { "": [{ "c": "d" }] }, "e": {} },
        "a name with blanks, ümlauts and \"quotes\"": 1,
        "properties": { "deep": { "list": [null, { "n": u64::MAX }] }, "null": null, "f": 10.0 },
    });
    let other = event(json!({ "id": "f", "text": 5, "list": "no list", "extra": { "g": 1 } }));

    let fields = assert_equal(&[event(values.clone()), other], &[]);

    let Value::Object(expected) = values else { panic!("is an object") };
    assert_eq!(fields[0], expected);
}

#[test]
fn what_currents_does_not_tell_is_in_neither() {
    let values = json!({ "nothing": null, "object": { "a": null, "b": [{ "c": null }] } });

    let fields = assert_equal(&[event(values)], &[]);

    let expected = json!({ "object": { "b": [{}] } });
    assert_eq!(Value::Object(fields[0].clone()), expected);
}

#[test]
fn personal_fields_pass_only_where_a_campaign_names_them_and_only_of_types_that_have_them() {
    let email = |event_type: &str| {
        let address = "who@example.com";
        event(json!({ "event_type": event_type, "email_address": address, "send_id": "s" }))
    };
    let sent = "users.messages.email.Send";

    let hidden = assert_equal(&[email(sent)], &[]);
    let passed = assert_equal(&[email(sent)], &["email_address"]);
    let own = assert_equal(&[email("my.own_Type")], &[]);

    assert_eq!(hidden[0].keys().collect::<Vec<_>>(), ["send_id"]);
    assert_eq!(passed[0].len(), 2);
    assert_eq!(own[0].len(), 2);
}

#[test]
fn properties_are_read_as_the_text_that_currents_has() {
    for (properties, expected) in [
        (
            r#"{"show":"A","n":18446744073709551616}"#,
            json!({ "show": "A", "n": "18446744073709551616" }),
        ),
        (r#""{\"show\":\"A\"}""#, json!({ "show": "A" })),
        (r#""{'show': 'A', 'seen': True}""#, json!({ "show": "A", "seen": true })),
        (r#"{"cut":"\ud83d","b":1}"#, json!({ "cut": "\u{fffd}", "b": 1 })),
        (r#""no JSON""#, json!("no JSON")),
        ("\"\"", json!("")),
        ("[1]", json!([1])),
        ("7", json!(7)),
        (r#"{"a":1,"a":2}"#, json!({ "a": 2 })),
        (r#""null""#, json!(null)),
    ] {
        let line = event(json!({ "properties": 0 })).to_string();
        let line = line.replace("\"properties\":0", &format!("\"properties\":{properties}"));

        let both = both(&line, &[]);

        assert_eq!(both.faults, Vec::<String>::new());
        assert_eq!(both.from_lines, both.from_containers, "{properties}");
        assert_eq!(both.from_lines[0].2.fields["properties"], expected, "{properties}");
    }
}

#[test]
fn times_ahead_and_long_ids_are_kept_as_they_are_of_a_container() {
    let long = "x".repeat(300);
    let both = both(&event(json!({ "time": TIME + 86_400, "id": long })).to_string(), &[]);

    assert_eq!(both.from_lines, both.from_containers);
    let event = &both.from_lines[0].2;
    assert_eq!((event.time, event.id.len()), (TIME + 3_600, 64));
}

#[test]
fn each_event_type_has_its_own_files_and_none_is_without_end() {
    let line = |n: usize| {
        let event_type = if n.is_multiple_of(16) { "my.Event" } else { TYPE };
        event(json!({ "event_type": event_type, "id": format!("{n:06}") })).to_string()
    };
    let text: Vec<String> = (0..17_000).map(line).collect();

    let both = both(&text.join("\n"), &[]);

    assert_eq!(both.from_lines, both.from_containers);
    let of = |part: &str| both.files.iter().filter(|file| file.key.contains(part)).count();
    assert_eq!((of("/event_type=my.Event/"), of(&format!("/event_type={TYPE}/"))), (1, 2));
    assert!(both.files.iter().all(|file| file.key.starts_with("currents-export/lines/")));
}

#[test]
fn lines_of_many_shapes_are_spread_over_containers_that_can_be_read() {
    let wide = |n: usize| {
        let fields = (0..900).map(|m| (format!("field-{n}-{m}"), json!({ "a": [m, "b"] })));
        event(json!({ "id": n.to_string(), "many": n })).as_object().cloned().map(|mut event| {
            event.extend(fields);
            Value::Object(event)
        })
    };
    let events: Vec<Value> = (0..8).filter_map(wide).collect();

    let fields = assert_equal(&events, &[]);

    assert!(fields.iter().all(|fields| fields.len() == 901));
}

#[test]
fn more_event_types_than_anybody_has_are_faults() {
    let line = |n: usize| event(json!({ "event_type": format!("t{n}"), "id": format!("{n}") }));
    let text: Vec<String> = (0..MAX_TYPES + 2).map(|n| line(n).to_string()).collect();

    let both = both(&text.join("\n"), &[]);

    assert_eq!((both.files.len(), both.faults.len()), (MAX_TYPES, 2));
    assert!(
        both.faults[0].ends_with("own.jsonl:1001: has one event type too many: 1000 are the most")
    );
}

#[test]
fn equal_lines_make_files_of_equal_names() {
    let text = event(json!({ "a": 1 })).to_string();

    let (one, same) = (both(&text, &[]), both(&format!("\n{text}\n"), &[]));
    let other = both(&text.replace("\"a\":1", "\"a\":2"), &[]);

    assert_eq!(one.files[0].key, same.files[0].key);
    assert_ne!(one.files[0].key, other.files[0].key);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(".{0,5}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof!["[a-c]", ".{1,8}", Just("properties".to_owned())];
    proptest::collection::btree_map(name, any_value(), 0..8)
        .prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #[test]
    fn whatever_a_line_holds_is_read_back_equal(
        events in proptest::collection::vec((any_event(), 0..3_usize), 1..6),
    ) {
        let lines = events.iter().enumerate().map(|(n, (fields, of_type))| {
            let mut all = fields.clone();
            let event_type = [TYPE, "users.messages.email.Send", "own.Type"][*of_type];
            all.extend(event(json!({ "event_type": event_type, "id": n.to_string() }))
                .as_object().cloned().unwrap_or_default());
            Value::Object(all).to_string()
        });
        let both = both(&lines.collect::<Vec<_>>().join("\n"), &[]);

        prop_assert_eq!(both.faults, Vec::<String>::new());
        prop_assert_eq!(both.from_lines.len(), events.len());
        prop_assert_eq!(both.from_lines, both.from_containers);
    }
}

#[test]
fn of_a_profile_only_the_attributes_that_are_wanted_pass() {
    let attributes = ["first_name", "custom_attribute.genre", "custom_attribute.age"];
    let wanted = Wanted {
        attributes: attributes.map(str::to_owned).into(),
        ..Wanted::fields(["country".to_owned()].into())
    };
    for (custom, kept) in [
        (json!("{\"genre\":\"noir\",\"pin\":1234,\"age\":null}"), r#"{"age":null,"genre":"noir"}"#),
        (json!("{'genre': 'noir', pin: 1,}"), r#"{"genre":"noir"}"#),
        (json!("custom_attributes-17"), "null"),
        (json!("[1]"), "null"),
    ] {
        let line = event(json!({
            "event_type": "users.profile.Update", "time_ms": 1, "update_source": "x",
            "first_name": "Ada", "last_name": "L", "country": "AT", "custom_attributes": custom,
        }));

        let both = both_of(&line.to_string(), &wanted);

        assert_eq!(both.faults, [""; 0]);
        assert_eq!(both.from_lines, both.from_containers);
        let fields = &both.from_lines[0].2.fields;
        assert_eq!(fields["first_name"], "Ada");
        let told = fields.get("custom_attributes").unwrap_or(&Value::Null);
        assert_eq!(told.to_string(), kept);
        assert!(fields.len() <= 2, "{fields:?}");
    }
}
