//! Generates files that look like a streaming service's Currents, with what makes real ones
//! hard: repeats, late events, deletions, damage.
//!
//! Events are encoded straight into their files; nothing is kept but the files that are open,
//! one for each event type. The seed decides every byte.

mod curve;
mod damage;
mod files;
mod sink;
pub mod traffic;

use std::path::Path;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, Zipf};

use crate::catalogue::{BadCatalogue, Catalogue};
use crate::write::Compression;

use curve::Curve;
use files::Files;
pub use sink::{Folder, Sink, SinkError};
use traffic::{DELETION, Picker, Traffic, UnknownType};

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
    /// Files whose schema has a field less than the catalogue's, or one more.
    pub other_versions: f64,
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
            other_versions: 0.0,
        }
    }
}

/// What was generated.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GeneratedFiles {
    /// Keys of the files, in the order they were finished.
    pub keys: Vec<String>,
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
    /// Files with an earlier or a later version of their schema.
    pub other_versions: u64,
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
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Writes the files of `plan` below `folder`, under Currents' keys.
///
/// `go_on` is told now and then how many events are made; its `false` stops the work.
pub fn generate(
    plan: &Plan,
    folder: &Path,
    go_on: impl FnMut(u64) -> bool,
) -> Result<GeneratedFiles, GenerateError> {
    generate_into(plan, &mut Folder(folder), go_on)
}

/// Writes the files of `plan` into `sink`, as [`generate`] does into a folder.
pub fn generate_into(
    plan: &Plan,
    sink: &mut dyn Sink,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<GeneratedFiles, GenerateError> {
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
    let mut files = Files::new(sink, &catalogue, types, plan)?;
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
pub fn user_id(seed: u64, n: u64) -> String {
    // SplitMix64's finaliser (Steele, Lea and Flood, 2014): a bijection, so ids are distinct.
    let mut mixed = n.wrapping_add(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    format!("{mixed:016x}{n:08x}")
}

#[cfg(test)]
mod tests;
