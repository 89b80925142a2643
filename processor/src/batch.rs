//! One invocation's stream records, taken apart into users and their events, and what
//! becomes of them.
//!
//! Guarantees: every event knows the record that carried it and gets exactly one
//! fate; a record that cannot be decoded touches no other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lambda_events::event::kinesis::KinesisEvent;
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use contract::dead_letter::{DeadLetter, Input};
use contract::event_id;
use contract::metrics::{self, Counts, Fate};
use contract::user_record::{Event, UserRecord, VERSION, unpack};

use crate::failure::{self, Verdict};

/// User records of a batch, in bytes of JSON, beyond which no more stream records are taken: they
/// travel compressed, so that Lambda's limit of a batch says nothing of what it holds.
const MAX_BYTES: usize = 16 * 1_024 * 1_024;

/// What a user record takes in memory beside its JSON, however little that is, in bytes.
const BESIDE_A_USER_RECORD: usize = 256;

/// Undecodable user records of one stream record that get a dead letter each; with more,
/// the stream record gets one as a whole.
const MAX_POISON_MEMBERS: usize = 16;

/// A batch, which does not change while it is being worked on.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events of all users, in the order of delivery.
    pub events: Vec<Arrival>,
    /// Users in the order of their first event, each with the places of their events.
    pub users: Vec<User>,
    /// Records that can never be decoded.
    pub poison: Vec<Poison>,
    /// Identifies the first record through all deliveries.
    pub first_record: String,
    records: Vec<Record>,
    /// The first record that was not taken, as those before it hold enough.
    rest: Option<usize>,
}

/// One event of the batch.
#[derive(Debug)]
pub struct Arrival {
    /// Type of the event.
    pub event_type: String,
    /// The event.
    pub event: Event,
    /// When its object appeared in the bucket, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
    /// When somebody sent it again after it had been given up, in UNIX milliseconds.
    pub redriven_at_ms: Option<u64>,
    /// Where it came in, as its user record said it.
    pub origin: Arc<str>,
    record: usize,
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
    /// Identifies it through all deliveries.
    pub name: String,
    /// What the dead-letter queue gets.
    pub letter: DeadLetter,
    record: usize,
}

#[derive(Debug)]
struct Record {
    sequence_number: String,
    /// When it arrived on the stream, in UNIX milliseconds.
    arrived_at_ms: Option<u64>,
}

/// What becomes of a batch.
#[derive(Debug)]
pub struct Fates {
    /// By the places of the events.
    events: Vec<Fate>,
    /// Users of whom everything goes back to the stream.
    users: HashSet<usize>,
    /// Records that Kinesis must deliver again.
    returned: BTreeSet<usize>,
}

impl Batch {
    /// Decodes all records, or as many as memory is meant for, and brings each user's events
    /// together. Those beyond come again.
    pub fn decode(delivery: KinesisEvent) -> Self {
        let mut batch = Self::default();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut held_bytes = 0;
        for record in delivery.records {
            let event_id = record.event_id.unwrap_or_default();
            let record = record.kinesis;
            let place = batch.records.len();
            if place == 0 {
                // A sequence number is unique in its shard only.
                batch.first_record = format!("{event_id}#{}", record.sequence_number);
            }
            let arrived_at = SystemTime::from(record.approximate_arrival_timestamp.0);
            let arrived_at_ms = arrived_at
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| u64::try_from(since.as_millis()).ok());
            let sequence_number = record.sequence_number.clone();
            batch.records.push(Record { sequence_number, arrived_at_ms });
            if held_bytes >= MAX_BYTES {
                batch.rest = Some(place);
                break;
            }
            let data = Bytes::from(record.data.0);
            let user_records = unpack(data.clone());
            let is_aggregated = user_records.len() > 1;
            let held = user_records.iter().map(|(bytes, _)| bytes.len() + BESIDE_A_USER_RECORD);
            held_bytes += held.sum::<usize>();
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
                let reason = match failure::of_record(&error) {
                    Verdict::DeadLetter(reason) => reason,
                    _ => failure::POISON,
                };
                let letter = DeadLetter::new(reason, error.to_string(), input);
                let letter = letter.seen(arrived_at_ms, 0);
                // A sequence number is unique in its shard only.
                let (id, number) = (&event_id, &record.sequence_number);
                let name = match member {
                    Some(member) => format!("poison#{id}#{number}#{member}"),
                    None => format!("poison#{id}#{number}"),
                };
                Poison { name, letter, record: place }
            }));
        }
        for user in &mut batch.users {
            user.events.sort_by(|&a, &b| {
                let order = |place: usize| {
                    let event = &batch.events[place].event;
                    (event.time, event.id.as_str())
                };
                order(a).cmp(&order(b))
            });
        }
        batch
    }

    fn add(&mut self, record: UserRecord, place: usize, places: &mut HashMap<String, usize>) {
        let user = *places.entry(record.user_id).or_insert_with_key(|id| {
            self.users.push(User { id: id.clone(), events: Vec::new() });
            self.users.len() - 1
        });
        let origin: Arc<str> = record.origin.into();
        for mut event in record.events {
            event.id = event_id::kept(&event.id).into_owned();
            self.users[user].events.push(self.events.len());
            self.events.push(Arrival {
                event_type: record.event_type.clone(),
                event,
                uploaded_at_ms: record.uploaded_at_ms,
                redriven_at_ms: record.redriven_at_ms,
                origin: Arc::clone(&origin),
                record: place,
            });
        }
    }

    /// Whether a part of the delivery was not taken, and comes again.
    pub(crate) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Some events of a user as they were on the stream.
    pub fn user_records(&self, user_id: &str, places: &[usize]) -> Vec<UserRecord> {
        let mut records: Vec<UserRecord> = Vec::new();
        for received in places.iter().map(|&place| &self.events[place]) {
            let event = received.event.clone();
            match records.iter_mut().find(|record| {
                record.event_type == received.event_type
                    && record.uploaded_at_ms == received.uploaded_at_ms
                    && *record.origin == *received.origin
            }) {
                Some(record) => record.events.push(event),
                None => records.push(UserRecord {
                    v: VERSION,
                    user_id: user_id.to_owned(),
                    event_type: received.event_type.clone(),
                    uploaded_at_ms: received.uploaded_at_ms,
                    redriven_at_ms: None,
                    origin: received.origin.to_string(),
                    events: vec![event],
                }),
            }
        }
        records
    }

    /// When the first of some events arrived on the stream, in UNIX milliseconds.
    pub fn first_seen_ms(&self, places: &[usize]) -> Option<u64> {
        let records = places.iter().map(|&place| &self.records[self.events[place].record]);
        records.filter_map(|record| record.arrived_at_ms).min()
    }
}

impl Fates {
    /// Of a batch about which nothing is decided.
    pub fn of(batch: &Batch) -> Self {
        let events = vec![Fate::NoTrigger; batch.events.len()];
        Self { events, users: HashSet::new(), returned: batch.rest.into_iter().collect() }
    }

    /// Decides an event's fate; of several decisions the greatest stands.
    pub fn decide(&mut self, event: usize, fate: Fate) {
        self.events[event] = self.events[event].max(fate);
    }

    /// Gives all events of a user back.
    pub(crate) fn return_user(&mut self, batch: &Batch, user: usize) {
        self.users.insert(user);
        for &place in &batch.users[user].events {
            self.decide(place, Fate::Returned);
        }
    }

    /// Tells whether all events of a user go back.
    pub(crate) fn is_returned(&self, user: usize) -> bool {
        self.users.contains(&user)
    }

    /// Gives a record back that could not be decoded nor queued as a dead letter.
    pub(crate) fn return_poison(&mut self, batch: &Batch, poison: usize) {
        self.returned.insert(batch.poison[poison].record);
    }

    /// Counts every event under its fate.
    pub fn count(&self, batch: &Batch, counts: &mut Counts) {
        counts.add(metrics::EVENTS_RECEIVED, self.events.len() as u64);
        counts.add(metrics::POISON_RECORDS, batch.poison.len() as u64);
        let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
        for fate in &self.events {
            *fates.entry(*fate).or_default() += 1;
        }
        for (fate, n) in fates {
            counts.add(fate.metric(), n);
        }
    }

    /// Tells whether an event's record is not delivered again: Kinesis delivers everything
    /// from the first record that goes back.
    pub(crate) fn is_final(&self, batch: &Batch, event: usize) -> bool {
        let first = self.returned_records(batch).first().copied();
        first.is_none_or(|first| batch.events[event].record < first)
    }

    fn returned_records(&self, batch: &Batch) -> BTreeSet<usize> {
        let events = batch.events.iter().zip(&self.events);
        let returned = events.filter(|(_, fate)| **fate == Fate::Returned);
        let mut records: BTreeSet<usize> = returned.map(|(received, _)| received.record).collect();
        records.extend(&self.returned);
        records
    }

    /// The records that Kinesis must deliver again, in their order: those with an event that
    /// goes back.
    pub fn response(&self, batch: &Batch) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        for record in self.returned_records(batch) {
            let mut failure = KinesisBatchItemFailure::default();
            failure.item_identifier = Some(batch.records[record].sequence_number.clone());
            response.batch_item_failures.push(failure);
        }
        response
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lambda_events::event::kinesis::KinesisEventRecord;
    use contract::aggregation;
    use contract::frame::{self, Lines};
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
            redriven_at_ms: None,
            origin: String::new(),
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
    fn records_beyond_what_memory_is_meant_for_come_again_and_those_before_are_done() {
        let frame = |user: &str| {
            let mut lines = Lines::default();
            let record = UserRecord {
                v: VERSION,
                user_id: user.to_owned(),
                event_type: "t".to_owned(),
                uploaded_at_ms: 0,
                redriven_at_ms: None,
                origin: "x".repeat(1_000_000),
                events: vec![],
            };
            lines.add(|out| out.extend_from_slice(&record.encode()));
            frame::seal(vec![lines]).remove(0)
        };
        let frames: Vec<Vec<u8>> = (0..40).map(|n| frame(&format!("u{n}"))).collect();
        assert!(frames[0].len() < 10_000, "Lambda would take all of them");

        let batch = Batch::decode(delivery(&frames));

        assert_eq!((batch.users.len(), batch.poison.len(), batch.has_rest()), (17, 0, true));
        let response = Fates::of(&batch).response(&batch);
        let failed: Vec<_> = response.batch_item_failures.iter().collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].item_identifier.as_deref(), Some("17"));
    }

    #[test]
    fn a_poison_record_touches_no_other() {
        let batch = Batch::decode(delivery(&[b"junk".to_vec(), user_record("a", &[1])]));

        assert_eq!(batch.poison.len(), 1);
        assert_eq!(batch.users.len(), 1);
        assert!(Fates::of(&batch).response(&batch).batch_item_failures.is_empty());
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
        let framed = |datas: Vec<Vec<u8>>| {
            let mut lines = Lines::default();
            datas.iter().for_each(|data| lines.add(|out| out.extend_from_slice(data)));
            frame::seal(vec![lines]).remove(0)
        };
        let forms: [&dyn Fn(Vec<Vec<u8>>) -> Vec<u8>; 2] = [&packed, &framed];
        for form in forms {
            let few = form(vec![user_record("a", &[1]), junk(), user_record("b", &[2])]);
            let many = form(vec![junk(); 1_000]);

            let batch = Batch::decode(delivery(&[few, many]));

            assert_eq!((batch.users.len(), batch.has_rest()), (2, false));
            let member = |poison: &Poison| match poison.letter.input {
                Input::StreamRecord { member, .. } => member,
                _ => panic!("is about a stream record"),
            };
            assert_eq!(batch.poison.iter().map(member).collect::<Vec<_>>(), [Some(1), None]);
        }
    }

    #[test]
    fn only_records_with_an_undone_event_go_back_and_every_event_is_counted_once() {
        let batch = Batch::decode(delivery(&[user_record("a", &[1, 2]), user_record("b", &[3])]));
        let mut fates = Fates::of(&batch);
        fates.decide(0, Fate::Stored);
        fates.decide(2, Fate::Stored);
        fates.decide(2, Fate::Returned);

        let response = fates.response(&batch);
        let mut counts = Counts::default();
        fates.count(&batch, &mut counts);

        assert_eq!(response.batch_item_failures.len(), 1);
        assert_eq!(response.batch_item_failures[0].item_identifier.as_deref(), Some("1"));
        assert_eq!(counts.fates(), counts.get(metrics::EVENTS_RECEIVED));
        assert_eq!(counts.get(Fate::Returned.metric()), 1);
        assert_eq!(counts.get(Fate::NoTrigger.metric()), 1);
    }
}
