//! What needs other programs than cargo's; `make test-quick` leaves it out.

use std::fs;
use std::path::Path;
use std::process::Command;

use contract::compact;
use serde_json::{Value, json};

/// Items whose packed attributes another library reads.
const ITEMS: u64 = 50;

#[test]
fn the_decoder_of_the_document_reads_what_compact_items_hold_packed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../target/python/bin/python");
    assert!(python.exists(), "{} is missing: run `make test`, which makes it", python.display());
    let scratch = tempfile::tempdir().expect("temporary folder");
    let packed: Vec<Value> = (0..ITEMS).map(fields).collect();
    for (n, fields) in packed.iter().enumerate() {
        let bytes = compact::pack(fields).expect("is JSON").expect("is small");
        fs::write(scratch.path().join(n.to_string()), bytes).expect("is written");
    }

    let ran = Command::new(python)
        .arg(folder.join("peers/items.py"))
        .arg(folder.join("../contract/dictionary/1.zdict"))
        .arg(scratch.path())
        .output()
        .expect("python runs");

    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read: Vec<Value> = serde_json::from_slice(&ran.stdout).expect("prints JSON");
    assert_eq!(read, packed);
    let program = fs::read_to_string(folder.join("peers/items.py")).expect("is there");
    let document = fs::read_to_string(folder.join("../docs/deployment.md")).expect("is there");
    let (_, decoder) = program.split_once("def fields").expect("is in it");
    let (decoder, _) = decoder.split_once("\n\n\n").expect("ends");
    assert!(document.contains(decoder), "docs/deployment.md has another decoder");
}

/// What an item packs that remembers so many events.
fn fields(events: u64) -> Value {
    let event = |n: u64| {
        json!({
            "id": format!("e-{}", n * 7_919),
            "time": 1_743_528_033 + n,
            "type": "users.behaviors.CustomEvent",
            "fields": { "properties": { "episode": n, "show": "Café am Fluß" } },
        })
    };
    let history: Vec<Value> = (0..events).map(event).collect();
    json!({ "history": history, "event_id": format!("e-{events}"), "input_tokens": events })
}
