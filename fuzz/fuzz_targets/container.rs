//! Any bytes, read as a container: no panic, no endless loop, bounded memory, and
//! every user record that comes of it can be read again.

#![no_main]

use std::num::NonZeroU16;
use std::ops::ControlFlow;

use contract::user_record::unpack;
use contract::wanted::Wanted;
use currents::read::container::Position;
use currents::read::{Origin, Reader, Source};
use ingest::decode::{Decoder, Receiver};
use ingest::grouping::Group;
use ingest::stream::packing::Format;
use libfuzzer_sys::fuzz_target;

/// Small enough that a block at its limit is no hang.
const MAX_BLOCK_BYTES: usize = 256 * 1024;

struct Checking {
    events: u64,
}

impl Receiver for Checking {
    fn take(&mut self, group: Group, _: Position) -> ControlFlow<()> {
        let mut events = group.too_large.len() as u64 + group.without_user + group.user_id_too_long;
        for record in group.records {
            assert!(record.data.len() <= 1_048_576, "a stream record is too large");
            for (_, user_record) in unpack(record.data.into()) {
                events += user_record.expect("is a user record").events.len() as u64;
            }
        }
        assert_eq!(events, group.events, "every event is accounted for");
        self.events += events;
        ControlFlow::Continue(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let decoder = Decoder {
        reader: Reader { wanted: Wanted::default(), max_block_bytes: MAX_BLOCK_BYTES },
        max_group_bytes: 64 * 1024,
        buckets: NonZeroU16::MIN,
        format: Format::Zstd,
    };
    let origin = Origin { key: "fuzz.avro".to_owned(), uploaded_at_ms: 1_743_526_800_000 };
    let mut checking = Checking { events: 0 };
    // Whether it is damaged is its own affair.
    let _ = decoder.decode(Source::Whole(bytes), &origin, &mut checking);
});
