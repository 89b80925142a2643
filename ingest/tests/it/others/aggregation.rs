//! Another library takes apart what `ingest` packs: `aws_kinesis_agg` from PyPI.

use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use contract::aggregation;
use currents::catalogue::Catalogue;
use currents::write::sample::{self, Occasion};
use currents::write::{self as writer, Compression};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::reading::{TIME, read};

#[test]
fn an_independent_library_reads_the_same_user_records() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../target/python/bin/python");
    assert!(python.exists(), "{} is missing: run `make test`, which makes it", python.display());
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema("users.behaviors.CustomEvent").expect("is in the catalogue");
    let mut rng = StdRng::seed_from_u64(9);
    let events = (0..2_000_u64).map(|n| {
        let occasion = Occasion { user_id: format!("{:024x}", n % 700), time: TIME };
        sample::event(schema, &occasion, &mut rng)
    });
    let bytes = writer::container(schema, Compression::Null, events).expect("is written");
    let records = read(&bytes).stream_records;
    let expected: Vec<Vec<Value>> = records.iter().map(|record| members(&record.data)).collect();
    assert_eq!(expected.iter().map(Vec::len).sum::<usize>(), 700);

    let scratch = tempfile::tempdir().expect("temporary folder");
    for (n, record) in records.iter().enumerate() {
        fs::write(scratch.path().join(n.to_string()), &record.data).expect("is written");
    }
    let ran = Command::new(python)
        .arg(folder.join("peers/deaggregate.py"))
        .arg(scratch.path())
        .output()
        .expect("python runs");

    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read: Vec<Vec<Value>> = serde_json::from_slice(&ran.stdout).expect("prints JSON");
    assert!(read == expected, "both libraries read the same");
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
