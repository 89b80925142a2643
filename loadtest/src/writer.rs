//! Writes events into Avro object container files.

use apache_avro::types::Value;
use apache_avro::{Codec, DeflateSettings, Schema, Writer, ZstandardSettings};

/// Sync marker of every generated file, so that the same call writes the same bytes.
const SYNC_MARKER: [u8; 16] = *b"braze-currents\x00\x01";

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
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
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Self::Null => Codec::Null,
            Self::Deflate => Codec::Deflate(DeflateSettings::default()),
            Self::Snappy => Codec::Snappy,
            Self::Zstandard => Codec::Zstandard(ZstandardSettings::default()),
        }
    }
}

/// Writes one file.
pub fn container(
    schema: &Schema,
    compression: Compression,
    events: impl IntoIterator<Item = Value>,
) -> Result<Vec<u8>, Box<apache_avro::Error>> {
    let writer = Writer::builder()
        .schema(schema)
        .writer(Vec::new())
        .codec(compression.codec())
        .marker(SYNC_MARKER);
    let mut writer = writer.build().map_err(Box::new)?;
    for event in events {
        writer.append_value(event).map_err(Box::new)?;
    }
    writer.into_inner().map_err(Box::new)
}
