//! Files in, content out, as Braze renders it.

use contract::metrics::{self, Fate};
use local::message;
use serde_json::Value;

use crate::rig::{Rig, options, sample, watched_last};

/// The snippets that README tells people to put into their message.
const SNIPPETS: &str = include_str!("../../../campaigns/new-episode/message.liquid");

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
        // The stand-in's text names the show; the content is escaped for HTML.
        let heading = texts(&answer)[1].clone();
        let show = watched.show.replace('&', "&amp;");
        assert!(heading.contains(&show), "{user_id}: {heading} is not about {show}");

        let message = message::render(SNIPPETS, &answer).expect("renders");
        for text in texts(&answer) {
            assert!(!text.is_empty() && message.contains(&text), "{message} lacks {text}");
        }
    }
    assert_eq!(rig.lost(), 0);
    assert_eq!(rig.counts().fates(), rig.count(metrics::EVENTS_RECEIVED));
    assert_eq!(rig.count(metrics::EVENTS_RECEIVED), 3_000);
    assert_eq!(rig.count(Fate::Stored.metric()), rig.count(metrics::CONTENTS_STORED));
    let stand_in = rig.pipeline.stand_in.as_ref().expect("a stand-in is used");
    assert_eq!(stand_in.answers(), rig.count(metrics::GENERATIONS));
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_nobody_knows_gets_the_fallback_content_and_the_message_is_not_empty() {
    let rig = Rig::start(options()).await;

    let (status, answer) = rig.look_up("user_id=nobody&campaign=new-episode").await;

    assert_eq!(status, 200);
    assert_eq!(answer["Item"]["source"]["S"], "fallback");
    assert!(
        message::render(SNIPPETS, &answer).expect("renders").contains("Pick up where you left off")
    );
    let (_, plain) = rig.look_up("user_id=nobody&format=plain").await;
    assert_eq!(plain["data"]["heading"], "Pick up where you left off");
    let (status, error) = rig.look_up("user=nobody").await;
    assert_eq!((status, &error["error"]["code"]), (400, &"bad_query".into()));
    rig.pipeline.stop().await;
}
