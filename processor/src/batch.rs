//! One invocation's stream records, taken apart into users and their events.
//!
//! Guarantees: every event knows the record that carried it and gets exactly one
//! fate; a record that cannot be decoded touches no other.

use std::collections::{BTreeMap, HashMap};

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts, Fate};
use contract::user_record::{Event, UserRecord, unpack};

/// Undecodable user records of one stream record that get a dead letter each; with more,
/// the stream record gets one as a whole.
const MAX_POISON_MEMBERS: usize = 16;

/// A batch while it is being worked on.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events of all users, in the order of delivery.
    pub events: Vec<Received>,
    /// Users in the order of their first event, each with the places of their events.
    pub users: Vec<User>,
    /// Records that can never be decoded.
    pub poison: Vec<Poison>,
    records: Vec<Record>,
}

/// One event and what became of it.
#[derive(Debug)]
pub struct Received {
    /// Type of the event.
    pub event_type: String,
    /// The event.
    pub event: Event,
    /// When its object appeared in the bucket, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
    record: usize,
    fate: Fate,
}

/// One user of the batch.
#[derive(Debug)]
pub struct User {
    /// The Braze id.
    pub id: String,
    /// Places in [`Batch::events`], oldest event first.
    pub events: Vec<usize>,
}

/// A record that can never be decoded.
#[derive(Debug)]
pub struct Poison {
    /// What the dead-letter queue gets.
    pub letter: DeadLetter,
    record: usize,
}

#[derive(Debug)]
struct Record {
    sequence_number: String,
    returned: bool,
}

impl Batch {
    /// Decodes all records and brings each user's events together.
    pub fn decode(delivery: KinesisEvent) -> Self {
        let mut batch = Self::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        for record in delivery.records {
            let record = record.kinesis;
            let place = batch.records.len();
            let returned = false;
            batch
                .records
                .push(Record { sequence_number: record.sequence_number.clone(), returned });
            let data = Bytes::from(record.data.0);
            let user_records = unpack(data.clone());
            let is_aggregated = user_records.len() > 1;
            let mut poison = Vec::new();
            for (member, (bytes, user_record)) in user_records.into_iter().enumerate() {
                match user_record {
                    Ok(user_record) => batch.add(user_record, place, &mut places),
                    Err(error) => poison.push((is_aggregated.then_some(member), bytes, error)),
                }
            }
            if poison.len() > MAX_POISON_MEMBERS {
                poison.truncate(1);
                poison[0].0 = None;
                poison[0].1 = data;
            }
            batch.poison.extend(poison.into_iter().map(|(member, bytes, error)| {
                let input = Input::StreamRecord {
                    sequence_number: record.sequence_number.clone(),
                    partition_key: record.partition_key.clone(),
                    member: member.map(|member| member as u64),
                    data_base64: Some(BASE64.encode(&bytes)),
                };
                let letter = DeadLetter::new("poison_record", error.to_string(), input);
                Poison { letter, record: place }
            }));
        }
        for user in &mut batch.users {
            user.events.sort_by_key(|&place| batch.events[place].event.time);
        }
        batch
    }

    fn add(&mut self, record: UserRecord, place: usize, places: &mut HashMap<String, usize>) {
        let user = *places.entry(record.user_id).or_insert_with_key(|id| {
            self.users.push(User { id: id.clone(), events: Vec::new() });
            self.users.len() - 1
        });
        for event in record.events {
            self.users[user].events.push(self.events.len());
            self.events.push(Received {
                event_type: record.event_type.clone(),
                event,
                uploaded_at_ms: record.uploaded_at_ms,
                record: place,
                fate: Fate::NoTrigger,
            });
        }
    }

    /// Decides an event's fate; of several decisions the greatest stands.
    pub fn decide(&mut self, event: usize, fate: Fate) {
        let received = &mut self.events[event];
        received.fate = received.fate.max(fate);
        if fate == Fate::Returned {
            self.records[received.record].returned = true;
        }
    }

    /// Gives a record back that could not be decoded nor queued as a dead letter.
    pub fn return_poison(&mut self, poison: usize) {
        let record = self.poison[poison].record;
        self.records[record].returned = true;
    }

    /// Counts every event under its fate.
    pub fn count(&self, counts: &mut Counts) {
        counts.add(metrics::EVENTS_RECEIVED, self.events.len() as u64);
        counts.add(metrics::POISON_RECORDS, self.poison.len() as u64);
        let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
        for received in &self.events {
            *fates.entry(received.fate).or_default() += 1;
        }
        for (fate, n) in fates {
            counts.add(fate.metric(), n);
        }
    }

    /// The sequence number of the record that carried an event.
    pub fn sequence_number(&self, event: usize) -> &str {
        &self.records[self.events[event].record].sequence_number
    }

    /// The records that Kinesis must deliver again, in their order.
    pub fn response(&self) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        for record in self.records.iter().filter(|record| record.returned) {
            let mut failure = KinesisBatchItemFailure::default();
            failure.item_identifier = Some(record.sequence_number.clone());
            response.batch_item_failures.push(failure);
        }
        response
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lambda_events::event::kinesis::KinesisEventRecord;
    use contract::aggregation;
    use contract::user_record::VERSION;
    use serde_json::Map;

    use super::*;

    fn delivery(data: &[Vec<u8>]) -> KinesisEvent {
        let mut delivery = KinesisEvent::default();
        for (n, data) in data.iter().enumerate() {
            let mut record: KinesisEventRecord = KinesisEventRecord::default();
            record.kinesis.sequence_number = n.to_string();
            record.kinesis.data.0.clone_from(data);
            delivery.records.push(record);
        }
        delivery
    }

    fn user_record(user: &str, times: &[i64]) -> Vec<u8> {
        let event = |time: &i64| Event { id: format!("e{time}"), time: *time, fields: Map::new() };
        UserRecord {
            v: VERSION,
            user_id: user.to_owned(),
            event_type: "t".to_owned(),
            uploaded_at_ms: 0,
            events: times.iter().map(event).collect(),
        }
        .encode()
    }

    #[test]
    fn a_users_events_come_together_in_order_of_time_across_records() {
        let batch = Batch::decode(delivery(&[
            user_record("a", &[5, 7]),
            user_record("b", &[1]),
            user_record("a", &[6]),
        ]));

        let times: Vec<i64> =
            batch.users[0].events.iter().map(|&place| batch.events[place].event.time).collect();
        assert_eq!(times, [5, 6, 7]);
        assert_eq!(batch.users.len(), 2);
    }

    #[test]
    fn a_poison_record_touches_no_other() {
        let batch = Batch::decode(delivery(&[b"junk".to_vec(), user_record("a", &[1])]));

        assert_eq!(batch.poison.len(), 1);
        assert_eq!(batch.users.len(), 1);
        assert!(batch.response().batch_item_failures.is_empty());
    }

    #[test]
    fn a_poison_user_record_touches_no_other_of_its_stream_record() {
        let packed = |datas: Vec<Vec<u8>>| {
            let members = datas.into_iter().map(|data| aggregation::Member {
                partition_key: "p".to_owned(),
                explicit_hash_key: None,
                data: data.into(),
            });
            aggregation::encode(&members.collect::<Vec<_>>())
        };
        let junk = || b"junk".to_vec();
        let few = packed(vec![user_record("a", &[1]), junk(), user_record("b", &[2])]);
        let many = packed(vec![junk(); 1_000]);

        let batch = Batch::decode(delivery(&[few, many]));

        assert_eq!(batch.users.len(), 2);
        let member = |poison: &Poison| match poison.letter.input {
            Input::StreamRecord { member, .. } => member,
            _ => panic!("is about a stream record"),
        };
        assert_eq!(batch.poison.iter().map(member).collect::<Vec<_>>(), [Some(1), None]);
    }

    #[test]
    fn only_records_with_an_undone_event_go_back_and_every_event_is_counted_once() {
        let mut batch =
            Batch::decode(delivery(&[user_record("a", &[1, 2]), user_record("b", &[3])]));
        batch.decide(0, Fate::Stored);
        batch.decide(2, Fate::Stored);
        batch.decide(2, Fate::Returned);

        let response = batch.response();
        let mut counts = Counts::default();
        batch.count(&mut counts);

        assert_eq!(response.batch_item_failures.len(), 1);
        assert_eq!(response.batch_item_failures[0].item_identifier.as_deref(), Some("1"));
        assert_eq!(counts.fates(), counts.get(metrics::EVENTS_RECEIVED));
        assert_eq!(counts.get(Fate::Returned.metric()), 1);
        assert_eq!(counts.get(Fate::NoTrigger.metric()), 1);
    }
}
