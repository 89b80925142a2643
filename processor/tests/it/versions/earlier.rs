//! What an earlier version left, half done and done, is brought to its end by this one.
//!
//! The files of `tests/earlier` are what programs of their time left in the tables, and what was
//! on the stream and the queues. They are never written anew: when a form changes another is
//! added, and one is removed when nothing of its time can be stored any more.

use std::sync::Arc;
use std::time::Duration;

use contract::ask::{Ask, Queue};
use contract::content;
use contract::metrics::{AskFate, Fate};
use processor::asks::AskQueue as _;
use processor::coordination::SharedTable;
use processor::handler::{Ports, Processor, Report};
use processor::store::{DynamoDb, Form};
use serde_json::Value;

use super::{Client, golden, held, holding};
use crate::tables::{CONTENT, COORDINATION};
use crate::world::gate::Gate;
use crate::world::{EPOCH_MS, QUESTIONS, World, delivery};

const EARLIER: [&str; 1] = [include_str!("../../earlier/2026-11.json")];

/// How much later this version comes, in milliseconds: answers are still kept.
const LATER_MS: u64 = 3_600_000;

/// An instance that works on the tables of a DynamoDB.
pub(super) fn instance(world: &World, client: &Client, form: Form) -> Processor {
    let table = DynamoDb::new(client.clone(), CONTENT.to_owned());
    let ports = Ports {
        table: Arc::new(table.writing(form)),
        coordination: Arc::new(SharedTable::new(client.clone(), COORDINATION.to_owned())),
        ..world.ports(&Gate::open(), 1)
    };
    world.instance_of(ports, QUESTIONS, 1)
}

/// Hands over a user record that was on the stream.
async fn take(instance: &Processor, world: &World, record: &Value) -> Report {
    let record = record.to_string().into_bytes();
    let report = instance.handle(delivery([&record].into_iter().enumerate()), world.deadline());
    report.await
}

/// The items of the content table that are some user's.
fn of_user(held: &Value, user: &Value) -> Vec<Value> {
    let items = held[CONTENT].as_array().expect("is a list").iter();
    items.filter(|item| item[content::USER_ID]["S"] == *user).cloned().collect()
}

#[tokio::test]
async fn what_an_earlier_version_left_is_brought_to_its_end_and_nothing_is_done_twice() {
    for (text, form) in EARLIER.iter().flat_map(|text| [(text, Form::Plain), (text, Form::Compact)])
    {
        let left = golden(text);
        let records = &left["records"];
        let client = holding(&left["items"]).await;
        let mut world = World::new();
        world.epoch_ms = EPOCH_MS + LATER_MS;
        let instance = instance(&world, &client, form);
        let campaigns = world.campaigns.len() as u64;

        // Its repeat changes nothing.
        let report = take(&instance, &world, &records["done"]).await;
        assert_eq!(report.counts.get(Fate::Duplicate.metric()), 1, "{}", report.counts.to_json());
        let user = &records["done"]["user_id"];
        assert_eq!(of_user(&held(&client).await, user), of_user(&left["items"], user));

        // The same prompt gets the same answer.
        let report = take(&instance, &world, &records["twin"]).await;
        assert_eq!(report.counts.get(Fate::Stored.metric()), 1, "{}", report.counts.to_json());
        assert_eq!(world.model.calls(), 0, "{:?}", world.model.prompts());

        // Whoever was deleted does not come back.
        let report = take(&instance, &world, &records["gone"]).await;
        assert_eq!(report.counts.get(Fate::Deleted.metric()), 1, "{}", report.counts.to_json());
        let user = &records["gone"]["user_id"];
        assert_eq!(of_user(&held(&client).await, user), of_user(&left["items"], user));

        // What was parked is answered from what is remembered.
        let asks = left["asks"].as_array().expect("is a list").iter();
        let asks =
            asks.map(|ask| (Ask::decode(&ask.to_string()).expect("decodes"), Duration::ZERO));
        let asks: Vec<_> = asks.collect();
        assert_eq!(asks.len() as u64, campaigns);
        world.asks.send(&Queue::Later, &asks).await.expect("is there");
        let moved = instance.work(world.deadline()).await;
        let mut counts = moved.counts;
        counts.merge(&instance.work(world.deadline()).await.counts);
        assert_eq!(counts.get(AskFate::Stored.metric()), campaigns, "{}", counts.to_json());
        assert_eq!(world.model.calls(), campaigns, "{:?}", world.model.prompts());
        let stored = of_user(&held(&client).await, &records["parked"]["user_id"]);
        assert_eq!(stored.len() as u64, campaigns);
        for item in stored {
            assert!(item[content::DATA].is_object(), "{item}");
            assert_eq!(item.get(content::PARKED_UNTIL), None);
        }

        // An event that an instance of that time had seen only just counts once.
        let report = take(&instance, &world, &records["parked"]).await;
        assert_eq!(report.counts.get(Fate::Duplicate.metric()), 1, "{}", report.counts.to_json());
        assert_eq!((world.letters().len(), world.asks.asks().len()), (0, 0));
    }
}
