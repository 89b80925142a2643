//! Writes events into Avro object container files.

use apache_avro::ZstandardSettings;
use apache_avro::types::Value;
use apache_avro::{Bzip2Settings, Codec, DeflateSettings, Schema, Writer, XzSettings};

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
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Compression {
    /// Every codec of the Avro specification.
    pub const ALL: [Self; 6] =
        [Self::Null, Self::Deflate, Self::Snappy, Self::Zstandard, Self::Bzip2, Self::Xz];

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

/// Writes one file.
pub fn container(
    schema: &Schema,
    compression: Compression,
    events: impl IntoIterator<Item = Value>,
) -> Result<Vec<u8>, Box<apache_avro::Error>> {
    let codec = compression.codec();
    let writer = Writer::builder()
        .schema(schema)
        .writer(header(schema, codec.into()))
        .codec(codec)
        .has_header(true)
        .marker(SYNC_MARKER);
    let mut writer = writer.build().map_err(Box::new)?;
    for event in events {
        writer.append_value(event).map_err(Box::new)?;
    }
    writer.into_inner().map_err(Box::new)
}

/// The container's header. The library's own has its entries in random order.
/// <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>
fn header(schema: &Schema, codec: &str) -> Vec<u8> {
    let schema = schema_json(schema);
    let mut header = b"Obj\x01".to_vec();
    let entries = [("avro.codec", codec), ("avro.schema", schema.as_str())];
    write_long(entries.len(), &mut header);
    for text in entries.iter().flat_map(|(name, value)| [name, value]) {
        write_long(text.len(), &mut header);
        header.extend_from_slice(text.as_bytes());
    }
    write_long(0, &mut header);
    header.extend_from_slice(&SYNC_MARKER);
    header
}

fn schema_json(schema: &Schema) -> String {
    #[expect(clippy::expect_used, reason = "a parsed schema is made of JSON")]
    serde_json::to_string(schema).expect("a schema is always JSON")
}

/// Writes a length as Avro's zig-zag variable-length integer.
fn write_long(n: usize, bytes: &mut Vec<u8>) {
    let mut rest = n << 1;
    while rest >= 0x80 {
        bytes.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}
