//! Generates files that look like a streaming service's Currents, with what makes real ones
//! hard: repeats, late events, deletions, damage.
//!
//! Events are encoded straight into their files; nothing is kept but the files that are open,
//! one for each event type. The seed decides every byte.

mod curve;
mod damage;
mod files;

use std::io;
use std::path::{Path, PathBuf};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use crate::catalogue::{BadCatalogue, Catalogue};
use crate::traffic::{DELETION, Picker, Traffic, UnknownType};
use crate::writer::Compression;

use curve::Curve;
use files::Files;

/// When the first event happens: 2025-04-01 17:00 UTC.
const START: i64 = 1_743_526_800;

/// Seconds that the events are spread over, unless the plan says otherwise.
pub const SPAN_SECS: i64 = 3_600;

/// How late an event is at most: a device that was offline for three days.
const MAX_LATE_SECS: i64 = 3 * 24 * 3_600;

/// Skew of activity among users: one in a hundred makes a third of the events.
const ZIPF_EXPONENT: f64 = 0.9;

/// Events between two questions whether to go on.
const PACE: u64 = 1_024;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of events; repeats come on top.
    pub events: u64,
    /// Number of users that the events are drawn from.
    pub users: u64,
    /// Decides everything random.
    pub seed: u64,
    /// How blocks are compressed.
    pub compression: Compression,
    /// What happens, and when.
    pub course: Course,
}

/// What happens, and when. Shares are from 0 to 1.
#[derive(Debug, Clone)]
pub struct Course {
    /// Which types come, and how often.
    pub traffic: Traffic,
    /// Seconds that the events are spread over; from a day on, nights are quiet.
    pub span_secs: i64,
    /// Events that stand in the files once more.
    pub duplicates: f64,
    /// Events that happened up to three days before they are written.
    pub late: f64,
    /// Events that delete their user, in place of the traffic's own; none: as the traffic says.
    pub deletes: Option<f64>,
    /// Files that end early, or whose last block is not what it should be.
    pub damaged: f64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            traffic: Traffic::default(),
            span_secs: SPAN_SECS,
            duplicates: 0.0,
            late: 0.0,
            deletes: None,
            damaged: 0.0,
        }
    }
}

/// What was generated.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Files, in the order they were finished.
    pub files: Vec<PathBuf>,
    /// Bytes in them.
    pub bytes: u64,
    /// Events in them, with repeats, before the damage.
    pub events: u64,
    /// Repeats among them.
    pub duplicates: u64,
    /// Late ones among them.
    pub late: u64,
    /// Deletions among them.
    pub deletes: u64,
    /// Files that were damaged.
    pub damaged_files: u64,
}

/// Why nothing more was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The plan asks for nothing.
    #[error("events, users and seconds must be at least 1")]
    Empty,
    /// The caller did not want to go on.
    #[error("stopped before the end")]
    Stopped,
    /// The catalogue of event types is broken.
    #[error(transparent)]
    Catalogue(#[from] BadCatalogue),
    /// The traffic names a type that does not exist.
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    /// A file could not be encoded.
    #[error("events of \"{event_type}\" could not be encoded")]
    Encode {
        /// Type of the events.
        event_type: String,
        /// What the Avro library said.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Writes the files of `plan` below `folder`, under Currents' keys.
///
/// `go_on` is told now and then how many events are made; its `false` stops the work.
pub fn generate(
    plan: &Plan,
    folder: &Path,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Generated, GenerateError> {
    let course = &plan.course;
    if plan.events == 0 || plan.users == 0 || course.span_secs < 1 {
        return Err(GenerateError::Empty);
    }
    let catalogue = Catalogue::read()?;
    let weights = weights(course, &catalogue)?;
    let picker = Picker::new(weights.iter().map(|(_, weight)| *weight));
    let deletion = weights.iter().position(|(name, _)| name == DELETION);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let users = Zipf::new(plan.users as f64, ZIPF_EXPONENT).map_err(|_| GenerateError::Empty)?;
    let types = weights.iter().map(|(name, _)| name.as_str());
    let mut files = Files::new(folder, &catalogue, types, plan);
    let mut curve = Curve::new(START, course.span_secs);
    for n in 0..plan.events {
        let now = curve.time(n as f64 / plan.events as f64);
        let is_late = rng.random_bool(course.late);
        let time = if is_late { now - rng.random_range(1..=MAX_LATE_SECS) } else { now };
        let user = user_id(plan.seed, users.sample(&mut rng) as u64);
        let event_type = match (course.deletes, deletion) {
            (Some(share), Some(deletion)) if rng.random_bool(share) => deletion,
            _ => picker.pick(&mut rng),
        };
        files.generated.late += u64::from(is_late);
        files.generated.deletes += u64::from(Some(event_type) == deletion);
        files.add(event_type, now, (&user, time), &mut rng)?;
        if n % PACE == 0 && !go_on(n) {
            return Err(GenerateError::Stopped);
        }
    }
    go_on(plan.events);
    files.finish(&mut rng)
}

/// The types that come; where deletions have a share of their own, the traffic has none.
fn weights(course: &Course, catalogue: &Catalogue) -> Result<Vec<(String, u32)>, UnknownType> {
    let mut weights = course.traffic.weights(catalogue)?;
    if course.deletes.is_some() {
        weights.retain(|(name, _)| name != DELETION);
        weights.push((DELETION.to_owned(), 0));
    }
    Ok(weights)
}

/// The Braze id of the `n`th user: 24 hexadecimal digits, mixed by the seed.
fn user_id(seed: u64, n: u64) -> String {
    // SplitMix64's finaliser (Steele, Lea and Flood, 2014): a bijection, so ids are distinct.
    let mut mixed = n.wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    format!("{mixed:016x}{n:08x}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs::{self, File};

    use apache_avro::Reader;
    use apache_avro::types::Value;

    use super::*;
    use crate::traffic::STREAMING;

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
        }
    }

    fn read_all(folder: &Path, generated: &Generated) -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |path: &PathBuf| path.strip_prefix(folder).expect("below").to_owned();
        let read = |path: &PathBuf| (relative(path), fs::read(path).expect("is there"));
        generated.files.iter().map(read).collect()
    }

    /// All events that can be read, with their files, and how many files end with an error.
    /// Events, each with the file that it stands in.
    type Events = Vec<(PathBuf, BTreeMap<String, Value>)>;

    fn events(generated: &Generated) -> (Events, u64) {
        let (mut events, mut damaged) = (Vec::new(), 0);
        for path in &generated.files {
            let Ok(reader) = Reader::new(File::open(path).expect("is there")) else {
                damaged += 1;
                continue;
            };
            for event in reader {
                match event {
                    Ok(Value::Record(fields)) => {
                        events.push((path.clone(), fields.into_iter().collect()));
                    }
                    _ => damaged += 1,
                }
            }
        }
        (events, damaged)
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

        assert_eq!(events(&generated).0.len(), 2_000);
        assert_eq!(generated.events, 2_000);
        for (event_type, _) in STREAMING {
            let folder_name = format!("event_type={event_type}/");
            let in_folder =
                |path: &PathBuf| path.to_str().is_some_and(|path| path.contains(&folder_name));
            assert!(generated.files.iter().any(in_folder), "{event_type}");
        }
    }

    #[test]
    fn events_of_all_types_and_codecs_are_read_by_the_avro_library() {
        for compression in Compression::ALL {
            let folder = tempfile::tempdir().expect("temporary folder");
            let plan = Plan { events: 3_000, compression, course: rough(), ..plan(3) };

            let generated = generate(&plan, folder.path(), |_| true).expect("generates");

            let (events, damaged) = events(&generated);
            assert_eq!((events.len() as u64, damaged), (generated.events, 0), "{compression:?}");
            let type_of = |path: &PathBuf| {
                let path = path.to_str().expect("is UTF-8").to_owned();
                path.split("event_type=")
                    .nth(1)
                    .expect("has a type")
                    .split('/')
                    .next()
                    .map(String::from)
            };
            let types: BTreeSet<_> = generated.files.iter().map(type_of).collect();
            assert_eq!(types.len(), 94);
        }
    }

    #[test]
    fn repeats_late_events_and_deletions_are_what_was_counted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let plan = Plan { events: 20_000, course: rough(), ..plan(5) };

        let generated = generate(&plan, folder.path(), |_| true).expect("generates");

        let (events, _) = events(&generated);
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
            assert_eq!(events(&generated).1, generated.damaged_files, "{compression:?}");
        }
    }
}
