//! A container's bytes, as groups of user records.
//!
//! Guarantees: everything before damage is handed out before the damage is reported,
//! and each group comes with a place from which reading can begin again without
//! missing anything that was not handed out.

use std::collections::BTreeSet;
use std::io::Read;
use std::num::NonZeroU16;
use std::ops::ControlFlow;

use crate::container::{Blocks, Damage, Header, Position, ReadError};
use crate::cursor::Cursor;
use crate::grouping::{Group, Grouper, NewEvent};
use crate::packing::Packer;
use crate::projector::{Fallback, Projector};

/// Events decoded before the decoder looks whether anybody still waits for them.
const EVENTS_BETWEEN_LOOKS: u64 = 1_024;

/// How a container is read.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// Personal fields that may pass.
    pub wanted: BTreeSet<String>,
    /// Largest block, compressed or not, in bytes.
    pub max_block_bytes: usize,
    /// Size at which a group is handed out, in bytes of events.
    pub max_group_bytes: usize,
    /// Buckets that users are spread over.
    pub buckets: NonZeroU16,
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

/// Who receives the groups.
pub trait Receiver {
    /// Takes a group; reading could begin again at `resume`. Breaks to end the reading.
    fn take(&mut self, group: Group, resume: Position) -> ControlFlow<()>;

    /// Tells whether anybody still waits for groups.
    fn is_waiting(&self) -> bool {
        true
    }
}

/// Reading ended before the end of the container.
#[derive(Debug, thiserror::Error)]
#[error("{error} at byte {} (block {})", at.offset_bytes, at.block)]
pub struct Stopped {
    /// Why.
    #[source]
    pub error: ReadError,
    /// Where the header or block begins that could not be read.
    pub at: Position,
}

impl Decoder {
    /// Reads a container to its end, or until `receiver` has enough.
    pub fn decode<R: Read>(
        &self,
        source: Source<R>,
        origin: &Origin,
        receiver: &mut impl Receiver,
    ) -> Result<(), Stopped> {
        let start = |error| Stopped { error, at: Position::default() };
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
        let (plan, blocks) = header.blocks(bytes, from, self.max_block_bytes);
        let time = i64::try_from(origin.uploaded_at_ms / 1_000).unwrap_or(i64::MAX);
        let packer = Packer::new(self.buckets);
        let (event_type, uploaded_at_ms) = (plan.event_type.clone(), origin.uploaded_at_ms);
        let fallback = Fallback { key: origin.key.clone(), time };
        let mut reading = Reading {
            grouper: Grouper::new(event_type, uploaded_at_ms, self.max_group_bytes, packer),
            projector: Projector::new(plan, fallback),
            receiver,
            at: from,
        };
        let ended = reading.blocks(blocks);
        if matches!(ended, Ok(ControlFlow::Continue(())) | Err(_)) {
            let rest = reading.grouper.take();
            // Whether anybody takes it decides nothing here any more.
            let _ = reading.receiver.take(rest, reading.at);
        }
        ended.map(drop).map_err(|error| Stopped { error, at: reading.at })
    }
}

struct Reading<'r, T> {
    grouper: Grouper,
    projector: Projector,
    receiver: &'r mut T,
    /// Where the block begins that is being read.
    at: Position,
}

impl<T: Receiver> Reading<'_, T> {
    fn blocks<R: Read>(&mut self, mut blocks: Blocks<R>) -> Result<ControlFlow<()>, ReadError> {
        while let Some(block) = blocks.next_block()? {
            let records = block.records;
            if self.block(records, block.bytes)?.is_break() {
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
            event.map_err(|source| Damage::Record { record, source })?;
            if self.grouper.is_full() {
                let group = self.grouper.take();
                if self.receiver.take(group, self.at).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if record.is_multiple_of(EVENTS_BETWEEN_LOOKS) && !self.receiver.is_waiting() {
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
    ) -> Result<(), crate::cursor::Malformed> {
        let before = cursor.remaining();
        let json = self.grouper.json();
        let start = json.len();
        let head = match self.projector.event(cursor, position, json) {
            Ok(head) => head,
            Err(error) => {
                json.truncate(start);
                return Err(error);
            }
        };
        self.grouper.count_mended(head.is_mended);
        let event = NewEvent { user_id: head.user_id, time: head.time, start };
        if head.is_too_large {
            let id = match head.id {
                "" => self.projector.fallback_id(position),
                id => id.to_owned(),
            };
            let size_bytes = (before - cursor.remaining()) as u64;
            self.grouper.push_too_large(&event, id, size_bytes);
        } else {
            self.grouper.push(&event);
        }
        Ok(())
    }
}
