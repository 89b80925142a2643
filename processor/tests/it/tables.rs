//! The tables in memory behave as DynamoDB does: both get the same random calls and must
//! give the same answers.
//!
//! DynamoDB is `dynoxide`, embedded, with the real SDK and the real adapters before it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Past;
use contract::content;
use processor::attributes::Known;
use processor::coordination::{BudgetOfDay, Coordination, Entry, Failures, Lease, SharedTable};
use processor::eligibility::{Memory as Remembered, State};
use processor::model::Usage;
use processor::store::{
    Asked, Content, ContentTable, DynamoDb, Form, Key, Packed, ProfileWrite, WaitingAsk, Write,
    plain_item,
};
use quota::simulated::dynamodb;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use processor::simulated::memory::Memory;

/// Random calls of each table.
const CALLS: usize = 1_500;

pub(crate) const CONTENT: &str = "content";
pub(crate) const COORDINATION: &str = "coordination";

/// Both tables, with their keys.
pub(crate) const TABLES: &[(&str, &[&str])] =
    &[(CONTENT, &[content::USER_ID, content::ITEM]), (COORDINATION, &[content::COORDINATION_KEY])];

type Item = HashMap<String, AttributeValue>;

async fn dynamodb() -> Client {
    dynamodb::with(TABLES).await
}

fn past(rng: &mut StdRng) -> Past {
    let time = rng.random_range(0..20);
    let fields = Map::from_iter([("show".to_owned(), json!("ü"))]);
    Past { id: format!("e{time}"), time, event_type: "t".to_owned(), fields }
}

fn write(rng: &mut StdRng, seen: Option<u64>) -> Write {
    let history: Vec<Past> = (0..rng.random_range(1..4)).map(|_| past(rng)).collect();
    let data = Map::from_iter([
        ("heading".to_owned(), json!("x")),
        ("details".to_owned(), json!({ "list": [1, true, null, 1.5] })),
    ]);
    let event_time = rng.random_range(0..20);
    let oldest_attribute_time = rng.random_bool(0.4).then(|| rng.random_range(0..20));
    let content = rng.random_bool(0.6).then(|| Content {
        publication: rng.random_range(0..3),
        origin: String::new(),
        campaigns_version: String::new(),
        data,
        event_id: "e".to_owned(),
        event_time,
        oldest_attribute_time,
        model_id: "m".to_owned(),
        prompt_hash: "h".to_owned(),
        input_tokens: 1,
        output_tokens: 2,
        generated_at: 3,
    });
    let mut at = || rng.random_bool(0.3).then(|| rng.random_range(0..20));
    let (unless_at, retracted_at, paced_until) = (at(), at(), at());
    let asks = [WaitingAsk::Unchanged, WaitingAsk::Until(5_000), WaitingAsk::Over];
    Write {
        revision: seen.map_or(7, |seen| seen + 1),
        memory: Remembered { history, unless_at, retracted_at, paced_until },
        content,
        ask: asks[rng.random_range(0..asks.len())],
        expires_at: 1,
        keeps_content: rng.random_bool(0.5),
        is_announced: rng.random_bool(0.5),
        asked: rng.random_bool(0.5).then(|| Asked {
            event_id: "e".to_owned(),
            prompt: "p".to_owned(),
            answer: serde_json::Map::new(),
            expires_at: 9,
        }),
        packed: Packed::new(),
        language: rng.random_bool(0.3).then(|| "de".to_owned()),
    }
}

fn profile_write(rng: &mut StdRng, seen: Option<u64>) -> ProfileWrite {
    let known = Known {
        value: if rng.random_bool(0.3) { Value::Null } else { json!("Ada") },
        time: rng.random_range(0..20),
        event_id: "e".to_owned(),
    };
    let known = [("first_name".to_owned(), known)].into();
    ProfileWrite { revision: seen.map_or(7, |seen| seen + 1), known, expires_at: 1 }
}

/// Without what decides nothing, and the table in memory does not have.
fn unpacked(states: HashMap<Key, State>) -> HashMap<Key, State> {
    let unpacked = |(key, state)| (key, State { packed: Packed::new(), ..state });
    states.into_iter().map(unpacked).collect()
}

#[tokio::test]
async fn the_content_table_in_memory_answers_as_dynamodb_does() {
    in_memory_as_in(&[Form::Plain]).await;
}

#[tokio::test]
async fn the_content_table_answers_alike_in_whatever_form_each_write_is() {
    in_memory_as_in(&[Form::Compact]).await;
    in_memory_as_in(&[Form::Compact, Form::Plain]).await;
}

/// Makes random calls of both tables; each write has one of these forms. All that is stored is
/// what a table of plain items would hold.
async fn in_memory_as_in(forms: &[Form]) {
    let client = dynamodb().await;
    let real = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let plain_client = dynamodb().await;
    let plain = DynamoDb::new(plain_client.clone(), CONTENT.to_owned());
    let memory = Memory::default();
    let rng = &mut StdRng::seed_from_u64(5);
    let keys: Vec<Key> = ["a", "b", "c"]
        .iter()
        .flat_map(|user| {
            ["one", "two"]
                .map(|campaign| Key { user_id: (*user).into(), campaign: campaign.into() })
        })
        .collect();
    let (mut done, mut conflicts) = (0, 0);
    for call in 0..CALLS {
        let key = &keys[rng.random_range(0..keys.len())];
        let there = memory.load(&keys).await.expect("loads");
        let seen = there[key].revision;
        // Mostly what is there, sometimes what is not.
        let seen = match rng.random_range(0..10) {
            0 => None,
            1 => Some(seen.unwrap_or(1) + 1),
            _ => seen,
        };
        match rng.random_range(0..10) {
            0..6 => {
                let there = real.load(std::slice::from_ref(key)).await.expect("loads");
                let packed = there[key].packed.clone();
                let write = Write { packed, ..write(rng, seen) };
                let form = forms[rng.random_range(0..forms.len())];
                let one = memory.write(key, seen, &write).await.expect("writes");
                let other = real.clone().writing(form).write(key, seen, &write).await;
                let other = other.expect("writes");
                let write = Write { packed: Packed::new(), ..write };
                let same = plain.write(key, seen, &write).await.expect("writes");
                assert_eq!(other, same, "call {call}: {key:?} {seen:?} {write:?}");
                assert_eq!(one, other, "call {call}: {key:?} {seen:?} {write:?}");
                match one {
                    processor::store::WriteResult::Done => done += 1,
                    processor::store::WriteResult::Conflict => conflicts += 1,
                }
            }
            _ if rng.random_bool(0.2) => {
                let user = std::slice::from_ref(&key.user_id);
                let there = memory.profiles(user).await.expect("loads").remove(&key.user_id);
                let seen = there.and_then(|profile| profile.revision);
                let seen = if rng.random_bool(0.2) { Some(99) } else { seen };
                let (one, other) = if let (Some(seen), true) = (seen, rng.random_bool(0.3)) {
                    let one = memory.remove_profile(&key.user_id, seen).await;
                    plain.remove_profile(&key.user_id, seen).await.expect("removes");
                    (one, real.remove_profile(&key.user_id, seen).await)
                } else {
                    let write = profile_write(rng, seen);
                    let one = memory.write_profile(&key.user_id, seen, &write).await;
                    plain.write_profile(&key.user_id, seen, &write).await.expect("writes");
                    (one, real.write_profile(&key.user_id, seen, &write).await)
                };
                let (one, other) = (one.expect("writes"), other.expect("writes"));
                assert_eq!(one, other, "call {call}: {key:?} {seen:?}");
            }
            _ if rng.random_bool(0.1) => {
                memory.remove_asked(key).await.expect("removes");
                real.remove_asked(key).await.expect("removes");
                plain.remove_asked(key).await.expect("removes");
            }
            6 => {
                let seen = seen.unwrap_or(3);
                let one = memory.touch(key, seen, seen + 1).await.expect("touches");
                assert_eq!(one, real.touch(key, seen, seen + 1).await.expect("touches"));
                plain.touch(key, seen, seen + 1).await.expect("touches");
            }
            7 => {
                let seen = seen.unwrap_or(3);
                let one = memory.remove(key, seen).await.expect("removes");
                assert_eq!(one, real.remove(key, seen).await.expect("removes"), "call {call}");
                plain.remove(key, seen).await.expect("removes");
            }
            8 if rng.random_bool(0.3) => {
                let at = rng.random_range(0..15);
                memory.entomb(&key.user_id, at, 99).await.expect("notes");
                real.entomb(&key.user_id, at, 99).await.expect("notes");
                plain.entomb(&key.user_id, at, 99).await.expect("notes");
            }
            _ => {
                let mut one = memory.of_user(&key.user_id).await.expect("lists");
                let mut other = real.of_user(&key.user_id).await.expect("lists");
                other.items = unpacked(other.items.into_iter().collect()).into_iter().collect();
                one.items.sort_by(|a, b| a.0.cmp(&b.0));
                other.items.sort_by(|a, b| a.0.cmp(&b.0));
                assert_eq!(one, other, "call {call}");
            }
        }
        let (one, other) = (memory.load(&keys).await, real.load(&keys).await);
        let other = unpacked(other.expect("loads"));
        assert_eq!(one.expect("loads"), other, "call {call}");
        let users = ["a", "b", "c"].map(str::to_owned);
        let (one, other) = (memory.profiles(&users).await, real.profiles(&users).await);
        let (one, mut other) = (one.expect("loads"), other.expect("loads"));
        // Of whom nothing is there nothing is told.
        for user in users {
            other.entry(user).or_default();
        }
        assert_eq!(one, other, "call {call}");
    }
    assert!(done > 100 && conflicts > 100, "{done} {conflicts}");
    let (stored, packed) = stored(&client).await;
    assert_eq!(stored, self::stored(&plain_client).await.0);
    assert_eq!(packed > 0, forms.contains(&Form::Compact), "{packed} items are packed");
}

/// Every item by its key, as a plain one, and how many are packed.
async fn stored(client: &Client) -> (BTreeMap<(String, String), Item>, usize) {
    let scanned = client.scan().table_name(CONTENT).send().await.expect("reads");
    let items = scanned.items.unwrap_or_default();
    let packed = items.iter().filter(|item| item.contains_key(content::PACKED)).count();
    let text = |item: &Item, name| item[name].as_s().expect("is a text").clone();
    let by_key = items.into_iter().map(|item| {
        let key = (text(&item, content::USER_ID), text(&item, content::ITEM));
        (key, plain_item(item))
    });
    (by_key.collect(), packed)
}

#[tokio::test]
async fn a_key_that_is_wanted_twice_is_read_once() {
    let real = DynamoDb::new(dynamodb().await, CONTENT.to_owned());
    let key = |user: &str| Key { user_id: user.to_owned(), campaign: "one".to_owned() };
    let write = write(&mut StdRng::seed_from_u64(3), None);
    real.write(&key("a"), None, &write).await.expect("writes");

    // Two asks for one user.
    let states = real.load(&[key("a"), key("b"), key("a")]).await.expect("reads");

    assert_eq!(states.len(), 2);
    assert_eq!(states[&key("a")].revision, Some(write.revision));
}

#[tokio::test]
async fn coordination_in_memory_answers_as_dynamodb_does() {
    let real = SharedTable::new(dynamodb().await, COORDINATION.to_owned());
    let memory = Memory::default();
    let rng = &mut StdRng::seed_from_u64(6);
    let mut answered = 0;
    let hashes: Vec<String> = ["h1", "h2", "h3"].map(str::to_owned).to_vec();
    for call in 0..CALLS {
        let hash = &hashes[rng.random_range(0..hashes.len())];
        let owner = ["x", "y"][rng.random_range(0..2)].to_owned();
        let now_ms = 1_000 * call as u64;
        let at = i64::try_from(call).expect("is small") + rng.random_range(1..50);
        match rng.random_range(0..9) {
            8 => {
                let until_ms = now_ms + rng.random_range(0..20_000);
                let lease = Lease { owner, now_ms, until_ms, retry_given_up_before_ms: 0 };
                let one = memory.extend(hash, &lease).await.expect("answers");
                let other = real.extend(hash, &lease).await.expect("answers");
                assert_eq!(one, other, "call {call}: {lease:?}");
            }
            0..3 => {
                let until_ms = now_ms + rng.random_range(0..20_000);
                let retry_given_up_before_ms = rng.random_range(0..=now_ms);
                let lease = Lease { owner, now_ms, until_ms, retry_given_up_before_ms };
                let one = memory.lease(hash, &lease).await.expect("answers");
                let other = real.lease(hash, &lease).await.expect("answers");
                assert_eq!(one, other, "call {call}: {lease:?}");
            }
            3 => {
                let outcome = if rng.random_bool(0.5) {
                    let data = Map::from_iter([("heading".to_owned(), json!(call))]);
                    let usage =
                        Usage { input_tokens: 3, output_tokens: call as u64, ..Usage::default() };
                    Entry::Answered { data, usage }
                } else {
                    let (reason, detail) = ("r".to_owned(), "d".to_owned());
                    Entry::GivenUp { reason, detail, attempts: 2, at_ms: now_ms }
                };
                memory.finish(hash, &outcome, at).await.expect("keeps");
                real.finish(hash, &outcome, at).await.expect("keeps");
            }
            4 => {
                let failed = Failures { calls: rng.random_range(0..3), last: format!("f{call}") };
                memory.release(hash, &owner, &failed, at).await.expect("releases");
                real.release(hash, &owner, &failed, at).await.expect("releases");
            }
            5 => {
                let day = rng.random_range(0..20);
                let budget = BudgetOfDay { campaign: "c".to_owned(), day, limit: 100 };
                let amount = rng.random_range(0..120);
                let name = call.to_string();
                let one = memory.spend(&budget, amount, &name).await.expect("answers");
                let other = real.spend(&budget, amount, &name).await.expect("answers");
                assert_eq!(one, other, "call {call}");
                memory.correct(&budget, -5).await.expect("corrects");
                real.correct(&budget, -5).await.expect("corrects");
            }
            6 => {
                let name = format!("m{}", rng.random_range(0..30));
                let one = memory.is_marked(&name).await.expect("answers");
                assert_eq!(one, real.is_marked(&name).await.expect("answers"), "call {call}");
                memory.mark(&name, at).await.expect("marks");
                real.mark(&name, at).await.expect("marks");
            }
            _ => {
                let now = at - rng.random_range(0..40);
                let one = memory.answers(&hashes, now).await.expect("answers");
                let other = real.answers(&hashes, now).await.expect("answers");
                assert_eq!(one, other, "call {call}");
                let is_answer = |entry: &&Entry| matches!(entry, Entry::Answered { .. });
                answered += one.values().filter(is_answer).count();
            }
        }
    }
    assert!(answered > 10, "{answered} answers were seen");
}

#[tokio::test]
async fn what_waits_outlives_its_content_which_is_served_no_longer_for_that() {
    let client = dynamodb().await;
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let key = Key { user_id: "u".to_owned(), campaign: "c".to_owned() };
    let rng = &mut StdRng::seed_from_u64(1);
    let content = loop {
        if let Some(content) = write(rng, None).content {
            break content;
        }
    };
    let plain = Write {
        revision: 1,
        memory: Remembered { history: vec![past(rng)], ..Remembered::default() },
        content: Some(content),
        ask: WaitingAsk::Over,
        expires_at: 100,
        keeps_content: false,
        is_announced: false,
        asked: None,
        packed: Packed::new(),
        language: None,
    };
    table.write(&key, None, &plain).await.expect("writes");
    let ask = WaitingAsk::Until(500_000);
    let parked = Write {
        revision: 2,
        content: None,
        ask,
        expires_at: ask.expires_at(200),
        keeps_content: true,
        ..plain.clone()
    };

    table.write(&key, Some(1), &parked).await.expect("writes");
    let later = Write { revision: 3, expires_at: ask.expires_at(300), ..parked };
    table.write(&key, Some(2), &later).await.expect("writes");

    let items = client.scan().table_name(CONTENT).send().await.expect("reads");
    let items = items.items();
    let number = |name: &str| items[0].get(name).and_then(|value| value.as_n().ok()).cloned();
    assert_eq!(number(content::SERVED_UNTIL).as_deref(), Some("100"));
    assert_eq!(number(content::EXPIRES_AT), Some((500 + 14 * 86_400).to_string()));
}
