//! Every event type of Currents.

use std::io::Cursor;

use apache_avro::types::Value;
use currents::catalogue::Catalogue;
use currents::read::Source;
use currents::write::sample::{self, Occasion};
use currents::write::{self as writer, Compression};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::reading::{TIME, USER, read, read_with, reader};
use crate::reference;

fn sample_events(schema: &apache_avro::Schema, events: usize, seed: u64) -> Vec<Value> {
    let mut rng = StdRng::seed_from_u64(seed);
    let event = |n| {
        let user_id = format!("{n:024x}");
        sample::event(schema, &Occasion { user_id, time: TIME }, &mut rng)
    };
    (0..events).map(event).collect()
}

#[test]
fn every_event_type_in_every_codec_is_read_as_the_reference_reads_it() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    for (seed, (event_type, schema)) in catalogue.iter().enumerate() {
        let events = sample_events(schema, 20, seed as u64);
        for codec in Compression::ALL {
            let bytes = writer::container(schema, codec, events.clone()).expect("is written");
            for wanted in [Vec::new(), reference::personal(schema)] {
                let source = Source::Whole(Cursor::new(bytes.clone()));
                let read = read_with(&reader(&wanted), source);

                assert!(read.stopped.is_none(), "{event_type} in {codec:?}: {}", read.fault());
                assert_eq!(read.events, 20, "{event_type} in {codec:?}");
                assert_eq!(read.event_type, event_type);
                assert_eq!(
                    read.user_events(),
                    reference::user_events(&bytes, &wanted),
                    "{event_type} in {codec:?}"
                );
            }
        }
    }
}

#[test]
fn no_value_of_a_personal_field_passes_unless_it_is_wanted() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let (mut searched, mut asked_for) = (0, 0);
    for (event_type, schema) in catalogue.iter() {
        let mut events = sample_events(schema, 20, 2);
        let personal = reference::personal(schema);
        let mark = |n: usize| format!("secret-{n:03}-of-the-user");
        for (n, event) in events.iter_mut().enumerate() {
            let Value::Record(fields) = event else { panic!("is a record") };
            for (_, value) in fields.iter_mut().filter(|(name, _)| personal.contains(&&**name)) {
                if mark_text(value, &mark(n)) {
                    searched += 1;
                }
            }
        }
        let bytes = writer::container(schema, Compression::Null, events).expect("is written");

        let events = read(&bytes).user_events();
        let wire = serde_json::to_string(&events).expect("is JSON");

        assert!(!wire.contains("secret-"), "{event_type}");
        // Numbers have no room for a mark, so their names are looked for.
        let source = |bytes: &Vec<u8>| Source::Whole(Cursor::new(bytes.clone()));
        for (_, event) in read_with(&reader(&[]), source(&bytes)).user_events() {
            let leaked = personal.iter().find(|name| event.fields.contains_key(**name));
            assert_eq!(leaked, None, "{event_type}");
        }
        let all = read_with(&reader(&personal), source(&bytes)).user_events();
        asked_for += all
            .iter()
            .flat_map(|(_, event)| event.fields.values())
            .filter(|value| value.as_str().is_some_and(|text| text.starts_with("secret-")))
            .count();
    }
    assert!(searched > 1_000, "{searched} values were looked for");
    assert!(asked_for > 1_000, "{asked_for} values passed because they were asked for");
}

/// Puts a mark in a field that holds text; `false` for one that does not.
fn mark_text(value: &mut Value, mark: &str) -> bool {
    match value {
        Value::String(text) => mark.clone_into(text),
        Value::Union(1, inner) => return mark_text(inner, mark),
        _ => return false,
    }
    true
}

#[test]
fn events_without_users_are_counted() {
    let catalogue = Catalogue::read().expect("catalogue is valid");
    let schema = catalogue.schema("agentconsole.ToolInvocation").expect("is in the catalogue");
    let occasion = Occasion { user_id: USER.to_owned(), time: TIME };
    let event = sample::event(schema, &occasion, &mut StdRng::seed_from_u64(3));
    let bytes = writer::container(schema, Compression::Null, [event]).expect("is written");

    let read = read(&bytes);

    assert_eq!((read.events, read.without_user), (1, 1));
}
