//! Groups the events of a container by user.
//!
//! Guarantees: a user's events keep their order, memory is bounded by
//! [`MAX_GROUP_BYTES`] and not by the container, and no user record is larger
//! than a stream record may be.

use std::collections::HashMap;
use std::mem;

use contract::user_record::{Event, UserRecord, VERSION, is_user_id};
use serde_json::Value;

use crate::container::UserEvent;

/// Size at which a group of users is passed on, in bytes of events.
///
/// Large enough that a user who is active in one object meets most of their
/// events, small enough that two groups in flight stay far below a Lambda's memory.
pub const MAX_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Largest user record, in bytes of JSON.
///
/// A Kinesis record takes 1 MiB together with its partition key. A quarter of
/// the room stays free because sizes are estimated before encoding.
pub const MAX_USER_RECORD_BYTES: usize = 768 * 1024;

/// Collects events and hands out groups of user records.
#[derive(Debug)]
pub struct Grouper {
    event_type: String,
    uploaded_at_ms: u64,
    users: HashMap<String, Vec<(Event, usize)>>,
    bytes: usize,
    max_group_bytes: usize,
    /// Events without a user id that a table takes.
    pub without_user: u64,
}

impl Grouper {
    /// Starts grouping the events of one container.
    pub fn new(event_type: String, uploaded_at_ms: u64) -> Self {
        Self {
            event_type,
            uploaded_at_ms,
            users: HashMap::new(),
            bytes: 0,
            max_group_bytes: MAX_GROUP_BYTES,
            without_user: 0,
        }
    }

    /// Takes an event; returns a group when enough has come together.
    pub fn push(&mut self, UserEvent { user_id, event }: UserEvent) -> Option<Vec<UserRecord>> {
        let Some(user_id) = user_id.filter(|id| is_user_id(id)) else {
            self.without_user += 1;
            return None;
        };
        let size = estimated_bytes(&event);
        self.users.entry(user_id).or_default().push((event, size));
        self.bytes += size;
        (self.bytes >= self.max_group_bytes).then(|| self.take())
    }

    /// Returns what is left.
    pub fn take(&mut self) -> Vec<UserRecord> {
        self.bytes = 0;
        let mut records = Vec::with_capacity(self.users.len());
        for (user_id, mut events) in mem::take(&mut self.users) {
            events.sort_by_key(|(event, _)| event.time);
            let mut rest = events.into_iter().peekable();
            while rest.peek().is_some() {
                let mut record = self.empty_record(&user_id);
                let mut bytes = 0;
                while let Some((event, size)) =
                    rest.next_if(|(_, size)| bytes == 0 || bytes + size <= MAX_USER_RECORD_BYTES)
                {
                    bytes += size;
                    record.events.push(event);
                }
                records.push(record);
            }
        }
        records
    }

    fn empty_record(&self, user_id: &str) -> UserRecord {
        UserRecord {
            v: VERSION,
            user_id: user_id.to_owned(),
            event_type: self.event_type.clone(),
            uploaded_at_ms: self.uploaded_at_ms,
            events: Vec::new(),
        }
    }
}

/// Estimates the JSON size of an event, without writing it.
fn estimated_bytes(event: &Event) -> usize {
    const FRAME: usize = 48;
    let fields = event.fields.iter().map(|(name, value)| name.len() + 4 + value_bytes(value));
    FRAME + event.id.len() + fields.sum::<usize>()
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(|value| value_bytes(value) + 1).sum(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| name.len() + 4 + value_bytes(value)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn event(user: &str, time: i64, text: &str) -> UserEvent {
        let fields = Map::from_iter([("text".to_owned(), json!(text))]);
        UserEvent {
            user_id: Some(user.to_owned()),
            event: Event { id: format!("{user}-{time}"), time, fields },
        }
    }

    fn times(record: &UserRecord) -> Vec<i64> {
        record.events.iter().map(|event| event.time).collect()
    }

    #[test]
    fn a_users_events_come_together_in_order_of_time() {
        let mut grouper = Grouper::new("t".to_owned(), 0);
        for (user, time) in [("a", 3), ("b", 1), ("a", 2)] {
            assert!(grouper.push(event(user, time, "")).is_none());
        }

        let mut records = grouper.take();
        records.sort_by(|one, other| one.user_id.cmp(&other.user_id));

        assert_eq!(times(&records[0]), [2, 3]);
        assert_eq!(times(&records[1]), [1]);
    }

    #[test]
    fn a_user_record_that_would_not_fit_is_split() {
        let mut grouper = Grouper::new("t".to_owned(), 0);
        let text = "x".repeat(300 * 1024);
        for time in 1..=5 {
            grouper.push(event("a", time, &text));
        }

        let records = grouper.take();

        assert_eq!(
            records.iter().map(times).collect::<Vec<_>>(),
            [vec![1, 2], vec![3, 4], vec![5]]
        );
        assert!(records.iter().all(|record| record.encode().len() <= 1_048_576));
    }

    #[test]
    fn memory_is_bounded_by_the_group_and_not_by_the_container() {
        let mut grouper = Grouper { max_group_bytes: 1_000, ..Grouper::new("t".to_owned(), 0) };

        let groups: Vec<_> =
            (0..1_000).filter_map(|time| grouper.push(event("a", time, "some text"))).collect();

        assert!(groups.len() > 50);
        assert!(grouper.bytes < 1_000);
    }

    #[test]
    fn events_without_a_usable_user_are_counted() {
        let mut grouper = Grouper::new("t".to_owned(), 0);

        grouper.push(UserEvent { user_id: None, ..event("", 1, "") });
        grouper.push(event(&"x".repeat(200), 1, ""));

        assert_eq!(grouper.without_user, 2);
        assert!(grouper.take().is_empty());
    }
}
