//! Finds the objects that a notification speaks of.
//!
//! S3 notifications and EventBridge's `Object Created` events come directly or as the
//! body of SQS messages; a [`Continuation`] comes from this function itself. Keys are
//! decoded here, because keys of Currents hold literal `+`, which notifications write
//! as `%2B`, while a `+` in a notification is a space; EventBridge writes keys as they
//! are.

use std::borrow::Cow;

use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sqs::SqsEvent;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::container::Position;

/// Version of [`Continuation`] written by this build.
const VERSION: u32 = 1;

/// One object to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Bucket of the object.
    pub bucket: String,
    /// Key of the object, decoded.
    pub key: String,
    /// Its version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// When it appeared, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
    /// Where to begin.
    pub from: Position,
}

/// The body of a message by which an invocation leaves the rest of an object to another.
#[derive(Debug, Serialize, Deserialize)]
pub struct Continuation {
    /// Version of this shape.
    v: u32,
    /// The object, with the place where to go on.
    #[serde(rename = "continue")]
    object: ObjectRef,
}

impl Continuation {
    /// Asks for the object from `from` on.
    pub fn new(object: &ObjectRef, from: Position) -> Self {
        Self { v: VERSION, object: ObjectRef { from, ..object.clone() } }
    }

    /// Encodes the message's body.
    pub fn encode(&self) -> String {
        #[expect(clippy::expect_used, reason = "strings and numbers only")]
        serde_json::to_string(self).expect("a continuation is always JSON")
    }
}

/// What EventBridge sends for a new object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[derive(Deserialize)]
struct ObjectCreated {
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    detail: CreatedDetail,
}

#[derive(Deserialize)]
struct CreatedDetail {
    bucket: CreatedBucket,
    object: CreatedObject,
}

#[derive(Deserialize)]
struct CreatedBucket {
    name: String,
}

#[derive(Deserialize)]
struct CreatedObject {
    key: String,
    #[serde(rename = "version-id")]
    version_id: Option<String>,
}

/// What made the Lambda run.
#[derive(Debug, PartialEq)]
pub enum Trigger {
    /// A notification sent straight to the function.
    Direct(Vec<ObjectRef>),
    /// Messages of a queue, each of which can fail alone.
    Queue(Vec<Message>),
}

/// One message of the queue.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// Identifies the message in the answer to the queue.
    pub id: String,
    /// The objects that it names, or its body when it names none.
    pub objects: Result<Vec<ObjectRef>, String>,
}

/// The event is neither a notification nor messages of a queue.
#[derive(Debug, thiserror::Error)]
#[error("event is not an S3 notification or EventBridge's, directly or in SQS messages")]
pub struct UnknownTrigger(#[source] serde_json::Error);

impl Trigger {
    /// Understands the event that the function was invoked with.
    pub fn parse(event: Value) -> Result<Self, UnknownTrigger> {
        let from_queue = event["Records"][0]["eventSource"] == "aws:sqs";
        if !from_queue {
            return objects_in(event).map(Self::Direct).map_err(UnknownTrigger);
        }
        let batch: SqsEvent = serde_json::from_value(event).map_err(UnknownTrigger)?;
        let messages = batch.records.into_iter().map(|message| {
            let body = message.body.unwrap_or_default();
            let objects = serde_json::from_str(&body).and_then(objects_in).map_err(|_| body);
            Message { id: message.message_id.unwrap_or_default(), objects }
        });
        Ok(Self::Queue(messages.collect()))
    }
}

fn objects_in(notification: Value) -> Result<Vec<ObjectRef>, serde_json::Error> {
    // Sent once when the notification is set up; it names no object.
    if notification["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    if notification.get("continue").is_some() {
        let continuation: Continuation = serde_json::from_value(notification)?;
        return match continuation.v {
            VERSION => Ok(vec![continuation.object]),
            v => Err(serde::de::Error::custom(format!("continuation has version {v}"))),
        };
    }
    if notification["detail-type"] == "Object Created" {
        let created: ObjectCreated = serde_json::from_value(notification)?;
        return Ok(vec![ObjectRef {
            bucket: created.detail.bucket.name,
            key: created.detail.object.key,
            version_id: created.detail.object.version_id,
            uploaded_at_ms: millis(created.time.unix_timestamp_nanos() / 1_000_000),
            from: Position::default(),
        }]);
    }
    let event: S3Event = serde_json::from_value(notification)?;
    let objects = event.records.into_iter().filter_map(|record| {
        Some(ObjectRef {
            bucket: record.s3.bucket.name?,
            key: decoded(&record.s3.object.key?),
            version_id: record.s3.object.version_id,
            uploaded_at_ms: millis(record.event_time.timestamp_millis()),
            from: Position::default(),
        })
    });
    Ok(objects.collect())
}

/// A time before 1970 is nobody's; what is sent for one counts as 1970.
fn millis(time: impl TryInto<u64>) -> u64 {
    time.try_into().unwrap_or_default()
}

fn decoded(key: &str) -> String {
    let spaces = key.replace('+', " ");
    let decoded = percent_decode_str(&spaces).decode_utf8_lossy();
    match decoded {
        Cow::Borrowed(_) => spaces.clone(),
        Cow::Owned(decoded) => decoded,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(key: &str) -> Value {
        json!({ "Records": [{
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
        }] })
    }

    #[test]
    fn a_plus_sign_in_a_key_survives_and_an_encoded_space_becomes_one() {
        let parsed = Trigger::parse(notification("my+folder/integration.69%2B0%2B123.avro"));

        let expected = ObjectRef {
            bucket: "currents".to_owned(),
            key: "my folder/integration.69+0+123.avro".to_owned(),
            version_id: Some("v1".to_owned()),
            uploaded_at_ms: 1_743_526_800_123,
            from: Position::default(),
        };
        assert_eq!(parsed.expect("is a notification"), Trigger::Direct(vec![expected]));
    }

    #[test]
    fn messages_of_a_queue_are_taken_apart_one_by_one() {
        let message = |id: &str, body: String| json!({ "messageId": id, "eventSource": "aws:sqs", "body": body });
        let event = json!({ "Records": [
            message("1", notification("a.avro").to_string()),
            message("2", json!({ "Event": "s3:TestEvent" }).to_string()),
            message("3", "junk".to_owned()),
        ] });

        let Ok(Trigger::Queue(messages)) = Trigger::parse(event) else {
            panic!("comes from a queue");
        };

        assert_eq!(messages[0].objects.as_ref().map(Vec::len), Ok(1));
        assert_eq!(messages[1].objects, Ok(Vec::new()));
        assert_eq!(messages[2].objects, Err("junk".to_owned()));
    }

    #[test]
    fn an_event_of_eventbridge_names_its_key_as_it_is() {
        let event = json!({
            "version": "0", "id": "i", "detail-type": "Object Created", "source": "aws.s3",
            "account": "1", "time": "2025-04-01T17:00:00Z", "region": "us-east-1",
            "resources": ["arn:aws:s3:::currents"],
            "detail": {
                "version": "0",
                "bucket": { "name": "currents" },
                "object": { "key": "a b/i+0+1%.avro", "size": 1, "version-id": "v2" },
                "reason": "PutObject",
            },
        });

        let expected = ObjectRef {
            bucket: "currents".to_owned(),
            key: "a b/i+0+1%.avro".to_owned(),
            version_id: Some("v2".to_owned()),
            uploaded_at_ms: 1_743_526_800_000,
            from: Position::default(),
        };
        let parsed = Trigger::parse(event).expect("is a notification");
        assert_eq!(parsed, Trigger::Direct(vec![expected]));
    }

    #[test]
    fn a_continuation_names_the_object_and_the_place() {
        let from = Position { offset_bytes: 1_000, block: 3, records: 300 };
        let Ok(Trigger::Direct(objects)) = Trigger::parse(notification("a.avro")) else {
            panic!("is a notification");
        };
        let body = Continuation::new(&objects[0], from).encode();
        let message = json!({ "messageId": "1", "eventSource": "aws:sqs", "body": body });

        let Ok(Trigger::Queue(messages)) = Trigger::parse(json!({ "Records": [message] })) else {
            panic!("comes from a queue");
        };

        assert_eq!(messages[0].objects, Ok(vec![ObjectRef { from, ..objects[0].clone() }]));
        let later = body.replace("\"v\":1", "\"v\":2");
        assert!(Trigger::parse(serde_json::from_str(&later).expect("is JSON")).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(Trigger::parse(json!({ "hello": "world" })).is_err());
        assert!(Trigger::parse(json!({ "detail-type": "Object Created" })).is_err());
    }
}
