//! Dead letters of a folder that a run of `local` kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use contract::ask::Ask;
use contract::dead_letter::{DeadLetter, Input};
use contract::local::{DEAD_LETTERS_FILE, LOCK_FILE};
use serde_json::Value;

use crate::commands::{ops, stderr, stdout, text};

fn letter(reason: &str, campaign: &str) -> String {
    let ask = Ask::by_hand("user-1".to_owned(), campaign.to_owned(), 5);
    let input = Input::Ask { ask, event_id: Some("e-1".to_owned()), prompt_hash: None };
    DeadLetter::new(reason, "quotes Ada", input).encode()
}

#[test]
fn letters_are_listed_shown_kept_and_discarded_and_none_is_lost() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| folder.path().join(name);
    let all = [
        letter("bad_answer", "offer"),
        letter("bad_answer", "recap"),
        letter("model_failed", "offer"),
        "cut off".to_owned(),
    ];
    fs::write(path(DEAD_LETTERS_FILE), all.join("\n") + "\n").expect("is written");
    fs::write(path(LOCK_FILE), "").expect("is written");
    let data = ["--data", text(folder.path())];
    let said = |arguments: &[&str]| ops(&[&["letters"], arguments, &data].concat());
    let (kept, archive) = (path("kept.jsonl"), path("archive.jsonl"));

    let listed = stdout(&said(&["list"]));
    assert!(listed.starts_with("4 letters\n") && listed.contains("(cannot be read)"), "{listed}");
    let of_one = stdout(&said(&["list", "--reason", "bad_answer", "--campaign", "offer"]));
    assert!(of_one.starts_with("1 letters\n"), "{of_one}");

    let shown = stdout(&said(&["show", "2"]));
    assert!(shown.contains("recap") && !shown.contains("Ada") && !shown.contains("user-1"));
    let valued = stdout(&said(&["show", "2", "--values", "--json"]));
    let valued: Value = serde_json::from_str(&valued).expect("is JSON");
    assert_eq!(valued["letter"]["input"]["ask"]["ask"]["user_id"], "user-1");
    assert!(stderr(&said(&["show", "9"])).contains("no letter 9"));

    assert!(said(&["archive", text(&kept), "--campaign", "offer"]).status.success());
    assert_eq!(fs::read_to_string(&kept).expect("is there").lines().count(), 2);
    let mode = fs::metadata(&kept).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else may read it");
    assert!(!said(&["archive", text(&kept)]).status.success(), "no file is written over");

    let discard = ["discard", "--reason", "bad_answer", "--because", "mended", "--archive"];
    let dry = said(&[&discard[..], &[text(&archive), "--dry-run"]].concat());
    assert!(dry.status.success() && !archive.exists(), "{}", stderr(&dry));
    let nobody = said(&[&discard[..], &[text(&archive)]].concat());
    assert!(!nobody.status.success() && !archive.exists(), "nobody is there to agree");
    let done = said(&[&discard[..], &[text(&archive), "--yes"]].concat());
    assert!(stdout(&done).contains("2 letters are discarded"), "{}", stderr(&done));
    let left = fs::read_to_string(path(DEAD_LETTERS_FILE)).expect("is there");
    assert_eq!(left, format!("{}\ncut off\n", all[2]));
    let archived = fs::read_to_string(&archive).expect("is there");
    let first: Value = serde_json::from_str(archived.lines().next().expect("has one")).expect("is");
    assert_eq!((&first["discarded_because"], archived.lines().count()), (&"mended".into(), 2));
    assert_eq!(first["letter"]["reason"], "bad_answer");
}
