//! Many user records in one stream record: a zstd frame that holds them as JSON Lines.
//!
//! Guarantees: what [`seal`] writes [`decode`] reads; a frame that was changed on its way is told
//! by its checksum; and whatever a frame claims, it takes no more memory than [`MAX_BYTES`] and a
//! word for each of its lines, which are bounded too.
//!
//! Whoever reads the stream with another program needs zstd and a reader of JSON; `docs/deployment.md`
//! has one of ten lines.
//!
//! Source: <https://datatracker.ietf.org/doc/html/rfc8878>

use std::io;

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::get_frame_content_size;

/// First bytes of a frame; no JSON and no aggregated record begins with them.
pub const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Most bytes that a frame holds: the largest user record, and as much again.
pub const MAX_BYTES: usize = 2 * 1_024 * 1_024;

/// Most lines of a frame: the shortest user records would be more, and are not written.
const MAX_LINES: usize = 32 * 1_024;

/// How hard it is tried to make frames small. Higher ones take more of `ingest`'s time than they
/// save of the stream.
const LEVEL: i32 = 3;

/// A stream record begins like a frame, and is none that this build reads.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// It does not say how much it holds, or more than any that is written.
    #[error(
        "frame holds more than {MAX_BYTES} bytes or {MAX_LINES} lines, or does not say how many"
    )]
    Size,
    /// It was cut, or changed on its way.
    #[error("frame is broken")]
    Broken(#[source] io::Error),
}

/// User records on their way into a frame: JSON, each with the end of its line.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Takes a user record, which `write` appends. Line ends in it become blanks, as which JSON
    /// takes them: a text has none that are not escaped.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        write(&mut self.0);
        for byte in &mut self.0[start..] {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        self.0.push(b'\n');
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what was taken and begins again.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Makes a frame of each.
pub fn seal(records: Vec<Lines>) -> Vec<Vec<u8>> {
    #[expect(clippy::expect_used, reason = "it fails for want of memory only, as every Vec does")]
    let mut compressor = compressor().expect("there is memory");
    #[expect(clippy::expect_used, reason = "the buffer is as large as zstd says that it must be")]
    records.iter().map(|Lines(bytes)| compressor.compress(bytes).expect("fits")).collect()
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.include_contentsize(true)?;
    Ok(compressor)
}

/// Takes a frame apart; `None` if it is none.
pub fn decode(bytes: &Bytes) -> Result<Option<Vec<Bytes>>, Undecodable> {
    if !bytes.starts_with(&MAGIC) {
        return Ok(None);
    }
    let size = get_frame_content_size(bytes).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= MAX_BYTES);
    let size = size.ok_or(Undecodable::Size)?;
    let lines = Decompressor::new().and_then(|mut zstd| zstd.decompress(bytes, size));
    let lines = Bytes::from(lines.map_err(Undecodable::Broken)?);
    if lines.iter().filter(|byte| **byte == b'\n').count() > MAX_LINES {
        return Err(Undecodable::Size);
    }
    // What comes after the last line's end is a line that lacks it.
    let mut records: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    if records.last().is_some_and(|last| last.is_empty()) {
        records.pop();
    }
    Ok(Some(records.into_iter().map(|line| lines.slice_ref(line)).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(records: &[Vec<u8>]) -> Bytes {
        let mut lines = Lines::default();
        for record in records {
            lines.add(|out| out.extend_from_slice(record));
        }
        seal(vec![lines]).remove(0).into()
    }

    fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec("[^\n\r]{0,200}".prop_map(String::into_bytes), 0..50)
    }

    proptest! {
        #[test]
        fn what_is_sealed_comes_out_again(records in records()) {
            let read = decode(&frame(&records)).expect("is a frame").expect("is one");

            prop_assert_eq!(read, records);
        }

        #[test]
        fn a_flipped_bit_is_never_read(
            records in records(), byte in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let mut packed = frame(&records).to_vec();
            let byte = byte.index(packed.len());
            packed[byte] ^= 1_u8 << bit;

            if let Ok(Some(read)) = decode(&packed.into()) {
                // A bit of the header may mean nothing.
                prop_assert_eq!(read, records);
            }
        }

        #[test]
        fn any_bytes_are_a_frame_or_none(bytes in any::<Vec<u8>>()) {
            let claimed = Bytes::from([&MAGIC[..], &bytes].concat());

            // It has no size that fits, or a block that is none.
            prop_assert!(!matches!(decode(&claimed), Ok(None)));
        }
    }

    #[test]
    fn a_record_with_line_ends_stays_one_and_the_last_line_needs_no_end() {
        let pretty = b"{\n\"a\":\r\n{\"v\":1,\"user_id\":\"victim\"}\n}".to_vec();
        let read =
            decode(&frame(std::slice::from_ref(&pretty))).expect("is a frame").expect("is one");
        assert_eq!(read.len(), 1);
        let value =
            |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).expect("is JSON");
        assert_eq!(value(&read[0]), value(&pretty));

        let foreign = seal(vec![Lines(b"{}\n[]".to_vec())]).remove(0);
        assert_eq!(decode(&foreign.into()).expect("is a frame").expect("is one"), ["{}", "[]"]);
    }

    #[test]
    fn a_frame_that_holds_too_much_or_does_not_say_how_much_is_refused_before_memory_is_taken() {
        let bomb = zstd::bulk::compress(&vec![b'x'; MAX_BYTES + 1], 3).expect("compresses");
        assert!(bomb.len() < 1_000);
        let lines = zstd::bulk::compress(&vec![b'\n'; MAX_LINES + 1], 3).expect("compresses");
        let silent = zstd::stream::encode_all(&b"{}\n"[..], 3).expect("compresses");

        for frame in [bomb, lines, silent, MAGIC.to_vec()] {
            assert!(matches!(decode(&frame.into()), Err(Undecodable::Size)));
        }
    }

    /// Other readers took the first of several frames for all of them.
    #[test]
    fn what_follows_a_frame_is_never_left_out_without_a_word() {
        let one = frame(&[b"{}".to_vec()]);
        for more in [&one[..], b"junk", &one[..5]] {
            let both = Bytes::from([&one[..], more].concat());
            assert!(matches!(decode(&both), Err(Undecodable::Broken(_))));
        }
    }

    #[test]
    fn what_is_no_frame_is_told_apart() {
        for bytes in [&b"{}"[..], b"", &MAGIC[..3], &crate::aggregation::MAGIC] {
            assert!(decode(&Bytes::copy_from_slice(bytes)).expect("is none").is_none());
        }
    }
}
