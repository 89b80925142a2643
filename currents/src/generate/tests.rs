use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

use apache_avro::types::Value;
use apache_avro::{Reader, Schema};

use super::traffic::STREAMING;
use super::*;

fn plan(seed: u64) -> Plan {
    let compression = Compression::Deflate;
    Plan { events: 2_000, users: 100, seed, compression, course: Course::default() }
}

fn rough() -> Course {
    Course {
        traffic: Traffic::All,
        span_secs: 7_200,
        duplicates: 0.1,
        late: 0.05,
        deletes: Some(0.02),
        damaged: 0.0,
        other_versions: 0.3,
    }
}

fn read_all(folder: &Path, generated: &GeneratedFiles) -> Vec<(String, Vec<u8>)> {
    let read = |key: &String| (key.clone(), fs::read(folder.join(key)).expect("is there"));
    generated.keys.iter().map(read).collect()
}

/// Events, each with the key of the file that it stands in.
type Events = Vec<(String, BTreeMap<String, Value>)>;

/// All events that can be read, and how many files end with an error.
fn events(folder: &Path, generated: &GeneratedFiles) -> (Events, u64) {
    let (mut events, mut damaged) = (Vec::new(), 0);
    for key in &generated.keys {
        let Ok(reader) = Reader::new(File::open(folder.join(key)).expect("is there")) else {
            damaged += 1;
            continue;
        };
        for event in reader {
            match event {
                Ok(Value::Record(fields)) => {
                    events.push((key.clone(), fields.into_iter().collect()));
                }
                _ => damaged += 1,
            }
        }
    }
    (events, damaged)
}

fn type_of(key: &str) -> &str {
    let (_, rest) = key.split_once("event_type=").expect("has a type");
    rest.split('/').next().expect("ends")
}

#[test]
fn the_seed_decides_every_byte() {
    for course in [Course::default(), Course { damaged: 0.5, ..rough() }] {
        let folders = [(); 3].map(|()| tempfile::tempdir().expect("temporary folder"));
        let mut contents = Vec::new();
        for (folder, seed) in folders.iter().zip([7, 7, 8]) {
            let plan = Plan { course: course.clone(), ..plan(seed) };
            let generated = generate(&plan, folder.path(), |_| true).expect("generates");
            contents.push(read_all(folder.path(), &generated));
        }

        assert!(contents[0] == contents[1], "the same seed writes the same bytes");
        assert!(contents[0] != contents[2], "another seed writes others");
    }
}

#[test]
fn every_event_is_in_some_file_and_every_type_has_one() {
    let folder = tempfile::tempdir().expect("temporary folder");

    let generated = generate(&plan(1), folder.path(), |_| true).expect("generates");

    assert_eq!(events(folder.path(), &generated).0.len(), 2_000);
    assert_eq!(generated.events, 2_000);
    for (event_type, _) in STREAMING {
        let folder_name = format!("event_type={event_type}/");
        assert!(generated.keys.iter().any(|key| key.contains(&folder_name)), "{event_type}");
    }
}

#[test]
fn events_of_all_types_and_codecs_are_read_by_the_avro_library() {
    for compression in Compression::ALL {
        let folder = tempfile::tempdir().expect("temporary folder");
        let plan = Plan { events: 3_000, compression, course: rough(), ..plan(3) };

        let generated = generate(&plan, folder.path(), |_| true).expect("generates");

        let (events, damaged) = events(folder.path(), &generated);
        assert_eq!((events.len() as u64, damaged), (generated.events, 0), "{compression:?}");
        let types: BTreeSet<_> = generated.keys.iter().map(|key| type_of(key)).collect();
        assert_eq!(types.len(), 94);
    }
}

#[test]
fn repeats_late_events_and_deletions_are_what_was_counted() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let plan = Plan { events: 20_000, course: rough(), ..plan(5) };

    let generated = generate(&plan, folder.path(), |_| true).expect("generates");

    let (events, _) = events(folder.path(), &generated);
    let ids: BTreeSet<String> = events
        .iter()
        .filter_map(|(_, event)| match event.get("id") {
            Some(Value::String(id)) => Some(id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(events.len() - ids.len(), generated.duplicates as usize);
    assert!((1_700..2_300).contains(&generated.duplicates), "{}", generated.duplicates);
    let old = events.iter().filter(|(_, event)| match event.get("time") {
        Some(Value::Int(time)) => i64::from(*time) < START,
        Some(Value::Long(time)) => *time < START,
        _ => false,
    });
    assert!(old.count() > 400, "late events happened before the first file");
    assert!((800..1_200).contains(&generated.late), "{}", generated.late);
    assert!((300..500).contains(&generated.deletes), "{}", generated.deletes);
}

#[test]
fn damaged_files_are_seen_to_be_damaged_and_the_others_are_whole() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for compression in [Compression::Null, Compression::Deflate] {
        let course = Course { damaged: 0.3, ..rough() };
        let plan = Plan { events: 5_000, course, compression, ..plan(9) };

        let generated = generate(&plan, folder.path(), |_| true).expect("generates");

        assert!(generated.damaged_files > 10, "{}", generated.damaged_files);
        assert_eq!(events(folder.path(), &generated).1, generated.damaged_files, "{compression:?}");
    }
}

#[test]
fn files_of_another_version_have_a_field_less_or_more_and_say_so_in_their_keys() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let catalogue = Catalogue::read().expect("is valid");
    let plan = Plan { events: 5_000, course: rough(), ..plan(11) };

    let generated = generate(&plan, folder.path(), |_| true).expect("generates");

    let (events, _) = events(folder.path(), &generated);
    let mut files = BTreeMap::<_, BTreeSet<_>>::new();
    for (key, event) in &events {
        let Some(Schema::Record(schema)) = catalogue.schema(type_of(key)) else { panic!("{key}") };
        let usual: BTreeSet<_> = schema.fields.iter().map(|field| field.name.as_str()).collect();
        let found: BTreeSet<_> = event.keys().map(String::as_str).collect();
        let version = key.split("version=").nth(1).and_then(|rest| rest.split('/').next());
        match version {
            Some("9") => assert!(usual.is_superset(&found) && usual.len() - found.len() <= 1),
            Some("10") => assert_eq!(usual, found),
            Some("11") => assert!(found.contains("added_later") && found.len() == usual.len() + 1),
            _ => panic!("{key} has no version"),
        }
        files.entry(version).or_default().insert(key);
    }
    let others = files[&Some("9")].len() + files[&Some("11")].len();
    assert_eq!(others, generated.other_versions as usize);
    assert!(files.values().all(|files| files.len() > 50), "all three are there");
}

#[test]
fn codecs_that_compress_make_files_smaller() {
    let bytes = |compression| {
        let folder = tempfile::tempdir().expect("temporary folder");
        let plan = Plan { events: 10_000, compression, ..plan(1) };
        generate(&plan, folder.path(), |_| true).expect("generates").bytes
    };

    let plain = bytes(Compression::Null);
    for compression in Compression::ALL.into_iter().filter(|codec| *codec != Compression::Null) {
        assert!(bytes(compression) * 2 < plain, "{compression:?}");
    }
}
