//! Groups the events of a container by user.
//!
//! Guarantees: a user's events keep their order, memory is bounded by the size of a
//! group and not by the container, and no user record is larger than a stream record
//! may be. Events lie in one buffer, one after the other, until their group is taken.

use std::hash::BuildHasher as _;
use std::mem;
use std::ops::Range;

use contract::dead_letter::{DeadLetter, Input};
use contract::user_record::{self, is_user_id};
use currents::read::{Envelope, MAX_EVENT_BYTES, TooLarge};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::stream::packing::{Packer, StreamRecord};

/// Size at which a group of users is passed on, in bytes of events.
///
/// With what stands around the events it makes about one PutRecords request. A larger
/// group would bring more of a user's events together, but outgrows the processor's
/// cache: 8 MiB took a tenth more time than 2 MiB.
pub const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Most events of a group, those without a user included: they fill no buffer, and yet
/// their reading must get ahead by groups.
const MAX_GROUP_EVENTS: u64 = 100_000;

/// Largest user record, in bytes of JSON, unless one event alone is larger.
pub const MAX_USER_RECORD_BYTES: usize = 768 * 1024;

/// What an event that is too large counts in the size of a group, so that hostile
/// objects cannot pile up dead letters.
const LETTER_BYTES: usize = 4 * 1024;

/// Users' events on their way to the stream.
#[derive(Debug, Default)]
pub struct Group {
    /// The user records, packed.
    pub records: Vec<StreamRecord>,
    /// How many user records that are.
    pub user_records: u64,
    /// Events that no stream record can hold.
    pub too_large: Vec<DeadLetter>,
    /// Events read, those included that are not in the records.
    pub events: u64,
    /// Events of a type that nobody wants.
    pub unwanted: u64,
    /// Events without a user.
    pub without_user: u64,
    /// Events whose user id no table takes.
    pub user_id_too_long: u64,
    /// Events whose properties hold something that could not be read as it was written.
    pub mended: u64,
}

/// Collects events and hands out groups.
#[derive(Debug)]
pub struct Grouper {
    event_type: String,
    uploaded_at_ms: u64,
    /// Where the events of the group came in.
    origin: String,
    max_group_bytes: usize,
    packer: Packer,
    /// The JSON of all events of the group.
    json: Vec<u8>,
    events: Vec<Kept>,
    users: Vec<User>,
    /// Users by the hashes of their ids.
    places: HashTable<usize>,
    hasher: RandomState,
    /// The ids of all users, one after the other.
    ids: String,
    pending: Group,
    letters_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    time: i64,
    json: Range<usize>,
    /// The user's next event.
    next: Option<usize>,
}

#[derive(Debug)]
struct User {
    id: Range<usize>,
    first: usize,
    last: usize,
    /// Whether the events came in the order of their times.
    is_sorted: bool,
}

impl Grouper {
    /// Groups the events of one container, or post, that appeared at this time.
    pub fn new(uploaded_at_ms: u64, max_group_bytes: usize, packer: Packer) -> Self {
        Self {
            event_type: String::new(),
            uploaded_at_ms,
            origin: String::new(),
            max_group_bytes,
            packer,
            json: Vec::new(),
            events: Vec::new(),
            users: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::default(),
            ids: String::new(),
            pending: Group::default(),
            letters_bytes: 0,
        }
    }

    /// The buffer to whose end an event's JSON is written before [`Self::push`].
    pub(crate) fn json(&mut self) -> &mut Vec<u8> {
        &mut self.json
    }

    /// Names the type of the events that follow.
    pub(crate) fn begin(&mut self, event_type: &str) {
        event_type.clone_into(&mut self.event_type);
    }

    /// Whether the group has no event yet, so that it is to be said where its first came in.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.events == 0
    }

    /// Says where the events of the group came in.
    pub(crate) fn came_in(&mut self, origin: String) {
        self.origin = origin;
    }

    /// Counts events of a type that nobody wants.
    pub(crate) fn pass_over(&mut self, events: u64) {
        self.pending.events += events;
        self.pending.unwanted += events;
    }

    /// Takes the event at the end of the buffer.
    pub(crate) fn push(&mut self, event: &Envelope<'_>) {
        self.pending.events += 1;
        self.pending.mended += u64::from(event.is_mended);
        if let Some(too_large) = &event.too_large {
            return self.push_too_large(event, too_large);
        }
        if !is_user_id(event.user_id) {
            self.json.truncate(event.start);
            let counter = match event.user_id {
                "" => &mut self.pending.without_user,
                _ => &mut self.pending.user_id_too_long,
            };
            *counter += 1;
            return;
        }
        let place = self.events.len();
        let json = event.start..self.json.len();
        self.events.push(Kept { time: event.time, json, next: None });
        let hash = |id: &str| self.hasher.hash_one(id);
        let (users, ids) = (&mut self.users, &mut self.ids);
        let entry = self.places.entry(
            hash(event.user_id),
            |&user| ids[users[user].id.clone()] == *event.user_id,
            |&user| hash(&ids[users[user].id.clone()]),
        );
        match entry {
            Entry::Occupied(user) => {
                let user = &mut users[*user.get()];
                user.is_sorted &= self.events[user.last].time <= event.time;
                self.events[user.last].next = Some(place);
                user.last = place;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(users.len());
                let start = ids.len();
                ids.push_str(event.user_id);
                let id = start..ids.len();
                users.push(User { id, first: place, last: place, is_sorted: true });
            }
        }
    }

    /// Takes an event that no stream record can hold, and what of it is in the buffer.
    fn push_too_large(&mut self, event: &Envelope<'_>, too_large: &TooLarge<'_>) {
        self.json.truncate(event.start);
        self.letters_bytes += LETTER_BYTES;
        let input = Input::Event {
            // Cut, because what is wrong with the event may be this.
            user_id: event.user_id.chars().take(user_record::MAX_USER_ID_BYTES).collect(),
            event_id: too_large.id.to_owned(),
            event_type: self.event_type.clone(),
            size_bytes: too_large.size_bytes,
        };
        let detail = format!("an event has at most {MAX_EVENT_BYTES} bytes of JSON");
        self.pending.too_large.push(DeadLetter::new("event_too_large", detail, input));
    }

    /// Tells whether enough has come together.
    pub fn is_full(&self) -> bool {
        self.json.len() + self.letters_bytes >= self.max_group_bytes
            || self.pending.events >= MAX_GROUP_EVENTS
    }

    /// Returns what has come together.
    pub fn take(&mut self) -> Group {
        self.places.clear();
        let mut order = Vec::new();
        let mut writer =
            user_record::Writer::new(&self.event_type, self.uploaded_at_ms, &self.origin);
        for user in mem::take(&mut self.users) {
            order.clear();
            let mut next = Some(user.first);
            while let Some(place) = next {
                order.push(place);
                next = self.events[place].next;
            }
            if !user.is_sorted {
                order.sort_by_key(|&place| self.events[place].time);
            }
            self.pack(user.id, &order, &mut writer);
        }
        self.json.clear();
        self.events.clear();
        self.ids.clear();
        self.letters_bytes = 0;
        Group { records: self.packer.take(), ..mem::take(&mut self.pending) }
    }

    /// Packs a user's events as one user record, or as many as they need.
    fn pack(
        &mut self,
        user_id: Range<usize>,
        mut events: &[usize],
        writer: &mut user_record::Writer,
    ) {
        let user_id = &self.ids[user_id];
        while !events.is_empty() {
            let mut bytes = 0;
            let fitting = events.iter().position(|&place| {
                bytes += self.events[place].json.len();
                bytes > MAX_USER_RECORD_BYTES
            });
            let (now, later) = events.split_at(fitting.unwrap_or(events.len()).max(1));
            let json = |&place: &usize| &self.json[self.events[place].json.clone()];
            let bytes = now.iter().map(json).map(<[u8]>::len).sum();
            let frame = writer.record(user_id, now.len(), bytes);
            self.packer.add(user_id, frame.length, |out| frame.write(now.iter().map(json), out));
            self.pending.user_records += 1;
            events = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use bytes::Bytes;
    use contract::user_record::{UserRecord, unpack};
    use serde_json::json;

    use super::*;
    use crate::stream::packing::Format;

    fn grouper(max_group_bytes: usize) -> Grouper {
        let mut grouper =
            Grouper::new(0, max_group_bytes, Packer::new(NonZeroU16::MIN, Format::Zstd));
        grouper.begin("t");
        grouper
    }

    fn push(grouper: &mut Grouper, user_id: &str, time: i64, text: &str) {
        let event =
            json!({ "id": format!("{user_id}-{time}"), "time": time, "fields": { "text": text } });
        let start = grouper.json.len();
        grouper.json.extend_from_slice(event.to_string().as_bytes());
        grouper.push(&Envelope { user_id, time, start, is_mended: false, too_large: None });
    }

    fn user_records(group: &Group) -> Vec<UserRecord> {
        let members =
            group.records.iter().flat_map(|record| unpack(Bytes::copy_from_slice(&record.data)));
        members.map(|(_, record)| record.expect("decodes")).collect()
    }

    fn times(record: &UserRecord) -> Vec<i64> {
        record.events.iter().map(|event| event.time).collect()
    }

    #[test]
    fn a_users_events_come_together_in_order_of_time() {
        let mut grouper = grouper(1_000_000);
        for (user, time) in [("a", 3), ("b", 1), ("a", 2), ("a", 5)] {
            push(&mut grouper, user, time, "");
        }

        let group = grouper.take();
        let records = user_records(&group);

        assert_eq!(records.iter().map(times).collect::<Vec<_>>(), [vec![2, 3, 5], vec![1]]);
        assert_eq!((group.user_records, group.events), (2, 4));
        assert!(grouper.take().records.is_empty());
    }

    #[test]
    fn a_user_record_that_would_not_fit_is_split() {
        let mut grouper = grouper(usize::MAX);
        for (time, kilobytes) in [(1, 300), (2, 300), (3, 300), (4, 900), (5, 10)] {
            push(&mut grouper, "a", time, &"x".repeat(kilobytes * 1_024));
        }

        let group = grouper.take();
        let records = user_records(&group);

        assert_eq!(
            records.iter().map(times).collect::<Vec<_>>(),
            [vec![1, 2], vec![3], vec![4], vec![5]]
        );
        assert!(group.records.iter().all(|record| record.data.len() < 1_048_576));
    }

    #[test]
    fn memory_is_bounded_by_the_group_and_not_by_the_container() {
        let mut grouper = grouper(1_000);
        let mut groups = 0;
        for time in 0..1_000 {
            push(&mut grouper, "a", time, "some text");
            if grouper.is_full() {
                groups += 1;
                grouper.take();
            }
        }

        assert!(groups > 50);
        assert!(grouper.json.capacity() < 4_000);
    }

    #[test]
    fn events_without_a_usable_user_are_counted_and_leave_nothing_behind() {
        let mut grouper = grouper(1_000_000);

        push(&mut grouper, "", 1, "");
        push(&mut grouper, &"x".repeat(200), 1, "");
        let group = grouper.take();

        assert_eq!((group.events, group.without_user, group.user_id_too_long), (2, 1, 1));
        assert!(group.records.is_empty());
    }

    #[test]
    fn events_that_are_too_large_fill_a_group_too() {
        let mut grouper = grouper(64 * 1024);
        let mut pushed = 0;
        while !grouper.is_full() {
            let too_large = Some(TooLarge { id: "e", size_bytes: 2_000_000 });
            grouper.push(&Envelope {
                user_id: "a",
                time: 0,
                start: 0,
                is_mended: false,
                too_large,
            });
            pushed += 1;
        }

        assert_eq!(grouper.take().too_large.len(), pushed);
        assert_eq!(pushed, 16);
    }
}
