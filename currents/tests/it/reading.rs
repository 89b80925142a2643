//! Reads containers and keeps what comes out.

use std::io::Cursor;
use std::ops::ControlFlow;

use contract::user_record::Event;
use contract::wanted::Wanted;
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use currents::read::{Envelope, Interruption, Origin, Reader, Source, Taker};

pub(crate) const USER: &str = "5f1a2b3c4d5e6f7a8b9c0d1e";
pub(crate) const TIME: i64 = 1_743_526_800;
pub(crate) const KEY: &str = "a/b.avro";

/// What reading a container came to.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) event_type: String,
    pub(crate) json: Vec<u8>,
    /// Events that have a user, with it.
    pub(crate) user_events: Vec<(String, Event)>,
    /// Users, ids and sizes of events that are too large.
    pub(crate) too_large: Vec<(String, String, u64)>,
    pub(crate) events: u64,
    pub(crate) mended: u64,
    pub(crate) without_user: u64,
    /// Where reading could have begun again, after each event.
    pub(crate) resumes: Vec<Position>,
    pub(crate) stopped: Option<Interruption>,
}

impl Read {
    /// All events with their users, ordered by user and id.
    pub(crate) fn user_events(self) -> Vec<(String, Event)> {
        let mut events = self.user_events;
        events.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
        events
    }

    pub(crate) fn fault(&self) -> String {
        let mut text = String::new();
        let mut cause: Option<&dyn std::error::Error> = self.stopped.as_ref().map(|s| s as _);
        while let Some(error) = cause {
            text = format!("{text}{error}; ");
            cause = error.source();
        }
        text
    }
}

impl Taker for Read {
    fn begin(&mut self, event_type: &str) {
        event_type.clone_into(&mut self.event_type);
    }

    fn json(&mut self) -> &mut Vec<u8> {
        self.json.clear();
        &mut self.json
    }

    fn take(&mut self, taken: Envelope<'_>, resume: Position) -> ControlFlow<()> {
        self.events += 1;
        self.mended += u64::from(taken.is_mended);
        self.resumes.push(resume);
        if let Some(too_large) = taken.too_large {
            let (user, id) = (taken.user_id.to_owned(), too_large.id.to_owned());
            self.too_large.push((user, id, too_large.size_bytes));
            return ControlFlow::Continue(());
        }
        let event: Event = serde_json::from_slice(&self.json[taken.start..]).expect("is an event");
        assert_eq!(event.time, taken.time);
        if taken.user_id.is_empty() {
            self.without_user += 1;
        } else {
            self.user_events.push((taken.user_id.to_owned(), event));
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, resume: Position) {
        self.resumes.push(resume);
    }
}

pub(crate) fn reader(wanted: &[&str]) -> Reader {
    Reader {
        wanted: Wanted::fields(wanted.iter().map(|name| (*name).to_owned()).collect()),
        max_block_bytes: DEFAULT_MAX_BLOCK_BYTES,
    }
}

pub(crate) fn read_with(reader: &Reader, source: Source<Cursor<Vec<u8>>>) -> Read {
    let origin = Origin { key: KEY.to_owned(), uploaded_at_ms: TIME as u64 * 1_000 };
    let mut read = Read::default();
    read.stopped = reader.read(source, &origin, &mut read).err();
    read
}

pub(crate) fn read(bytes: &[u8]) -> Read {
    read_with(&reader(&[]), Source::Whole(Cursor::new(bytes.to_vec())))
}
