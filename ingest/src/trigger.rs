//! Finds the objects that a notification speaks of.
//!
//! Notifications come directly or as the body of SQS messages; a [`Continuation`] comes
//! from this function itself. Keys are decoded here, because keys of Currents hold literal
//! `+`, which notifications write as `%2B`, while a `+` in a notification is a space;
//! EventBridge writes keys as they are.
//!
//! - `notification` — what a notification says.
//! - [`created`] — the same the other way round: tells of an object as S3 does.

pub mod created;
mod notification;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use self::notification::{Notification, RefusedPart};
use crate::catalogs::ImportPlace;
use currents::read::container::Position;

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
    /// What S3 called its content when it was read first; a continuation that a build before
    /// this one left has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it appeared, in UNIX milliseconds, if the notification says so.
    pub uploaded_at_ms: Option<u64>,
    /// Where to begin.
    pub from: Position,
    /// Of a catalog's file: where in its import to go on. A place that only another version
    /// knows is none: the import begins anew.
    #[serde(default, deserialize_with = "place_if_known", skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Box<ImportPlace>>,
    /// What another version wrote that this one does not know, by its names; it goes on with
    /// the object.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
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

/// What made the Lambda run.
#[derive(Debug, PartialEq)]
pub enum Trigger {
    /// A notification sent straight to the function.
    Direct(Notification),
    /// Messages of a queue, each of which can fail alone.
    Queue(Vec<Message>),
}

/// One message of the queue.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// Identifies the message in the answer to the queue.
    pub id: String,
    /// What it says.
    pub notification: Notification,
}

/// The event is neither a notification nor messages of a queue.
#[derive(Debug, thiserror::Error)]
#[error("event is not a notification of S3, directly, through SNS or in SQS messages: {0}")]
pub struct UnknownTrigger(String);

impl Trigger {
    /// Understands the event that the function was invoked with.
    pub fn parse(event: &Value) -> Result<Self, UnknownTrigger> {
        let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
        if records.iter().any(|record| record["eventSource"] == "aws:sqs") {
            return Ok(Self::Queue(records.iter().map(message).collect()));
        }
        let notification = Notification::from_event(event);
        match notification.refused.as_slice() {
            // Nobody sent it to be read: whoever did is told at once.
            [refused]
                if notification.objects.is_empty()
                    && notification.ignored == 0
                    && records.is_empty() =>
            {
                Err(UnknownTrigger(refused.reason.clone()))
            }
            _ => Ok(Self::Direct(notification)),
        }
    }
}

fn place_if_known<'de, D: Deserializer<'de>>(
    place: D,
) -> Result<Option<Box<ImportPlace>>, D::Error> {
    let place = Option::<Value>::deserialize(place)?;
    Ok(place.and_then(|place| serde_json::from_value(place).ok()))
}

fn message(record: &Value) -> Message {
    let id = record["messageId"].as_str().unwrap_or_default().to_owned();
    let body = record["body"].as_str().unwrap_or_default();
    Message { id, notification: Notification::from_body(body) }
}
