//! What a notification says, whoever passed it on.
//!
//! S3 notifications and EventBridge's events of S3 come as they are, or as the message of
//! a notification of SNS. Only what is needed is looked at, and by hand, so that nothing
//! else (a time, an owner, a version of the form) can spoil it.
//!
//! Guarantees: every part of it is an object to read, or counted as none of our business,
//! or refused with the reason.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Continuation, ObjectRef, VERSION};
use currents::read::container::Position;

/// How often a notification can be wrapped: by SNS, and by whoever made a string of it.
const MAX_WRAPPINGS: usize = 4;

/// What a notification comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Notification {
    /// The objects to read.
    pub objects: Vec<ObjectRef>,
    /// Parts that speak of no new object: of deletions, tags, or the set-up.
    pub ignored: u64,
    /// Parts that should name an object, and do not.
    pub refused: Vec<RefusedPart>,
}

/// A part of a notification that names no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPart {
    /// What is wrong with it.
    pub reason: String,
    /// The part, as a notification of its own.
    pub body: String,
}

/// The objects to read; whoever wants only them need not look at the rest.
impl IntoIterator for Notification {
    type Item = ObjectRef;
    type IntoIter = std::vec::IntoIter<ObjectRef>;

    fn into_iter(self) -> Self::IntoIter {
        self.objects.into_iter()
    }
}

impl Notification {
    /// Reads the body of a message.
    pub(super) fn from_body(body: &str) -> Self {
        let mut notification = Self::default();
        notification.read_text(body, MAX_WRAPPINGS);
        notification
    }

    /// Reads what the function was invoked with.
    pub(super) fn from_event(event: &Value) -> Self {
        let mut notification = Self::default();
        notification.read(event, MAX_WRAPPINGS);
        notification
    }

    fn read_text(&mut self, text: &str, wrappings: usize) {
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(value) => self.read(&value, wrappings),
            Err(_) if text.trim().is_empty() => self.refuse("message is empty", text.to_owned()),
            Err(_) => self.refuse("message is no JSON", text.to_owned()),
        }
    }

    fn read(&mut self, value: &Value, wrappings: usize) {
        let Some(wrappings) = wrappings.checked_sub(1) else {
            return self.refuse("message is wrapped too often", value.to_string());
        };
        let map = match value {
            Value::Object(map) => map,
            Value::String(text) => return self.read_text(text, wrappings),
            _ => return self.refuse("message is no notification", value.to_string()),
        };
        // Programs that read notifications into objects of theirs write `records`.
        if let Some(records) = map.get("Records").or_else(|| map.get("records")) {
            self.read_records(records, value, wrappings);
        } else if map.get("Event").is_some_and(|event| event == "s3:TestEvent") {
            // Sent when the notification is set up; it names no object.
            self.ignored += 1;
        } else if map.contains_key("continue") {
            self.read_continuation(value);
        } else if map.contains_key("detail-type") {
            self.read_event(map, value);
        } else if map.contains_key("TopicArn") || map.contains_key("Message") {
            self.read_topic(map, value, wrappings);
        } else {
            self.refuse("message is no notification of S3", value.to_string());
        }
    }

    fn read_records(&mut self, records: &Value, notification: &Value, wrappings: usize) {
        let records = match records {
            Value::Array(records) if !records.is_empty() => records,
            Value::Array(_) => {
                return self.refuse("notification has no records", notification.to_string());
            }
            _ => return self.refuse("records are no list", notification.to_string()),
        };
        for record in records {
            match record.get("Sns").and_then(Value::as_object) {
                Some(sns) => self.read_topic(sns, record, wrappings),
                None => self.read_record(record),
            }
        }
    }

    /// Reads a message of SNS, which holds another.
    fn read_topic(&mut self, sns: &Map<String, Value>, whole: &Value, wrappings: usize) {
        let refused = match sns.get("Type").and_then(Value::as_str) {
            Some("SubscriptionConfirmation") => {
                "SNS asks to confirm the subscription: open the SubscribeURL of the message"
            }
            Some("UnsubscribeConfirmation") => "SNS says that the subscription has ended",
            _ => match sns.get("Message") {
                Some(Value::String(message)) => return self.read_text(message, wrappings),
                Some(message @ Value::Object(_)) => return self.read(message, wrappings),
                _ => "notification of SNS has no message",
            },
        };
        self.refuse(refused, whole.to_string());
    }

    /// Reads a record of an S3 notification.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
    fn read_record(&mut self, record: &Value) {
        let name = record["eventName"].as_str().unwrap_or_default();
        let is_creation = name.strip_prefix("s3:").unwrap_or(name).starts_with("ObjectCreated");
        // One without a name of the event is read: at worst its object is gone.
        if !name.is_empty() && !is_creation {
            self.ignored += 1;
            return;
        }
        let s3 = &record["s3"];
        let object = bucket_and_key(&s3["bucket"], &s3["object"]).and_then(|(bucket, key)| {
            let key = decoded(&key).ok_or("key is not UTF-8, once it is decoded")?;
            Ok(ObjectRef {
                bucket,
                key,
                version_id: text(&s3["object"]["versionId"]),
                etag: None,
                uploaded_at_ms: millis(&record["eventTime"]),
                from: Position::default(),
                catalog: None,
                unknown: BTreeMap::new(),
            })
        });
        let body = || serde_json::json!({ "Records": [record] }).to_string();
        self.take(object, body);
    }

    /// Reads an event of EventBridge.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
    fn read_event(&mut self, event: &Map<String, Value>, whole: &Value) {
        let is_s3 = event.get("source").is_none_or(|source| source == "aws.s3");
        match event.get("detail-type").and_then(Value::as_str) {
            Some("Object Created") => {}
            Some(kind) if is_s3 && kind.starts_with("Object ") => {
                self.ignored += 1;
                return;
            }
            _ => return self.refuse("event is none of S3's", whole.to_string()),
        }
        let detail = &whole["detail"];
        let object = bucket_and_key(&detail["bucket"], &detail["object"]);
        let object = object.map(|(bucket, key)| ObjectRef {
            bucket,
            key,
            version_id: text(&detail["object"]["version-id"]),
            etag: None,
            uploaded_at_ms: millis(&whole["time"]),
            from: Position::default(),
            catalog: None,
            unknown: BTreeMap::new(),
        });
        self.take(object, || whole.to_string());
    }

    fn read_continuation(&mut self, value: &Value) {
        let read = serde_json::from_value::<Continuation>(value.clone());
        match read {
            Ok(Continuation { v: VERSION, object }) => self.objects.push(object),
            Ok(Continuation { v, .. }) => {
                let reason = format!("continuation has version {v}, this build reads {VERSION}");
                self.refuse(&reason, value.to_string());
            }
            Err(_) => self.refuse("continuation does not name its object", value.to_string()),
        }
    }

    fn take(&mut self, object: Result<ObjectRef, &str>, body: impl FnOnce() -> String) {
        match object {
            Ok(object) => self.objects.push(object),
            Err(reason) => self.refuse(reason, body()),
        }
    }

    fn refuse(&mut self, reason: &str, body: String) {
        self.refused.push(RefusedPart { reason: reason.to_owned(), body });
    }
}

fn bucket_and_key(bucket: &Value, object: &Value) -> Result<(String, String), &'static str> {
    let bucket = text(&bucket["name"]).ok_or("notification names no bucket")?;
    let key = text(&object["key"]).ok_or("notification names no key")?;
    Ok((bucket, key))
}

/// A text that says something.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A time in UNIX milliseconds: written as text by S3, as a number by programs that read
/// and wrote it. One before 1970 is nobody's, and counts as 1970.
fn millis(time: &Value) -> Option<u64> {
    if let Some(ms) = time.as_u64() {
        return Some(ms);
    }
    let time = OffsetDateTime::parse(time.as_str()?, &Rfc3339).ok()?;
    Some(u64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default())
}

/// The key that a notification means; what is no encoding in it stands for itself.
fn decoded(key: &str) -> Option<String> {
    let spaces = key.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8().ok().map(Into::into)
}
