//! Containers, byte by byte, so that any of them can be wrong.

use std::io::Write as _;

pub(crate) const SYNC: [u8; 16] = [7; 16];

pub(crate) fn long(n: i64) -> Vec<u8> {
    let mut rest = ((n << 1) ^ (n >> 63)) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    [long(text.as_ref().len() as i64), text.as_ref().to_vec()].concat()
}

pub(crate) fn header(schema: &str, codec: &str) -> Vec<u8> {
    let entries = [text("avro.codec"), text(codec), text("avro.schema"), text(schema)].concat();
    [b"Obj\x01".to_vec(), long(2), entries, long(0), SYNC.to_vec()].concat()
}

pub(crate) fn block(records: i64, bytes: &[u8]) -> Vec<u8> {
    [long(records), text(bytes), SYNC.to_vec()].concat()
}

pub(crate) fn compressed(codec: &str, bytes: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => {
            let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
            let mut out = vec![0; compressor.deflate_compress_bound(bytes.len())];
            let length = compressor.deflate_compress(bytes, &mut out).expect("fits");
            out.truncate(length);
            out
        }
        "snappy" => {
            let mut out = snap::raw::Encoder::new().compress_vec(bytes).expect("compresses");
            out.extend(crc32fast::hash(bytes).to_be_bytes());
            out
        }
        "zstandard" => zstd::bulk::compress(bytes, 3).expect("compresses"),
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(bytes).expect("compresses");
            encoder.finish().expect("compresses")
        }
        _ => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
            encoder.write_all(bytes).expect("compresses");
            encoder.finish().expect("compresses")
        }
    }
}
