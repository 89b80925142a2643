//! What was given up goes to the stream again, to where `ingest` puts its users.
//!
//! A user's records must meet on one shard, or two instances work on them at a time. So
//! records are packed as `ingest` packs them; what is inside an aggregated record is packed
//! anew, and what cannot be decoded keeps the bucket that it came from.

use std::fmt;
use std::num::NonZeroU16;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use contract::dead_letter::Input;
use contract::user_record::UserRecord;
use contract::{aggregation, frame};
use tokio::time::Instant;

use super::packing::{Format, Packer, StreamRecord};
use super::{Put, PutError, Stream};

/// Longest time that the stream may take for what is sent at once: less than messages are
/// kept from others, and long enough for a few MiB where a shard takes one a second.
const PUT_TIMEOUT: Duration = Duration::from_secs(60);

/// Codes with which Kinesis blames a record, and not the stream or the caller.
const BLAME: [&str; 2] = ["ValidationException", "InvalidArgumentException"];

/// Key of records of which nobody knows whose they are.
const NOBODY: &str = "redriven";

/// Why something stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stays {
    /// It was given up for another reason, or another campaign, than is asked for.
    OtherReason,
    /// It holds no record: it names an object or a notification, or was too large for that.
    NoRecord,
    /// It is an ask, and nobody says where the queues of asks are.
    NoQueue,
    /// It was not written by this system, or by a later version.
    Unreadable,
    /// It is larger than what is read.
    TooLarge,
    /// The stream refuses its records.
    Refused,
    /// It can be sent, and somebody only looked.
    Looked,
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherReason => "of another reason or campaign",
            Self::NoRecord => "without a record",
            Self::NoQueue => "asks, whose queues were not named (--queues)",
            Self::Unreadable => "that cannot be read",
            Self::TooLarge => "too large to be read",
            Self::Refused => "refused by the stream",
            Self::Looked => "that can be sent (--dry-run)",
        })
    }
}

/// The stream that takes records again.
#[derive(Debug, Clone)]
pub struct Target {
    stream: Stream,
    buckets: NonZeroU16,
}

/// A record on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// One user's.
    Of {
        /// The Braze id.
        user_id: String,
        /// The record.
        data: Vec<u8>,
    },
    /// One that cannot be decoded, with the key that it had.
    Opaque {
        /// The key that it had.
        partition_key: String,
        /// The record.
        data: Vec<u8>,
    },
}

/// What became of records that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The stream has them.
    All,
    /// It refuses one of them for what it is.
    Refused,
}

impl Target {
    /// The stream `name`, whose users `ingest` spreads over `buckets` (`STREAM_BUCKETS`).
    pub fn new(kinesis: aws_sdk_kinesis::Client, name: String, buckets: NonZeroU16) -> Self {
        Self { stream: Stream::new(kinesis, name), buckets }
    }

    /// Puts records on the stream, in the order of each user.
    pub async fn send<'r>(
        &self,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Result<Sent, PutError> {
        let records = self.packed(records);
        let deadline = Instant::now() + PUT_TIMEOUT;
        match self.stream.put(records, deadline, &mut Put::default()).await {
            Ok(()) => Ok(Sent::All),
            Err(PutError::Refused(code)) if BLAME.contains(&code.as_str()) => Ok(Sent::Refused),
            Err(error) => Err(error),
        }
    }

    fn packed<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Vec<StreamRecord> {
        // Every version reads this form, and it is little that goes back.
        let mut packer = Packer::new(self.buckets, Format::Kpl);
        let mut opaque = Vec::new();
        for record in records {
            let (key, data) = match record {
                Record::Of { user_id, data } => (user_id, data),
                Record::Opaque { partition_key, data } => {
                    match hash_key(partition_key, self.buckets) {
                        Some(explicit_hash_key) => {
                            let (partition_key, data) = (partition_key.clone(), data.clone());
                            opaque.push(StreamRecord { partition_key, explicit_hash_key, data });
                            continue;
                        }
                        None => (partition_key, data),
                    }
                }
            };
            packer.add(key, data.len(), |out| out.extend_from_slice(data));
        }
        let mut packed = packer.take();
        packed.append(&mut opaque);
        packed
    }
}

/// Where a bucket begins in the stream's hash space, as [`Packer`] has it; `None` where a
/// key is no bucket's.
fn hash_key(partition_key: &str, buckets: NonZeroU16) -> Option<String> {
    let bucket: u16 = partition_key.strip_prefix("bucket-")?.parse().ok()?;
    let width = (u128::MAX / u128::from(buckets.get())).saturating_add(1);
    (bucket < buckets.get()).then(|| (u128::from(bucket) * width).to_string())
}

/// The records of what was given up.
pub fn records_of(input: &Input, now_ms: u64) -> Result<Vec<Record>, Stays> {
    let records = match input {
        Input::Unit { user_id, user_records, .. } => {
            let again = user_records.iter().map(|record| UserRecord {
                // So that it is no reason to skip it that it is remembered.
                redriven_at_ms: Some(now_ms),
                ..record.clone()
            });
            again
                .map(|record| Record::Of { user_id: user_id.clone(), data: record.encode() })
                .collect()
        }
        Input::StreamRecord { partition_key, data_base64: Some(data), .. } => {
            let data = BASE64.decode(data).map_err(|_| Stays::Unreadable)?;
            unpacked(partition_key, data)
        }
        // It holds nothing for the stream: it goes back to a queue.
        Input::Ask { .. } => return Err(Stays::NoQueue),
        Input::AskMessage { .. } => return Err(Stays::Unreadable),
        Input::StreamRecord { .. }
        | Input::Object { .. }
        | Input::Notification { .. }
        | Input::Event { .. } => Vec::new(),
    };
    if records.is_empty() { Err(Stays::NoRecord) } else { Ok(records) }
}

/// The users' records of a stream record, or of one member of it.
fn unpacked(partition_key: &str, data: Vec<u8>) -> Vec<Record> {
    let data = Bytes::from(data);
    if let Ok(Some(members)) = aggregation::decode(&data) {
        let members = members.into_iter();
        return members
            .map(|member| Record::Of { user_id: member.partition_key, data: member.data.to_vec() })
            .collect();
    }
    if let Ok(Some(lines)) = frame::decode(&data) {
        return lines.into_iter().map(|line| record_of(partition_key, line.to_vec())).collect();
    }
    vec![record_of(partition_key, data.to_vec())]
}

/// A user's record, or what is none.
fn record_of(partition_key: &str, data: Vec<u8>) -> Record {
    match UserRecord::decode(&data) {
        Ok(record) => Record::Of { user_id: record.user_id, data },
        Err(_) => {
            let key = if partition_key.is_empty() { NOBODY } else { partition_key };
            Record::Opaque { partition_key: key.to_owned(), data }
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::aggregation::Member;
    use contract::user_record::{Event, VERSION};

    use super::*;

    const BUCKETS: NonZeroU16 = NonZeroU16::new(64).expect("is not zero");

    fn target() -> Target {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(aws_sdk_kinesis::config::BehaviorVersion::latest())
            .build();
        let kinesis = aws_sdk_kinesis::Client::from_conf(config);
        Target::new(kinesis, "stream".to_owned(), BUCKETS)
    }

    fn user_record(user_id: &str) -> UserRecord {
        let events = vec![Event { id: "e".to_owned(), time: 1, fields: serde_json::Map::new() }];
        UserRecord {
            v: VERSION,
            user_id: user_id.to_owned(),
            event_type: "t".to_owned(),
            uploaded_at_ms: 0,
            redriven_at_ms: None,
            origin: String::new(),
            events,
        }
    }

    /// Where `ingest` puts a user.
    fn place_of(user_id: &str) -> (String, String) {
        let mut packer = Packer::new(BUCKETS, Format::Kpl);
        packer.add(user_id, 1, |out| out.push(b'x'));
        let record = packer.take().remove(0);
        (record.partition_key, record.explicit_hash_key)
    }

    fn places(records: &[Record]) -> Vec<(String, String)> {
        let packed = target().packed(records).into_iter();
        packed.map(|record| (record.partition_key, record.explicit_hash_key)).collect()
    }

    fn stream_record(partition_key: &str, data: &[u8]) -> Input {
        Input::StreamRecord {
            partition_key: partition_key.to_owned(),
            sequence_number: "1".to_owned(),
            member: None,
            data_base64: Some(BASE64.encode(data)),
        }
    }

    #[test]
    fn a_users_records_go_to_where_ingest_puts_that_user() {
        let unit = Input::Unit {
            campaign: "c".to_owned(),
            user_id: "user-1".to_owned(),
            event_id: "e".to_owned(),
            prompt_hash: None,
            user_records: vec![user_record("user-1")],
        };
        let bare = stream_record("7", &user_record("user-2").encode());

        for (input, user_id) in [(unit, "user-1"), (bare, "user-2")] {
            let records = records_of(&input, 5).expect("holds records");
            assert_eq!(places(&records), [place_of(user_id)]);
        }
    }

    #[test]
    fn what_is_in_a_packed_record_is_spread_over_the_buckets_of_now() {
        let members: Vec<Member> = (0..200)
            .map(|n| Member {
                partition_key: format!("user-{n}"),
                explicit_hash_key: Some("0".to_owned()),
                data: user_record(&format!("user-{n}")).encode().into(),
            })
            .collect();

        let mut lines = frame::Lines::default();
        members.iter().for_each(|member| lines.add(|out| out.extend_from_slice(&member.data)));
        let frame = frame::seal(vec![lines]).remove(0);

        let mut expected: Vec<_> = (0..200).map(|n| place_of(&format!("user-{n}"))).collect();
        expected.sort();
        expected.dedup();
        for packed in [aggregation::encode(&members), frame] {
            let records = records_of(&stream_record("bucket-0", &packed), 5);
            let mut places = places(&records.expect("holds records"));
            places.sort();
            assert_eq!(places, expected);
        }
    }

    #[test]
    fn what_cannot_be_decoded_goes_back_to_the_bucket_that_it_came_from() {
        let mut packer = Packer::new(BUCKETS, Format::Kpl);
        (0..2_000).for_each(|n| packer.add(&format!("user-{n}"), 1, |out| out.push(b'x')));
        for bucket in packer.take() {
            let input = stream_record(&bucket.partition_key, b"junk");
            let records = records_of(&input, 5).expect("holds a record");
            assert_eq!(places(&records), [(bucket.partition_key, bucket.explicit_hash_key)]);
        }
        let elsewhere = records_of(&stream_record("bucket-64", b"junk"), 5).expect("one");
        assert_eq!(places(&elsewhere), [place_of("bucket-64")]);
    }

    #[test]
    fn what_holds_no_record_stays() {
        let without = Input::Notification { body: "b".to_owned() };
        let broken = Input::StreamRecord {
            partition_key: "p".to_owned(),
            sequence_number: "1".to_owned(),
            member: None,
            data_base64: Some("*".to_owned()),
        };

        assert_eq!(records_of(&without, 5), Err(Stays::NoRecord));
        assert_eq!(records_of(&broken, 5), Err(Stays::Unreadable));
    }
}
