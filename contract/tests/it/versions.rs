//! Two versions of the programs run side by side: what the next one writes, this one reads.
//!
//! `contract/golden` has what this version writes. `contract/golden/next` has the same as a next
//! version may write it: with more fields, at every level, whose names begin with `next_`. What
//! each reader does with them is tested beside the reader.

use std::fs;
use std::path::{Path, PathBuf};

use contract::ask::{Ask, Reason};
use contract::content;
use contract::dead_letter::DeadLetter;
use contract::user_record::UserRecord;
use serde_json::{Value, json};

/// What is in the names of everything that only the next version knows.
const NEXT: &str = "next_";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("is there");
    serde_json::from_str(&text).expect("is JSON")
}

fn next(name: &str) -> Value {
    read(&golden().join("next").join(name))
}

/// The same without what only the next version knows.
fn as_today(value: Value) -> Value {
    let is_of_next = |value: &Value| {
        let names = ["campaign", "item", "key"].map(|name| &value[name]);
        names.iter().any(|name| {
            let name = name.as_str().or_else(|| name["S"].as_str());
            name.is_some_and(|name| name.contains(NEXT))
        })
    };
    match value {
        Value::Object(fields) => {
            let todays = fields.into_iter().filter(|(name, _)| !name.starts_with(NEXT));
            Value::Object(todays.map(|(name, value)| (name, as_today(value))).collect())
        }
        Value::Array(all) => {
            let todays = all.into_iter().filter(|value| !is_of_next(value));
            Value::Array(todays.map(as_today).collect())
        }
        // Histories and attributes are JSON in a text.
        Value::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(&text).map_or(Value::String(text), as_today)
        }
        other => other,
    }
}

#[test]
fn what_the_next_version_writes_is_what_this_one_writes_and_more() {
    let mut compared = 0;
    for file in fs::read_dir(golden().join("next")).expect("is there") {
        let path = file.expect("is there").path();
        let todays = golden().join(path.file_name().expect("has a name"));

        let next = read(&path);

        assert_ne!(next, read(&todays), "{}", path.display());
        assert_eq!(as_today(next), as_today(read(&todays)), "{}", path.display());
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn a_user_record_is_read_whatever_else_it_has_and_its_events_keep_all_of_their_fields() {
    let next = next("user-record.json");
    let read = UserRecord::decode(next.to_string().as_bytes()).expect("decodes");
    let today = include_bytes!("../../golden/user-record.json");
    let mut expected = UserRecord::decode(today).expect("decodes");

    let fields = next["events"][0]["fields"].as_object().expect("is an object");
    expected.events[0].fields.clone_from(fields);
    assert_eq!(read, expected);
}

#[test]
fn an_ask_that_is_sent_anew_says_all_that_its_writer_said() {
    let mut body = next("ask.json");
    let ask = Ask::decode(&body.to_string()).expect("decodes");
    let written = |ask: &Ask| serde_json::from_str::<Value>(&ask.encode()).expect("is JSON");
    assert_eq!(written(&ask), body);

    body["reason"] = json!("next_reason");
    let ask = Ask::decode(&body.to_string()).expect("decodes");
    assert_eq!(ask.reason, Reason::Unknown);
    assert_eq!(written(&ask), body);

    // Once it waits for something else, only that.
    body["reason"] = json!("quota");
    assert_eq!(written(&ask.clone().waiting_for(Reason::Quota)), body);
    let again = written(&ask.again(1_770_000_000_000));
    assert_eq!((&again["reason"], &again["next_field"]), (&json!("operator"), &body["next_field"]));
}

#[test]
fn an_ask_in_a_dead_letter_keeps_what_its_writer_said() {
    let letter = json!({
        "v": 1, "reason": "bad_answer", "detail": "d", "input": { "ask": { "ask": next("ask.json") } }
    });

    let read: DeadLetter = serde_json::from_value(letter.clone()).expect("is one");

    assert_eq!(serde_json::from_str::<Value>(&read.encode()).expect("is JSON"), letter);
}

#[test]
fn a_dead_letter_is_read_whatever_else_it_says_and_one_of_an_unknown_input_is_not() {
    let mut letter = next("dead-letter.json");
    let today: DeadLetter =
        serde_json::from_str(include_str!("../../golden/dead-letter.json")).expect("is one");
    assert_eq!(serde_json::from_value::<DeadLetter>(letter.clone()).expect("is one"), today);

    letter["input"] = json!({ "next_input": { "x": 1 } });
    assert!(serde_json::from_value::<DeadLetter>(letter).is_err());
}

#[test]
fn a_compact_item_says_what_a_plain_one_does() {
    let items = read(&golden().join("items.json"));
    let of = |key: &str| {
        let items = items["content"].as_array().expect("is a list");
        let item = items.iter().find(|item| item["item"]["S"] == key).expect("is there");
        item.as_object().expect("is an object").clone()
    };
    for campaign in ["offer", "recap"] {
        let mut compact = of(&format!("content#packed-{campaign}"));
        let packed = compact.remove(content::PACKED).expect("is packed");
        for (name, value) in packed["packed"].as_object().expect("is an object") {
            let value = match value {
                Value::Number(number) => json!({ "N": number.to_string() }),
                Value::Array(_) => json!({ "S": value.to_string() }),
                text => json!({ "S": text }),
            };
            assert_eq!(compact.insert(name.clone(), value), None, "{name} stands there twice");
        }
        let mut plain = of(&format!("content#{campaign}"));
        for item in [&mut compact, &mut plain] {
            item.remove(content::ITEM);
            let history = item[content::HISTORY]["S"].as_str().expect("is JSON");
            let history: Value = serde_json::from_str(history).expect("is JSON");
            item.insert(content::HISTORY.to_owned(), history);
        }
        assert_eq!(compact, plain);
    }
}
