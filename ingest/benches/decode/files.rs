//! The containers that are measured; made once and kept in `target/bench`.

use std::fs;
use std::path::{Path, PathBuf};

use apache_avro::types::Value;
use currents::catalogue::Catalogue;
use currents::generate::{self, Course, Plan};
use currents::read::codec::Codec;
use currents::read::container::Header;
use currents::write::sample::{self, Occasion};
use currents::write::{self as writer, Compression};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Events in each file.
const EVENTS: usize = 500_000;

/// Events that are made at a time.
const PIECE: usize = 10_000;

/// Users that the events are drawn from.
const USERS: u32 = 100_000;

/// First event: 2025-04-01 17:00 UTC.
const START: i64 = 1_743_526_800;

const EVENT_TYPES: [&str; 3] =
    ["users.behaviors.CustomEvent", "users.messages.email.Click", "users.behaviors.Purchase"];

const CODECS: [Compression; 4] =
    [Compression::Null, Compression::Deflate, Compression::Snappy, Compression::Zstandard];

/// Three event types in four codecs.
pub(crate) fn twelve(folder: &Path) -> Vec<PathBuf> {
    fs::create_dir_all(folder).expect("is made");
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let mut paths = Vec::new();
    for event_type in EVENT_TYPES {
        let short = event_type.rsplit('.').next().expect("has a name");
        let of_codec =
            |codec| folder.join(format!("{short}-{}.avro", format!("{codec:?}").to_lowercase()));
        let files: Vec<PathBuf> = CODECS.map(of_codec).to_vec();
        if !files.iter().all(|file| file.exists()) {
            eprintln!("making {EVENTS} events of {event_type}");
            write(catalogue.schema(event_type).expect("is in the catalogue"), &files);
        }
        paths.extend(files);
    }
    paths
}

fn write(schema: &apache_avro::Schema, paths: &[PathBuf]) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut files = vec![Vec::new(); paths.len()];
    for piece in 0..EVENTS / PIECE {
        let events: Vec<Value> = (0..PIECE)
            .map(|n| {
                let user_id = format!("{:024x}", rng.random_range(0..USERS));
                let time = START + (piece * PIECE + n) as i64 / 200;
                sample::event(schema, &Occasion { user_id, time }, &mut rng)
            })
            .collect();
        for (file, codec) in files.iter_mut().zip(CODECS) {
            let bytes = writer::container(schema, codec, events.clone()).expect("is written");
            // The header is the same in every piece.
            let start = if piece == 0 { 0 } else { header(&bytes).end.offset_bytes as usize };
            file.extend_from_slice(&bytes[start..]);
        }
    }
    for (path, bytes) in paths.iter().zip(files) {
        fs::write(path, bytes).expect("is written");
    }
}

/// A million events of a hundred thousand users, as Currents would deliver them.
pub(crate) fn replay(folder: &Path) -> Vec<PathBuf> {
    let (compression, course) = (Compression::Deflate, Course::default());
    let plan = Plan { events: 1_000_000, users: 100_000, seed: 1, compression, course };
    fs::create_dir_all(folder).expect("is made");
    eprintln!("making a million events");
    let generated = generate::generate(&plan, folder, |_| true).expect("is made");
    generated.keys.iter().map(|key| folder.join(key)).collect()
}

fn header(bytes: &[u8]) -> Header {
    Header::read(bytes, &contract::wanted::Wanted::default(), "").expect("has a header")
}

/// The compressed blocks of a container.
pub(crate) fn blocks(bytes: &[u8]) -> (Codec, Vec<&[u8]>) {
    let header = header(bytes);
    let mut rest = &bytes[header.end.offset_bytes as usize..];
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let _records = long(&mut rest);
        let length = long(&mut rest);
        blocks.push(&rest[..length]);
        rest = &rest[length + 16..];
    }
    (header.codec(), blocks)
}

fn long(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0_usize, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            return value >> 1;
        }
    }
}
