//! What ends the program, or upsets it: it costs its own unit, and is found in a few deliveries.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use contract::dead_letter::Input;
use contract::metrics::{AskFate, Counts, Fate};
use processor::attributes::Profile;
use processor::eligibility::State;
use processor::handler::{Ports, Processor, Report};
use processor::model::ModelError;
use processor::simulated::memory::Memory;
use processor::store::{ContentTable, Key, OfUser, ProfileWrite, TableError, Write, WriteResult};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::answers::{bought, slow_only};
use crate::world::gate::Gate;
use crate::world::model::PANICKING;
use crate::world::{QUESTIONS, SCHEDULE, World, delivery};

/// Whose item ends whoever reads it.
const DEADLY: &str = "u7";

/// Whose item nobody can write.
const UPSETTING: &str = "u5";

/// Deliveries within which a unit is found that ends the function.
const FOUND_WITHIN: usize = 16;

/// A table some of whose items no program survives.
#[derive(Debug)]
struct Trapped {
    table: Arc<Memory>,
    ended: Arc<Notify>,
}

#[async_trait]
impl ContentTable for Trapped {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        if keys.iter().any(|key| key.user_id == DEADLY) {
            self.ended.notify_one();
            std::future::pending::<()>().await;
        }
        self.table.load(keys).await
    }

    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        assert_ne!(key.user_id, UPSETTING, "nobody can write it");
        self.table.write(key, seen, write).await
    }

    async fn entomb(&self, user_id: &str, at: i64, expires_at: i64) -> Result<(), TableError> {
        self.table.entomb(user_id, at, expires_at).await
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        self.table.profiles(users).await
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        self.table.write_profile(user_id, seen, write).await
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        self.table.remove_profile(user_id, seen).await
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        self.table.of_user(user_id).await
    }

    async fn remove_asked(&self, key: &Key) -> Result<(), TableError> {
        self.table.remove_asked(key).await
    }

    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError> {
        self.table.remove_unknown(user_id, sort_key, deleted_at).await
    }

    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError> {
        self.table.remove(key, seen).await
    }

    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError> {
        self.table.touch(key, seen, revision).await
    }
}

/// An instance over such a table, and what tells that it was ended.
fn trapped(world: &World) -> (Processor, Arc<Notify>) {
    let ended = Arc::new(Notify::new());
    let table = Trapped { table: Arc::clone(&world.memory), ended: Arc::clone(&ended) };
    let ports = Ports { table: Arc::new(table), ..world.ports(&Gate::open(), 1) };
    (world.instance_of(ports, QUESTIONS, 1), ended)
}

/// One delivery; none if it ended its function.
async fn deliver(world: &World, records: &[(usize, &Vec<u8>)]) -> Option<Report> {
    let (instance, ended) = trapped(world);
    tokio::select! {
        biased;
        report = instance.handle(delivery(records.iter().copied()), world.deadline()) => Some(report),
        () = ended.notified() => None,
    }
}

/// One worker; none if it was ended.
async fn work(world: &World) -> Option<Report> {
    let (instance, ended) = trapped(world);
    tokio::select! {
        biased;
        report = instance.work(world.deadline()) => Some(report),
        () = ended.notified() => None,
    }
}

fn carts(users: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    users.map(|n| bought(n, &format!("e{n}"), 1_000, &format!("show {n}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_ends_the_function_is_found_in_a_few_deliveries_and_harms_no_other() {
    let world = slow_only(|_| {});
    let records = carts(10..40).into_iter().chain(carts(7..8)).chain(carts(40..70));
    let records: Vec<Vec<u8>> = records.collect();
    let numbered: Vec<(usize, &Vec<u8>)> = records.iter().enumerate().collect();
    // As Lambda does with a batch that fails: it is split.
    let mut waiting = vec![numbered];
    let mut deliveries = 0;
    while let Some(mut batch) = waiting.pop() {
        deliveries += 1;
        match deliver(&world, &batch).await {
            Some(report) => assert!(report.response.batch_item_failures.is_empty()),
            None if batch.len() > 1 => {
                let second = batch.split_off(batch.len() / 2);
                waiting.extend([second, batch]);
            }
            None => waiting.push(batch),
        }
        assert!(deliveries <= FOUND_WITHIN, "{deliveries}");
    }
    let counts = world.settle(SCHEDULE * 60).await;

    assert_eq!(counts.get(AskFate::DeadLettered.metric()), 0);
    let letters = world.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].reason, "kills_the_function");
    let Input::Unit { user_id, user_records, .. } = &letters[0].input else { panic!("is a unit") };
    assert_eq!((user_id.as_str(), user_records.len()), (DEADLY, 1));
    let tables = world.memory.tables();
    assert_eq!(tables.items.values().filter(|item| item.content.is_some()).count(), 60);
    assert!(world.model.asked.lock().expect("whole").values().all(|times| *times == 1));
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_ends_its_worker_is_found_and_the_others_in_hand_are_answered() {
    let world = slow_only(|_| {});
    // Nobody is answered, so all of them wait.
    world.model.fail((0..200).map(|_| ModelError::DailyQuota));
    world.deliver(&carts(0..20)).await;
    assert_eq!(world.asks.asks().len(), 20);
    world.model.failures.lock().expect("whole").clear();
    let (mut counts, mut ended, mut workers) = (Counts::default(), 0, 0);
    while world.asks.next_visible().is_some() {
        workers += 1;
        match work(&world).await {
            Some(report) => counts.merge(&report.counts),
            None => ended += 1,
        }
        sleep(SCHEDULE).await;
        assert!(workers < 60, "{:?}", world.asks.asks());
    }

    assert_eq!(ended, 4, "with others, and three times by itself");
    let letters = world.letters();
    assert_eq!(letters.iter().filter(|letter| letter.reason == "kills_the_function").count(), 1);
    let tables = world.memory.tables();
    let with_content = tables.items.values().filter(|item| item.content.is_some());
    // The deadly one, and the one that nobody can write.
    assert_eq!(with_content.count(), 18, "{}", counts.to_json());
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_unit_only() {
    let world = slow_only(|_| {});
    let mut records = carts(0..7);
    records.push(bought(90, "e90", 1_000, PANICKING));
    let numbered: Vec<(usize, &Vec<u8>)> = records.iter().enumerate().collect();

    let report = deliver(&world, &numbered).await.expect("ends");

    assert!(report.response.batch_item_failures.is_empty());
    assert_eq!(report.counts.get(Fate::Stored.metric()), 6);
    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 2);
    assert_eq!(report.counts.fates(), 8);
    let letters = world.letters();
    assert!(letters.iter().all(|letter| letter.reason == "panicked"), "{letters:?}");
    let users = letters.iter().map(|letter| match &letter.input {
        Input::Unit { user_id, .. } => user_id.clone(),
        input => format!("{input:?}"),
    });
    let mut users: Vec<String> = users.collect();
    users.sort();
    assert_eq!(users, [UPSETTING, "u90"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_comes_again_for_a_table_that_is_ill_is_under_no_suspicion() {
    let world = slow_only(|_| {});
    let records = carts(10..12);
    let faults = crate::world::gate::Faults { failing: 1.0, ..Default::default() };
    for seed in 0..3 {
        let ill = Gate::new(seed, faults);
        let ports = Ports {
            table: Arc::new(ill.over(Arc::clone(&world.memory))),
            ..world.ports(&Gate::open(), seed)
        };
        let instance = world.instance_of(ports, QUESTIONS, seed);
        let report = instance.handle(delivery(records.iter().enumerate()), world.deadline()).await;
        assert_eq!(report.response.batch_item_failures.len(), 2);
    }

    let report = world.deliver(&records).await;

    assert_eq!(report.counts.get(Fate::Stored.metric()), 2, "it asks as any other");
}
