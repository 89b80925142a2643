//! What a preview takes for events: folders, packed lines, and files with faults in them.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::commands::{ops, preview, sample, stderr, stdout};

fn line(user: &str, time: i64, show: &str) -> String {
    serde_json::json!({
        "event_type": "users.behaviors.CustomEvent", "user_id": user, "id": format!("{user}{time}"),
        "time": time, "name": "episode_watched", "email_address": "who@example.com",
        "properties": { "show": show, "season": 2, "episode": 7 },
    })
    .to_string()
}

fn prompt(events: &Path) -> Output {
    preview(events, &["--prompt-only"])
}

#[test]
fn a_preview_takes_a_folder_of_avro_and_lines_and_names_what_it_cannot_read() {
    let folder = sample();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).expect("is written");
    };
    // Later than everything in the sample.
    let newest = line("u", 1_764_000_000, "Newest");
    write("events.jsonl", format!("\u{feff}{newest}\n{{\"id\":\"e\"}}\n").as_bytes());
    write("empty.avro", b"");
    write("half.avro", b"Obj\x01\x02");

    let output = prompt(folder.path());

    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("show \"Newest\", season 2"), "{}", stdout(&output));
    let faults = stderr(&output);
    for fault in [
        "events.jsonl:2: \"event_type\" is missing; \"user_id\" is missing; \"time\" is missing",
        "empty.avro: is empty",
        "half.avro: ",
    ] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
}

#[test]
fn a_file_of_nothing_but_faults_ends_the_preview() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.json");
    for (text, fault) in [
        ("", "events.json: is empty"),
        ("[{}]", "events.json: is one JSON array"),
        ("{\n\"id\": 1\n}\n", "events.json: has events over several lines"),
    ] {
        fs::write(&events, text).expect("is written");

        let output = prompt(&events);

        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(said.contains(fault) && said.contains("holds no event that can be read"), "{said}");
    }
    let missing =
        ops(&["campaigns", "preview", "--campaign", "new-episode", "--events", "nowhere"]);
    assert!(!missing.status.success());
}

#[test]
fn a_preview_reads_what_comes_through_a_pipe_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());

    let output = std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, line("u", 1_764_000_000, "Piped")).expect("is written"));
        prompt(&pipe)
    });

    assert!(stdout(&output).contains("show \"Piped\""), "{}", stderr(&output));
}
