//! An ask that was announced and is not there costs no content, nor does a quota that lets few
//! through.

use std::time::Duration;

use contract::metrics::{AskFate, Fate};
use processor::store::Key;
use quota::{ModelQuota, ModelQuotas};

use crate::answers::{bought, slow_only};
use crate::world::gate::{Faults, Gate};
use crate::world::model::AWKWARD;
use crate::world::{EPOCH_MS, World, campaigns_in, delivery, event, user_record};

const NOW: i64 = (EPOCH_MS / 1_000).cast_signed();

/// How long an ask may wait.
const AT_MOST: Duration = Duration::from_secs(3 * 3_600);

/// Tokens in a minute of which one call and its correction can take half each.
const TWO_CALLS: u64 = 700;

/// The campaign that asks an hour after its event, unless something was bought.
fn abandoned() -> World {
    let campaigns = campaigns_in("tests/waiting").into_iter();
    World::of(campaigns.filter(|each| each.campaign.name == "abandoned").collect())
}

fn record(event_type: &str, id: &str, time: i64) -> Vec<u8> {
    user_record("u", event_type, vec![event(id, time, "a")]).encode()
}

/// Of whom the content is, once no ask waits.
async fn written_for(world: &World) -> Option<String> {
    world.settle(AT_MOST).await;
    let key = Key { user_id: "u".to_owned(), campaign: "abandoned".to_owned() };
    let tables = world.memory.tables();
    let item = tables.items.get(&key)?;
    assert_eq!(item.parked_until_ms, None);
    item.content.as_ref().map(|(content, _)| content.event_id.clone())
}

/// An event by somebody who is cut off between announcing its ask and sending it.
async fn cut_off(world: &World, record: &Vec<u8>) {
    let mut ports = world.ports(&Gate::open(), 1);
    let fails = Faults { failing: 1.0, ..Faults::default() };
    ports.asks = std::sync::Arc::new(Gate::new(1, fails).over(std::sync::Arc::clone(&world.asks)));
    let instance = world.instance_of(ports, 1, 1);
    let report = instance.handle(delivery([(0, record)].into_iter()), world.deadline()).await;
    assert_eq!(report.counts.get(Fate::Returned.metric()), 1);
    assert!(world.asks.asks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_was_not_sent_is_sent_with_the_repeat_also_beside_a_newer_event() {
    let world = abandoned();
    let first = record("watched", "e1", NOW - 60);
    cut_off(&world, &first).await;

    world.deliver(&[first, record("watched", "e2", NOW)]).await;

    assert_eq!(written_for(&world).await.as_deref(), Some("e2"));
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_came_to_nothing_keeps_no_later_event_from_asking() {
    let world = abandoned();
    let first = record("watched", "e1", NOW - 60);
    cut_off(&world, &first).await;

    world.deliver(&[first, record("bought", "b", NOW - 30)]).await;
    world.deliver(&[record("watched", "e2", NOW)]).await;

    assert_eq!(written_for(&world).await.as_deref(), Some("e2"));
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_waits_for_the_quota_does_not_take_itself_for_another() {
    let world = abandoned();
    let others_wait = "waiting#test-model#normal".to_owned();
    world.memory.tables().notices.insert(others_wait, EPOCH_MS + 1_000);

    world.deliver(&[record("watched", "e1", NOW - 7_200)]).await;
    world.deliver(&[record("watched", "e2", NOW - 1_800)]).await;
    let report = world.work().await;
    assert_eq!(report.counts.get(AskFate::ParkedAgain.metric()), 1);

    assert_eq!(written_for(&world).await.as_deref(), Some("e2"));
}

#[tokio::test(start_paused = true)]
async fn a_correction_waits_for_the_quota_as_long_as_there_is_time() {
    let mut world = slow_only(|_| {});
    world.quotas = ModelQuotas::same(ModelQuota::of_tokens(TWO_CALLS));

    world.deliver(&[bought(1, "e", 1_000, AWKWARD)]).await;
    world.settle(AT_MOST).await;

    assert_eq!(world.model.calls(), 1, "the correction not counted");
    let items = world.memory.tables().items.clone();
    assert!(items.values().all(|item| item.content.is_some()) && items.len() == 1);
    assert!(world.letters().is_empty(), "{:?}", world.letters());
}
