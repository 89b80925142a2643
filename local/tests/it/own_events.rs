//! Events that people wrote themselves: Avro, lines, packed lines, and lines that are no
//! events, in one folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use apache_avro::Schema;
use apache_avro::types::Value;
use currents::write::{Compression, container};
use serde_json::json;

use crate::rig::{campaigns, watched};

/// A run over these files; `more` are further arguments.
fn run(files: &[&Path], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_local"))
        .args(["--exit-when-done", "--port", "0", "--batch-window-ms", "100", "--campaigns"])
        .arg(campaigns())
        .args(more)
        .args(files)
        .output()
        .expect("program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn line(user: &str, show: &str) -> String {
    let properties = json!({ "show": show, "season": 2, "episode": 7 });
    let event = json!({
        "event_type": "users.behaviors.CustomEvent", "user_id": user, "id": format!("e-{user}"),
        "time": 1_764_000_000, "name": "episode_watched", "properties": properties,
    });
    event.to_string()
}

/// `text` in one member without compression.
/// <https://www.rfc-editor.org/rfc/rfc1952>
fn packed(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("is short");
    let mut bytes = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF\x01".to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(!length).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&crc32(text.as_bytes()).to_le_bytes());
    bytes.extend_from_slice(&u32::from(length).to_le_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[test]
fn a_folder_of_avro_and_lines_is_processed_and_every_bad_line_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("is written");
    };
    fs::create_dir(folder.path().join("deeper")).expect("is created");
    watched(folder.path(), &[json!({ "show": "Avro", "season": 1, "episode": 1 })]);
    let in_ms = line("late", "Late").replace("1764000000", "1764000000000");
    let lines = [line("lines", "Lines"), in_ms, String::new(), line("more", "More")];
    write("deeper/events.jsonl", lines.join("\r\n").as_bytes());
    let two = [packed(&line("packed", "Packed")), packed(&format!("\n{}\n", line("member", "M")))];
    write("events.ndjson.gz", &two.concat());
    write("array.json", format!("[{}]", line("array", "Array")).as_bytes());
    write("notes.txt", b"left alone");

    let output = run(&[folder.path()], &[]);

    let (said, faults) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{faults}");
    for part in ["Read 4 events from 2 files", "events read               5"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        said.contains("contents stored           5")
            && said.contains("lost                      0"),
        "{said}"
    );
    let place = folder.path().display();
    for fault in [
        format!("{place}/deeper/events.jsonl:2: \"time\" is UNIX seconds"),
        format!("{place}/array.json: is one JSON array"),
    ] {
        assert!(faults.contains(&fault), "{fault}: {faults}");
    }
}

#[test]
fn lines_without_faults_end_well_and_a_repeat_of_the_run_changes_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events");
    fs::write(&events, [line("a", "A"), line("b", "B")].join("\n")).expect("is written");
    let state = folder.path().join("state");
    let data = ["--data", state.to_str().expect("is UTF-8")];

    let (first, second) = (run(&[&events], &data), run(&[&events], &data));

    assert!(first.status.success() && second.status.success(), "{}", stderr(&second));
    assert!(stdout(&first).contains("contents stored           2"), "{}", stdout(&first));
    assert!(stdout(&second).contains("contents stored           0"), "{}", stdout(&second));
}

#[test]
fn of_many_bad_lines_some_are_shown_and_the_others_counted() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.jsonl");
    fs::write(&events, "{\"id\":\"e\"}\n".repeat(25)).expect("is written");

    let output = run(&[&events], &[]);

    let faults = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(faults.matches("events.jsonl:").count(), 20, "{faults}");
    assert!(
        faults.contains("and 5 faults more") && faults.contains("none of the lines is an event")
    );
}

#[test]
fn avro_whose_times_are_no_unix_seconds_is_processed_with_a_note() {
    let schema = json!({ "type": "record", "name": "users.behaviors.CustomEvent", "fields": [
        { "name": "user_id", "type": "string" },
        { "name": "time", "type": { "type": "long", "logicalType": "timestamp-millis" } },
    ] });
    let schema = Schema::parse(&schema).expect("is a schema");
    let event = Value::Record(vec![
        ("user_id".to_owned(), Value::String("u".to_owned())),
        ("time".to_owned(), Value::TimestampMillis(1_764_000_000_000)),
    ]);
    let bytes = container(&schema, Compression::Null, [event]).expect("is written");
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("own.avro");
    fs::write(&path, bytes).expect("is written");

    let output = run(&[&path], &[]);

    let notes = stderr(&output);
    assert!(output.status.success(), "{notes}");
    assert!(notes.contains("own.avro: \"time\" lies ahead"), "{notes}");
    assert!(stdout(&output).contains("events read               1"), "{}", stdout(&output));
}
