//! Two versions of the programs share the tables: what is stored has the form of the golden
//! files, what the next version stores is read, and it is told what stays of it.
//!
//! - [`earlier`] — what an earlier version left is brought to its end.

mod earlier;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Past;
use contract::metrics::Fate;
use contract::user_record::Event;
use contract::{compact, content};
use processor::attributes::Known;
use processor::coordination::{
    BudgetOfDay, Coordination as _, Entry, Failures, Lease, LeaseReply, SharedTable, Spending,
};
use processor::eligibility::Memory;
use processor::model::Usage;
use processor::store::{
    Asked, Content, ContentTable as _, DynamoDb, Form, Key, Packed, ProfileWrite, WaitingAsk,
    Write, WriteResult,
};
use quota::dynamodb::Lanes;
use quota::estimate::{Lesson, Sums, period};
use quota::lane::Ask;
use quota::pace::Pace;
use quota::simulated::dynamodb;
use quota::table::{LaneName, QuotaTable as _, Reply};
use serde_json::{Map, Value, json};

use crate::tables::{CONTENT, COORDINATION, TABLES};
use crate::world::{World, delivery, user_record};

/// When all of it is written, in UNIX seconds.
const NOW: i64 = 1_800_000_000;
const NOW_MS: u64 = 1_800_000_000_000;

/// What the names of everything begin with that only the next version knows.
const NEXT: &str = "next_";

type Item = HashMap<String, AttributeValue>;

/// The golden items of both tables.
fn golden(text: &str) -> Value {
    serde_json::from_str(text).expect("is JSON")
}

fn todays() -> Value {
    golden(include_str!("../../../contract/golden/items.json"))
}

fn next() -> Value {
    golden(include_str!("../../../contract/golden/next/items.json"))
}

/// A value as DynamoDB writes it.
fn told(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(flag) => json!({ "BOOL": flag }),
        AttributeValue::L(values) => json!({ "L": values.iter().map(told).collect::<Vec<_>>() }),
        AttributeValue::M(map) => json!({ "M": told_item(map) }),
        // As it reads: how small zstd makes it is no matter of the form.
        AttributeValue::B(packed) => {
            json!({ "packed": compact::unpack::<Value>(packed.as_ref()).expect("is packed") })
        }
        _ => json!({ "NULL": true }),
    }
}

fn told_item(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), told(value))).collect())
}

fn value(told: &Value) -> AttributeValue {
    let (kind, value) = told.as_object().and_then(|one| one.iter().next()).expect("has a type");
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("BOOL", Value::Bool(flag)) => AttributeValue::Bool(*flag),
        ("L", Value::Array(values)) => AttributeValue::L(values.iter().map(self::value).collect()),
        ("M", map) => AttributeValue::M(item(map)),
        ("packed", fields) => {
            let packed = compact::pack(fields).expect("is JSON").expect("is small");
            AttributeValue::B(Blob::new(packed))
        }
        _ => AttributeValue::Null(true),
    }
}

fn item(told: &Value) -> Item {
    let fields = told.as_object().expect("is an object");
    fields.iter().map(|(name, told)| (name.clone(), value(told))).collect()
}

/// A DynamoDB that holds these items.
async fn holding(items: &Value) -> Client {
    let client = dynamodb::with(TABLES).await;
    for (table, items) in items.as_object().expect("is an object") {
        for told in items.as_array().expect("is a list") {
            let put = client.put_item().table_name(table).set_item(Some(item(told)));
            put.send().await.expect("is put");
        }
    }
    client
}

/// All that a DynamoDB holds, in the order of the keys.
async fn held(client: &Client) -> Value {
    let mut held = Map::new();
    for (table, keys) in TABLES {
        let scanned = client.scan().table_name(*table).send().await.expect("is read");
        let mut items: Vec<Value> = scanned.items().iter().map(told_item).collect();
        items.sort_by_key(|item| keys.iter().map(|key| item[*key].to_string()).collect::<Vec<_>>());
        held.insert((*table).to_owned(), Value::Array(items));
    }
    Value::Object(held)
}

/// Of what is held, the item of this key.
fn of<'h>(held: &'h Value, table: &str, key: &str) -> &'h Value {
    let items = held[table].as_array().expect("is a list");
    let is_it = |item: &&Value| item["item"]["S"] == key || item["key"]["S"] == key;
    items.iter().find(is_it).expect("is there")
}

fn place(campaign: &str) -> Key {
    Key { user_id: "u".to_owned(), campaign: campaign.to_owned() }
}

fn usage() -> Usage {
    Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() }
}

fn written() -> Write {
    let fields = [("show".to_owned(), json!("Harbour Lights"))].into_iter().collect();
    let (id, event_type) = ("e1".to_owned(), "watched".to_owned());
    Write {
        revision: NOW_MS,
        memory: Memory {
            history: vec![Past { id, time: NOW - 60, event_type, fields }],
            unless_at: Some(NOW - 90),
            retracted_at: Some(NOW - 80),
            paced_until: None,
        },
        content: None,
        asked: None,
        packed: Packed::new(),
        language: Some("de".to_owned()),
        ask: WaitingAsk::Until(NOW_MS + 60_001),
        expires_at: NOW + 3_600,
        keeps_content: false,
        is_announced: false,
    }
}

fn with_content() -> Write {
    let data = json!({ "heading": "Next", "list": [1, true, null], "more": { "n": 1.5 } });
    let data = data.as_object().expect("is an object").clone();
    let content = Content {
        data: data.clone(),
        event_id: "e1".to_owned(),
        event_time: NOW - 60,
        oldest_attribute_time: Some(NOW - 70),
        model_id: "model".to_owned(),
        prompt_hash: "0a1b".to_owned(),
        input_tokens: 100,
        output_tokens: 20,
        generated_at: NOW,
        publication: 2,
        campaigns_version: "22cd".to_owned(),
        origin: "currents/a.avro#3".to_owned(),
    };
    let asked = Asked {
        event_id: "e1".to_owned(),
        prompt: "What is next?".to_owned(),
        answer: data,
        expires_at: NOW + 7_200,
    };
    let (ask, written) = (WaitingAsk::Over, written());
    let memory = Memory { paced_until: Some(NOW + 60), ..written.memory };
    Write { content: Some(content), asked: Some(asked), ask, memory, ..written }
}

fn budget() -> BudgetOfDay {
    BudgetOfDay { campaign: "offer".to_owned(), day: 20_833, limit: 1_000 }
}

fn lease(owner: &str) -> Lease {
    let owner = owner.to_owned();
    Lease { owner, now_ms: NOW_MS, until_ms: NOW_MS + 45_000, retry_given_up_before_ms: 0 }
}

fn given_up() -> Entry {
    let (reason, detail) = ("bad_answer".to_owned(), "no heading".to_owned());
    Entry::GivenUp { reason, detail, attempts: 3, at_ms: NOW_MS }
}

fn answered() -> Entry {
    let data = json!({ "heading": "Next" }).as_object().expect("is an object").clone();
    Entry::Answered { data, usage: usage() }
}

fn lane() -> LaneName {
    LaneName { model_id: "model".to_owned(), number: 0 }
}

fn slice(now_us: u64) -> Ask {
    Ask {
        now_us,
        length_us: 2_000_000,
        latest_us: now_us + 9_000_000,
        day: 20_833,
        tokens: 300,
        tokens_per_day: Some(1_000),
        resumes_us: None,
    }
}

/// What a user's item holds packed.
async fn packed(table: &DynamoDb, campaign: &str) -> Packed {
    let key = place(campaign);
    let read = table.load(std::slice::from_ref(&key)).await.expect("is read");
    read[&key].packed.clone()
}

#[tokio::test]
async fn what_is_stored_has_the_form_of_the_golden_file() {
    let client = dynamodb::with(TABLES).await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let shared = SharedTable::new(client.clone(), COORDINATION.to_owned());
    let lanes = Lanes::new(client.clone(), COORDINATION.to_owned());

    table.write(&place("offer"), None, &with_content()).await.expect("is written");
    let parked = Write { revision: NOW_MS + 1, keeps_content: true, ..written() };
    table.write(&place("offer"), Some(NOW_MS), &parked).await.expect("is written");
    table.write(&place("recap"), None, &written()).await.expect("is written");
    let compact = table.clone().writing(Form::Compact);
    let unasked = Write { asked: None, ..with_content() };
    compact.write(&place("packed-offer"), None, &unasked).await.expect("is written");
    let parked = Write { packed: packed(&table, "packed-offer").await, ..parked };
    compact.write(&place("packed-offer"), Some(NOW_MS), &parked).await.expect("is written");
    compact.write(&place("packed-recap"), None, &written()).await.expect("is written");
    let known = Known { value: json!("Ada"), time: NOW - 70, event_id: "e0".to_owned() };
    let known = [("first_name".to_owned(), known)].into();
    let profile = ProfileWrite { revision: NOW_MS, known, expires_at: NOW + 3_600 };
    table.write_profile("u", None, &profile).await.expect("is written");
    table.entomb("gone", NOW, NOW + 3_600).await.expect("is noted");

    shared.finish("answered", &answered(), NOW + 3_600).await.expect("is kept");
    shared.finish("given-up", &given_up(), NOW + 3_600).await.expect("is kept");
    shared.lease("leased", &lease("one")).await.expect("answers");
    shared.lease("released", &lease("one")).await.expect("answers");
    let failed = Failures { calls: 2, last: "out of time".to_owned() };
    shared.release("released", "one", &failed, NOW + 3_600).await.expect("is given back");
    shared.spend(&budget(), 300, "one").await.expect("answers");
    shared.give_notice("halt#offer", NOW_MS, NOW_MS + 300_000).await.expect("is given");
    shared.begin("batch#49", NOW + 3_600).await.expect("is noted");
    shared.mark("letter", NOW + 3_600).await.expect("is noted");
    let now_us = NOW_MS * 1_000;
    let sums = Sums { calls: 1.0, estimated_input: 90.0, input: 100.0, ..Sums::default() };
    let lesson = Lesson { kind: "offer".to_owned(), period: period(now_us), sums };
    lanes.take(&lane(), &slice(now_us), &[lesson], None).await.expect("answers");
    let pace = Pace { part: 0.5, from_us: now_us + 1_000_000, ceiling: 0.75 };
    lanes.slow_down(&lane(), now_us, pace).await.expect("is set");

    let held = held(&client).await;
    assert_eq!(held, todays(), "{}", serde_json::to_string_pretty(&held).expect("is JSON"));
}

#[tokio::test]
async fn content_of_the_next_version_is_read_and_keeps_what_is_not_about_what_is_replaced() {
    let before = DynamoDb::new(holding(&todays()).await, CONTENT.to_owned());
    let client = holding(&next()).await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let mut keys = ["offer", "recap", "packed-offer", "packed-recap"].map(place).to_vec();
    keys.push(Key { user_id: "gone".to_owned(), ..place("offer") });
    let users = ["u", "gone"].map(str::to_owned);

    let mut read = table.load(&keys).await.expect("is read");
    for state in read.values_mut() {
        state.packed.retain(|name, _| !name.starts_with(NEXT));
    }
    assert_eq!(read, before.load(&keys).await.expect("is read"));
    assert!(read.values().all(|state| !state.is_foreign));
    let profiles = table.profiles(&users).await.expect("is read");
    assert_eq!(profiles, before.profiles(&users).await.expect("is read"));
    let mut of_user = table.of_user("u").await.expect("is read");
    of_user.items.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!((of_user.items.len(), of_user.asked.len(), of_user.profile.known.len()), (4, 1, 1));
    assert_eq!(of_user.unknown, ["next_kind#offer"]);

    // What is remembered is written beside it, and content takes the place of all.
    let write = Write { revision: NOW_MS + 2, keeps_content: true, ..written() };
    let done = table.write(&place("offer"), Some(NOW_MS + 1), &write).await.expect("is written");
    assert_eq!(done, WriteResult::Done);
    assert_eq!(
        of(&held(&client).await, CONTENT, "content#offer")["next_field"],
        json!({ "N": "1" })
    );
    let write = Write { revision: NOW_MS + 3, ..with_content() };
    let done = table.write(&place("offer"), Some(NOW_MS + 2), &write).await.expect("is written");
    assert_eq!(done, WriteResult::Done);
    let held = held(&client).await;
    assert_eq!(of(&held, CONTENT, "content#offer").get("next_field"), None);
    assert_eq!(of(&held, CONTENT, "next_kind#offer"), of(&next(), CONTENT, "next_kind#offer"));
}

#[tokio::test]
async fn what_the_next_version_packed_stays_until_content_takes_its_place() {
    let client = holding(&next()).await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let compact = table.clone().writing(Form::Compact);
    let item = async || of(&held(&client).await, CONTENT, "content#packed-offer").clone();
    let write = async |table: &DynamoDb, revision: u64, write: Write| {
        let packed = packed(table, "packed-offer").await;
        let write = Write { revision: NOW_MS + revision, packed, ..write };
        let seen = Some(write.revision - 1);
        let done = table.write(&place("packed-offer"), seen, &write).await;
        assert_eq!(done.expect("is written"), WriteResult::Done);
    };
    let noted = Write { keeps_content: true, ..written() };

    write(&compact, 2, noted.clone()).await;
    assert_eq!(item().await["packed"]["packed"]["next_packed"], json!([1]));
    write(&table, 3, noted.clone()).await;
    assert_eq!(item().await["next_packed"], json!({ "S": "[1]" }));
    assert_eq!(item().await["model_id"], json!({ "S": "model" }));
    assert_eq!(item().await.get("packed"), None);
    write(&compact, 4, noted).await;
    assert_eq!(item().await["next_packed"], json!({ "S": "[1]" }));
    write(&compact, 5, Write { asked: None, ..with_content() }).await;
    assert_eq!(item().await.get("next_packed"), None);
    assert_eq!(item().await["packed"]["packed"].get("next_packed"), None);
}

#[tokio::test]
async fn a_deletion_removes_what_only_the_next_version_knows_unless_it_is_newer() {
    let client = holding(&next()).await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    for (sort_key, oldest) in [("next_kind#old", NOW), ("next_kind#new", NOW + 1)] {
        let put = client.put_item().table_name(CONTENT);
        let put = put.item(content::USER_ID, AttributeValue::S("u".to_owned()));
        let put = put.item(content::ITEM, AttributeValue::S(sort_key.to_owned()));
        let put = put.item(content::OLDEST_EVENT_TIME, AttributeValue::N(oldest.to_string()));
        put.send().await.expect("is put");
    }
    let mut world = World::of(Vec::new());
    world.epoch_ms = NOW_MS;
    let instance = earlier::instance(&world, &client, Form::Plain);
    let deletion = Event { id: "d".to_owned(), time: NOW, fields: Map::new() };
    let deletion = user_record("u", "users.UserDeleteRequest", vec![deletion]).encode();

    let delivered = delivery([&deletion].into_iter().enumerate());
    let report = instance.handle(delivered, world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Deletion.metric()), 1, "{}", report.counts.to_json());
    let left = table.of_user("u").await.expect("is read");
    assert_eq!((left.items.len(), left.asked.len(), left.profile.known.len()), (0, 0, 0));
    assert_eq!(left.unknown, ["next_kind#new"]);
}

#[tokio::test]
async fn what_instances_of_the_next_version_agreed_on_holds_for_this_one() {
    let client = holding(&next()).await;
    let shared = SharedTable::new(client.clone(), COORDINATION.to_owned());
    let lanes = Lanes::new(client.clone(), COORDINATION.to_owned());
    let hashes = ["answered", "given-up", "leased", "next_form"].map(str::to_owned);

    let known = shared.answers(&hashes, NOW).await.expect("is read");
    let leased = Entry::Leased { until_ms: NOW_MS + 45_000, job: None };
    let expected = [("answered", answered()), ("given-up", given_up()), ("leased", leased.clone())];
    assert_eq!(known, expected.map(|(hash, entry)| (hash.to_owned(), entry)).into());
    let mut taken = Vec::new();
    for hash in &hashes {
        taken.push(shared.lease(hash, &lease("two")).await.expect("answers"));
    }
    // An answer in a form that is not known is nobody's failure: it is waited for.
    let waited_for = Entry::Leased { until_ms: NOW_MS + 600_000, job: None };
    let expected = [answered(), given_up(), leased, waited_for];
    assert_eq!(taken, expected.map(LeaseReply::Taken));
    let Ok(LeaseReply::Ours(failed)) = shared.lease("released", &lease("two")).await else {
        panic!("it is nobody's turn")
    };
    assert_eq!((failed.calls, failed.last.as_str()), (2, "out of time"));

    assert_eq!(shared.spend(&budget(), 701, "two").await.expect("answers"), Spending::Refused);
    assert_eq!(shared.spend(&budget(), 700, "two").await.expect("answers"), Spending::Granted);
    let notices = shared.notices(&["halt#offer".to_owned()]).await.expect("is read");
    assert_eq!(notices["halt#offer"], NOW_MS + 300_000);
    assert_eq!(shared.begin("batch#49", NOW).await.expect("is noted"), 1);
    assert!(shared.is_marked("letter").await.expect("is read"));
    let now_us = NOW_MS * 1_000;
    let Ok(Reply::Slice(taken)) = lanes.take(&lane(), &slice(now_us), &[], None).await else {
        panic!("it has time left")
    };
    assert_eq!((taken.lane.slices, taken.lane.day_tokens, taken.lane.pace.part), (2, 600, 0.5));
    assert_eq!(taken.learnt.len(), 1);

    let held = held(&client).await;
    for kept in ["answer#released", "budget#offer#20833", "begun#batch#49", "quota#model#0"] {
        let names = of(&held, COORDINATION, kept).as_object().expect("is an object");
        assert!(names.keys().any(|name| name.starts_with(NEXT)), "{kept} lost something");
    }
}
