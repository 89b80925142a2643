//! Groups of user records, from containers that the generator writes.

use std::io::Cursor;

use apache_avro::types::Value;
use contract::dead_letter::Input;
use contract::wanted::Unmarked;
use currents::catalogue::Catalogue;
use currents::read::{MAX_EVENT_BYTES, Source};
use currents::write::sample::{self, Occasion};
use currents::write::{Compression, container};
use ingest::decode::Decoder;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::reading::{KEY, TIME, decoder, read, read_with};

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

#[test]
fn a_type_that_nobody_wants_stays_behind_and_every_event_of_it_is_counted() {
    let bytes = of_users(1_000, |_, _| {});
    let mut decoder = decoder();
    decoder.reader.wanted.unmarked = Unmarked::Stay;
    decoder.reader.wanted.event_types = Some(["users.behaviors.Purchase".to_owned()].into());
    let source = || Source::Whole(Cursor::new(bytes.clone()));

    let unwanted = read_with(&decoder, source());
    decoder.reader.wanted.event_types = Some([EVENT_TYPE.to_owned()].into());
    let wanted = read_with(&decoder, source());

    assert!(unwanted.stopped.is_none());
    assert_eq!(
        (unwanted.user_records.len(), unwanted.events, unwanted.unwanted),
        (0, 1_000, 1_000)
    );
    assert_eq!((wanted.user_records.len(), wanted.events, wanted.unwanted), (1_000, 1_000, 0));
}

#[test]
fn a_damaged_file_of_a_type_that_nobody_wants_is_found_damaged_all_the_same() {
    let mut bytes = of_users(1_000, |_, _| {});
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0);
    let mut decoder = decoder();
    decoder.reader.wanted.unmarked = Unmarked::Stay;
    decoder.reader.wanted.event_types = Some(["users.behaviors.Purchase".to_owned()].into());

    assert!(read_with(&decoder, Source::Whole(Cursor::new(bytes))).stopped.is_some());
}

#[test]
fn user_records_say_in_which_block_of_which_object_their_events_came() {
    let bytes = of_users(2_000, |_, _| {});
    let decoder = Decoder { max_group_bytes: 6_000, ..decoder() };

    let read = read_with(&decoder, Source::Whole(Cursor::new(bytes)));

    let blocks: Vec<u64> = read
        .user_records
        .iter()
        .map(|record| {
            let block = record.origin.strip_prefix(KEY).and_then(|rest| rest.strip_prefix('#'));
            block.and_then(|block| block.parse().ok()).expect("names object and block")
        })
        .collect();
    assert!(blocks.is_sorted() && blocks.first() == Some(&0) && blocks.last() > Some(&3));
}
