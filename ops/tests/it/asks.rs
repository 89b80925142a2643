//! What a person types to ask for content, and what they forget.

use std::fs;

use contract::local::{BY_HAND_FILE, ByHand, LOCK_FILE};

use crate::commands::{copy_campaign, ops, stderr, stdout, text};

/// Asks with a folder of the sample campaign.
fn asked(more: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("temporary folder");
    copy_campaign(&folder.path().join("new-episode"));
    let campaigns = ["--campaign", "new-episode", "--campaigns", text(folder.path())];
    let output = ops(&[&["ask"], &campaigns[..], more].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn users_of_a_file_are_set_aside_for_the_next_run_with_a_folder() {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::write(folder.path().join(LOCK_FILE), "").expect("is written");
    let users = folder.path().join("users.txt");
    fs::write(&users, "user_id\n5f0000000000000000000001\n\n a b \nu2\n").expect("is written");
    let whom = ["--users", text(&users), "--data", text(folder.path())];

    let (code, said, _) = asked(&[&whom[..], &["--dry-run"]].concat());
    assert_eq!((code, said.as_str()), (Some(0), "Content of 2 users would be asked for.\n"));
    assert!(!folder.path().join(BY_HAND_FILE).exists());

    let (code, said, told) = asked(&[&whom[..], &["--regenerate"]].concat());

    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("users.txt:4: holds a blank: left out"), "{told}");
    assert!(said.contains("make run ARGS=\"--data "), "{said}");
    let lines = fs::read_to_string(folder.path().join(BY_HAND_FILE)).expect("is there");
    let asks: Vec<ByHand> =
        lines.lines().map(|line| serde_json::from_str(line).expect("is one")).collect();
    let [ByHand::One { ask: first, .. }, ByHand::One { ask: second, .. }] = &asks[..] else {
        panic!("{asks:?}")
    };
    assert_eq!(
        (first.user_id.as_str(), second.user_id.as_str()),
        ("5f0000000000000000000001", "u2")
    );
    assert!(first.regenerate_before_ms == first.first_seen_ms && first.first_seen_ms > 0);
}

#[test]
fn what_is_missing_is_said_with_what_to_say() {
    for (more, expected) in [
        (&["--table", "t"][..], "say of whom: --users FILE, --all"),
        (&["--all", "--table", "t"], "--queues is missing"),
        (&["--all", "--table", ""], "--table is missing"),
        (&["--all"], "--table is missing"),
        (&["--all", "--data", "nowhere"], "an earlier run kept with --data"),
        (&["--seen-since", "soon"], "say how long ago (30m, 2h, 3d) or when"),
        (&["--all", "--queues", "{}"], "missing field `later`"),
        (&["--events", ".", "--data", "."], "cannot be used with"),
        (&["--all", "--users", "x"], "cannot be used with"),
    ] {
        let (code, _, told) = asked(more);

        assert!(told.contains(expected), "{more:?}: {told}");
        assert_ne!(code, Some(0));
    }
}
