//! The unit of the stream: one user's events out of one object.
//!
//! Guarantees: the JSON is versioned, a decoder refuses what it does not know,
//! and a key that Kinesis or DynamoDB would refuse never gets this far.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{aggregation, frame};

/// Version written by this build.
pub const VERSION: u32 = 1;

/// Longest user id that passes, in bytes.
///
/// A Braze id has 24 hexadecimal digits. Kinesis takes partition keys of up to
/// 256 characters, DynamoDB partition keys of up to 2,048 bytes; this leaves
/// room for test events and foreign ids and is far below both.
pub const MAX_USER_ID_BYTES: usize = 128;

/// What the user id of a look-up may hold besides letters and digits of ASCII. A Braze id
/// has 24 hexadecimal digits; test events and foreign ids have more. Nothing of it means
/// anything in HTML or Liquid.
pub const LOOK_UP_CHARACTERS: &str = "-_.:@|+=~/";

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
    /// When a person sent it again after it had been given up, in UNIX milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redriven_at_ms: Option<u64>,
    /// Where the events came in: see [`of_object`] and [`of_post`]. Empty where nobody said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
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
    /// An aggregated stream record that is broken as a whole.
    #[error(transparent)]
    Aggregate(#[from] aggregation::Undecodable),
    /// A frame that is broken as a whole.
    #[error(transparent)]
    Frame(#[from] frame::Undecodable),
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

/// Says that events came in with an object: its key, and the number of the block, from 0, that
/// the first of them stood in.
pub fn of_object(key: &str, block: u64) -> String {
    format!("{key}#{block}")
}

/// Says that events came in with a post, by API Gateway's id of the request, which its log has too.
pub fn of_post(request_id: &str) -> String {
    format!("post:{request_id}")
}

/// How a user record ends.
const END: &[u8] = b"]}";

/// Writes user records of one object whose events are JSON already; see [`UserRecord`]
/// for the shape.
#[derive(Debug, Clone)]
pub struct Writer {
    /// What stands before the rest, up to the user id.
    start: Vec<u8>,
    /// What stands between the user id and the events, the same in all of them.
    middle: Vec<u8>,
}

impl Writer {
    /// Writes for one object, of whose events it says that they came in there.
    pub fn new(event_type: &str, uploaded_at_ms: u64, origin: &str) -> Self {
        let mut middle = b",\"event_type\":".to_vec();
        write_text(event_type, &mut middle);
        middle.extend_from_slice(format!(",\"uploaded_at_ms\":{uploaded_at_ms}").as_bytes());
        if !origin.is_empty() {
            middle.extend_from_slice(b",\"origin\":");
            write_text(origin, &mut middle);
        }
        middle.extend_from_slice(b",\"events\":[");
        Self { start: Vec::new(), middle }
    }

    /// Prepares one user's record of events that come to `events_bytes` and are `events`.
    pub fn record(&mut self, user_id: &str, events: usize, events_bytes: usize) -> Frame<'_> {
        const { assert!(VERSION == 1, "the version stands in the next line too") };
        self.start.clear();
        self.start.extend_from_slice(b"{\"v\":1,\"user_id\":");
        write_text(user_id, &mut self.start);
        let commas = events.saturating_sub(1);
        let length = self.start.len() + self.middle.len() + events_bytes + commas + END.len();
        Frame { start: &self.start, middle: &self.middle, length }
    }
}

/// What stands around the events of one user record.
#[derive(Debug)]
pub struct Frame<'a> {
    start: &'a [u8],
    middle: &'a [u8],
    /// Bytes of the whole record.
    pub length: usize,
}

impl Frame<'_> {
    /// Appends the record.
    pub fn write<'e>(&self, events: impl IntoIterator<Item = &'e [u8]>, out: &mut Vec<u8>) {
        out.reserve(self.length);
        out.extend_from_slice(self.start);
        out.extend_from_slice(self.middle);
        for (n, event) in events.into_iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            out.extend_from_slice(event);
        }
        out.extend_from_slice(END);
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "a string is JSON, and a vector takes any bytes")]
    serde_json::to_writer(out, text).expect("a string is always JSON");
}

/// Takes a stream record apart into its user records, each with its bytes.
pub fn unpack(stream_record: Bytes) -> Vec<(Bytes, Result<UserRecord, Undecodable>)> {
    match frame::decode(&stream_record) {
        Ok(None) => {}
        Ok(Some(lines)) => {
            let decoded = |line: Bytes| {
                let record = UserRecord::decode(&line);
                (line, record)
            };
            return lines.into_iter().map(decoded).collect();
        }
        Err(error) => return vec![(stream_record, Err(error.into()))],
    }
    match aggregation::decode(&stream_record) {
        Ok(None) => {
            let record = UserRecord::decode(&stream_record);
            vec![(stream_record, record)]
        }
        Ok(Some(members)) => members
            .into_iter()
            .map(|member| {
                let record = UserRecord::decode(&member.data);
                (member.data, record)
            })
            .collect(),
        Err(error) => vec![(stream_record, Err(error.into()))],
    }
}

/// Tells whether `id` can be a key on the stream and in the table.
pub fn is_user_id(id: &str) -> bool {
    (1..=MAX_USER_ID_BYTES).contains(&id.len())
}

/// Tells whether the api answers for `id`.
pub fn can_be_looked_up(id: &str) -> bool {
    is_user_id(id)
        && id.chars().all(|c| c.is_ascii_alphanumeric() || LOOK_UP_CHARACTERS.contains(c))
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
    fn events_that_are_json_already_make_the_same_record() {
        let mut record = UserRecord::decode(GOLDEN.as_bytes()).expect("golden file decodes");
        record.user_id = "quo\"te".to_owned();
        record.events.push(record.events[0].clone());
        let events: Vec<Vec<u8>> =
            record.events.iter().map(|event| serde_json::to_vec(event).expect("is JSON")).collect();

        let mut written = Vec::new();
        let events = events.iter().map(Vec::as_slice);
        let mut writer = Writer::new(&record.event_type, record.uploaded_at_ms, &record.origin);
        let bytes = events.clone().map(<[u8]>::len).sum();
        let frame = writer.record(&record.user_id, events.len(), bytes);
        frame.write(events, &mut written);

        assert_eq!(written.len(), frame.length);
        assert_eq!(UserRecord::decode(&written).expect("decodes"), record);
    }

    #[test]
    fn a_record_of_a_build_that_did_not_say_where_it_came_in_is_read() {
        let mut older: Value = serde_json::from_str(GOLDEN).expect("is JSON");
        older.as_object_mut().expect("is an object").remove("origin");

        let record = UserRecord::decode(older.to_string().as_bytes()).expect("decodes");

        assert_eq!(record.origin, "");
        assert!(!String::from_utf8(record.encode()).expect("is text").contains("origin"));
    }

    #[test]
    fn a_stream_record_holds_one_user_record_or_many() {
        let data = Bytes::from_static(GOLDEN.as_bytes());
        let member = aggregation::Member {
            partition_key: "u".to_owned(),
            explicit_hash_key: None,
            data: data.clone(),
        };
        let junk = aggregation::Member { data: Bytes::from_static(b"junk"), ..member.clone() };
        let packed = aggregation::encode(&[member.clone(), junk, member]);
        let readable = |record: Bytes| -> Vec<bool> {
            unpack(record).into_iter().map(|(_, record)| record.is_ok()).collect()
        };

        assert_eq!(readable(data), [true]);
        assert_eq!(readable(packed.into()), [true, false, true]);
        assert_eq!(readable(Bytes::from_static(b"junk")), [false]);
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
