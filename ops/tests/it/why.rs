//! Somebody asks why a user gets what they get.

use std::fs;
use std::path::Path;

use crate::commands::{ops, stderr, stdout, text};

fn told(lines: &str, arguments: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().expect("temporary folder");
    let events = folder.path().join("events.jsonl");
    fs::write(&events, lines).expect("is written");
    let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
    let common = ["--events", text(&events), "--campaigns", text(&campaigns)];
    ops(&[&["campaigns"][..], arguments, &common].concat())
}

fn watched(id: &str, time: i64, name: &str) -> String {
    let properties = r#"{"show":"Harbour Lights","season":2,"episode":7}"#;
    format!(
        "{{\"event_type\":\"users.behaviors.CustomEvent\",\"user_id\":\"u\",\"id\":\"{id}\",\
         \"time\":{time},\"name\":\"{name}\",\"properties\":{properties}}}\n"
    )
}

#[test]
fn every_event_is_told_with_what_the_condition_saw() {
    let lines =
        watched("a", 1_764_000_000, "paused") + &watched("b", 1_764_000_100, "episode_watched");

    let said = stdout(&told(&lines, &["why", "u"]));

    let saw = "event.name is the text \"paused\", compared with \"episode_watched\"";
    assert!(said.contains(saw), "{said}");
    assert!(said.contains("-> content, written for b"), "{said}");
}

#[test]
fn a_deletion_leaves_nothing_and_what_follows_is_a_new_users() {
    let deletion = "{\"event_type\":\"users.UserDeleteRequest\",\"user_id\":\"u\",\"id\":\"d\",\"time\":1764000100}\n";
    let before = watched("a", 1_764_000_000, "episode_watched") + deletion;
    let after = before.clone() + &watched("c", 1_764_000_200, "episode_watched");

    let deleted = stdout(&told(&before, &["why", "u"]));
    let again = stdout(&told(&after, &["preview", "--campaign", "new-episode", "--prompt-only"]));

    assert!(deleted.contains("deletes the user"), "{deleted}");
    assert!(deleted.contains("-> no content"), "{deleted}");
    assert!(again.contains(" c (users.behaviors.CustomEvent): 1 of at most 10"), "{again}");
}

#[test]
fn a_user_who_is_not_there_is_named_beside_those_who_are() {
    let said = stderr(&told(&watched("a", 1, "episode_watched"), &["why", "U"]));

    assert!(said.contains("no event of user U") && said.contains("did you mean u?"), "{said}");
}
