//! Generates files that look like an hour of a streaming service's Currents.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use apache_avro::types::Value;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand_distr::{Distribution as _, Zipf};

use crate::catalogue::{BadCatalogue, Catalogue};
use crate::layout;
use crate::sample::{self, Occasion};
use crate::writer::{self, Compression};

/// Event types of the sample, with their shares in a thousand.
const TRAFFIC: [(&str, u32); 6] = [
    ("users.behaviors.CustomEvent", 480),
    ("users.behaviors.app.SessionStart", 250),
    ("users.messages.email.Open", 120),
    ("users.messages.email.Click", 60),
    ("users.behaviors.Purchase", 88),
    ("users.UserDeleteRequest", 2),
];

/// Currents writes a file after this many events, or ...
const MAX_FILE_EVENTS: usize = 15_000;

/// ... after this many seconds, whichever comes first.
const MAX_FILE_SECS: i64 = 300;

/// When the first event happens: 2025-04-01 17:00 UTC.
const START: i64 = 1_743_526_800;

/// Seconds that the events are spread over.
const SPAN_SECS: i64 = 3_600;

/// Skew of activity among users: one in a hundred makes a third of the events.
const ZIPF_EXPONENT: f64 = 0.9;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of events.
    pub events: u64,
    /// Number of users that the events are drawn from.
    pub users: u64,
    /// Decides everything random.
    pub seed: u64,
    /// How blocks are compressed.
    pub compression: Compression,
}

/// What was generated.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Files, in the order they were finished.
    pub files: Vec<PathBuf>,
    /// Bytes in them.
    pub bytes: u64,
}

/// Why nothing more was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The plan asks for nothing.
    #[error("events and users must be at least 1")]
    Empty,
    /// The caller did not want to go on.
    #[error("stopped before the end")]
    Stopped,
    /// The catalogue of event types is broken.
    #[error(transparent)]
    Catalogue(#[from] BadCatalogue),
    /// A file could not be encoded.
    #[error("events of \"{event_type}\" could not be encoded")]
    Encode {
        /// Type of the events.
        event_type: &'static str,
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
/// `go_on` is asked after each event; its `false` stops the work.
pub fn generate(
    plan: &Plan,
    folder: &Path,
    mut go_on: impl FnMut() -> bool,
) -> Result<Generated, GenerateError> {
    if plan.events == 0 || plan.users == 0 {
        return Err(GenerateError::Empty);
    }
    let catalogue = Catalogue::read()?;
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let users = Zipf::new(plan.users as f64, ZIPF_EXPONENT).map_err(|_| GenerateError::Empty)?;
    let mut files = Files {
        folder,
        catalogue: &catalogue,
        compression: plan.compression,
        open: HashMap::new(),
        written: Generated::default(),
    };
    for n in 0..plan.events {
        let time = START + (n as i64 * SPAN_SECS) / plan.events as i64;
        let user = users.sample(&mut rng) as u64;
        let occasion = Occasion { user_id: user_id(plan.seed, user), time };
        let Ok((event_type, _)) = TRAFFIC.choose_weighted(&mut rng, |(_, share)| *share) else {
            return Err(GenerateError::Empty);
        };
        files.add(event_type, &occasion, &mut rng)?;
        if !go_on() {
            return Err(GenerateError::Stopped);
        }
    }
    files.finish()
}

/// Files that are being filled, one per event type.
struct Files<'a> {
    folder: &'a Path,
    catalogue: &'a Catalogue,
    compression: Compression,
    open: HashMap<&'static str, OpenFile>,
    written: Generated,
}

struct OpenFile {
    opened_at: i64,
    /// Events written before this file, as in the names of Kafka's segments.
    offset: u64,
    events: Vec<Value>,
}

impl Files<'_> {
    fn add(
        &mut self,
        event_type: &'static str,
        occasion: &Occasion,
        rng: &mut StdRng,
    ) -> Result<(), GenerateError> {
        let Some(schema) = self.catalogue.schema(event_type) else { return Ok(()) };
        let event = sample::event(schema, occasion, rng);
        let new = || OpenFile { opened_at: occasion.time, offset: 0, events: Vec::new() };
        let file = self.open.entry(event_type).or_insert_with(new);
        let is_due =
            file.events.len() >= MAX_FILE_EVENTS || occasion.time - file.opened_at >= MAX_FILE_SECS;
        let next = OpenFile {
            opened_at: occasion.time,
            offset: file.offset + file.events.len() as u64,
            events: Vec::new(),
        };
        let full = (is_due && !file.events.is_empty()).then(|| std::mem::replace(file, next));
        file.events.push(event);
        full.map_or(Ok(()), |full| self.write(event_type, full))
    }

    fn finish(mut self) -> Result<Generated, GenerateError> {
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_by_key(|(event_type, _)| *event_type);
        for (event_type, file) in open {
            self.write(event_type, file)?;
        }
        Ok(self.written)
    }

    fn write(&mut self, event_type: &'static str, file: OpenFile) -> Result<(), GenerateError> {
        let Some(schema) = self.catalogue.schema(event_type) else { return Ok(()) };
        let bytes = writer::container(schema, self.compression, file.events)
            .map_err(|source| GenerateError::Encode { event_type, source })?;
        let path = self.folder.join(layout::key(event_type, file.opened_at, file.offset));
        let failed = |source| GenerateError::Write { path: path.clone(), source };
        fs::create_dir_all(path.parent().unwrap_or(self.folder)).map_err(failed)?;
        fs::write(&path, &bytes).map_err(failed)?;
        self.written.bytes += bytes.len() as u64;
        self.written.files.push(path);
        Ok(())
    }
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
    use apache_avro::Reader;

    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan { events: 2_000, users: 100, seed, compression: Compression::Deflate }
    }

    fn read_all(folder: &Path, generated: &Generated) -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |path: &PathBuf| path.strip_prefix(folder).expect("below").to_owned();
        let read = |path: &PathBuf| (relative(path), fs::read(path).expect("is there"));
        generated.files.iter().map(read).collect()
    }

    #[test]
    fn the_seed_decides_every_byte() {
        let folders = [(); 3].map(|()| tempfile::tempdir().expect("temporary folder"));
        let mut contents = Vec::new();
        for (folder, seed) in folders.iter().zip([7, 7, 8]) {
            let generated = generate(&plan(seed), folder.path(), || true).expect("generates");
            contents.push(read_all(folder.path(), &generated));
        }

        assert!(contents[0] == contents[1], "the same seed writes the same bytes");
        assert!(contents[0] != contents[2], "another seed writes others");
    }

    #[test]
    fn every_event_is_in_some_file_and_every_type_has_one() {
        let folder = tempfile::tempdir().expect("temporary folder");

        let generated = generate(&plan(1), folder.path(), || true).expect("generates");

        let mut events = 0;
        for path in &generated.files {
            let file = fs::File::open(path).expect("is there");
            events += Reader::new(file).expect("is a container").map(Result::unwrap).count();
        }
        assert_eq!(events, 2_000);
        for (event_type, _) in TRAFFIC {
            let folder_name = format!("event_type={event_type}/");
            let in_folder =
                |path: &PathBuf| path.to_str().is_some_and(|path| path.contains(&folder_name));
            assert!(generated.files.iter().any(in_folder), "{event_type}");
        }
    }
}
