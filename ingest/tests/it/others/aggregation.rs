//! Other libraries take apart what `ingest` packs: `zstandard` and `aws_kinesis_agg` from PyPI.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use contract::{aggregation, frame};
use currents::catalogue::Catalogue;
use currents::read::Source;
use currents::write::sample::{self, Occasion};
use currents::write::{self as writer, Compression};
use ingest::decode::Decoder;
use ingest::stream::packing::{Format, StreamRecord};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::reading::{TIME, decoder, read_with};

#[test]
fn the_decoder_of_the_document_reads_the_same_user_records() {
    let records = packed(Format::Zstd);
    let expected: Vec<Vec<Value>> = records.iter().map(|record| lines(&record.data)).collect();
    assert_eq!(expected.iter().map(Vec::len).sum::<usize>(), 700);

    let read = read_by("frames.py", &records);

    assert!(read == expected, "both libraries read the same");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = fs::read_to_string(folder.join("peers/frames.py")).expect("is there");
    let document = fs::read_to_string(folder.join("../docs/deployment.md")).expect("is there");
    let (_, decoder) = program.split_once("import sys\n").expect("is in it");
    let (decoder, _) = decoder.split_once("\n\n\nfolder").expect("ends");
    for line in decoder.lines().filter(|line| !line.is_empty()) {
        assert!(document.contains(line), "docs/deployment.md lacks {line}");
    }
}

#[test]
fn an_independent_library_reads_the_same_user_records() {
    let records = packed(Format::Kpl);
    let expected: Vec<Vec<Value>> = records.iter().map(|record| members(&record.data)).collect();
    assert_eq!(expected.iter().map(Vec::len).sum::<usize>(), 700);

    let read = read_by("deaggregate.py", &records);

    assert!(read == expected, "both libraries read the same");
}

/// Stream records of a file, in a form.
fn packed(format: Format) -> Vec<StreamRecord> {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema("users.behaviors.CustomEvent").expect("is in the catalogue");
    let mut rng = StdRng::seed_from_u64(9);
    let events = (0..2_000_u64).map(|n| {
        let occasion = Occasion { user_id: format!("{:024x}", n % 700), time: TIME };
        sample::event(schema, &occasion, &mut rng)
    });
    let bytes = writer::container(schema, Compression::Null, events).expect("is written");
    let decoder = Decoder { format, ..decoder() };
    read_with(&decoder, Source::Whole(Cursor::new(bytes))).stream_records
}

/// What a program of the folder `peers` reads of them.
fn read_by(program: &str, records: &[StreamRecord]) -> Vec<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../target/python/bin/python");
    assert!(python.exists(), "{} is missing: run `make test`, which makes it", python.display());
    let scratch = tempfile::tempdir().expect("temporary folder");
    for (n, record) in records.iter().enumerate() {
        fs::write(scratch.path().join(n.to_string()), &record.data).expect("is written");
    }
    let ran = Command::new(python)
        .arg(folder.join("peers").join(program))
        .arg(scratch.path())
        .output()
        .expect("python runs");

    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).expect("prints JSON")
}

fn lines(stream_record: &[u8]) -> Vec<Value> {
    let lines = frame::decode(&Bytes::copy_from_slice(stream_record)).expect("decodes");
    let lines = lines.expect("is a frame").into_iter();
    lines.map(|line| serde_json::from_slice(&line).expect("is JSON")).collect()
}

fn members(stream_record: &[u8]) -> Vec<Value> {
    let stream_record = Bytes::copy_from_slice(stream_record);
    let members = aggregation::decode(&stream_record).expect("decodes").expect("is aggregated");
    let member = |member: aggregation::Member| {
        let data = std::str::from_utf8(&member.data).expect("is JSON");
        json!([member.partition_key, member.explicit_hash_key, data])
    };
    members.into_iter().map(member).collect()
}
