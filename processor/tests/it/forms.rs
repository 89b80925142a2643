//! The two forms of content items: what cannot be read of one, and what another version made of it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Past;
use contract::{compact, content};
use processor::eligibility::{Memory, State};
use processor::store::{
    Content, ContentTable as _, DynamoDb, Form, Key, WaitingAsk, Write, WriteResult, plain_item,
};
use quota::simulated::dynamodb;
use serde_json::{Map, Value, json};

use crate::tables::{CONTENT, TABLES};

const FORMS: [Form; 2] = [Form::Plain, Form::Compact];

type Item = HashMap<String, AttributeValue>;

fn key(user: &str) -> Key {
    Key { user_id: user.to_owned(), campaign: "c".to_owned() }
}

fn past(id: &str, time: i64) -> Past {
    let fields = Map::from_iter([("show".to_owned(), json!("Harbour Lights"))]);
    Past { id: id.to_owned(), time, event_type: "watched".to_owned(), fields }
}

/// A write without content that keeps what is there.
fn remembering(revision: u64, state: &State, history: Vec<Past>) -> Write {
    Write {
        revision,
        memory: Memory { history, ..state.memory.clone() },
        content: None,
        asked: None,
        packed: state.packed.clone(),
        language: None,
        ask: WaitingAsk::Unchanged,
        expires_at: 900,
        keeps_content: state.written_for.is_some(),
        is_announced: false,
    }
}

fn with_content(revision: u64) -> Write {
    let content = Content {
        data: Map::from_iter([("heading".to_owned(), json!("Next"))]),
        event_id: "e1".to_owned(),
        event_time: 100,
        oldest_attribute_time: None,
        model_id: "model".to_owned(),
        prompt_hash: "0a1b".to_owned(),
        input_tokens: 100,
        output_tokens: 20,
        origin: "currents/a.avro#3".to_owned(),
        generated_at: 110,
        publication: 0,
        campaigns_version: String::new(),
    };
    let memory = Memory { history: vec![past("e1", 100)], ..Memory::default() };
    let write = remembering(revision, &State::default(), Vec::new());
    Write { memory, content: Some(content), ..write }
}

async fn state(table: &DynamoDb, user: &str) -> State {
    let read = table.load(&[key(user), key("other")]).await.expect("is read");
    read[&key(user)].clone()
}

async fn put(client: &Client, item: Item) {
    client.put_item().table_name(CONTENT).set_item(Some(item)).send().await.expect("is put");
}

async fn item(client: &Client, user: &str) -> Item {
    let scanned = client.scan().table_name(CONTENT).send().await.expect("is read");
    let mut items = scanned.items.unwrap_or_default().into_iter();
    let is_it = |item: &Item| item[content::USER_ID].as_s().is_ok_and(|id| id == user);
    items.find(is_it).expect("is there")
}

fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn packed(fields: &Value) -> AttributeValue {
    bytes(compact::pack(fields).expect("is JSON").expect("is small"))
}

/// Attributes that nobody can read, as they were reported of others: empty, no frame, text in the
/// place of bytes, a claim of more memory than there is, and what was packed by somebody else.
fn unreadable() -> Vec<AttributeValue> {
    let event = json!({ "id": "e1", "time": 100, "type": "watched", "fields": {} });
    let whole = compact::pack(&json!({ "history": [event] })).expect("is JSON").expect("is small");
    let claims = b"\x28\xb5\x2f\xfd\xe0\x6c\x06\x06\x06\x06\x36\x36\x36\x36";
    let mut many: Map<String, Value> =
        (0..1_000).map(|n| (format!("next_{n}"), json!(n))).collect();
    many.insert("history".to_owned(), json!([event]));
    vec![
        bytes([]),
        bytes(*b"junk"),
        bytes(*claims),
        bytes(&whole[..whole.len() - 1]),
        bytes(String::from_utf8_lossy(&whole).into_owned()),
        AttributeValue::S("KLUv/SQB".to_owned()),
        AttributeValue::Null(true),
        packed(&json!([])),
        packed(&json!({ "event_id": "e1" })),
        packed(&json!({ "history": "none" })),
        packed(&json!({ "history": [event], "user_id": "victim" })),
        packed(&json!({ "history": [event], "packed": "again" })),
        packed(&json!({ "history": [event], "data": "x", "": 1 })),
        packed(&Value::Object(many)),
    ]
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_replaced_in_either_form_and_stops_nobody() {
    for (n, hostile) in unreadable().into_iter().enumerate() {
        for form in FORMS {
            let client = dynamodb::with(TABLES).await;
            let table = DynamoDb::new(client.clone(), CONTENT.to_owned()).writing(form);
            table.write(&key("other"), None, &with_content(7)).await.expect("is written");
            table.write(&key("u"), None, &with_content(7)).await.expect("is written");
            let mut broken = item(&client, "u").await;
            broken.remove(content::HISTORY);
            broken.insert(content::PACKED.to_owned(), hostile.clone());
            put(&client, broken.clone()).await;
            assert_eq!(plain_item(broken.clone()), broken, "{n}");

            let states = table.load(&[key("u"), key("other")]).await.expect("is read");
            let read = &states[&key("u")];
            assert!(read.is_foreign && read.memory == Memory::default(), "{n}: {read:?}");
            assert!(read.packed.is_empty() && !states[&key("other")].is_foreign, "{n}");

            let write = remembering(8, read, vec![past("e2", 200)]);
            let done = table.write(&key("u"), read.revision, &write).await.expect("is written");
            assert_eq!(done, WriteResult::Done, "{n}");
            let read = state(&table, "u").await;
            assert!(!read.is_foreign, "{n}: {read:?}");
            assert_eq!(read.memory.history, [past("e2", 200)], "{n}");
            assert!(item(&client, "u").await.contains_key(content::DATA), "{n}");
        }
    }
}

/// As many as one update takes.
#[tokio::test]
async fn all_that_may_be_packed_can_be_unpacked_in_one_write() {
    let client = dynamodb::with(TABLES).await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let compact = table.clone().writing(Form::Compact);
    let fields = (0..40).map(|n| (format!("next.field #{n}"), json!([n]))).collect();
    compact.write(&key("u"), None, &with_content(7)).await.expect("is written");
    let read = state(&table, "u").await;
    let write = remembering(8, &State { packed: fields, ..read }, vec![past("e2", 200)]);
    compact.write(&key("u"), Some(7), &write).await.expect("is written");

    let read = state(&table, "u").await;
    assert_eq!((read.is_foreign, read.packed.len()), (false, 40));
    let write = remembering(9, &read, vec![past("e3", 300)]);
    table.write(&key("u"), Some(8), &write).await.expect("is written");

    let stored = item(&client, "u").await;
    assert_eq!(stored.get("next.field #39"), Some(&AttributeValue::S("[39]".to_owned())));
    assert!(!stored.contains_key(content::PACKED));
}

/// A version before the compact form finds such an item foreign, and writes a history beside what
/// is packed.
#[tokio::test]
async fn what_stands_beside_what_is_packed_is_newer_and_neither_is_lost() {
    for form in FORMS {
        let client = dynamodb::with(TABLES).await;
        let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
        let compact = table.clone().writing(Form::Compact);
        let noted = with_content(7);
        let memory = Memory { unless_at: Some(50), paced_until: Some(60), ..noted.memory.clone() };
        let noted = Write { memory, ..noted };
        compact.write(&key("u"), None, &noted).await.expect("is written");
        let mut before = item(&client, "u").await;
        let history = serde_json::to_string(&[past("e2", 200)]).expect("is JSON");
        before.insert(content::HISTORY.to_owned(), AttributeValue::S(history));
        before.insert(content::UNLESS_AT.to_owned(), AttributeValue::N("150".to_owned()));
        put(&client, before).await;

        let read = state(&table, "u").await;
        assert!(!read.is_foreign, "{read:?}");
        assert_eq!(read.memory.history, [past("e2", 200)]);
        let noted = (read.memory.unless_at, read.memory.paced_until);
        assert_eq!(noted, (Some(150), Some(60)));
        assert_eq!(read.written_for.as_ref().map(|written| &*written.event_id), Some("e1"));

        let history = vec![past("e2", 200), past("e3", 300)];
        let write = remembering(8, &read, history.clone());
        let table = table.writing(form);
        table.write(&key("u"), read.revision, &write).await.expect("is written");
        let again = state(&table, "u").await;
        assert_eq!((again.memory.history, again.written_for), (history, read.written_for));
        let stored = item(&client, "u").await;
        assert_eq!(stored.contains_key(content::HISTORY), form == Form::Plain);
        assert_eq!(stored.contains_key(content::PACKED), form == Form::Compact);
        let text = |name: &str| plain_item(stored.clone()).remove(name);
        assert_eq!(text(content::MODEL_ID), Some(AttributeValue::S("model".to_owned())));
        assert_eq!(text(content::UNLESS_AT), Some(AttributeValue::N("150".to_owned())));
        assert_eq!(text(content::PACED_UNTIL), Some(AttributeValue::N("60".to_owned())));
    }
}

/// Otherwise it could never become a plain one again.
#[tokio::test]
async fn a_history_that_is_too_large_for_a_plain_item_is_refused_in_either_form() {
    for form in FORMS {
        let client = dynamodb::with(TABLES).await;
        let table = DynamoDb::new(client, CONTENT.to_owned()).writing(form);
        let mut large = past("e1", 100);
        large.fields.insert("show".to_owned(), json!("x".repeat(410 * 1_024)));
        let write = remembering(7, &State::default(), vec![large]);

        let refused = table.write(&key("u"), None, &write).await.expect_err("is too large");

        assert!(refused.is_final, "{refused:?}");
    }
}

#[test]
fn a_form_is_named_by_its_word() {
    assert_eq!(["plain", "compact"].map(str::parse), [Ok(Form::Plain), Ok(Form::Compact)]);
    assert_eq!("packed".parse::<Form>(), Err("say plain or compact"));
    assert_eq!(Form::default(), Form::Plain);
}
