//! What is posted, from the request to the stream, which is a stand-in for Kinesis.

mod gateway;
mod kinesis;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use contract::attributes::{PROFILE_UPDATE, WEBHOOK};
use contract::metrics::{self, Counts};
use contract::user_record::UserRecord;
use contract::wanted::Wanted;
use currents::read::Reader;
use currents::read::container::DEFAULT_MAX_BLOCK_BYTES;
use http::{HeaderMap, HeaderValue, Method, header};
use ingest::decode::Decoder;
use ingest::posts::{Answer, MAX_BODY_BYTES, MAX_EVENTS, PUT_TIME, Posts, Request};
use ingest::stream::Stream;
use ingest::stream::packing::Format;
use program::credentials::{Gate, Secret, ValidSecrets};
use registry::current::Outdated;
use serde_json::{Value, json};
use tokio::time::Instant;

use kinesis::{Does, Kinesis};

/// Now, in UNIX milliseconds.
const NOW_MS: u64 = 1_790_000_000_000;

/// A time of events, in UNIX seconds.
const THEN: i64 = 1_789_999_000;

/// Long enough for a request that is refused, and short enough to wait for it again and again.
const SHORT: Duration = Duration::from_millis(400);

struct World {
    kinesis: Kinesis,
    posts: Posts,
}

/// An answer, and what was counted.
struct Told {
    answer: Answer,
    counts: Counts,
}

impl World {
    async fn start() -> Self {
        let kinesis = Kinesis::start().await;
        let attributes = ["first_name", "custom_attribute.genre"].map(str::to_owned).into();
        let wanted = Wanted { attributes, ..Wanted::default() };
        let reader = Reader { wanted, max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
        let buckets = NonZeroU16::new(16).expect("is not zero");
        let secret =
            |password: &str| Secret { username: "braze".to_owned(), password: password.to_owned() };
        let posts = Posts {
            stream: Stream::new(kinesis.client(), "stream".to_owned()),
            decoder: Decoder { reader, max_group_bytes: 1 << 20, buckets, format: Format::Zstd },
            campaigns: vec!["offer".to_owned()],
            outdated: None,
            gate: Arc::new(Gate::Fixed(ValidSecrets::new(&[secret("new"), secret("old")]))),
        };
        Self { kinesis, posts }
    }

    async fn send(&self, method: Method, headers: &HeaderMap, body: &[u8]) -> Told {
        self.send_within(PUT_TIME, (method, headers, body)).await
    }

    async fn send_within(
        &self,
        time: Duration,
        (method, headers, body): (Method, &HeaderMap, &[u8]),
    ) -> Told {
        let mut counts = Counts::default();
        let (headers, body, id) = (headers.clone(), body.to_vec(), "r-1".to_owned());
        let request = Request { method, headers, body, id };
        let answer = self.posts.answer(&request, NOW_MS, Instant::now() + time, &mut counts).await;
        assert_eq!(counts.get(metrics::POSTS_RECEIVED), 1);
        let refused = u64::from(!answer.status.is_success());
        assert_eq!(counts.get(metrics::POSTS_REFUSED), refused);
        Told { answer, counts }
    }

    async fn post(&self, body: &Value) -> Told {
        self.send(Method::POST, &bearer("new"), body.to_string().as_bytes()).await
    }
}

impl Told {
    fn status(&self) -> u16 {
        self.answer.status.as_u16()
    }

    fn body(&self) -> Value {
        serde_json::from_str(&self.answer.body).expect("is JSON")
    }

    fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.answer.headers.iter().find(|(of, _)| of == name).map(|(_, value)| *value)
    }
}

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("is a header");
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

fn event(id: &str, user_id: &str, time: i64) -> Value {
    json!({
        "event_type": "users.behaviors.CustomEvent", "id": id, "time": time,
        "user": { "user_id": user_id },
        "properties": { "name": "watched", "custom_properties": { "show": "Harbour Lights" } },
    })
}

/// User, type, and the events' ids, of each record.
fn outlines(records: &[UserRecord]) -> Vec<(&str, &str, Vec<&str>)> {
    records
        .iter()
        .map(|record| {
            let ids = record.events.iter().map(|event| event.id.as_str()).collect();
            (record.user_id.as_str(), record.event_type.as_str(), ids)
        })
        .collect()
}

#[tokio::test]
async fn events_of_the_connector_become_user_records_as_those_of_files_do() {
    let world = World::start().await;
    let profile = json!({
        "event_type": PROFILE_UPDATE, "id": "p", "time": THEN, "user": { "user_id": "u" },
        "properties": { "first_name": "Ada", "gender": "F" },
    });
    let events = json!([
        event("a", "u", THEN),
        profile,
        event("early", "u", THEN - 9),
        event("nobody", "", THEN)
    ]);

    let told = world.post(&json!({ "events": events })).await;

    assert_eq!((told.status(), told.body()), (200, json!({ "accepted": 4 })));
    let records = world.kinesis.user_records();
    assert_eq!(
        outlines(&records),
        [
            ("u", PROFILE_UPDATE, vec!["p"]),
            ("u", "users.behaviors.CustomEvent", vec!["early", "a"])
        ],
        "attributes come first, and events by their times"
    );
    assert!(records.iter().all(|record| record.origin == "post:r-1"));
    assert_eq!(Value::Object(records[0].events[0].fields.clone()), json!({ "first_name": "Ada" }));
    assert_eq!(records[1].events[0].fields["properties"], json!({ "show": "Harbour Lights" }));
    for (counter, count) in
        [(metrics::EVENTS_POSTED, 4), (metrics::EVENTS_WITHOUT_USER, 1), (metrics::USER_RECORDS, 2)]
    {
        assert_eq!(told.counts.get(counter), count, "{counter}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_repeated_brings_the_same_ids() {
    let world = World::start().await;
    let message = json!({ "user_id": "u", "attributes": { "genre": "noir", "email": "a@b" }, "campaign": "offer" });

    assert_eq!(world.post(&message).await.body(), json!({ "accepted": 2 }));
    assert_eq!(world.post(&json!({ "messages": [message] })).await.status(), 200);

    let records = world.kinesis.user_records();
    let outlines = outlines(&records);
    let types: Vec<&str> = outlines.iter().map(|(_, event_type, _)| *event_type).collect();
    assert_eq!(types, [PROFILE_UPDATE, WEBHOOK, PROFILE_UPDATE, WEBHOOK]);
    assert_eq!(outlines[..2], outlines[2..]);
    let told = serde_json::to_string(&records[0].events[0].fields).expect("is JSON");
    assert_eq!(told, r#"{"custom_attributes":{"genre":"noir"}}"#);
}

#[tokio::test]
async fn what_comes_while_nobody_can_tell_what_campaigns_want_is_to_be_sent_again() {
    let mut world = World::start().await;
    world.posts.outdated = Some(Outdated(Duration::from_secs(301)));

    let told = world.post(&json!({ "events": [event("a", "u", THEN)] })).await;
    let stranger = world.send(Method::POST, &bearer("none"), b"{}").await;

    assert_eq!((told.status(), told.header(&header::RETRY_AFTER)), (503, Some("5")));
    assert_eq!(stranger.status(), 401, "whoever may not post is told nothing else");
    assert_eq!(world.kinesis.user_records(), []);
}

#[tokio::test]
async fn what_is_wrong_with_events_costs_themselves_only_and_is_told_without_a_value() {
    let world = World::start().await;
    let mut wrong = event("secret", "secret", THEN);
    wrong["time"] = json!("secret");
    let post = json!({ "events": [event("a", "u", 1), wrong, "secret", event("b", "u", 2)] });

    let told = world.post(&post).await;

    assert_eq!(told.status(), 400);
    let body = told.body();
    let numbers = body["errors"].as_array().expect("are told").iter();
    let numbers: Vec<_> = numbers.map(|error| error["event"].clone()).collect();
    assert_eq!((&body["accepted"], numbers), (&json!(2), vec![json!(1), json!(2)]));
    assert!(!told.answer.body.contains("secret"), "{body}");
    assert_eq!(outlines(&world.kinesis.user_records())[0].2, ["a", "b"]);

    let many = world.post(&json!({ "events": vec![7; MAX_EVENTS] })).await.body();
    assert_eq!(many["errors"].as_array().map(Vec::len), Some(20), "an answer is bounded");
    assert_eq!(many["more_errors"], MAX_EVENTS - 20);
}

#[tokio::test]
async fn either_of_two_tokens_opens_and_nothing_else_does() {
    let world = World::start().await;
    let body = json!({ "events": [event("a", "u", THEN)] }).to_string();

    for token in ["new", "old"] {
        let told = world.send(Method::POST, &bearer(token), body.as_bytes()).await;
        assert_eq!(told.status(), 200, "{token}");
    }
    for headers in [HeaderMap::new(), bearer("wrong"), bearer("")] {
        let told = world.send(Method::POST, &headers, body.as_bytes()).await;
        assert_eq!((told.status(), told.header(&header::WWW_AUTHENTICATE)), (401, Some("Bearer")));
    }
    assert_eq!(world.kinesis.calls(), 2);
}

#[tokio::test]
async fn what_is_no_post_of_events_is_told_what_would_be() {
    let world = World::start().await;
    let known = bearer("new");
    let mut packed = known.clone();
    packed.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let large = vec![b' '; MAX_BODY_BYTES + 1];
    let many = json!({ "events": vec![0; MAX_EVENTS + 1] }).to_string();

    for (method, headers, body, status) in [
        (Method::GET, &known, b"".as_slice(), 405),
        (Method::PUT, &HeaderMap::new(), b"", 405),
        (Method::POST, &packed, b"\x1f\x8b", 415),
        (Method::POST, &known, &large, 413),
        (Method::POST, &known, many.as_bytes(), 413),
        (Method::POST, &known, b"user_id=secret", 400),
        (Method::POST, &known, b"{\"user_id\": \"\xff\"}", 400),
        (Method::POST, &known, b"{\"events\": [], \"user_id\": \"secret\"}", 400),
        (Method::POST, &known, b"[1]", 400),
    ] {
        let told = world.send(method.clone(), headers, body).await;
        assert_eq!(told.status(), status, "{method} {}", told.answer.body);
        assert!(told.body()["error"].is_string() && !told.answer.body.contains("secret"));
        assert_eq!(told.header(&header::ALLOW), (status == 405).then_some("POST"));
    }
    for check in ["", "{}", r#"{"events":[]}"#] {
        let told = world.send(Method::POST, &known, check.as_bytes()).await;
        assert_eq!((told.status(), told.body()), (200, json!({ "accepted": 0 })), "{check}");
    }
    assert_eq!(world.kinesis.calls(), 0);
}

#[tokio::test]
async fn nothing_is_acknowledged_that_the_stream_did_not_take() {
    let world = World::start().await;
    let body = json!({ "events": [event("a", "u", THEN)] }).to_string();
    let headers = bearer("new");

    for (does, status) in [(Does::IsFull, 429), (Does::Denies, 503), (Does::Fails, 503)] {
        world.kinesis.does(does);
        let told = world.send_within(SHORT, (Method::POST, &headers, body.as_bytes())).await;
        assert_eq!(told.status(), status, "{does:?}: {}", told.answer.body);
        assert_eq!(told.header(&header::RETRY_AFTER), Some("5"), "{does:?}");
        assert_eq!(told.counts.get(metrics::EVENTS_POSTED), 0, "{does:?}");
    }
    assert!(world.kinesis.user_records().is_empty());

    world.kinesis.does(Does::IsFullOnce);
    let told = world.send(Method::POST, &headers, body.as_bytes()).await;
    assert_eq!(told.status(), 200, "what was refused once is sent again");
    assert_eq!(told.counts.get(metrics::ENTRIES_RESENT), 1);
    assert_eq!(outlines(&world.kinesis.user_records()).len(), 1);
}

#[tokio::test]
async fn a_post_that_was_taken_in_part_is_refused_whole_and_its_repeat_has_the_same_ids() {
    let world = World::start().await;
    // Two types of events are two groups, and so two requests.
    let body = json!({ "user_id": "u", "attributes": { "genre": "noir" }, "campaign": "offer" });
    let (headers, text) = (bearer("new"), body.to_string());

    world.kinesis.does(Does::TakesOnce);
    let told = world.send_within(SHORT, (Method::POST, &headers, text.as_bytes())).await;
    assert_eq!(told.status(), 429, "{}", told.answer.body);
    assert_eq!(told.counts.get(metrics::EVENTS_POSTED), 1, "the first was acknowledged");
    world.kinesis.does(Does::Takes);
    assert_eq!(world.post(&body).await.status(), 200);

    let records = world.kinesis.user_records();
    let outlines = outlines(&records);
    assert_eq!(outlines.len(), 3);
    assert_eq!(outlines[0], outlines[1], "what came twice can be told");
}
