//! A table that throttles, fails, hangs, or is not there.

use api::handler::Api;
use api::settings::UnknownUser;
use axum::Router;
use axum::http::StatusCode;
use contract::metrics;
use http::header;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::rig::{api_over, config_for, gate, get};
use crate::server::free_port;

/// What Braze waits, less what the way takes.
pub(crate) const BRAZE_WAITS: Duration = Duration::from_millis(1_500);

const QUERIES: [&str; 2] =
    ["user_id=u&campaign=new-episode", "user_id=u&campaign=new-episode,offer"];

/// An api whose table nobody serves.
pub(crate) async fn api_over_nothing() -> Api {
    let (listener, address) = free_port().await;
    drop(listener);
    api_over(&config_for(address).await, gate(), None, UnknownUser::NotFound)
}

/// An api whose table always answers this.
async fn api_over_answer(status: StatusCode, body: &'static str) -> Api {
    let (listener, address) = free_port().await;
    let router = Router::new().fallback(move || async move { (status, body) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    api_over(&config_for(address).await, gate(), None, UnknownUser::NotFound)
}

/// Asks in every way and checks that fallback content comes, marked, and not to be kept.
async fn gets_fallback_content(api: &Api) {
    for query in QUERIES {
        let (answer, counts) = get(query).counted(api).await;

        assert_eq!(answer.status(), 200, "{}", answer.body());
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        assert!(!answer.headers().contains_key(header::ETAG));
        let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
        let item = body.get("Item").unwrap_or(&body["Items"]["new-episode"]);
        assert_eq!(item["source"]["S"], "fallback");
        assert_eq!(item["data"]["M"]["heading"]["S"], "Pick up where you left off");
        assert!(counts.get(metrics::LOOKUPS_FAILED) >= 1);
        assert_eq!(counts.get(metrics::CALLS_ANSWERED), 1);
    }
}

#[tokio::test]
async fn a_table_that_throttles_gets_fallback_content_served() {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException"}"#;

    gets_fallback_content(&api_over_answer(StatusCode::BAD_REQUEST, body).await).await;
}

#[tokio::test]
async fn a_table_that_fails_or_talks_nonsense_gets_fallback_content_served() {
    gets_fallback_content(&api_over_answer(StatusCode::INTERNAL_SERVER_ERROR, "{}").await).await;
    gets_fallback_content(&api_over_answer(StatusCode::OK, "<html>").await).await;
}

#[tokio::test]
async fn a_table_that_is_not_there_gets_fallback_content_served() {
    gets_fallback_content(&api_over_nothing().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_table_that_hangs_gets_fallback_content_served_before_braze_gives_up() {
    let (listener, address) = free_port().await;
    // Connections are taken by the system and never answered.
    let api = api_over(&config_for(address).await, gate(), None, UnknownUser::NotFound);

    for query in QUERIES {
        let start = Instant::now();
        let (status, body) = get(query).json(&api).await;

        assert_eq!(status, 200, "{body}");
        assert!(start.elapsed() < BRAZE_WAITS, "{:?}", start.elapsed());
    }
    drop(listener);
}

#[tokio::test]
async fn a_batch_of_which_dynamodb_does_a_part_gets_fallback_content_for_the_rest() {
    let body = r##"{
        "Responses": { "content": [{
            "item": { "S": "content#new-episode" },
            "data": { "M": { "heading": { "S": "Hello" } } },
            "expires_at": { "N": "9000000000" }
        }] },
        "UnprocessedKeys": { "content": { "Keys": [
            { "user_id": { "S": "u" }, "item": { "S": "content#offer" } }
        ] } }
    }"##;
    let api = api_over_answer(StatusCode::OK, body).await;

    let answer = get(QUERIES[1]).send(&api).await;

    let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
    assert_eq!(body["Items"]["new-episode"]["data"]["M"]["heading"]["S"], "Hello");
    assert_eq!(body["Items"]["offer"]["source"], json!({ "S": "fallback" }));
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
}
