//! Any bytes, taken apart as a stream record, with and without a checksum that fits:
//! no panic, and what is packed again comes out again.

#![no_main]

use bytes::Bytes;
use contract::aggregation::{self, MAGIC};
use contract::frame::{self, Lines};
use contract::user_record::unpack;
use libfuzzer_sys::fuzz_target;
use md5::{Digest as _, Md5};

fuzz_target!(|bytes: &[u8]| {
    let raw = Bytes::copy_from_slice(bytes);
    let _ = unpack(raw.clone());
    // A fuzzer does not find an MD5 by itself.
    let sealed = Bytes::from([&MAGIC, bytes, &Md5::digest(bytes)].concat());
    let _ = unpack(sealed.clone());
    // Nor the checksum of a frame.
    let mut lines = Lines::default();
    lines.add(|out| out.extend_from_slice(bytes));
    let frame = Bytes::from(frame::seal(vec![lines]).remove(0));
    let _ = unpack(frame.clone());
    if bytes.len() < frame::MAX_BYTES {
        assert!(frame::decode(&frame).expect("decodes").is_some());
    }
    if let Ok(Some(members)) = aggregation::decode(&sealed) {
        let again = Bytes::from(aggregation::encode(&members));
        assert_eq!(aggregation::decode(&again).expect("decodes"), Some(members));
    }
});
