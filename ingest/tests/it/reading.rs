//! Reads containers as `ingest` does and keeps what comes out.

use std::io::Cursor;
use std::num::NonZeroU16;
use std::ops::ControlFlow;

use bytes::Bytes;
use contract::dead_letter::DeadLetter;
use contract::user_record::{Event, UserRecord, unpack};
use contract::wanted::Wanted;
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use currents::read::{Interruption, Origin, Reader, Source};
use ingest::decode::{Decoder, Receiver};
use ingest::grouping::{Group, MAX_GROUP_BYTES};
use ingest::stream::packing::{Format, StreamRecord};

pub(crate) const TIME: i64 = 1_743_526_800;
pub(crate) const KEY: &str = "a/b.avro";

/// What reading a container came to.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) stream_records: Vec<StreamRecord>,
    pub(crate) user_records: Vec<UserRecord>,
    pub(crate) too_large: Vec<DeadLetter>,
    pub(crate) events: u64,
    pub(crate) unwanted: u64,
    /// Where reading could have begun again, after each group.
    pub(crate) resumes: Vec<Position>,
    pub(crate) stopped: Option<Interruption>,
}

impl Read {
    /// All events with their users, ordered by user and id.
    pub(crate) fn user_events(self) -> Vec<(String, Event)> {
        let mut events: Vec<(String, Event)> = self
            .user_records
            .into_iter()
            .flat_map(|record| record.events.into_iter().map(move |e| (record.user_id.clone(), e)))
            .collect();
        events.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
        events
    }
}

impl Receiver for Read {
    fn take(&mut self, group: Group, resume: Position) -> ControlFlow<()> {
        for record in &group.records {
            for (_, user_record) in unpack(Bytes::copy_from_slice(&record.data)) {
                self.user_records.push(user_record.expect("is a user record"));
            }
        }
        self.events += group.events;
        self.unwanted += group.unwanted;
        self.stream_records.extend(group.records);
        self.too_large.extend(group.too_large);
        self.resumes.push(resume);
        ControlFlow::Continue(())
    }
}

pub(crate) fn decoder() -> Decoder {
    let reader = Reader { wanted: Wanted::default(), max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
    let buckets = NonZeroU16::new(16).expect("not zero");
    Decoder { reader, max_group_bytes: MAX_GROUP_BYTES, buckets, format: Format::Zstd }
}

pub(crate) fn read_with(decoder: &Decoder, source: Source<Cursor<Vec<u8>>>) -> Read {
    let origin = Origin { key: KEY.to_owned(), uploaded_at_ms: TIME as u64 * 1_000 };
    let mut read = Read::default();
    read.stopped = decoder.decode(source, &origin, &mut read).err();
    read
}

pub(crate) fn read(bytes: &[u8]) -> Read {
    read_with(&decoder(), Source::Whole(Cursor::new(bytes.to_vec())))
}
