//! The unit of the stream: one user's events out of one object.
//!
//! Guarantees: the JSON is versioned, a decoder refuses what it does not know,
//! and a key that Kinesis or DynamoDB would refuse never gets this far.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version written by this build.
pub const VERSION: u32 = 1;

/// Longest user id that passes, in bytes.
///
/// A Braze id has 24 hexadecimal digits. Kinesis takes partition keys of up to
/// 256 characters, DynamoDB partition keys of up to 2,048 bytes; this leaves
/// room for test events and foreign ids and is far below both.
pub const MAX_USER_ID_BYTES: usize = 128;

/// One user's events out of one object, in event order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// Version of this shape; see [`VERSION`].
    pub v: u32,
    /// The Braze id of the user; also the partition key.
    pub user_id: String,
    /// Event type, e.g. `users.behaviors.CustomEvent`.
    pub event_type: String,
    /// When the object appeared in the bucket, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

/// One event of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Identifies the event; Currents repeats it when it delivers twice.
    pub id: String,
    /// When it happened, in UNIX seconds.
    pub time: i64,
    /// All other fields that are not null and not personal.
    pub fields: Map<String, Value>,
}

/// Why bytes are not a user record.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not JSON, or not of this shape.
    #[error("user record does not parse")]
    Malformed(#[source] serde_json::Error),
    /// Written by a build that this one does not understand.
    #[error("user record has version {0}, this build reads version {VERSION}")]
    Version(u32),
    /// The user id is empty or longer than [`MAX_USER_ID_BYTES`].
    #[error("user record has a user id of {0} bytes, 1 to {MAX_USER_ID_BYTES} are allowed")]
    UserId(usize),
}

impl UserRecord {
    /// Encodes the record for the stream.
    pub fn encode(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "strings, numbers and maps with string keys only")]
        serde_json::to_vec(self).expect("a user record is always JSON")
    }

    /// Decodes a record from the stream.
    pub fn decode(bytes: &[u8]) -> Result<Self, Undecodable> {
        let record: Self = serde_json::from_slice(bytes).map_err(Undecodable::Malformed)?;
        if record.v != VERSION {
            return Err(Undecodable::Version(record.v));
        }
        if !is_user_id(&record.user_id) {
            return Err(Undecodable::UserId(record.user_id.len()));
        }
        Ok(record)
    }
}

/// Tells whether `id` can be a key on the stream and in the table.
pub fn is_user_id(id: &str) -> bool {
    (1..=MAX_USER_ID_BYTES).contains(&id.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../golden/user-record.json");

    #[test]
    fn the_bytes_on_the_stream_are_those_of_the_golden_file() {
        let record = UserRecord::decode(GOLDEN.as_bytes()).expect("golden file decodes");

        let written: Value = serde_json::from_slice(&record.encode()).expect("is JSON");
        let golden: Value = serde_json::from_str(GOLDEN).expect("is JSON");

        assert_eq!(written, golden);
    }

    #[test]
    fn a_later_version_is_refused_by_name() {
        let later = GOLDEN.replace("\"v\": 1", "\"v\": 2");

        let error = UserRecord::decode(later.as_bytes()).expect_err("version 2");

        assert_eq!(error.to_string(), "user record has version 2, this build reads version 1");
    }

    #[test]
    fn a_user_id_that_no_table_takes_is_refused() {
        let long = GOLDEN.replace("5f1a2b3c4d5e6f7a8b9c0d1e", &"x".repeat(129));

        assert!(matches!(UserRecord::decode(long.as_bytes()), Err(Undecodable::UserId(129))));
        assert!(!is_user_id(""));
    }
}
