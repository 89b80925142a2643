//! What was known of a user before their deletion is in no content, in every order, although
//! the event that the content is for is newer.

use std::sync::{Arc, OnceLock};

use campaign::CompiledCampaign;
use contract::attributes::PROFILE_UPDATE;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::{Choice, DELETED_AT, SAMPLED, assert_done, deleted, run_in};
use crate::world::{World, campaigns_in, event, user_record};
use contract::user_record::Event;

/// One campaign, whose prompt shows a first name.
fn greeting_only() -> World {
    static CAMPAIGNS: OnceLock<Vec<Arc<CompiledCampaign>>> = OnceLock::new();
    let campaigns = CAMPAIGNS.get_or_init(|| campaigns_in("tests/grounded"));
    let campaigns = campaigns.iter().filter(|each| each.campaign.name == "greeting");
    World::of(campaigns.cloned().collect())
}

fn named(id: &str, time: i64, name: &str) -> Vec<u8> {
    let fields = json!({ "first_name": name });
    let fields = fields.as_object().expect("is an object").clone();
    user_record("u", PROFILE_UPDATE, vec![Event { id: id.to_owned(), time, fields }]).encode()
}

fn before() -> Vec<u8> {
    named("p", DELETED_AT - 5, "Ada")
}

fn after() -> Vec<u8> {
    named("q", DELETED_AT + 5, "Bea")
}

fn newer() -> Vec<u8> {
    user_record("u", "watched", vec![event("n", DELETED_AT + 10, "a")]).encode()
}

/// All that is stored of anybody.
fn stored(world: &World) -> String {
    let tables = world.memory.tables();
    format!("{:?} {:?} {:?}", tables.items, tables.asked, tables.profiles)
}

fn replay(world: &World, records: &[Vec<u8>]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("runtime is built").block_on(async {
        for record in records {
            assert_done(&world.deliver(std::slice::from_ref(record)).await);
        }
    });
}

/// Tries every order of an event after the deletion and the deletion; tells how many there are,
/// and after how many of them an item stands before anything comes again.
fn every_order_after(first: &[Vec<u8>]) -> (usize, usize) {
    let (mut orders, mut items) = (0, 0);
    let mut next = Some(Choice::Listed { chosen: Vec::new(), possible: Vec::new() });
    while let Some(mut choice) = next {
        let world = run_in(greeting_only, first, &[newer(), deleted()], &mut choice);
        assert!(!stored(&world).contains("Ada"), "{}", stored(&world));
        items += world.memory.tables().items.len();
        replay(&world, &[before(), newer()]);
        assert!(!stored(&world).contains("Ada"), "{}", stored(&world));
        let tables = world.memory.tables();
        let written = tables.items.values().filter(|item| item.content.is_some()).count();
        assert_eq!(written, 1, "the event after the deletion is a new user's");
        orders += 1;
        next = choice.next();
    }
    (orders, items)
}

#[test]
fn content_that_speaks_of_what_was_known_before_a_deletion_goes_with_it_in_every_order() {
    let (orders, items) = every_order_after(&[before()]);

    assert!(orders > 100 && items > 0 && items < orders, "{orders} orders, {items} items");
}

#[test]
fn content_that_survives_a_deletion_takes_nothing_older_in_with_it() {
    // It was written before anything was known of the user.
    let survivor = user_record("u", "watched", vec![event("m", DELETED_AT + 8, "b")]).encode();

    let (orders, items) = every_order_after(&[survivor, before()]);

    assert!(orders > 100 && items > 0, "{orders} orders, {items} items");
}

#[test]
fn what_became_known_after_a_deletion_stays_whatever_the_order() {
    for seed in 0..SAMPLED {
        let mut choice = Choice::Random(Box::new(StdRng::seed_from_u64(seed)));
        let first = if seed % 2 == 0 { vec![before()] } else { Vec::new() };
        let second = if seed % 2 == 0 { newer() } else { before() };
        let world = run_in(greeting_only, &first, &[after(), deleted(), second], &mut choice);
        replay(&world, &[before(), after(), newer()]);
        let known = world.memory.tables().profiles["u"].attributes();
        assert_eq!(json!(known), json!({ "first_name": "Bea" }), "seed {seed}");
        assert!(!stored(&world).contains("Ada"), "seed {seed}: {}", stored(&world));
    }
}
