//! Groups of user records, from containers that the generator writes.

use std::io::Cursor;

use apache_avro::types::Value;
use contract::dead_letter::Input;
use currents::catalogue::Catalogue;
use currents::read::{MAX_EVENT_BYTES, Source};
use currents::write::sample::{self, Occasion};
use currents::write::{Compression, container};
use ingest::decode::Decoder;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::reading::{TIME, decoder, read, read_with};

const EVENT_TYPE: &str = "users.behaviors.CustomEvent";

/// A container of events, one of each of these users, changed by `change`.
fn of_users(users: u32, mut change: impl FnMut(u32, &mut Value)) -> Vec<u8> {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema(EVENT_TYPE).expect("is in the catalogue");
    let mut rng = StdRng::seed_from_u64(9);
    let events = (0..users).map(|n| {
        let occasion = Occasion { user_id: format!("user-{n}"), time: TIME };
        let mut event = sample::event(schema, &occasion, &mut rng);
        change(n, &mut event);
        event
    });
    container(schema, Compression::Deflate, events).expect("is written")
}

#[test]
fn users_of_one_container_are_kept_apart_and_share_stream_records() {
    let read = read(&of_users(5_000, |_, _| {}));

    assert!(read.stopped.is_none());
    assert_eq!((read.user_records.len(), read.events), (5_000, 5_000));
    assert!(read.stream_records.len() < 50, "{}", read.stream_records.len());
    assert!(read.stream_records.iter().all(|record| record.data.len() <= 256 * 1024));
}

#[test]
fn an_event_too_large_for_a_stream_record_is_a_dead_letter_that_names_it() {
    let huge = "x".repeat(MAX_EVENT_BYTES + 1);
    let bytes = of_users(3, |n, event| {
        let Value::Record(fields) = event else { panic!("is a record") };
        let properties = fields.iter_mut().find(|(name, _)| name == "properties");
        if let (1, Some((_, text))) = (n, properties) {
            *text = Value::String(format!("{{\"text\":\"{huge}\"}}"));
        }
    });

    let read = read(&bytes);

    assert_eq!((read.user_records.len(), read.events), (2, 3));
    let [letter] = &read.too_large[..] else { panic!("{:?}", read.too_large) };
    assert_eq!(letter.reason, "event_too_large");
    let Input::Event { user_id, event_type, size_bytes, .. } = &letter.input else {
        panic!("is about an event")
    };
    assert_eq!((user_id.as_str(), event_type.as_str()), ("user-1", EVENT_TYPE));
    assert!(*size_bytes > MAX_EVENT_BYTES as u64);
}

#[test]
fn reading_can_begin_again_behind_any_group_and_misses_nothing() {
    let bytes = of_users(1_000, |_, _| {});
    let decoder = Decoder { max_group_bytes: 6_000, ..decoder() };
    let whole = read_with(&decoder, Source::Whole(Cursor::new(bytes.clone())));
    let mut resumes = whole.resumes.clone();
    resumes.dedup();
    let all = whole.user_events();
    assert!(resumes.len() > 5, "{} places", resumes.len());
    for from in resumes {
        let rest = Cursor::new(bytes[from.offset_bytes as usize..].to_vec());
        let source = Source::Rest { header: Cursor::new(bytes.clone()), blocks: rest, from };

        let again = read_with(&decoder, source).user_events();

        let after = all.len() - usize::try_from(from.records).expect("is small");
        assert_eq!(again.len(), after, "from block {}", from.block);
        assert!(again.iter().all(|event| all.contains(event)));
    }
}
