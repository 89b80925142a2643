//! What prompts speak of besides events: what Braze knows of users, and catalog items.

use std::time::Duration;

use contract::attributes::{PROFILE_UPDATE, WEBHOOK};
use contract::metrics::{self, Fate};
use contract::user_record::Event;
use processor::attributes::Profile;
use processor::store::{Asked, Key};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::world::gate::{Faults, Gate};
use crate::world::{World, campaigns_in, delivery, user_record};

const OFFER: &str = "users.behaviors.CustomEvent";
const DELETION: &str = "users.UserDeleteRequest";

fn world() -> World {
    let world = World::of(campaigns_in("tests/grounded"));
    for (id, title, more) in [("a", "Tent", Some("b")), ("b", "Mat", None), ("c", "Mug", None)] {
        let item = json!({ "title": title, "more": more, "url": format!("https://shop.example.com/{id}") });
        world.catalogs.insert("offers", id, item.as_object().expect("is an object").clone());
    }
    world
}

fn event(id: &str, time: i64, fields: &Value) -> Event {
    Event { id: id.to_owned(), time, fields: fields.as_object().expect("is an object").clone() }
}

fn offered(user: &str, id: &str, time: i64, item: &str) -> Vec<u8> {
    let fields = json!({ "properties": { "id": item, "language": "de" } });
    user_record(user, OFFER, vec![event(id, time, &fields)]).encode()
}

fn updated(user: &str, id: &str, time: i64, fields: &Value) -> Vec<u8> {
    user_record(user, PROFILE_UPDATE, vec![event(id, time, fields)]).encode()
}

fn deleted(user: &str, time: i64) -> Vec<u8> {
    user_record(user, DELETION, vec![event("gone", time, &json!({}))]).encode()
}

/// A user's content as it is stored.
fn content(world: &World, user: &str) -> Option<Value> {
    let key = Key { user_id: user.to_owned(), campaign: "offer".to_owned() };
    let tables = world.memory.tables();
    let (content, _) = tables.items.get(&key)?.content.as_ref()?;
    Some(Value::Object(content.data.clone()))
}

fn heading(world: &World, user: &str) -> String {
    let content = content(world, user).expect("has content");
    content["heading"].as_str().expect("is a text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_prompt_speaks_of_items_and_the_content_takes_their_links_over() {
    let world = world();
    let records: Vec<Vec<u8>> =
        (0..300).map(|n| offered(&format!("u{n}"), "e", 1_000, ["a", "c"][n % 2])).collect();

    let report = world.deliver(&records).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 300, "{}", report.counts.to_json());
    // One for each distinct prompt.
    assert_eq!(report.counts.get(metrics::GENERATIONS), 2);
    assert_eq!(report.counts.get(metrics::ITEMS_READ), 3);
    assert_eq!(world.catalogs.reads(), 2, "all items of a round are read at once");
    assert!(heading(&world, "u0").contains("offer: Tent, more: Mat, for you (any)"));
    assert!(heading(&world, "u1").contains("offer: Mug, for you"));
    assert_eq!(content(&world, "u0").expect("is there")["url"], "https://shop.example.com/a");
    let asked = world.memory.tables().asked.clone();
    assert_eq!(asked.len(), 300);
    let is_kept = |(asked, oldest): &(Asked, i64)| {
        asked.prompt.starts_with("offer: ") && asked.event_id == "e" && *oldest == 1_000
    };
    assert!(asked.values().all(is_kept), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_in_no_catalog_is_nothing_to_write_about_until_it_is_there() {
    let world = world();
    let instance = world.instance(&Gate::open(), 1);
    let (first, again) = (offered("u", "e1", 1_000, "z"), offered("u", "e2", 1_001, "z"));

    let report = instance.handle(delivery([(0, &first)].into_iter()), world.deadline()).await;
    assert_eq!(report.counts.get(Fate::NoItem.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(report.counts.get(metrics::GENERATIONS), 0);
    let item = json!({ "title": "Zip", "url": "https://shop.example.com/z" });
    world.catalogs.insert("offers", "z", item.as_object().expect("is an object").clone());
    // That there is none is kept for a minute.
    tokio::time::sleep(Duration::from_secs(61)).await;
    let report = instance.handle(delivery([(0, &again)].into_iter()), world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "{}", report.counts.to_json());
    assert!(heading(&world, "u").contains("offer: Zip"));
}

#[tokio::test(start_paused = true)]
async fn an_item_without_what_the_content_must_take_over_asks_nobody() {
    let world = world();
    let item = json!({ "title": "Bare", "url": "javascript:alert(1)" });
    world.catalogs.insert("offers", "bare", item.as_object().expect("is an object").clone());

    let report = world.deliver(&[offered("u", "e", 1_000, "bare")]).await;

    assert_eq!(report.counts.get(Fate::Incomplete.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(report.counts.get(metrics::GENERATIONS), 0);
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_what_braze_knows_is_what_a_prompt_shows() {
    let world = world();
    let ada = json!({ "first_name": "Ada", "custom_attributes": { "genre": "noir" }, "email_address": "a@b" });
    let records = [
        updated("u", "p2", 20, &ada),
        updated("u", "p1", 10, &json!({ "first_name": "Ida" })),
        offered("u", "e", 1_000, "c"),
    ];

    let report = world.deliver(&records).await;
    let again = world.deliver(&records[..2]).await;

    assert_eq!(report.counts.get(Fate::Attributes.metric()), 2, "{}", report.counts.to_json());
    assert!(heading(&world, "u").contains("for Ada (noir)"), "{}", heading(&world, "u"));
    assert_eq!(again.counts.get(Fate::Duplicate.metric()), 1, "{}", again.counts.to_json());
    assert_eq!(again.counts.get(Fate::Stale.metric()), 1);
    let profile = world.memory.tables().profiles["u"].clone();
    let kept: Vec<&String> = profile.known.keys().collect();
    assert_eq!(kept, ["custom_attribute.genre", "first_name"], "what nobody lists is not kept");
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_nothing_older_than_a_deletion_stays_or_comes_back() {
    for seed in 0..60 {
        let world = world();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut records: Vec<Vec<u8>> = (0..8_i64)
            .map(|n| match n % 3 {
                0 => offered("u", &format!("e{n}"), n, "c"),
                1 => updated("u", &format!("p{n}"), n, &json!({ "first_name": format!("N{n}") })),
                _ => {
                    let custom = json!({ "custom_attributes": { "genre": format!("G{n}") } });
                    updated("u", &format!("p{n}"), n, &custom)
                }
            })
            .collect();
        records.push(deleted("u", 4));
        // Some of them twice, and the deletion anywhere.
        let repeated: Vec<Vec<u8>> =
            records.iter().filter(|_| rng.random_bool(0.5)).cloned().collect();
        records.extend(repeated);
        records.shuffle(&mut rng);
        let (one, other) = records.split_at(rng.random_range(0..records.len()));
        let (a, b) = (world.instance(&Gate::open(), 1), world.instance(&Gate::open(), 2));
        tokio::join!(
            a.handle(delivery(one.iter().enumerate()), world.deadline()),
            b.handle(delivery(other.iter().enumerate()), world.deadline()),
        );

        // What went back because the other was there too comes again.
        world.deliver(&records).await;
        let tables = world.memory.tables().clone();
        let known = tables.profiles["u"].known.clone();
        let times: Vec<i64> = known.values().map(|known| known.time).collect();
        assert_eq!(times, [5, 7], "seed {seed}: {known:?}");
        let oldest = tables.items.values().filter_map(|item| item.content.as_ref());
        assert!(oldest.map(|(_, oldest)| *oldest).all(|oldest| oldest > 4), "seed {seed}");
        world.deliver(&[deleted("u", 100)]).await;
        let tables = world.memory.tables().clone();
        assert_eq!(tables.profiles.get("u").map(Profile::attributes), None, "seed {seed}");
        assert!(tables.asked.is_empty() && tables.items.is_empty(), "seed {seed}: {tables:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_asks_for_the_content_of_the_campaign_that_it_names() {
    let world = world();
    let hook = |user: &str, campaign: &str| {
        let fields = json!({ "campaign": campaign, "properties": { "id": "c" } });
        user_record(user, WEBHOOK, vec![event("w", 1_000, &fields)]).encode()
    };

    let report = world.deliver(&[hook("u", "offer"), hook("v", "other")]).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(report.counts.get(Fate::NoTrigger.metric()), 1);
    assert!(heading(&world, "u").contains("offer: Mug"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_catalogs_brings_the_events_back() {
    let world = world();
    let broken = Gate::new(1, Faults { failing: 1.0, ..Faults::default() });
    let ports = world.ports(&Gate::open(), 1);
    let items = world.ports(&broken, 1).items;
    let instance =
        world.instance_of(processor::handler::Ports { items, ..ports }, crate::world::QUESTIONS, 1);
    let record = offered("u", "e", 1_000, "c");

    let report = instance.handle(delivery([(0, &record)].into_iter()), world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Returned.metric()), 1, "{}", report.counts.to_json());
    assert_eq!(report.response.batch_item_failures.len(), 1);
}
