//! Writes events into Avro object container files, as realistic ones of Currents.

pub mod encode;
pub mod layout;
pub mod sample;

use std::fmt;
use std::str::FromStr;

use apache_avro::ZstandardSettings;
use apache_avro::types::Value;
use apache_avro::{Bzip2Settings, Codec, DeflateSettings, Schema, Writer, XzSettings};
use libdeflater::{CompressionLvl, Compressor};

use encode::length;

/// Sync marker of every generated file, so that the same call writes the same bytes.
const SYNC_MARKER: [u8; 16] = *b"braze-currents\x00\x01";

/// A block ends above this size, as those of Avro's own libraries do.
const BLOCK_BYTES: usize = 16_000;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all, as in Braze's public sample.
    Null,
    /// DEFLATE without zlib's frame.
    #[default]
    Deflate,
    /// Snappy with a checksum.
    Snappy,
    /// Zstandard.
    Zstandard,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Compression {
    /// Every codec of the Avro specification.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Deflate, Self::Snappy, Self::Zstandard, Self::Bzip2, Self::Xz];

    /// Its name in a container's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::Zstandard => "zstandard",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    fn codec(self) -> Codec {
        match self {
            Self::Null => Codec::Null,
            Self::Deflate => Codec::Deflate(DeflateSettings::default()),
            Self::Snappy => Codec::Snappy,
            Self::Zstandard => Codec::Zstandard(ZstandardSettings::default()),
            Self::Bzip2 => Codec::Bzip2(Bzip2Settings::default()),
            Self::Xz => Codec::Xz(XzSettings::default()),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no codec's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a codec is null, deflate, snappy, zstandard, bzip2 or xz")]
pub struct UnknownCodec;

impl FromStr for Compression {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        Self::ALL.into_iter().find(|codec| codec.name() == name).ok_or(UnknownCodec)
    }
}

/// Writes one file.
pub fn container(
    schema: &Schema,
    compression: Compression,
    events: impl IntoIterator<Item = Value>,
) -> Result<Vec<u8>, Box<apache_avro::Error>> {
    let codec = compression.codec();
    let writer = Writer::builder()
        .schema(schema)
        .writer(header(&schema_json(schema), codec.into()))
        .codec(codec)
        .has_header(true)
        .marker(SYNC_MARKER);
    let mut writer = writer.build().map_err(Box::new)?;
    for event in events {
        writer.append_value(event).map_err(Box::new)?;
    }
    writer.into_inner().map_err(Box::new)
}

/// A file that grows by encoded events.
#[derive(Debug, Default)]
pub struct Container {
    bytes: Vec<u8>,
    block: Vec<u8>,
    events_in_block: usize,
}

/// Compresses the blocks of many files.
pub struct Packer {
    compression: Compression,
    deflate: Compressor,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Packer").field(&self.compression).finish()
    }
}

impl Packer {
    /// Packs with this codec.
    pub fn new(compression: Compression) -> Self {
        // Speed is what a generator needs; readers do not see the difference.
        // The library's own "fastest" does not compress at all.
        let deflate = Compressor::new(CompressionLvl::new(1).unwrap_or_default());
        Self { compression, deflate, packed: Vec::new() }
    }

    /// Packs a block in place.
    fn pack(&mut self, block: &mut Vec<u8>) -> Result<(), Box<apache_avro::Error>> {
        if self.compression != Compression::Deflate {
            return self.compression.codec().compress(block).map_err(Box::new);
        }
        self.packed.resize(self.deflate.deflate_compress_bound(block.len()), 0);
        #[expect(clippy::expect_used, reason = "the bound is what the library asks for")]
        let packed =
            self.deflate.deflate_compress(block, &mut self.packed).expect("the bound is enough");
        block.clear();
        block.extend_from_slice(&self.packed[..packed]);
        Ok(())
    }
}

impl Container {
    /// A file without events yet; `header` is from [`container_header`].
    pub fn new(header: &[u8]) -> Self {
        Self { bytes: header.to_vec(), ..Self::default() }
    }

    /// Adds an event that is encoded by the file's schema.
    pub fn push(
        &mut self,
        event: &[u8],
        packer: &mut Packer,
    ) -> Result<(), Box<apache_avro::Error>> {
        self.block.extend_from_slice(event);
        self.events_in_block += 1;
        if self.block.len() >= BLOCK_BYTES { self.end_block(packer) } else { Ok(()) }
    }

    /// The whole file.
    pub fn finish(mut self, packer: &mut Packer) -> Result<Vec<u8>, Box<apache_avro::Error>> {
        if self.events_in_block > 0 {
            self.end_block(packer)?;
        }
        Ok(self.bytes)
    }

    fn end_block(&mut self, packer: &mut Packer) -> Result<(), Box<apache_avro::Error>> {
        packer.pack(&mut self.block)?;
        length(self.events_in_block, &mut self.bytes);
        length(self.block.len(), &mut self.bytes);
        self.bytes.extend_from_slice(&self.block);
        self.bytes.extend_from_slice(&SYNC_MARKER);
        self.block.clear();
        self.events_in_block = 0;
        Ok(())
    }
}

/// The header of every file of this schema and codec.
pub fn container_header(schema: &Schema, compression: Compression) -> Vec<u8> {
    header(&schema_json(schema), compression.name())
}

/// The container's header. The library's own has its entries in random order.
/// <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>
pub(crate) fn header(schema: &str, codec: &str) -> Vec<u8> {
    let mut header = b"Obj\x01".to_vec();
    let entries = [("avro.codec", codec), ("avro.schema", schema)];
    length(entries.len(), &mut header);
    for text in entries.iter().flat_map(|(name, value)| [name, value]) {
        length(text.len(), &mut header);
        header.extend_from_slice(text.as_bytes());
    }
    length(0, &mut header);
    header.extend_from_slice(&SYNC_MARKER);
    header
}

fn schema_json(schema: &Schema) -> String {
    #[expect(clippy::expect_used, reason = "a parsed schema is made of JSON")]
    serde_json::to_string(schema).expect("a schema is always JSON")
}
