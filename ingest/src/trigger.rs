//! Finds the objects that a notification speaks of.
//!
//! S3 notifications come directly or as the body of SQS messages. Names are
//! decoded here, because keys of Currents hold literal `+`, which notifications
//! write as `%2B`, while a `+` in a notification is a space.

use std::borrow::Cow;

use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sqs::SqsEvent;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// One object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Bucket of the object.
    pub bucket: String,
    /// Key of the object, decoded.
    pub key: String,
    /// When it appeared, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
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
#[error("event is not an S3 notification, directly or in SQS messages")]
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
    let event: S3Event = serde_json::from_value(notification)?;
    let objects = event.records.into_iter().filter_map(|record| {
        Some(ObjectRef {
            bucket: record.s3.bucket.name?,
            key: decoded(&record.s3.object.key?),
            uploaded_at_ms: u64::try_from(record.event_time.timestamp_millis()).unwrap_or_default(),
        })
    });
    Ok(objects.collect())
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
                "object": { "key": key, "size": 10, "eTag": "e", "sequencer": "1" }
            }
        }] })
    }

    #[test]
    fn a_plus_sign_in_a_key_survives_and_an_encoded_space_becomes_one() {
        let parsed = Trigger::parse(notification("my+folder/integration.69%2B0%2B123.avro"));

        let expected = ObjectRef {
            bucket: "currents".to_owned(),
            key: "my folder/integration.69+0+123.avro".to_owned(),
            uploaded_at_ms: 1_743_526_800_123,
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
    fn anything_else_is_refused() {
        assert!(Trigger::parse(json!({ "hello": "world" })).is_err());
    }
}
