//! The stages of an invocation keep nothing waiting for one another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contract::metrics::{self, Fate};
use processor::attributes::Profile;
use processor::eligibility::State;
use processor::handler::{Ports, Processor};
use processor::simulated::memory::Memory;
use processor::store::{ContentTable, Key, OfUser, ProfileWrite, TableError, Write, WriteResult};
use tokio::time::{Instant, sleep};

use crate::answers::{bought, slow_only};
use crate::world::gate::Gate;
use crate::world::model::{FORBIDDEN, SLUGGISH};
use crate::world::{QUESTIONS, World, delivery};

/// The content table, with writes that take long.
#[derive(Debug)]
struct SlowWrites {
    memory: Arc<Memory>,
    take: Duration,
}

#[async_trait]
impl ContentTable for SlowWrites {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        self.memory.load(keys).await
    }

    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        sleep(self.take).await;
        self.memory.write(key, seen, write).await
    }

    async fn entomb(&self, user_id: &str, at: i64, expires_at: i64) -> Result<(), TableError> {
        self.memory.entomb(user_id, at, expires_at).await
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        self.memory.profiles(users).await
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        self.memory.write_profile(user_id, seen, write).await
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        self.memory.remove_profile(user_id, seen).await
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        self.memory.of_user(user_id).await
    }

    async fn remove_asked(&self, key: &Key) -> Result<(), TableError> {
        self.memory.remove_asked(key).await
    }

    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError> {
        self.memory.remove_unknown(user_id, sort_key, deleted_at).await
    }

    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError> {
        self.memory.remove(key, seen).await
    }

    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError> {
        self.memory.touch(key, seen, revision).await
    }
}

/// An instance whose writes take six seconds each.
fn slowly_writing(world: &World, questions: usize) -> Processor {
    let take = Duration::from_secs(6);
    let table = Arc::new(SlowWrites { memory: Arc::clone(&world.memory), take });
    let ports = Ports { table, ..world.ports(&Gate::open(), 1) };
    world.instance_of(ports, questions, 1)
}

/// Users from `first` on, who all bought the same.
fn users(first: usize, number: usize, show: &str) -> Vec<Vec<u8>> {
    (first..first + number).map(|n| bought(n, &format!("e{n}"), 1_000, show)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_when_it_comes_however_slow_the_writes_are() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(5));
    let records = [users(0, 400, "common"), users(400, 1, "rare")].concat();
    let writer = slowly_writing(&world, QUESTIONS);
    let first = writer.handle(delivery(records.iter().enumerate()), world.deadline());
    let second = async {
        sleep(Duration::from_secs(6)).await;
        let began = Instant::now();
        let report = world.deliver(&users(401, 1, "rare")).await;
        (report, began.elapsed())
    };

    let (first, (second, took)) = futures::future::join(first, second).await;

    assert_eq!(first.counts.get(Fate::Stored.metric()), 401);
    assert_eq!(second.counts.get(metrics::CONTENTS_FROM_CACHE), 1);
    assert_eq!(world.model.calls(), 2, "nobody pays for the rare prompt again");
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_next_question_is_asked_while_earlier_answers_are_written() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(5));
    let records = [users(0, 200, "common"), users(200, 1, "rare")].concat();
    let writer = slowly_writing(&world, 1);
    let handled = writer.handle(delivery(records.iter().enumerate()), world.deadline());
    let watched = async {
        sleep(Duration::from_secs(6)).await;
        world.model.prompts().len()
    };

    let (report, asked) = futures::future::join(handled, watched).await;

    assert_eq!(asked, 2, "the one permit is free as soon as its answer is there");
    assert_eq!(report.counts.get(Fate::Stored.metric()), 201);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_keeps_none_of_the_units_behind_it_waiting() {
    let world = slow_only(|_| {});
    world.model.take(Duration::from_secs(1));
    // More than are read at once.
    let records = [users(0, 1_200, SLUGGISH), users(1_200, 2_999, "common")].concat();
    let instance = world.instance(&Gate::open(), 1);
    let handled = instance.handle(delivery(records.iter().enumerate()), world.deadline());
    let watched = async {
        sleep(Duration::from_secs(10)).await;
        world.memory.tables().items.len()
    };

    let (report, stored) = futures::future::join(handled, watched).await;

    assert_eq!(stored, 2_999);
    assert_eq!(report.counts.get(Fate::Stored.metric()), 4_199);
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_again_has_the_model_asked_anew_beside_others_with_the_same_prompt() {
    let world = slow_only(|_| {});
    world.deliver(&users(0, 1, FORBIDDEN)).await;
    assert_eq!(world.model.calls(), 1);
    let mut again = crate::world::user_record(
        "u0",
        "bought",
        vec![crate::world::event("e0", 1_000, FORBIDDEN)],
    );
    again.redriven_at_ms = Some(world.clock().now_ms() + 1);
    sleep(Duration::from_secs(1)).await;
    let mut records = users(1, 600, FORBIDDEN);
    records.push(again.encode());

    let report = world.deliver(&records).await;

    assert_eq!(report.counts.get(Fate::DeadLettered.metric()), 601);
    assert_eq!(world.model.calls(), 2, "once for all of them");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_in_time_goes_back_and_what_is_done_stays() {
    let world = slow_only(|_| {});
    let records = users(0, 5_000, "common");
    let writer = slowly_writing(&world, QUESTIONS);

    let report = writer.handle(delivery(records.iter().enumerate()), world.deadline()).await;

    let (stored, returned) =
        (report.counts.get(Fate::Stored.metric()), report.counts.get(Fate::Returned.metric()));
    assert!(stored > 500 && returned > 500, "{stored} {returned}");
    assert_eq!(stored + returned, 5_000);
    assert_eq!(report.response.batch_item_failures.len() as u64, returned);
    assert!(world.memory.tables().items.len() as u64 >= stored);
    assert_eq!(report.returned_for.as_deref(), Some("out of time"));
    assert_eq!(report.counts.get(metrics::GENERATIONS), 1, "what was paid for is counted");
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_for_is_counted_also_if_nothing_of_it_is_written_in_time() {
    let world = slow_only(|_| {});
    let take = Duration::from_secs(3_600);
    let table = Arc::new(SlowWrites { memory: Arc::clone(&world.memory), take });
    let instance =
        world.instance_of(Ports { table, ..world.ports(&Gate::open(), 1) }, QUESTIONS, 1);
    let records = users(0, 3, "common");

    let report = instance.handle(delivery(records.iter().enumerate()), world.deadline()).await;

    assert_eq!(report.counts.get(Fate::Returned.metric()), 3);
    assert_eq!(report.counts.get(metrics::GENERATIONS), 1);
    assert!(report.counts.get(metrics::OUTPUT_TOKENS) > 0);
}
