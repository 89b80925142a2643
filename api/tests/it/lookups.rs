//! What a valid look-up gets.

use api::cache::Cache;
use api::settings::UnknownUser;
use contract::metrics;
use http::header;
use serde_json::{Value, json};

use crate::rig::{CAMPAIGN, LATER, OTHER_CAMPAIGN, World, api_over, gate, get};

const BOTH: &str = "user_id=u&campaign=offer,new-episode";

#[tokio::test]
async fn stored_content_is_served_in_dynamodbs_json_and_in_plain() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello \"you\"", LATER).await;
    let api = world.api();

    let stored = json!({
        "Item": {
            "data": { "M": { "heading": { "S": "Hello \"you\"" } } },
            "user_id": { "S": "u" },
        }
    });
    assert_eq!(get("user_id=u&campaign=new-episode").json(&api).await, (200, stored));
    let plain = json!({ "data": { "heading": "Hello \"you\"" }, "user_id": "u" });
    let query = "user_id=u&campaign=new-episode&format=plain";
    assert_eq!(get(query).json(&api).await, (200, plain));
}

#[tokio::test]
async fn several_campaigns_stand_in_one_object_each_under_its_name() {
    let world = World::start().await;
    world.store("u", OTHER_CAMPAIGN, "Offer", LATER).await;
    let api = world.api();

    let (answer, counts) = get(BOTH).counted(&api).await;

    let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
    let items = &body["Items"];
    assert_eq!(items.as_object().expect("is an object").len(), 2);
    assert_eq!(items["offer"]["data"]["M"]["heading"]["S"], "Offer");
    assert_eq!(items["offer"].get("source"), None);
    assert_eq!(items["new-episode"]["source"]["S"], "fallback");
    assert_eq!(counts.get(metrics::CONTENTS_SERVED), 1);
    assert_eq!(counts.get(metrics::FALLBACKS_SERVED), 1);
    let (_, plain) = get(&format!("{BOTH}&format=plain")).json(&api).await;
    assert_eq!(plain["contents"]["offer"]["data"]["heading"], "Offer");
}

#[tokio::test]
async fn of_several_campaigns_those_that_do_not_exist_are_left_out() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let api = world.api();

    let (status, body) = get("user_id=u&campaign=gone,new-episode,left").json(&api).await;

    assert_eq!(status, 200);
    // Still each under its name, so that a message finds what it finds otherwise.
    let items = body["Items"].as_object().expect("is an object");
    assert_eq!(items.keys().collect::<Vec<_>>(), ["new-episode"]);
    assert_eq!(items["new-episode"]["data"]["M"]["heading"]["S"], "Hello");
}

#[tokio::test]
async fn expired_content_counts_as_none_whether_one_or_several_are_asked_for() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Old", 1_000).await;
    let api = world.api();

    let (_, one) = get("user_id=u&campaign=new-episode").json(&api).await;
    let (_, both) = get(BOTH).json(&api).await;

    assert_eq!(one["Item"]["source"]["S"], "fallback");
    assert_eq!(both["Items"]["new-episode"], one["Item"]);
}

#[tokio::test]
async fn retracted_content_counts_as_none_whether_one_or_several_are_asked_for() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Your cart", LATER).await;
    world.retract("u", CAMPAIGN, (1_000, 1_001)).await;
    world.store("u", OTHER_CAMPAIGN, "Newer cart", LATER).await;
    world.retract("u", OTHER_CAMPAIGN, (1_002, 1_001)).await;
    let api = world.api();

    let (one, counts) = get("user_id=u&campaign=new-episode").counted(&api).await;
    let (_, both) = get(BOTH).json(&api).await;

    let nobody = get("user_id=nobody&campaign=new-episode").send(&api).await;
    assert_eq!(one.body().replace("\"u\"", "\"nobody\""), *nobody.body());
    assert_eq!(counts.get(metrics::FALLBACKS_SERVED), 1);
    assert_eq!(counts.get(metrics::CONTENTS_SERVED), 0);
    assert_eq!(both["Items"]["new-episode"]["source"]["S"], "fallback");
    assert_eq!(both["Items"]["offer"]["data"]["M"]["heading"]["S"], "Newer cart");
}

#[tokio::test]
async fn retracted_content_is_not_kept_and_what_is_written_after_it_shows_at_once() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Your cart", LATER).await;
    world.retract("u", CAMPAIGN, (1_000, 1_001)).await;
    let api = api_over(&world.config, gate(), Cache::new(3_600), UnknownUser::NotFound);
    let ask = get("user_id=u&campaign=new-episode");
    let refused = ask.send(&api).await;
    assert_eq!(refused.status(), 404);
    assert!(refused.body().contains("no_content"), "{}", refused.body());

    world.retract("u", CAMPAIGN, (1_002, 1_001)).await;

    assert!(ask.send(&api).await.body().contains("Your cart"));
}

#[tokio::test]
async fn a_user_without_content_gets_404_if_that_is_set() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let api = api_over(&world.config, gate(), None, UnknownUser::NotFound);

    let nobody = get("user_id=nobody&campaign=new-episode");
    let (status, body) = nobody.json(&api).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("no_content")));
    let (_, counts) = nobody.counted(&api).await;
    assert_eq!(counts.get(metrics::CALLS_WITHOUT_CONTENT), 1);
    assert_eq!(counts.get(metrics::CALLS_REFUSED), 0);
    assert_eq!(get("user_id=u&campaign=new-episode").send(&api).await.status(), 200);
    // One of several is enough.
    assert_eq!(get(BOTH).send(&api).await.status(), 200);
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again_until_it_changes() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let api = world.api();
    let first = get("user_id=u&campaign=new-episode").send(&api).await;
    let mut again = get("user_id=u&campaign=new-episode");
    again.headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());

    let same = again.send(&api).await;
    world.store("u", CAMPAIGN, "Bye", LATER).await;
    let other = again.send(&api).await;

    assert_eq!((same.status().as_u16(), same.body().as_str()), (304, ""));
    assert_eq!(same.headers()[header::CACHE_CONTROL], "private, max-age=60");
    assert_eq!(other.status(), 200);
    assert!(other.body().contains("Bye"));
}

#[tokio::test]
async fn a_cache_serves_what_it_read_and_never_keeps_that_there_is_nothing() {
    let world = World::start().await;
    let cached = |secs| api_over(&world.config, gate(), Cache::new(secs), UnknownUser::Fallback);
    let (api, without) = (cached(3_600), cached(0));
    let ask = get("user_id=u&campaign=new-episode");
    assert!(!ask.send(&api).await.body().contains("Hello"));

    world.store("u", CAMPAIGN, "Hello", LATER).await;
    assert!(ask.send(&api).await.body().contains("Hello"));
    world.remove("u", CAMPAIGN).await;

    assert!(ask.send(&api).await.body().contains("Hello"));
    assert!(!ask.send(&without).await.body().contains("Hello"));
}

#[tokio::test]
async fn a_cache_never_keeps_content_that_has_expired() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Old", 1_000).await;
    let api = api_over(&world.config, gate(), Cache::new(3_600), UnknownUser::NotFound);
    let ask = get("user_id=u&campaign=new-episode");
    assert_eq!(ask.send(&api).await.status(), 404);

    world.store("u", CAMPAIGN, "New", LATER).await;

    assert!(ask.send(&api).await.body().contains("New"));
}

#[tokio::test]
async fn every_call_is_counted_once() {
    let world = World::start().await;
    let api = world.api();
    let mut refused = get("user_id=u");
    refused.headers.clear();
    let requests = [get(BOTH), get("user_id=u"), get("user_id=u&campaign=offer"), refused];
    let mut all = contract::metrics::Counts::default();

    for request in requests {
        all.merge(&request.counted(&api).await.1);
    }

    assert_eq!(all.get(metrics::CALLS_RECEIVED), 4);
    assert_eq!(all.get(metrics::CALLS_ANSWERED), 2);
    assert_eq!(all.get(metrics::CALLS_REFUSED), 1);
    assert_eq!(all.get(metrics::CREDENTIALS_REFUSED), 1);
}
