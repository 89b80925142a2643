//! Dead letters of a queue on AWS go back to the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use contract::aggregation;
use contract::ask::{Ask, QueueUrls, Reason};
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics;
use contract::user_record::{Event, UserRecord, VERSION};
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use ingest::stream::again::{Stays, Target};
use ingest::stream::packing::{Format, Packer};
use local::aws::{STREAM, config_for};
use ops::letters::Pick;
use ops::redrive::queue::{Queue, RedriveReport};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::rig::{Rig, options};

/// Messages of one request for them (AWS limit).
const MESSAGES: usize = 10;

/// A queue as SQS is: it hides what it gives out, forgets to give at times, and fails to
/// delete at times.
#[derive(Debug, Default)]
struct Sqs {
    shown: Vec<(String, String)>,
    hidden: BTreeMap<String, String>,
    receives: usize,
    waits: BTreeSet<i64>,
    deletes: usize,
    /// Bodies that were sent, each with its queue.
    sent: Vec<(String, String)>,
}

impl Sqs {
    fn receive(&mut self, request: &Value) -> Value {
        self.receives += 1;
        self.waits.insert(request["WaitTimeSeconds"].as_i64().unwrap_or_default());
        // Nothing is found where there is something.
        if self.receives % 12 < 9 {
            return json!({});
        }
        let last = self.shown.len().saturating_sub(MESSAGES);
        let given = self.shown.split_off(last);
        let messages = given
            .iter()
            .map(|(id, body)| json!({ "MessageId": id, "ReceiptHandle": id, "Body": body }));
        let reply = json!({ "Messages": messages.collect::<Vec<_>>() });
        self.hidden.extend(given);
        reply
    }

    fn delete(&mut self, entries: &[Value]) -> Value {
        self.deletes += 1;
        // The first of a batch fails, the first time.
        let failed = if self.deletes == 1 { 1 } else { 0 };
        for entry in &entries[failed..] {
            let removed = self.hidden.remove(entry["ReceiptHandle"].as_str().unwrap_or_default());
            assert!(removed.is_some(), "{entry} was not given out");
        }
        let entry = |entry: &Value| json!({ "Id": entry["Id"] });
        let error = |each: &Value| json!({ "Id": each["Id"], "Code": "InternalError", "SenderFault": false });
        json!({
            "Successful": entries[failed..].iter().map(entry).collect::<Vec<_>>(),
            "Failed": entries[..failed].iter().map(error).collect::<Vec<_>>(),
        })
    }

    fn send(&mut self, request: &Value, entries: &[Value]) -> Value {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let url = text(&request["QueueUrl"]);
        self.sent.extend(entries.iter().map(|each| (url.clone(), text(&each["MessageBody"]))));
        // It takes all but the last.
        let (last, others) = entries.split_last().expect("is not empty");
        let is_refused = text(&last["MessageBody"]).contains("refused");
        let taken = if is_refused { others } else { entries };
        let done =
            |each: &Value| json!({ "Id": each["Id"], "MessageId": "m", "MD5OfMessageBody": "" });
        let failed = json!({ "Id": last["Id"], "Code": "InternalError", "SenderFault": false });
        json!({
            "Successful": taken.iter().map(done).collect::<Vec<_>>(),
            "Failed": if is_refused { vec![failed] } else { Vec::new() },
        })
    }

    fn show(&mut self, entries: &[Value]) -> Value {
        for entry in entries {
            assert_eq!(entry["VisibilityTimeout"], 0);
            let id = entry["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
            let body = self.hidden.remove(&id).expect("was given out");
            self.shown.push((id, body));
        }
        json!({ "Successful": [], "Failed": [] })
    }
}

async fn sqs(State(sqs): State<Arc<Mutex<Sqs>>>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut sqs = sqs.lock().expect("whole");
    let entries = request["Entries"].as_array().cloned().unwrap_or_default();
    assert!(entries.len() <= MESSAGES);
    Json(match headers["x-amz-target"].to_str().unwrap_or_default() {
        "AmazonSQS.ReceiveMessage" => sqs.receive(&request),
        "AmazonSQS.SendMessageBatch" => sqs.send(&request, &entries),
        "AmazonSQS.DeleteMessageBatch" => sqs.delete(&entries),
        "AmazonSQS.ChangeMessageVisibilityBatch" => sqs.show(&entries),
        other => panic!("{other}"),
    })
}

/// Where the records of a running system go.
pub(crate) fn target(rig: &Rig) -> Target {
    let kinesis = rig.pipeline.aws.kinesis.clone();
    Target::new(kinesis, STREAM.to_owned(), DEFAULT_STREAM_BUCKETS)
}

async fn queue_of(rig: &Rig, letters: Vec<String>) -> (Queue, Arc<Mutex<Sqs>>) {
    let shown = letters.into_iter().enumerate().map(|(n, body)| (format!("m{n}"), body));
    let state = Arc::new(Mutex::new(Sqs { shown: shown.collect(), ..Sqs::default() }));
    let router = Router::new().fallback(post(sqs)).with_state(Arc::clone(&state));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let queue = Queue {
        sqs: aws_sdk_sqs::Client::new(&config_for(address)),
        target: target(rig),
        queue_url: format!("http://{address}/1/letters"),
        asks: None,
        only_looks: false,
    };
    (queue, state)
}

fn unit(user_id: &str, text: &str) -> Input {
    let fields = json!({
        "name": "episode_watched",
        "properties": { "show": "Harbour Lights", "season": 2, "episode": 7, "text": text },
    });
    let Value::Object(fields) = fields else { panic!("is an object") };
    let record = UserRecord {
        v: VERSION,
        user_id: user_id.to_owned(),
        event_type: "users.behaviors.CustomEvent".to_owned(),
        uploaded_at_ms: 0,
        redriven_at_ms: None,
        origin: String::new(),
        events: vec![Event { id: "e".to_owned(), time: 1_000, fields }],
    };
    Input::Unit {
        campaign: "new-episode".to_owned(),
        user_id: user_id.to_owned(),
        event_id: "e".to_owned(),
        prompt_hash: None,
        user_records: vec![record],
    }
}

fn letter(reason: &str, input: Input) -> String {
    DeadLetter::new(reason, "d", input).encode()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_a_queue_go_back_to_the_stream_and_out_of_the_queue() {
    let rig = Rig::start(options()).await;
    let Input::Unit { campaign, user_id, event_id, prompt_hash, .. } = unit("u1", "") else {
        panic!("is a unit")
    };
    let without =
        Input::Unit { campaign, user_id, event_id, prompt_hash, user_records: Vec::new() };
    let letters = vec![
        letter("bad_answer", unit("u1", "")),
        letter("other", unit("u1", "")),
        letter("bad_answer", without),
        "no letter".to_owned(),
        letter("bad_answer", unit("u4", "")).replacen("\"v\":1", "\"v\":2", 1),
    ];
    let (mut queue, sqs) = queue_of(&rig, letters).await;

    queue.only_looks = true;
    let looked = queue.redrive(&Pick::of_reason("bad_answer")).await.expect("is looked at");
    assert_eq!((looked.sent, looked.left.get(&Stays::Looked)), (0, Some(&1)));
    assert_eq!(sqs.lock().expect("whole").shown.len(), 5, "nothing was changed");
    queue.only_looks = false;
    let redriven = queue.redrive(&Pick::of_reason("bad_answer")).await.expect("is sent");
    rig.pipeline.drain().await;

    let left =
        BTreeMap::from([(Stays::OtherReason, 1), (Stays::NoRecord, 1), (Stays::Unreadable, 2)]);
    assert_eq!(redriven, RedriveReport { sent: 1, left, is_cut: false });
    let said = redriven.to_string();
    assert_eq!(
        said,
        "Sent 1 dead letters again; 4 stay in the queue: 1 of another reason or campaign, 1 without a record, \
         2 that cannot be read."
    );
    {
        let sqs = sqs.lock().expect("whole");
        let mut left: Vec<&str> = sqs.shown.iter().map(|(id, _)| id.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["m1", "m2", "m3", "m4"], "what stays can be received at once");
    }
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 1);
    let (_, answer) = rig.look_up("user_id=u1").await;
    assert!(answer["Item"]["source"].is_null());
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_that_were_given_up_go_back_to_their_queue_as_if_for_the_first_time() {
    let rig = Rig::start(options()).await;
    let of = |user_id: &str| {
        let ask = Ask::by_hand(user_id.to_owned(), "new-episode".to_owned(), 5);
        let ask = Ask { attempts: 7, reason: Reason::Outage, not_before_ms: 9, ..ask };
        letter("model_unavailable", Input::Ask { ask, event_id: None, prompt_hash: None })
    };
    let message = Input::AskMessage { body: "no ask".to_owned() };
    let letters =
        vec![of("u1"), letter("poison_ask", message), letter("bad_answer", unit("u3", ""))];

    let (queue, _) = queue_of(&rig, letters.clone()).await;
    let unnamed = queue.redrive(&Pick::default()).await.expect("is sent");
    let left = BTreeMap::from([(Stays::NoQueue, 1), (Stays::Unreadable, 1)]);
    assert_eq!(unnamed, RedriveReport { sent: 1, left, is_cut: false });
    assert!(unnamed.to_string().contains("1 asks, whose queues were not named (--queues)"));

    let (mut queue, sqs) = queue_of(&rig, [letters, vec![of("refused")]].concat()).await;
    let later = queue.queue_url.replace("letters", "later");
    queue.asks = Some(QueueUrls { later: later.clone(), ready: BTreeMap::new(), jobs: None });
    let named = queue.redrive(&Pick::default()).await.expect("is sent");

    let left = BTreeMap::from([(Stays::Unreadable, 1), (Stays::Refused, 1)]);
    assert_eq!(named, RedriveReport { sent: 2, left, is_cut: false });
    let sent = sqs.lock().expect("whole").sent.clone();
    let asks = sent.iter().map(|(url, body)| {
        assert_eq!(*url, later);
        Ask::decode(body).expect("is an ask")
    });
    let asks: Vec<Ask> = asks.filter(|ask| ask.user_id == "u1").collect();
    let [ask] = &asks[..] else { panic!("{asks:?}") };
    assert_eq!((ask.attempts, ask.reason, ask.not_before_ms), (0, Reason::Operator, 0));
    assert!(ask.retry_given_up_before_ms > 5 && ask.first_seen_ms > 5);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_read_to_its_end_whatever_stays_in_it_and_however_it_hesitates() {
    let rig = Rig::start(options()).await;
    let letters: Vec<String> = (0..600)
        .map(|n| {
            letter(if n % 2 == 0 { "other" } else { "bad_answer" }, unit(&format!("u{n}"), ""))
        })
        .collect();
    let (queue, sqs) = queue_of(&rig, letters).await;

    let redriven = queue.redrive(&Pick::of_reason("bad_answer")).await.expect("is sent");
    rig.pipeline.drain().await;

    assert_eq!((redriven.sent, redriven.left()), (300, 300));
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 300);
    {
        let sqs = sqs.lock().expect("whole");
        assert_eq!((sqs.shown.len(), sqs.hidden.len()), (300, 0));
        assert!(sqs.waits.iter().all(|secs| *secs > 0), "{:?}", sqs.waits);
        assert!(sqs.deletes < 100, "letters are removed some at a time");
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_the_stream_refuses_stays_and_the_others_go() {
    let rig = Rig::start(options()).await;
    let too_large = letter("bad_answer", unit("u2", &"x".repeat(2 << 20)));
    // A letter that was not cut to what a queue takes.
    let Input::Unit { campaign, user_id, event_id, prompt_hash, user_records } =
        unit("u2", &"x".repeat(2 << 20))
    else {
        panic!("is a unit")
    };
    assert!(too_large.len() < 2 << 20, "a queue would not take it");
    let whole = json!({ "v": 1, "reason": "bad_answer", "detail": "d", "input": { "unit": {
        "campaign": campaign, "user_id": user_id, "event_id": event_id,
        "prompt_hash": prompt_hash, "user_records": user_records,
    } } });
    let letters = vec![
        letter("bad_answer", unit("u1", "")),
        whole.to_string(),
        letter("bad_answer", unit("u3", "")),
    ];
    let (queue, sqs) = queue_of(&rig, letters).await;

    let redriven = queue.redrive(&Pick::default()).await.expect("is sent");
    rig.pipeline.drain().await;

    assert_eq!(redriven.sent, 2);
    assert_eq!(redriven.left, BTreeMap::from([(Stays::Refused, 1)]));
    assert_eq!(rig.count(metrics::CONTENTS_STORED), 2);
    assert_eq!(sqs.lock().expect("whole").shown.len(), 1);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_queue_that_the_stream_did_not_take() {
    let rig = Rig::start(options()).await;
    let letters = (0..30).map(|n| letter("bad_answer", unit(&format!("u{n}"), ""))).collect();
    let (mut queue, sqs) = queue_of(&rig, letters).await;
    let kinesis = rig.pipeline.aws.kinesis.clone();
    queue.target = Target::new(kinesis, "no-such-stream".to_owned(), DEFAULT_STREAM_BUCKETS);

    let error = queue.redrive(&Pick::default()).await.expect_err("no stream");

    assert!(format!("{error:#}").contains("putting records on the stream"), "{error:#}");
    {
        let sqs = sqs.lock().expect("whole");
        assert_eq!((sqs.deletes, sqs.shown.len() + sqs.hidden.len()), (0, 30));
    }
    rig.pipeline.stop().await;
}

/// Entries that a stream took.
type Taken = Arc<Mutex<Vec<Value>>>;

/// A stream that refuses every other entry of a request, until it comes again.
async fn kinesis(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    assert_eq!(headers["x-amz-target"], "Kinesis_20131202.PutRecords");
    let request: Value = serde_json::from_slice(&body).expect("is JSON");
    let entries = request["Records"].as_array().expect("are entries");
    let results = entries.iter().enumerate().map(|(n, entry)| {
        if n % 2 == 1 {
            return json!({ "ErrorCode": "ProvisionedThroughputExceededException" });
        }
        taken.lock().expect("whole").push(entry.clone());
        json!({ "SequenceNumber": "1", "ShardId": "shardId-000000000000" })
    });
    let results: Vec<Value> = results.collect();
    Json(json!({ "FailedRecordCount": entries.len() / 2, "Records": results }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_back_to_the_shard_of_their_other_records() {
    let taken = Taken::default();
    let router = Router::new().fallback(post(kinesis)).with_state(Arc::clone(&taken));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let kinesis = aws_sdk_kinesis::Client::new(&config_for(address));
    let rig = Rig::start(options()).await;
    let letters = (0..40).map(|n| letter("bad_answer", unit(&format!("u{n}"), ""))).collect();
    let (mut queue, _) = queue_of(&rig, letters).await;
    queue.target = Target::new(kinesis, "stream".to_owned(), DEFAULT_STREAM_BUCKETS);

    let redriven = queue.redrive(&Pick::default()).await.expect("is sent");

    assert_eq!((redriven.sent, redriven.left()), (40, 0));
    let mut users = BTreeSet::new();
    for entry in taken.lock().expect("whole").iter() {
        let text = |name: &str| entry[name].as_str().expect("is text").to_owned();
        let data = BASE64.decode(text("Data")).expect("is base64").into();
        for member in aggregation::decode(&data).expect("decodes").expect("is packed") {
            let mut packer = Packer::new(DEFAULT_STREAM_BUCKETS, Format::Zstd);
            packer.add(&member.partition_key, 1, |out| out.push(b'x'));
            let expected = packer.take().remove(0);
            assert_eq!(text("PartitionKey"), expected.partition_key);
            assert_eq!(text("ExplicitHashKey"), expected.explicit_hash_key);
            assert!(users.insert(member.partition_key), "is sent once");
        }
    }
    assert_eq!(users.len(), 40);
    rig.pipeline.stop().await;
}
