//! Avro object container files, block by block.
//!
//! The framing is read here, from bytes that may be hostile; the schema is read by
//! `header_schema`, the blocks are decompressed by [`codec`](crate::read::codec).
//!
//! Guarantees: memory is bounded by one block, nothing that a file claims is believed
//! before its bytes are there, and every fault names the place where its header or
//! block begins, so that reading can begin again at any block.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>

use contract::wanted::Wanted;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::read::codec::{Codec, CodecError, Decompressor};
use crate::read::cursor::{Cursor, Malformed};
use crate::read::header_schema::{self, InvalidSchema};
use crate::read::layout::{Layout, Unusable};

/// First bytes of every container.
const MAGIC: [u8; 4] = *b"Obj\x01";

/// Bytes between two blocks.
const SYNC_BYTES: usize = 16;

/// Largest header; that of Currents' largest event type takes 20 kB.
pub const MAX_HEADER_BYTES: usize = 4 * 1024 * 1024;

/// Default for the largest block, compressed or not; Currents' own are far smaller.
pub const DEFAULT_MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// A place between two blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes from the beginning of the object.
    pub offset_bytes: u64,
    /// Number of the block that begins here, from 0.
    pub block: u64,
    /// Records in the blocks before.
    pub records: u64,
}

/// Why a container cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what they should be: reading again would end the same way.
    #[error("container is damaged")]
    Damaged(#[from] Damage),
    /// The source of the bytes failed: reading again may help.
    #[error("container could not be read from its source")]
    Transport(#[source] io::Error),
}

/// What is wrong with the bytes.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// There are none.
    #[error("file is empty")]
    Empty,
    /// It does not begin as a container does.
    #[error("file does not begin with the bytes of an Avro container")]
    Magic,
    /// The header is longer than [`MAX_HEADER_BYTES`].
    #[error("header is longer than {MAX_HEADER_BYTES} bytes")]
    LongHeader,
    /// The header does not parse, or a name or value in it does not.
    #[error("header: {0}")]
    Header(&'static str),
    /// The header has no readable schema.
    #[error("schema cannot be read")]
    Schema(#[source] InvalidSchema),
    /// The schema is not one of events.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The codec is none of the specification's.
    #[error("codec \"{0}\" is not one of null, deflate, snappy, zstandard, bzip2, xz")]
    Codec(String),
    /// The bytes end inside the header.
    #[error("file ends inside its header")]
    CutHeader,
    /// The bytes end inside a block.
    #[error("file ends inside the block")]
    CutBlock,
    /// A block claims an impossible number of records or bytes.
    #[error("block claims {records} records in {bytes} bytes")]
    Claim {
        /// Records that it claims.
        records: i64,
        /// Bytes that it claims.
        bytes: i64,
    },
    /// A block claims to be larger than is allowed.
    #[error("block is larger than {limit_bytes} bytes")]
    LargeBlock {
        /// The limit.
        limit_bytes: usize,
    },
    /// A block does not decompress.
    #[error(transparent)]
    Compressed(#[from] CodecError),
    /// A block does not end with the sync marker of the header.
    #[error("block does not end with the file's sync marker")]
    Sync,
    /// A record does not parse.
    #[error("record {record} of the block: {source}")]
    Record {
        /// Number of the record in its block, from 0.
        record: u64,
        /// What is wrong with it.
        #[source]
        source: Malformed,
    },
    /// A block holds bytes after its last record.
    #[error("block has {bytes} bytes left over after its last record")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
}

/// What the header says.
#[derive(Debug)]
pub struct Header {
    pub(crate) layout: Layout,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    /// Where the first block begins.
    pub end: Position,
}

/// A block, decompressed.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// Records that it claims to hold.
    pub(crate) records: u64,
    pub(crate) bytes: &'a [u8],
}

/// Reads the blocks of a container one after the other.
pub(crate) struct Blocks<R> {
    source: R,
    codec: Decompressor,
    sync: [u8; SYNC_BYTES],
    max_block_bytes: usize,
    compressed: Vec<u8>,
    offset_bytes: u64,
}

impl Header {
    /// Reads the header; `wanted` may pass, `key` is the
    /// object's.
    pub fn read(source: impl Read, wanted: &Wanted, key: &str) -> Result<Self, ReadError> {
        let mut header = HeaderBytes { source, read_bytes: 0 };
        let mut magic = [0; MAGIC.len()];
        match header.exact(&mut magic) {
            Err(ReadError::Damaged(_)) if header.read_bytes == 0 => Err(Damage::Empty)?,
            Err(ReadError::Damaged(_)) => Err(Damage::Magic)?,
            read => read?,
        }
        if magic != MAGIC {
            Err(Damage::Magic)?;
        }
        let (mut schema, mut codec) = (None, Codec::Null);
        loop {
            let count = header.items()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let name = header.counted()?;
                let value = header.counted()?;
                match name.as_slice() {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = codec_named(&value)?,
                    _ => {}
                }
            }
        }
        let mut sync = [0; SYNC_BYTES];
        header.exact(&mut sync)?;
        let schema = schema.ok_or(Damage::Header("no schema"))?;
        let schema = header_schema::parse(&schema).map_err(Damage::Schema)?;
        let records = header_schema::records(&schema).map_err(Damage::Schema)?;
        let records = records.ok_or(Damage::Unusable(Unusable::NotRecords))?;
        let layout = Layout::new(records, wanted, key).map_err(Damage::from)?;
        let end = Position { offset_bytes: header.read_bytes as u64, block: 0, records: 0 };
        Ok(Self { layout, codec, sync, end })
    }

    /// The type of all events in this container.
    pub fn event_type(&self) -> &str {
        &self.layout.event_type
    }

    /// How its blocks are compressed.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Splits into the layout and the blocks that `source` yields, which begins at `from`.
    pub(crate) fn blocks<R: Read>(
        self,
        source: R,
        from: Position,
        max_block_bytes: usize,
    ) -> (Layout, Blocks<R>) {
        let blocks = Blocks {
            source,
            codec: Decompressor::new(self.codec, max_block_bytes),
            sync: self.sync,
            max_block_bytes,
            compressed: Vec::new(),
            offset_bytes: from.offset_bytes,
        };
        (self.layout, blocks)
    }
}

fn codec_named(name: &[u8]) -> Result<Codec, Damage> {
    let name = String::from_utf8_lossy(name);
    if name.is_empty() {
        return Ok(Codec::Null);
    }
    // The name goes into a dead letter, so a hostile one is cut.
    name.parse().map_err(|()| Damage::Codec(name.chars().take(32).collect()))
}

/// The header's bytes, counted and limited.
struct HeaderBytes<R> {
    source: R,
    read_bytes: usize,
}

impl<R: Read> HeaderBytes<R> {
    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        if self.read_bytes + buffer.len() > MAX_HEADER_BYTES {
            Err(Damage::LongHeader)?;
        }
        let read = read_up_to(&mut self.source, buffer).map_err(ReadError::Transport)?;
        self.read_bytes += read;
        if read < buffer.len() { Err(Damage::CutHeader)? } else { Ok(()) }
    }

    fn long(&mut self) -> Result<i64, ReadError> {
        read_long(|| {
            let mut byte = [0];
            self.exact(&mut byte).map(|()| byte[0])
        })?
        .map_err(|_| Damage::Header("an integer is longer than 64 bits").into())
    }

    fn items(&mut self) -> Result<u64, ReadError> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }

    fn counted(&mut self) -> Result<Vec<u8>, ReadError> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| Damage::Header("a length is negative"))?;
        if length > MAX_HEADER_BYTES {
            Err(Damage::LongHeader)?;
        }
        let mut bytes = vec![0; length];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Blocks<R> {
    /// Where the next block begins.
    pub(crate) fn offset_bytes(&self) -> u64 {
        self.offset_bytes
    }

    /// Reads the next block; `None` at the end of the file.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block<'_>>, ReadError> {
        let mut first = [0];
        let read = read_up_to(&mut self.source, &mut first).map_err(ReadError::Transport)?;
        if read == 0 {
            return Ok(None);
        }
        let (records, records_bytes) = self.long(Some(first[0]))?;
        let (bytes, bytes_bytes) = self.long(None)?;
        let (Ok(count), Ok(length)) = (u64::try_from(records), usize::try_from(bytes)) else {
            return Err(Damage::Claim { records, bytes }.into());
        };
        if length > self.max_block_bytes {
            return Err(Damage::LargeBlock { limit_bytes: self.max_block_bytes }.into());
        }
        self.compressed.clear();
        // Grows as bytes come, so that a claim alone takes no memory.
        let mut source = (&mut self.source).take(length as u64);
        let read = source.read_to_end(&mut self.compressed).map_err(ReadError::Transport)?;
        let mut sync = [0; SYNC_BYTES];
        if read < length
            || read_up_to(&mut self.source, &mut sync).map_err(ReadError::Transport)? < SYNC_BYTES
        {
            return Err(Damage::CutBlock.into());
        }
        if sync != self.sync {
            return Err(Damage::Sync.into());
        }
        self.offset_bytes += (records_bytes + bytes_bytes + length + SYNC_BYTES) as u64;
        // Nothing of nothing, whatever the codec makes of it.
        let is_empty = count == 0 && self.compressed.is_empty();
        let bytes = match is_empty {
            true => &[],
            false => self.codec.decompress(&self.compressed).map_err(Damage::from)?,
        };
        Ok(Some(Block { records: count, bytes }))
    }

    /// Reads an integer and tells how many bytes it took.
    fn long(&mut self, mut first: Option<u8>) -> Result<(i64, usize), ReadError> {
        let mut taken = 0;
        let value = read_long(|| {
            taken += 1;
            if let Some(byte) = first.take() {
                return Ok(byte);
            }
            let mut byte = [0];
            match read_up_to(&mut self.source, &mut byte).map_err(ReadError::Transport)? {
                0 => Err(Damage::CutBlock.into()),
                _ => Ok(byte[0]),
            }
        })?;
        let value = value.map_err(|_| Damage::Claim { records: i64::MAX, bytes: i64::MAX })?;
        Ok((value, taken))
    }
}

/// Reads an integer byte by byte.
fn read_long(
    mut byte: impl FnMut() -> Result<u8, ReadError>,
) -> Result<Result<i64, Malformed>, ReadError> {
    let mut bytes = [0; 10];
    for place in 0..bytes.len() {
        bytes[place] = byte()?;
        if bytes[place] < 0x80 {
            return Ok(Cursor::new(&bytes[..=place]).long());
        }
    }
    Ok(Err(Malformed::Integer))
}

/// Fills the buffer as far as there are bytes.
fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
