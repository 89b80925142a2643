//! The page: who may ask for it, and what it gives. What it says of messages: [`messages`].

mod messages;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use local::aws::TABLE;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, campaigns, options, sample};

/// What a browser says that it likes when a person opens a page.
const LIKES_HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

/// Text that does harm wherever it is taken for markup.
pub(crate) const HOSTILE: &str = "</title></textarea><script>top.hacked = 1</script>\
                       <img src=x onerror=\"top.hacked = 2\">\
                       <meta http-equiv=refresh content=\"0;url=http://127.0.0.1:9/stolen\">";

/// A user whose content is hostile.
pub(crate) const VICTIM: &str = "5f1a2b3c4d5e6f7a8b9c0d1e";

fn get(rig: &Rig, path: &str) -> RequestBuilder {
    Client::new().get(format!("http://{}{path}", rig.pipeline.address))
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.expect("is answered").status()
}

/// The end of content that does not expire while a test runs.
pub(crate) const FOR_EVER: i64 = 9_000_000_000;

/// Asks for a message to be rendered.
async fn asked(rig: &Rig, body: &Value) -> (StatusCode, Value) {
    let url = format!("http://{}/local/render", rig.pipeline.address);
    let answer = Client::new().post(url).json(body).send().await.expect("is answered");
    (answer.status(), answer.json().await.expect("is JSON"))
}

async fn read(rig: &Rig, path: &str) -> Value {
    let answer = get(rig, path).send().await.expect("is answered");
    answer.json().await.expect("is JSON")
}

/// Stores content that no processor would: hostile in every place.
pub(crate) async fn store_hostile(rig: &Rig, user_id: &str, until: i64) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |n: i64| AttributeValue::N(n.to_string());
    let map =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), text(HOSTILE))).collect();
    let mut data: HashMap<String, AttributeValue> = map(&["emailTitle", "heading"]);
    let details = map(&["cta", "intro", "episodeDetails"]);
    data.insert("details".to_owned(), AttributeValue::M(details));
    let fields = json!({ "properties": { "show": HOSTILE } });
    let history = json!([{ "id": HOSTILE, "time": 7, "type": HOSTILE, "fields": fields }]);
    let put = rig.pipeline.aws.dynamodb.put_item().table_name(TABLE);
    put.item(content::USER_ID, text(user_id))
        .item(content::ITEM, text(&content::item_key("new-episode")))
        .item(content::DATA, AttributeValue::M(data))
        .item(content::HISTORY, text(&history.to_string()))
        .item(content::MODEL_ID, text(HOSTILE))
        .item(content::EVENT_ID, text(HOSTILE))
        .item(content::GENERATED_AT, number(7))
        .item(content::EXPIRES_AT, number(until))
        .send()
        .await
        .expect("is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_address_is_the_page_for_a_browser_and_the_api_for_everybody_else() {
    let rig = Rig::start(options()).await;
    let read = async |request: RequestBuilder| {
        let answer = request.send().await.expect("is answered");
        let kind = answer.headers()[CONTENT_TYPE].to_str().expect("is text").to_owned();
        (answer.status().as_u16(), kind, answer.text().await.expect("is text"))
    };

    let page = read(get(&rig, "/").header(ACCEPT, LIKES_HTML)).await;
    let bare = read(get(&rig, "/")).await;
    let asked = read(get(&rig, "/?user_id=u")).await;
    let asked_by_browser = read(get(&rig, "/?user_id=u").header(ACCEPT, LIKES_HTML)).await;
    let foreign = get(&rig, "/").header(ACCEPT, LIKES_HTML).header(HOST, "evil.example");
    let foreign = read(foreign).await;

    assert_eq!((page.0, page.1.as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.2.starts_with("<!doctype html>"), "{}", page.2);
    assert_eq!((bare.0, bare.1.as_str()), (401, "application/json"));
    assert_eq!(asked_by_browser, asked);
    assert_eq!(foreign, bare);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_another_site_is_refused() {
    let rig = Rig::start(options()).await;
    let own = format!("http://{}", rig.pipeline.address);
    for path in ["/local/metrics", "/local/samples", "/local/users", "/local/users/u"] {
        assert_eq!(status(get(&rig, path)).await, StatusCode::OK, "{path}");
        assert_eq!(status(get(&rig, path).header(ORIGIN, &own)).await, StatusCode::OK, "{path}");
        let strangers = [
            get(&rig, path).header(HOST, "evil.example"),
            get(&rig, path).header(ORIGIN, "http://evil.example"),
            get(&rig, path).header("sec-fetch-site", "cross-site"),
        ];
        for stranger in strangers {
            assert_eq!(status(stranger).await, StatusCode::FORBIDDEN, "{path}");
        }
    }
    let form = Client::new().post(format!("{own}/local/render")).body("message=x");
    assert_eq!(status(form).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_shown_with_the_prompt_that_the_content_was_written_from_and_why() {
    let rig = Rig::start(options()).await;
    let files = sample(400, 40);
    rig.process(files.path()).await;
    let listed = read(&rig, "/local/users").await;
    let users = listed["users"].as_array().expect("is a list");
    assert!(!users.is_empty());

    for user in users {
        let id = user["user_id"].as_str().expect("is text");
        let shown = read(&rig, &format!("/local/users/{id}")).await;
        let campaign = &shown["campaigns"][0];
        assert_eq!(campaign["prompt"]["is_of_content"], true, "{shown}");
        let last = campaign["events"].as_array().and_then(|all| all.last()).expect("has events");
        let show = last["fields"]["properties"]["show"].as_str().expect("is text");
        assert!(
            campaign["prompt"]["text"].as_str().is_some_and(|text| text.contains(show)),
            "{shown}"
        );
        let why = &campaign["why"];
        assert_eq!((&why["event"], &last["id"]), (last, &campaign["item"]["event_id"]), "{shown}");
        assert_eq!(why["condition"], "event.name == \"episode_watched\"");
        assert!(why["writer"].as_str().is_some_and(|by| by.starts_with("the stand-in")), "{why}");
        let seen = why["seen"][0].as_str().expect("is text");
        assert!(seen.starts_with("event.name is not among the remembered fields"), "{seen}");
        let (_, answer) = rig.look_up(&format!("user_id={id}&campaign=new-episode")).await;
        assert_eq!(campaign["api"], answer);
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_the_subject_line_that_the_mail_has() {
    let rig = Rig::start(options()).await;
    rig.process(sample(200, 20).path()).await;
    let listed = read(&rig, "/local/users").await;
    let users = listed["users"].as_array().expect("is a list");
    assert!(!users.is_empty());
    let message = std::fs::read_to_string(campaigns().join("new-episode/message.liquid"));
    let message = message.expect("is there");

    for user in users {
        let body = json!({
            "user_id": user["user_id"], "campaign": user["campaign"], "message": message,
        });
        let (_, answer) = asked(&rig, &body).await;
        assert_eq!(user["subject"], answer["subject"]);
        assert!(user["subject"].as_str().is_some_and(|text| text.starts_with("[stand-in]")));
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_whom_nothing_is_stored_has_every_campaign_with_fallback_content() {
    let rig = Rig::start(options()).await;

    let shown = read(&rig, "/local/users/nobody").await;

    let names = campaign::read(&campaigns()).expect("are valid");
    let shown_campaigns = shown["campaigns"].as_array().expect("is a list");
    assert_eq!(shown_campaigns.len(), names.len());
    for (campaign, shown) in names.iter().zip(shown_campaigns) {
        assert_eq!(shown["campaign"], campaign.name.as_str());
        assert_eq!(shown["api"]["Item"]["source"]["S"], "fallback");
        assert_eq!((&shown["content"], &shown["events"]), (&Value::Null, &json!([])));
        assert_eq!((&shown["why"]["event"], &shown["why"]["writer"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(shown["is_refused"], false);
    assert_eq!(read(&rig, "/local/users/no%20body").await["is_refused"], true);
    rig.pipeline.stop().await;
}
