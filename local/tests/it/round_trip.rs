//! Files in, content out, as Braze renders it.

use contract::metrics::{self, Fate};
use local::front;
use reqwest::StatusCode;
use serde_json::Value;

use crate::rig::{Rig, options, sample, watched_last};

/// The snippets that people put into their message.
const SNIPPETS: &str = include_str!("../../../campaign/tests/campaigns/new-episode/message.liquid");

/// All texts of an answer, by path.
fn texts(answer: &Value) -> Vec<String> {
    let data = &answer["Item"]["data"]["M"];
    let details = &data["details"]["M"];
    let places = [
        &data["emailTitle"],
        &data["heading"],
        &details["cta"],
        &details["intro"],
        &details["episodeDetails"],
    ];
    places.map(|place| place["S"].as_str().expect("is text").to_owned()).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_user_who_watched_gets_content_about_what_they_watched_last() {
    let rig = Rig::start(options()).await;
    let files = sample(3_000, 200);
    let expected = watched_last(files.path());
    assert!(expected.len() > 100, "the sample is worth testing");

    rig.process(files.path()).await;

    for (user_id, watched) in &expected {
        let (status, answer) = rig.look_up(&format!("user_id={user_id}")).await;
        assert_eq!(status, 200);
        assert!(answer["Item"]["source"].is_null(), "{user_id} got fallback content");
        assert_eq!(answer["Item"]["user_id"]["S"], user_id.as_str());
        // The stand-in's text names the show; the content is escaped for HTML, but for the
        // subject line, which is none: the snippets escape it where they show it in HTML.
        let mut texts = texts(&answer);
        let show = watched.show.replace('&', "&amp;");
        assert!(texts[1].contains(&show), "{user_id}: {} is not about {show}", texts[1]);
        assert!(texts[0].contains(&watched.show), "{user_id}: {}", texts[0]);
        texts[0] = texts[0].replace('&', "&amp;");

        let message = rig.message(SNIPPETS, user_id, &["new-episode"]).await;
        for text in texts {
            assert!(!text.is_empty() && message.contains(&text), "{message} lacks {text}");
        }
    }
    assert_eq!(rig.lost(), 0);
    assert_eq!(rig.counts().fates(), rig.count(metrics::EVENTS_RECEIVED));
    let unwanted = rig.count(metrics::EVENTS_UNWANTED);
    assert_eq!(rig.count(metrics::EVENTS_RECEIVED) + unwanted, 3_000);
    assert_eq!(rig.count(Fate::Stored.metric()), rig.count(metrics::CONTENTS_STORED));
    let stand_in = rig.pipeline.stand_in.as_ref().expect("a stand-in is used");
    assert_eq!(stand_in.answers(), rig.count(metrics::GENERATIONS));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_asks_for_credentials_and_speaks_http_like_the_function() {
    let rig = Rig::start(options()).await;
    let client = reqwest::Client::new();
    let (user, password) = front::CREDENTIALS.split_once(':').expect("are two");
    let url = format!("http://{}", rig.pipeline.address);
    let look_up = format!("{url}/?user_id=nobody");
    let sent =
        |request: reqwest::RequestBuilder| async { request.send().await.expect("api answers") };

    let without = sent(client.get(&look_up)).await;
    assert_eq!(without.status(), 401);
    assert!(without.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic"));
    assert_eq!(sent(client.get(&look_up).bearer_auth(password)).await.status(), 200);
    let head = sent(client.head(&look_up).basic_auth(user, Some(password))).await;
    assert_eq!((head.status(), head.text().await.expect("ends")), (StatusCode::OK, String::new()));
    let post = sent(client.post(&look_up).basic_auth(user, Some(password)).body("x")).await;
    assert_eq!(
        (post.status().as_u16(), &post.headers()["allow"]),
        (405, &"GET, HEAD".parse().expect("is a header"))
    );
    let body = sent(client.get(&look_up).basic_auth(user, Some(password)).body("x")).await;
    assert_eq!(body.status(), 400);
    assert_eq!(sent(client.get(format!("{url}/health"))).await.status(), 200);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_nobody_knows_gets_the_fallback_content_and_the_message_is_not_empty() {
    let rig = Rig::start(options()).await;

    let (status, answer) = rig.look_up("user_id=nobody&campaign=new-episode").await;

    assert_eq!(status, 200);
    assert_eq!(answer["Item"]["source"]["S"], "fallback");
    let message = rig.message(SNIPPETS, "nobody", &["new-episode"]).await;
    assert!(message.contains("Pick up where you left off"), "{message}");
    let (_, plain) = rig.look_up("user_id=nobody&format=plain").await;
    assert_eq!(plain["data"]["heading"], "Pick up where you left off");
    let (status, error) = rig.look_up("user=nobody").await;
    assert_eq!((status, &error["error"]["code"]), (400, &"bad_query".into()));
    rig.pipeline.stop().await;
}
