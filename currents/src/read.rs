//! Reads containers: their bytes, as events in JSON, one after the other.
//!
//! ```text
//! bytes -> blocks -> records -> events as JSON -> whoever takes them
//!     (container,    (layout,   (walk, json,
//!      codec)         projector) lenient)
//! ```
//!
//! Guarantees: everything before damage is handed out before the damage is reported, and
//! whoever takes the events knows a place from which reading can begin again without
//! missing any of them.

pub mod codec;
pub mod container;
mod cursor;
#[cfg(feature = "lines")]
mod doubts;
mod header_schema;
mod json;
mod layout;
mod lenient;
mod projector;
mod walk;

use std::io::Read;
use std::ops::ControlFlow;

use container::{Blocks, Damage, Header, Position, ReadError};
use contract::event_id;
use contract::wanted::Wanted;
use cursor::Cursor;
use projector::{Fallback, Projector};

pub use cursor::Malformed;
#[cfg(feature = "lines")]
pub use doubts::doubts;
pub use header_schema::{InvalidSchema, MAX_FIELDS};
pub use json::embedded;
pub use layout::{MAX_EVENT_TYPE_BYTES, Unusable};
pub use projector::{MAX_AHEAD_SECS, MAX_EVENT_BYTES};
pub use walk::{MAX_DEPTH, MAX_EMPTY_ITEMS};

/// Events read before it is asked whether anybody still waits for them.
const EVENTS_BETWEEN_LOOKS: u64 = 1_024;

/// How containers are read.
#[derive(Debug, Clone)]
pub struct Reader {
    /// What may pass.
    pub wanted: Wanted,
    /// Largest block, compressed or not, in bytes.
    pub max_block_bytes: usize,
}

/// The bytes of a container.
#[derive(Debug)]
pub enum Source<R> {
    /// From the beginning.
    Whole(R),
    /// The header, and what follows `from`.
    Rest {
        /// Yields the header first.
        header: R,
        /// Yields the block at `from` first.
        blocks: R,
        /// Where reading begins again.
        from: Position,
    },
}

/// What the object is called and when it came.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Key of the object.
    pub key: String,
    /// When it appeared, in UNIX milliseconds.
    pub uploaded_at_ms: u64,
}

/// One event, whose JSON ([`Event`](contract::user_record::Event)) is at the end of
/// [`Taker::json`].
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The Braze id; empty where the event names no user.
    pub user_id: &'a str,
    /// When it happened, in UNIX seconds.
    pub time: i64,
    /// Where its JSON begins.
    pub start: usize,
    /// Whether something in its properties could not be read as it was written.
    pub is_mended: bool,
    /// It is larger than [`MAX_EVENT_BYTES`]; its JSON is cut then.
    pub too_large: Option<TooLarge<'a>>,
}

/// What is known of an event that is too large.
#[derive(Debug, Clone, Copy)]
pub struct TooLarge<'a> {
    /// Its own id, or what stands for it.
    pub id: &'a str,
    /// Its size in the container, in bytes.
    pub size_bytes: u64,
}

/// Who takes the events.
pub trait Taker {
    /// Begins with a container of events of this type.
    fn begin(&mut self, event_type: &str);

    /// The buffer to whose end the next event's JSON is written.
    fn json(&mut self) -> &mut Vec<u8>;

    /// Takes an event; reading could begin again at `resume`, which is not behind it. Breaks
    /// to end the reading.
    fn take(&mut self, event: Envelope<'_>, resume: Position) -> ControlFlow<()>;

    /// Passes over so many events of a type that nobody wants; reading could begin again at
    /// `resume`, which is not behind them. Breaks to end the reading.
    fn pass_over(&mut self, _events: u64, _resume: Position) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Tells whether anybody still waits for events.
    fn is_waiting(&self) -> bool {
        true
    }

    /// All that could be read was; reading could begin again at `resume`.
    fn end(&mut self, resume: Position);
}

/// Reading ended before the end of the container.
#[derive(Debug, thiserror::Error)]
#[error("{error} at byte {} (block {})", at.offset_bytes, at.block)]
pub struct Interruption {
    /// Why.
    #[source]
    pub error: ReadError,
    /// Where the header or block begins that could not be read.
    pub at: Position,
}

impl Reader {
    /// Reads a container to its end, or until `taker` has enough.
    pub fn read<R: Read>(
        &self,
        source: Source<R>,
        origin: &Origin,
        taker: &mut impl Taker,
    ) -> Result<(), Interruption> {
        let start = |error| Interruption { error, at: Position::default() };
        let wanted = self.wanted.clone();
        let read_header = |bytes: &mut R| Header::read(bytes, &self.wanted, &origin.key);
        let (header, bytes, from) = match source {
            Source::Whole(mut bytes) => {
                let header = read_header(&mut bytes).map_err(start)?;
                let from = header.end;
                (header, bytes, from)
            }
            Source::Rest { mut header, blocks, from } => {
                (read_header(&mut header).map_err(start)?, blocks, from)
            }
        };
        let (layout, blocks) = header.blocks(bytes, from, self.max_block_bytes);
        let time = i64::try_from(origin.uploaded_at_ms / 1_000).unwrap_or(i64::MAX);
        let fallback = Fallback { key: origin.key.clone(), time };
        taker.begin(&layout.event_type);
        let is_wanted = wanted.takes(&layout.event_type);
        let mut reading = Reading {
            projector: Projector::new(layout, fallback, wanted),
            taker,
            is_wanted,
            at: from,
        };
        let ended = reading.blocks(blocks);
        if matches!(ended, Ok(ControlFlow::Continue(())) | Err(_)) {
            reading.taker.end(reading.at);
        }
        ended.map(drop).map_err(|error| Interruption { error, at: reading.at })
    }
}

struct Reading<'t, T> {
    projector: Projector,
    taker: &'t mut T,
    /// Whether events of its type may pass.
    is_wanted: bool,
    /// Where the block begins that is being read.
    at: Position,
}

impl<T: Taker> Reading<'_, T> {
    fn blocks<R: Read>(&mut self, mut blocks: Blocks<R>) -> Result<ControlFlow<()>, ReadError> {
        while let Some(block) = blocks.next_block()? {
            let records = block.records;
            let passed = match self.is_wanted {
                true => self.block(records, block.bytes)?,
                // Nobody decodes them, and a block can claim more than it holds.
                false => self.taker.pass_over(records.min(block.bytes.len() as u64), self.at),
            };
            if passed.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            self.at = Position {
                offset_bytes: blocks.offset_bytes(),
                block: self.at.block + 1,
                records: self.at.records.saturating_add(records),
            };
        }
        Ok(ControlFlow::Continue(()))
    }

    fn block(&mut self, records: u64, bytes: &[u8]) -> Result<ControlFlow<()>, Damage> {
        let mut cursor = Cursor::new(bytes);
        for record in 0..records {
            let position = self.at.records.saturating_add(record);
            let event = self.event(&mut cursor, position);
            let taken = event.map_err(|source| Damage::Record { record, source })?;
            let is_over = record.is_multiple_of(EVENTS_BETWEEN_LOOKS) && !self.taker.is_waiting();
            if taken.is_break() || is_over {
                return Ok(ControlFlow::Break(()));
            }
        }
        match cursor.remaining() {
            0 => Ok(ControlFlow::Continue(())),
            bytes => Err(Damage::LeftOver { bytes }),
        }
    }

    fn event(
        &mut self,
        cursor: &mut Cursor<'_>,
        position: u64,
    ) -> Result<ControlFlow<()>, Malformed> {
        let before = cursor.remaining();
        let json = self.taker.json();
        let start = json.len();
        let head = match self.projector.event(cursor, position, json) {
            Ok(head) => head,
            Err(error) => {
                json.truncate(start);
                return Err(error);
            }
        };
        let (user_id, time, is_mended) = (head.user_id, head.time, head.is_mended);
        let event = Envelope { user_id, time, start, is_mended, too_large: None };
        if !head.is_too_large {
            return Ok(self.taker.take(event, self.at));
        }
        let size_bytes = (before - cursor.remaining()) as u64;
        let id = match head.id {
            "" => self.projector.fallback_id(position),
            id => event_id::kept(id).into_owned(),
        };
        let too_large = Some(TooLarge { id: &id, size_bytes });
        Ok(self.taker.take(Envelope { too_large, ..event }, self.at))
    }
}
