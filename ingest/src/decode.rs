//! A container's events, as groups of user records.
//!
//! Guarantees: each group comes with a place from which reading can begin again without
//! missing anything that was not handed out.

use std::io::Read;
use std::num::NonZeroU16;
use std::ops::ControlFlow;

use contract::user_record::of_object;
use currents::read::container::Position;
use currents::read::{Envelope, Interruption, Origin, Reader, Source, Taker};

use crate::grouping::{Group, Grouper};
use crate::stream::packing::{Format, Packer};

/// How a container becomes groups.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// How it is read.
    pub reader: Reader,
    /// Size at which a group is handed out, in bytes of events.
    pub max_group_bytes: usize,
    /// Buckets that users are spread over.
    pub buckets: NonZeroU16,
    /// The form of stream records.
    pub format: Format,
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

impl Decoder {
    /// Reads a container to its end, or until `receiver` has enough.
    pub fn decode<R: Read>(
        &self,
        source: Source<R>,
        origin: &Origin,
        receiver: &mut impl Receiver,
    ) -> Result<(), Interruption> {
        let packer = Packer::new(self.buckets, self.format);
        let grouper = Grouper::new(origin.uploaded_at_ms, self.max_group_bytes, packer);
        self.reader.read(source, origin, &mut Grouping { key: &origin.key, grouper, receiver })
    }
}

struct Grouping<'r, T> {
    key: &'r str,
    grouper: Grouper,
    receiver: &'r mut T,
}

impl<T: Receiver> Taker for Grouping<'_, T> {
    fn begin(&mut self, event_type: &str) {
        self.grouper.begin(event_type);
    }

    fn json(&mut self) -> &mut Vec<u8> {
        self.grouper.json()
    }

    fn take(&mut self, event: Envelope<'_>, resume: Position) -> ControlFlow<()> {
        if self.grouper.is_empty() {
            self.grouper.came_in(of_object(self.key, resume.block));
        }
        self.grouper.push(&event);
        if self.grouper.is_full() {
            return self.receiver.take(self.grouper.take(), resume);
        }
        ControlFlow::Continue(())
    }

    fn pass_over(&mut self, events: u64, resume: Position) -> ControlFlow<()> {
        self.grouper.pass_over(events);
        if self.grouper.is_full() {
            return self.receiver.take(self.grouper.take(), resume);
        }
        ControlFlow::Continue(())
    }

    fn is_waiting(&self) -> bool {
        self.receiver.is_waiting()
    }

    fn end(&mut self, resume: Position) {
        // Whether anybody takes it decides nothing here any more.
        let _ = self.receiver.take(self.grouper.take(), resume);
    }
}
