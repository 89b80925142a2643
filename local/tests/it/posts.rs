//! What is posted over HTTP, all the way to what Braze gets: attributes, catalogs, and a wish for
//! content.

use std::path::Path;
use std::time::Duration;

use contract::content;
use local::front::EVENTS_PATH;
use local::pipeline::Options;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{Rig, options};

/// Longest wait for what was posted to become content.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run with the campaign `offer` and its catalog.
pub(crate) async fn rig() -> (Rig, TempDir) {
    let catalogs = tempfile::tempdir().expect("temporary folder");
    let items = r#"{"id": "a", "title": "Tent", "more": "b", "url": "https://shop.example.com/a?x=1&y=2"}
{"id": "b", "title": "Mat", "url": "https://shop.example.com/b"}
"#;
    std::fs::write(catalogs.path().join("offers.jsonl"), items).expect("is written");
    let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../processor/tests/grounded");
    let catalogs_dir = Some(catalogs.path().to_owned());
    let rig = Rig::start(Options { campaigns_dir: campaigns, catalogs_dir, ..options() }).await;
    (rig, catalogs)
}

pub(crate) async fn post(rig: &Rig, token: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}{EVENTS_PATH}", rig.pipeline.address);
    let request = reqwest::Client::new().post(url).bearer_auth(token).json(body);
    let answer = request.send().await.expect("is answered");
    (answer.status().as_u16(), answer.json().await.expect("is JSON"))
}

/// Waits until a user has content of their own.
pub(crate) async fn content_of(rig: &Rig, user: &str) -> Value {
    let query = format!("user_id={user}&campaign=offer&format=plain");
    let begun = tokio::time::Instant::now();
    loop {
        let (_, answer) = rig.look_up(&query).await;
        if answer.get("source").is_none() {
            return answer["data"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn item(rig: &Rig, user: &str, sort_key: String) -> Value {
    let request = rig.pipeline.aws.dynamodb.get_item().table_name(local::aws::TABLE);
    let request = request
        .key(content::USER_ID, aws_sdk_dynamodb::types::AttributeValue::S(user.to_owned()))
        .key(content::ITEM, aws_sdk_dynamodb::types::AttributeValue::S(sort_key));
    let item = request.send().await.expect("is read").item.unwrap_or_default();
    let texts =
        item.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone())));
    texts
        .map(|(name, value)| (name, Value::String(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_brings_attributes_and_gets_content_that_speaks_of_them() {
    let (rig, _catalogs) = rig().await;
    let message = json!({
        "user_id": "u1", "campaign": "offer", "properties": { "id": "a", "language": "de" },
        "attributes": { "first_name": "Ada", "genre": "noir", "email_address": "secret@example.com" },
    });

    let answer = post(&rig, "local", &message).await;
    assert_eq!(answer, (200, json!({ "accepted": 2 })));
    let content = content_of(&rig, "u1").await;
    assert_eq!(content["url"], "https://shop.example.com/a?x=1&amp;y=2");
    let asked = item(&rig, "u1", content::asked_key("offer")).await;
    assert_eq!(asked["prompt"], "offer: Tent, more: Mat, for Ada (noir)\n");
    let profile = item(&rig, "u1", content::ATTRIBUTES.to_owned()).await;
    let values = profile[content::VALUES].as_str().expect("is kept");
    assert!(values.contains("Ada") && !values.contains("secret@example.com"), "{values}");

    // A repeat is taken, and changes nothing.
    assert_eq!(post(&rig, "local", &message).await.0, 200);
    rig.pipeline.drain().await;
    assert_eq!(rig.count(contract::metrics::GENERATIONS), 1);
    let gone = json!({ "events": [{
        "event_type": "users.UserDeleteRequest", "id": "gone", "time": 4_000_000_000_i64,
        "user": { "user_id": "u1" }, "properties": {},
    }] });
    assert_eq!(post(&rig, "local", &gone).await.0, 200);
    let begun = tokio::time::Instant::now();
    while item(&rig, "u1", content::ATTRIBUTES.to_owned()).await != json!({}) {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The attributes are not the last that is removed.
    rig.pipeline.drain().await;
    assert_eq!(item(&rig, "u1", content::asked_key("offer")).await, json!({}));
    assert_eq!(rig.lost(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_and_what_is_right_beside_it_is_delivered() {
    let (rig, _catalogs) = rig().await;
    let event = |user: &str, id: &str, time: Value| {
        json!({
            "event_type": "users.behaviors.CustomEvent", "id": id, "time": time, "user": { "user_id": user },
            "properties": { "name": "seen", "custom_properties": { "id": "b" } },
        })
    };
    let both = json!({ "events": [
        event("u2", "e1", json!(1_790_000_000)), event("u3", "e2", json!("yesterday")),
    ] });

    assert_eq!(post(&rig, "guessed", &both).await.0, 401);
    let (status, answer) = post(&rig, "local", &both).await;
    assert_eq!(status, 400);
    assert_eq!(answer["accepted"], 1);
    assert_eq!(
        answer["errors"],
        json!([{ "event": 1, "reason": "time must be whole UNIX seconds" }])
    );
    assert_eq!(content_of(&rig, "u2").await["url"], "https://shop.example.com/b");

    for empty in [json!({}), json!({ "events": [] })] {
        assert_eq!(post(&rig, "local", &empty).await, (200, json!({ "accepted": 0 })));
    }
    let many: Vec<Value> = (0..1_001).map(|n| event("u", &n.to_string(), json!(1))).collect();
    assert_eq!(post(&rig, "local", &json!({ "events": many })).await.0, 413);
    let large = json!({ "events": ["x".repeat(5 << 20)] });
    assert_eq!(post(&rig, "local", &large).await.0, 413);
    let url = format!("http://{}{EVENTS_PATH}", rig.pipeline.address);
    let client = reqwest::Client::new();
    let got = client.get(&url).bearer_auth("local").send().await.expect("is answered");
    assert_eq!(
        (got.status().as_u16(), &got.headers()["allow"]),
        (405, &"POST".parse().expect("is one"))
    );
    let packed = client.post(&url).bearer_auth("local").header("content-encoding", "gzip");
    assert_eq!(packed.body("x").send().await.expect("is answered").status().as_u16(), 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_content_gets_fallback_content_in_their_language() {
    let (rig, _catalogs) = rig().await;
    // The campaign names a field of events for it; the item that this leads to is in no catalog.
    let wish = |user: &str, language: &str| json!({ "user_id": user, "campaign": "offer", "properties": { "id": "none", "language": language } });
    assert_eq!(post(&rig, "local", &wish("u4", "de-AT")).await.0, 200);
    assert_eq!(post(&rig, "local", &wish("u5", "fr")).await.0, 200);

    let begun = tokio::time::Instant::now();
    loop {
        let (_, german) = rig.look_up("user_id=u4&campaign=offer&format=plain").await;
        if german["data"]["heading"] == "Angebote" {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{german}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, french) = rig.look_up("user_id=u5&campaign=offer&format=plain").await;
    assert_eq!(french["data"]["heading"], "Offers");
}
