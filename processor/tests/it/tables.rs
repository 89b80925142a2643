//! The tables in memory behave as DynamoDB does: both get the same random calls and must
//! give the same answers.
//!
//! DynamoDB is `dynoxide`, embedded, with the real SDK and the real adapters before it.

use std::net::SocketAddr;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_smithy_runtime_api::client::http::HttpClient;
use contract::content;
use dynoxide::Database;
use processor::coordination::{BudgetOfDay, Coordination, Entry, Failed, Lease, SharedTable};
use processor::history::Past;
use processor::model::Usage;
use processor::quota::dynamodb::Lanes as DynamoDbLanes;
use processor::quota::estimate::{Learnt, Sums, period};
use processor::quota::lane::{Ask, Lane};
use processor::quota::pace::Pace;
use processor::quota::table::{LaneName, QuotaTable, Seen, Taken};
use processor::store::{Content, ContentTable, DynamoDb, Key, Write};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, json};
use tokio::net::TcpListener;

use crate::lanes::Lanes;
use crate::world::memory::Memory;

/// Random calls of each table.
const CALLS: usize = 1_500;

const CONTENT: &str = "content";
pub(crate) const COORDINATION: &str = "coordination";

async fn dynamodb() -> Client {
    dynamodb_through(aws_smithy_http_client::Builder::new().build_http()).await
}

/// DynamoDB with both tables, called through `http`.
pub(crate) async fn dynamodb_through(http: impl HttpClient + 'static) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address: SocketAddr = listener.local_addr().expect("has an address");
    let database = Database::memory().expect("opens");
    tokio::spawn(async move {
        dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()).await
    });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .http_client(http)
        .build();
    let client = Client::from_conf(config);
    create(&client, CONTENT, &[content::USER_ID, content::ITEM]).await;
    create(&client, COORDINATION, &[content::COORDINATION_KEY]).await;
    client
}

async fn create(client: &Client, name: &str, keys: &[&str]) {
    let mut table = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition = AttributeDefinition::builder()
            .attribute_name(*attribute)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(*attribute).key_type(kind);
        table = table
            .attribute_definitions(definition.build().expect("is complete"))
            .key_schema(key.build().expect("is complete"));
    }
    table.send().await.expect("is created");
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
    let content = rng.random_bool(0.6).then(|| Content {
        data,
        event_id: "e".to_owned(),
        event_time: rng.random_range(0..20),
        model_id: "m".to_owned(),
        prompt_hash: "h".to_owned(),
        input_tokens: 1,
        output_tokens: 2,
        generated_at: 3,
    });
    Write { revision: seen.map_or(7, |seen| seen + 1), history, content, expires_at: 1 }
}

#[tokio::test]
async fn the_content_table_in_memory_answers_as_dynamodb_does() {
    let real = DynamoDb::new(dynamodb().await, CONTENT.to_owned());
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
                let write = write(rng, seen);
                let one = memory.write(key, seen, &write).await.expect("writes");
                let other = real.write(key, seen, &write).await.expect("writes");
                assert_eq!(one, other, "call {call}: {key:?} {seen:?} {write:?}");
                match one {
                    processor::store::Written::Done => done += 1,
                    processor::store::Written::Conflict => conflicts += 1,
                }
            }
            6 => {
                let seen = seen.unwrap_or(3);
                let one = memory.touch(key, seen, seen + 1).await.expect("touches");
                assert_eq!(one, real.touch(key, seen, seen + 1).await.expect("touches"));
            }
            7 => {
                let seen = seen.unwrap_or(3);
                let one = memory.remove(key, seen).await.expect("removes");
                assert_eq!(one, real.remove(key, seen).await.expect("removes"), "call {call}");
            }
            8 if rng.random_bool(0.3) => {
                let at = rng.random_range(0..15);
                memory.entomb(&key.user_id, at, 99).await.expect("notes");
                real.entomb(&key.user_id, at, 99).await.expect("notes");
            }
            _ => {
                let mut one = memory.items(&key.user_id).await.expect("lists");
                let mut other = real.items(&key.user_id).await.expect("lists");
                one.sort_by(|a, b| a.0.cmp(&b.0));
                other.sort_by(|a, b| a.0.cmp(&b.0));
                assert_eq!(one, other, "call {call}");
            }
        }
        let (one, other) = (memory.load(&keys).await, real.load(&keys).await);
        assert_eq!(one.expect("loads"), other.expect("loads"), "call {call}");
    }
    assert!(done > 100 && conflicts > 100, "{done} {conflicts}");
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
                let failed = Failed { calls: rng.random_range(0..3), last: format!("f{call}") };
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
async fn the_lanes_in_memory_answer_as_dynamodb_does() {
    let real = DynamoDbLanes::new(dynamodb().await, COORDINATION.to_owned());
    let memory = Lanes::default();
    let mut rng = StdRng::seed_from_u64(3);
    let mut now_us = 1_800_000_000_000_000_u64;
    let mut seen: [Option<Seen>; 2] = [None, None];
    let (mut taken, mut refused, mut resumed, mut forgotten) = (0, 0, 0, 0);
    for _ in 0..CALLS / 3 {
        now_us += rng.random_range(0..4_000_000);
        let number = rng.random_range(0..2);
        let name = LaneName { model_id: "model".to_owned(), number };
        match rng.random_range(0..10) {
            0 if let Some(slice) = &seen[number as usize] => {
                let from_us = slice.lane.busy_until_us - rng.random_range(0..2_000_000);
                real.give_back(&name, &slice.lane, from_us).await.expect("answers");
                memory.give_back(&name, &slice.lane, from_us).await.expect("answers");
            }
            1 if seen[number as usize].is_some() => {
                let from_us = now_us + rng.random_range(0..9_000_000);
                let pace = Pace { part: 0.25, from_us, ceiling: rng.random_range(0.3..1.0) };
                real.slow_down(&name, now_us, pace).await.expect("answers");
                memory.slow_down(&name, now_us, pace).await.expect("answers");
            }
            _ => {
                let ask = Ask {
                    now_us,
                    length_us: rng.random_range(1..5_000_000),
                    latest_us: now_us + rng.random_range(0..6_000_000),
                    day: now_us / 500_000_000,
                    tokens: rng.random_range(1..50),
                    tokens_per_day: rng.random_bool(0.5).then_some(900),
                    resumes_us: rng.random_bool(0.2).then_some(now_us + 500_000),
                };
                let learnt = learnt(&mut rng, now_us);
                let before = seen[number as usize].as_ref();
                let ours = memory.take(&name, &ask, &learnt, None).await.expect("answers");
                let theirs = real.take(&name, &ask, &learnt, before).await.expect("answers");
                assert_eq!(bare(theirs.clone()), bare(ours), "{ask:?}");
                match theirs {
                    Taken::Slice(lane) => {
                        taken += 1;
                        resumed += u64::from(lane.lane.resumed_at_us == now_us);
                        forgotten += usize::from(before.is_some_and(|before| {
                            before.past.iter().any(|name| !lane.past.contains(name))
                        }));
                        // Sometimes what was seen is no longer so.
                        if rng.random_bool(0.8) {
                            seen[number as usize] = Some(lane);
                        }
                    }
                    Taken::Busy(_) | Taken::DayUsedUp => refused += 1,
                }
            }
        }
    }
    assert!(taken > 50 && refused > 50 && resumed > 20, "{taken} {refused} {resumed}");
    assert!(forgotten > 0, "what is past is removed");
}

fn learnt(rng: &mut StdRng, now_us: u64) -> Vec<Learnt> {
    let campaigns = ["one", "other"].into_iter().filter(|_| rng.random_bool(0.3));
    let campaigns: Vec<&str> = campaigns.collect();
    let learnt = campaigns.into_iter().map(|campaign| {
        let mut sum = || f64::from(rng.random_range(1..1_000_u32));
        let sums = Sums {
            calls: sum(),
            estimated_input: sum(),
            input: sum(),
            output: sum(),
            took_ms: sum(),
            squares: sum() * 1e12,
        };
        Learnt { campaign: campaign.to_owned(), period: period(now_us), sums }
    });
    learnt.collect()
}

/// As both tables answer: the one in memory forgets what is past at once, and neither
/// keeps an order.
fn bare(mut taken: Taken) -> Taken {
    if let Taken::Slice(seen) | Taken::Busy(seen) = &mut taken {
        seen.past.clear();
        seen.learnt.sort_by_key(|learnt| (learnt.campaign.clone(), learnt.period));
    }
    taken
}

#[tokio::test]
async fn time_is_given_back_once_however_often_the_update_is_sent() {
    let real = DynamoDbLanes::new(dynamodb().await, COORDINATION.to_owned());
    let memory = Lanes::default();
    let tables: [&dyn QuotaTable; 2] = [&real, &memory];
    let name = LaneName { model_id: "repeated".to_owned(), number: 0 };
    let now_us = 1_800_000_000_000_000_u64;
    let ask = |length_us| Ask {
        now_us,
        length_us,
        latest_us: now_us + 60_000_000,
        day: now_us / 86_400_000_000,
        tokens: 1,
        tokens_per_day: None,
        resumes_us: None,
    };
    for table in tables {
        let slice = take(table, &name, &ask(2_000_000)).await;
        table.give_back(&name, &slice, now_us + 1_000_000).await.expect("answers");
        // Whoever takes what was given back ends where the slice did.
        let next = take(table, &name, &ask(1_000_000)).await;
        assert_eq!(next.busy_until_us, slice.busy_until_us);

        table.give_back(&name, &slice, now_us + 1_000_000).await.expect("answers");

        let last = take(table, &name, &ask(1_000_000)).await;
        assert_eq!(last.busy_until_us, now_us + 3_000_000);
    }
}

async fn take(table: &dyn QuotaTable, name: &LaneName, ask: &Ask) -> Lane {
    match table.take(name, ask, &[], None).await.expect("answers") {
        Taken::Slice(seen) => seen.lane,
        other => panic!("is free: {other:?}"),
    }
}
