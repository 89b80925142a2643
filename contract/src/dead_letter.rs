//! What is kept of input that could not be processed.
//!
//! Every dead letter names its reason and holds what is needed to send the
//! input again; it is the body of one message on the dead-letter queue.

use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::user_record::UserRecord;

/// Version written by this build.
pub const VERSION: u32 = 1;

/// Largest message body that SQS takes, in bytes (1 MiB since August 2025).
pub const MAX_BODY_BYTES: usize = 1_048_576;

/// One message on the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Version of this shape; see [`VERSION`].
    pub v: u32,
    /// Short name of the reason, e.g. `damaged_object`.
    pub reason: String,
    /// What was wrong, for a person. It may quote a few words of what a template or a
    /// service was given: keep it as safe as the input.
    pub detail: String,
    /// Calls of the model that were made for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// When its record arrived on the stream, in UNIX milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_ms: Option<u64>,
    /// Build that gave it up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
    /// Number of the publication of campaigns under which it was given up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub publication: u64,
    /// What could not be processed.
    pub input: Input,
}

/// The input that was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// An object that could not be read to its end.
    Object {
        /// Bucket of the object.
        bucket: String,
        /// Key of the object, decoded.
        key: String,
        /// Version of the object, where the bucket keeps versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version_id: Option<String>,
        /// Where in the object the damaged header or block begins.
        offset_bytes: u64,
        /// Number of the damaged block, from 0; the header counts as part of block 0.
        block: u64,
        /// Events delivered before the damage.
        events_delivered: u64,
    },
    /// A notification that names no object.
    Notification {
        /// The notification as it came, cut to fit the queue.
        body: String,
    },
    /// One event that no stream record can hold.
    Event {
        /// The user's Braze id.
        user_id: String,
        /// Id of the event.
        event_id: String,
        /// Type of the event.
        event_type: String,
        /// Size of its user record, in bytes of JSON.
        size_bytes: u64,
    },
    /// A stream record, or one user record of it, that could not be decoded.
    StreamRecord {
        /// Sequence number in its shard.
        sequence_number: String,
        /// Partition key of the record.
        partition_key: String,
        /// Place of the user record in an aggregated stream record, from 0; `None` for
        /// the whole of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<u64>,
        /// The bytes in base64; `None` when they would not fit in a message.
        data_base64: Option<String>,
    },
    /// A user's events for which no valid content could be made.
    Unit {
        /// Campaign that asked for content.
        campaign: String,
        /// The user's Braze id.
        user_id: String,
        /// Event that would have been answered.
        event_id: String,
        /// Hash of what the model was asked, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt_hash: Option<String>,
        /// The events, as many of the latest as fit in a message.
        user_records: Vec<UserRecord>,
    },
    /// An ask for which no valid content could be made.
    Ask {
        /// The ask.
        ask: Ask,
        /// Event that would have been answered, if one is remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
        /// Hash of what the model was asked, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt_hash: Option<String>,
    },
    /// A message on a queue of asks that could not be decoded.
    AskMessage {
        /// The message as it came, cut to fit the queue.
        body: String,
    },
}

impl DeadLetter {
    /// Describes input that was given up.
    pub fn new(reason: &str, detail: impl Into<String>, input: Input) -> Self {
        let (attempts, first_seen_ms) = (0, None);
        let (reason, detail) = (reason.to_owned(), detail.into());
        let (build, publication) = (String::new(), 0);
        Self { v: VERSION, reason, detail, attempts, first_seen_ms, build, publication, input }
    }

    /// Says when the input arrived on the stream, and what was tried with it.
    #[must_use]
    pub fn seen(self, first_seen_ms: Option<u64>, attempts: u32) -> Self {
        Self { attempts, first_seen_ms, ..self }
    }

    /// Encodes the letter; where the queue would refuse it for its size, without the older
    /// events or the payload.
    pub fn encode(&self) -> String {
        let body = to_json(self);
        if body.len() <= MAX_BODY_BYTES {
            return body;
        }
        let mut without_payload = self.clone();
        match &mut without_payload.input {
            Input::StreamRecord { data_base64, .. } => *data_base64 = None,
            Input::Notification { body } | Input::AskMessage { body } => body.clear(),
            Input::Unit { user_records, .. } => {
                // The latest events say most of what is missing.
                drop_older_half(user_records);
                return without_payload.encode();
            }
            Input::Object { .. } | Input::Event { .. } | Input::Ask { .. } => {}
        }
        to_json(&without_payload)
    }
}

/// Drops the older half of a user's events, at least one.
fn drop_older_half(user_records: &mut Vec<UserRecord>) {
    let events: usize = user_records.iter().map(|record| record.events.len()).sum();
    let mut dropped = events.div_ceil(2);
    for record in user_records.iter_mut() {
        let of_record = dropped.min(record.events.len());
        record.events.drain(..of_record);
        dropped -= of_record;
    }
    user_records.retain(|record| !record.events.is_empty());
}

fn is_zero<N: Default + PartialEq>(n: &N) -> bool {
    *n == N::default()
}

fn to_json(letter: &DeadLetter) -> String {
    #[expect(clippy::expect_used, reason = "strings, numbers and maps with string keys")]
    serde_json::to_string(letter).expect("a dead letter is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(data: String) -> DeadLetter {
        DeadLetter::new(
            "poison",
            "user record does not parse",
            Input::StreamRecord {
                sequence_number: "49".to_owned(),
                partition_key: "p".to_owned(),
                member: None,
                data_base64: Some(data),
            },
        )
    }

    #[test]
    fn the_message_is_that_of_the_golden_file() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../golden/dead-letter.json")).expect("is JSON");

        let written: serde_json::Value =
            serde_json::from_str(&letter("eA==".to_owned()).encode()).expect("is JSON");

        assert_eq!(written, golden);
    }

    #[test]
    fn of_too_many_events_the_latest_are_kept() {
        let record = |number: usize| UserRecord {
            v: crate::user_record::VERSION,
            user_id: "u".to_owned(),
            event_type: format!("t{number}"),
            uploaded_at_ms: 0,
            redriven_at_ms: None,
            origin: String::new(),
            events: vec![crate::user_record::Event {
                id: number.to_string(),
                time: 0,
                fields: [("text".to_owned(), "x".repeat(MAX_BODY_BYTES / 4).into())]
                    .into_iter()
                    .collect(),
            }],
        };
        let (campaign, user_id) = ("c".to_owned(), "u".to_owned());
        let user_records = (0..8).map(record).collect();
        let (event_id, prompt_hash) = ("7".to_owned(), None);
        let input = Input::Unit { campaign, user_id, event_id, prompt_hash, user_records };

        let body = DeadLetter::new("bad_answer", "", input).encode();

        assert!(body.len() <= MAX_BODY_BYTES);
        assert!(body.contains("\"t7\"") && body.contains("\"t6\"") && !body.contains("\"t5\""));
    }

    #[test]
    fn a_payload_too_large_for_the_queue_is_left_out() {
        let body = letter("x".repeat(MAX_BODY_BYTES)).encode();

        assert!(body.len() < 1_000);
        assert!(body.contains("\"data_base64\":null"));
    }
}
