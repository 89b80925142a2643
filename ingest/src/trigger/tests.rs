use serde_json::json;

use super::*;

fn record(key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2025-04-01T17:00:00.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "p" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "c",
            "bucket": { "name": "currents", "ownerIdentity": { "principalId": "p" }, "arn": "a" },
            "object": { "key": key, "size": 10, "eTag": "e", "versionId": "v1", "sequencer": "1" }
        }
    })
}

fn notification(key: &str) -> Value {
    json!({ "Records": [record(key)] })
}

fn event_bridge(kind: &str, key: &str) -> Value {
    json!({
        "version": "0", "id": "i", "detail-type": kind, "source": "aws.s3",
        "account": "1", "time": "2025-04-01T17:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:s3:::currents"],
        "detail": {
            "version": "0",
            "bucket": { "name": "currents" },
            "object": { "key": key, "size": 1, "version-id": "v2" },
            "reason": "PutObject",
        },
    })
}

/// What SNS puts into SQS.
fn topic(message: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:uploads",
        "Subject": "Amazon S3 Notification", "Message": message.to_string(),
        "Timestamp": "2025-04-01T17:00:01.000Z", "SignatureVersion": "1",
    })
}

/// What SNS invokes a function with.
fn from_topic(messages: &[Value]) -> Value {
    let record = |message| {
        json!({
            "EventVersion": "1.0", "EventSource": "aws:sns", "EventSubscriptionArn": "s",
            "Sns": topic(message),
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

fn object(key: &str) -> ObjectRef {
    ObjectRef {
        bucket: "currents".to_owned(),
        key: key.to_owned(),
        version_id: Some("v1".to_owned()),
        etag: None,
        uploaded_at_ms: Some(1_743_526_800_123),
        from: Position::default(),
        catalog: None,
        unknown: BTreeMap::new(),
    }
}

#[track_caller]
fn direct(event: &Value) -> Notification {
    match Trigger::parse(event) {
        Ok(Trigger::Direct(notification)) => notification,
        other => panic!("{event}: {other:?}"),
    }
}

#[track_caller]
fn queued(body: impl Into<String>) -> Notification {
    let body: String = body.into();
    let message = json!({ "messageId": "1", "eventSource": "aws:sqs", "body": body });
    match Trigger::parse(&json!({ "Records": [message] })) {
        Ok(Trigger::Queue(mut messages)) => messages.remove(0).notification,
        other => panic!("{body}: {other:?}"),
    }
}

fn keys(notification: &Notification) -> Vec<&str> {
    notification.objects.iter().map(|object| object.key.as_str()).collect()
}

#[track_caller]
fn assert_refused(notification: &Notification, reason: &str) {
    assert_eq!((notification.objects.len(), notification.ignored), (0, 0), "{notification:?}");
    let [refused] = notification.refused.as_slice() else { panic!("{notification:?}") };
    assert!(refused.reason.contains(reason), "{}", refused.reason);
}

#[test]
fn a_plus_sign_in_a_key_survives_and_an_encoded_space_becomes_one() {
    let parsed = direct(&notification("my+folder/integration.69%2B0%2B123.avro"));

    assert_eq!(parsed.objects, [object("my folder/integration.69+0+123.avro")]);
}

#[test]
fn a_key_is_read_whatever_was_encoded_in_it() {
    for (encoded, key) in [
        ("100%.avro", "100%.avro"),
        ("a%zz%4.avro", "a%zz%4.avro"),
        ("caf%C3%A9.avro", "café.avro"),
        ("café.avro", "café.avro"),
        ("a%2fb%252F.avro", "a/b%2F.avro"),
    ] {
        assert_eq!(keys(&direct(&notification(encoded))), [key]);
    }
    assert_refused(&direct(&notification("caf%E9.avro")), "not UTF-8");
}

#[test]
fn messages_of_a_queue_are_taken_apart_one_by_one() {
    let message =
        |id: &str, body: String| json!({ "messageId": id, "eventSource": "aws:sqs", "body": body });
    let event = json!({ "Records": [
        message("1", notification("a.avro").to_string()),
        message("2", json!({ "Event": "s3:TestEvent" }).to_string()),
        message("3", "junk".to_owned()),
        { "messageId": "4", "eventSource": "aws:sqs" },
    ] });

    let Ok(Trigger::Queue(messages)) = Trigger::parse(&event) else {
        panic!("comes from a queue");
    };

    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    assert_eq!(messages[0].notification.objects, [object("a.avro")]);
    assert_eq!(messages[1].notification, Notification { ignored: 1, ..Default::default() });
    assert_eq!(messages[2].notification.refused[0].body, "junk");
    assert_refused(&messages[3].notification, "message is empty");
}

#[test]
fn an_event_of_eventbridge_names_its_key_as_it_is() {
    let parsed = direct(&event_bridge("Object Created", "a b/i+0+1%.avro"));

    let expected = ObjectRef {
        version_id: Some("v2".to_owned()),
        uploaded_at_ms: Some(1_743_526_800_000),
        ..object("a b/i+0+1%.avro")
    };
    assert_eq!(parsed.objects, [expected]);
}

#[test]
fn a_notification_is_found_however_it_was_passed_on() {
    let plain = notification("a.avro");
    let bridged = event_bridge("Object Created", "a.avro");
    for body in [&plain, &bridged, &topic(&plain), &topic(&bridged), &topic(&topic(&plain))] {
        assert_eq!(keys(&queued(body.to_string())), ["a.avro"], "{body}");
        assert_eq!(keys(&queued(json!(body.to_string()).to_string())), ["a.avro"], "{body}");
    }
    for event in [&plain, &bridged, &topic(&plain), &from_topic(std::slice::from_ref(&plain))] {
        assert_eq!(keys(&direct(event)), ["a.avro"], "{event}");
    }
    let many = from_topic(&[plain, bridged, json!({ "Event": "s3:TestEvent" })]);
    assert_eq!(keys(&direct(&many)), ["a.avro", "a.avro"]);
    assert_eq!(direct(&many).ignored, 1);

    let deep = (0..6).fold(notification("a.avro"), |inner, _| topic(&inner));
    assert_refused(&queued(deep.to_string()), "wrapped too often");
}

#[test]
fn what_a_notification_does_not_need_can_be_missing_or_strange() {
    let bare = json!({ "s3": { "bucket": { "name": "currents" }, "object": { "key": "a.avro" } } });
    let mut strange = record("a.avro");
    strange["eventVersion"] = json!(3);
    strange["userIdentity"] = json!("nobody");
    strange["eventTime"] = json!("yesterday");
    strange["s3"]["object"]["size"] = json!("10");
    strange["s3"]["object"]["versionId"] = json!("");
    for record in [bare, strange] {
        let parsed = direct(&json!({ "Records": [record] }));

        let expected = ObjectRef { version_id: None, uploaded_at_ms: None, ..object("a.avro") };
        assert_eq!(parsed.objects, [expected]);
    }
    let mut as_number = record("a.avro");
    as_number["eventTime"] = json!(1_743_526_800_123_u64);
    assert_eq!(direct(&json!({ "records": [as_number] })).objects, [object("a.avro")]);

    let mut timeless = event_bridge("Object Created", "a.avro");
    timeless.as_object_mut().expect("is an object").remove("time");
    assert_eq!(direct(&timeless).objects[0].uploaded_at_ms, None);
    let mut early = event_bridge("Object Created", "a.avro");
    early["time"] = json!("1960-01-01T00:00:00+01:00");
    assert_eq!(direct(&early).objects[0].uploaded_at_ms, Some(0));
}

#[test]
fn events_of_other_kinds_are_counted_and_not_read() {
    for kind in [
        "ObjectRemoved:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "s3:ObjectRemoved:Delete",
        "ObjectTagging:Put",
        "ObjectAcl:Put",
        "ObjectRestore:Completed",
        "LifecycleExpiration:Delete",
        "LifecycleTransition",
        "IntelligentTiering",
        "Replication:OperationFailedReplication",
        "ReducedRedundancyLostObject",
    ] {
        let mut other = record("a.avro");
        other["eventName"] = json!(kind);
        let parsed = direct(&json!({ "Records": [other, record("b.avro")] }));

        assert_eq!((keys(&parsed), parsed.ignored), (vec!["b.avro"], 1), "{kind}");
        assert!(parsed.refused.is_empty());
    }
    for kind in ["s3:ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Copy"] {
        let mut creation = record("a.avro");
        creation["eventName"] = json!(kind);
        assert_eq!(keys(&direct(&json!({ "Records": [creation] }))), ["a.avro"], "{kind}");
    }
    for kind in ["Object Deleted", "Object Tags Added", "Object Storage Class Changed"] {
        let parsed = queued(event_bridge(kind, "a.avro").to_string());
        assert_eq!(parsed, Notification { ignored: 1, ..Default::default() }, "{kind}");
    }
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "currents" });
    for body in [test.clone(), topic(&test)] {
        assert_eq!(queued(body.to_string()), Notification { ignored: 1, ..Default::default() });
    }
}

#[test]
fn a_part_that_names_no_object_is_refused_and_the_others_are_read() {
    for (path, value, reason) in [
        ("/s3/object/key", json!(null), "names no key"),
        ("/s3/object/key", json!(""), "names no key"),
        ("/s3/object", json!("a.avro"), "names no key"),
        ("/s3/bucket/name", json!(7), "names no bucket"),
        ("/s3", json!([]), "names no bucket"),
    ] {
        let mut bad = record("a.avro");
        *bad.pointer_mut(path).expect("is there") = value;
        let parsed =
            queued(json!({ "Records": [record("b.avro"), bad, record("c.avro")] }).to_string());

        assert_eq!(keys(&parsed), ["b.avro", "c.avro"]);
        let [refused] = parsed.refused.as_slice() else { panic!("{parsed:?}") };
        assert!(refused.reason.contains(reason), "{}", refused.reason);
        let again: Value = serde_json::from_str(&refused.body).expect("is JSON");
        assert_eq!(again, json!({ "Records": [bad] }), "can be mended and sent again");
        // Nobody but this function can tell of it.
        assert_eq!(direct(&json!({ "Records": [bad] })).refused.len(), 1);
    }
    let mut keyless = event_bridge("Object Created", "a.avro");
    keyless["detail"]["object"] = json!({});
    assert_refused(&queued(keyless.to_string()), "names no key");
}

#[test]
fn a_message_that_is_no_notification_says_what_is_wrong() {
    let confirmation = json!({
        "Type": "SubscriptionConfirmation", "TopicArn": "t", "Token": "x",
        "Message": "You have chosen to subscribe", "SubscribeURL": "https://example.com/confirm",
    });
    for (body, reason) in [
        (String::new(), "message is empty"),
        ("junk".to_owned(), "no JSON"),
        ("7".to_owned(), "no notification"),
        ("null".to_owned(), "no notification"),
        ("{}".to_owned(), "no notification of S3"),
        (json!({ "Records": [] }).to_string(), "no records"),
        (json!({ "Records": {} }).to_string(), "no list"),
        (json!({ "Records": [1] }).to_string(), "names no bucket"),
        (confirmation.to_string(), "confirm the subscription"),
        (json!({ "Type": "UnsubscribeConfirmation", "TopicArn": "t" }).to_string(), "has ended"),
        (json!({ "Type": "Notification", "TopicArn": "t" }).to_string(), "has no message"),
        (topic(&json!("hello")).to_string(), "no JSON"),
        (
            json!({ "detail-type": "Scheduled Event", "source": "aws.events" }).to_string(),
            "none of S3",
        ),
        (json!({ "detail-type": "Object Created" }).to_string(), "names no bucket"),
        (json!({ "continue": {} }).to_string(), "continuation"),
    ] {
        assert_refused(&queued(body.as_str()), reason);
    }
}

#[test]
fn an_event_that_nobody_sent_to_be_read_is_an_error() {
    for event in [json!({ "hello": "world" }), json!({ "detail-type": "Object Created" }), json!(7)]
    {
        assert!(Trigger::parse(&event).is_err(), "{event}");
    }
    for event in [json!({ "Records": [] }), json!({ "Records": "none" })] {
        let error = Trigger::parse(&event).expect_err("names nothing");
        assert!(error.to_string().contains("records"), "{error}");
    }
}

#[test]
fn a_continuation_names_the_object_and_the_place() {
    let from = Position { offset_bytes: 1_000, block: 3, records: 300 };
    let object = ObjectRef { etag: Some("\"e\"".to_owned()), ..object("a.avro") };
    let body = Continuation::new(&object, from).encode();

    assert_eq!(queued(body.as_str()).objects, [ObjectRef { from, ..object }]);
    assert_refused(&queued(body.replace("\"v\":1", "\"v\":2")), "version 2");
}

#[test]
fn a_continuation_that_a_build_before_left_is_understood() {
    let body = r#"{"v":1,"continue":{"bucket":"currents","key":"a.avro","version_id":null,
        "uploaded_at_ms":1743526800123,"from":{"offset_bytes":9,"block":1,"records":2}}}"#;

    let from = Position { offset_bytes: 9, block: 1, records: 2 };
    assert_eq!(queued(body).objects, [ObjectRef { version_id: None, from, ..object("a.avro") }]);
}

#[test]
fn a_continuation_of_the_next_version_goes_on_with_all_that_it_says_of_its_object() {
    let today = include_str!("../../../contract/golden/continuation.json");
    let next = include_str!("../../../contract/golden/next/continuation.json");
    let written = |body: &str| -> Value {
        let [object] = queued(body).objects.try_into().expect("is one");
        let from = object.from;
        serde_json::from_str(&Continuation::new(&object, from).encode()).expect("is JSON")
    };
    let mut expected: Value = serde_json::from_str(today).expect("is JSON");

    assert_eq!(written(today), expected);
    expected["continue"]["next_field"] = json!({ "next_inner": true });
    assert_eq!(written(next), expected);
}

#[test]
fn an_import_at_a_step_that_only_another_version_knows_begins_anew() {
    let today = include_str!("../../../contract/golden/continuation.json");
    let mut next: Value = serde_json::from_str(today).expect("is JSON");
    next["continue"]["catalog"]["step"] = json!({ "next_step": 1 });

    let [object] = queued(next.to_string()).objects.try_into().expect("is one");

    assert_eq!((object.key.as_str(), object.catalog), ("catalogs/shows/all.csv", None));
}
