//! The file that a measurement is written to: one JSON object, whose schema is
//! `docs/loadtest.schema.json`.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::lookups::result::LookupsResult;
use crate::replay::result::ReplayResult;
use crate::soak::result::SoakResult;

/// Version of the file's shape; changes with every change that a reader would notice.
pub const FORMAT: u32 = 1;

/// Largest file that is read: far above what is ever written.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A measurement with its circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// What the person calls the run.
    pub label: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// How long it took.
    pub took_secs: f64,
    /// What was measured.
    #[serde(flatten)]
    pub run: Run,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "result", rename_all = "snake_case")]
pub enum Run {
    /// Look-ups on the api.
    Lookups(LookupsResult),
    /// Files replayed into the bucket.
    Replay(Box<ReplayResult>),
    /// A mixed load under faults.
    Soak(Box<SoakResult>),
}

impl Measurement {
    /// Puts a run and its circumstances together.
    pub fn new(label: String, started_at: OffsetDateTime, took_secs: f64, run: Run) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            label,
            started_at: started_at.format(&Rfc3339).unwrap_or_default(),
            took_secs,
            run,
        }
    }

    /// Whether everything that must hold did.
    pub fn is_good(&self) -> bool {
        match &self.run {
            Run::Lookups(result) => result.is_good(),
            Run::Replay(result) => result.is_good(),
            Run::Soak(result) => result.is_good(),
        }
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self).context("writing JSON")?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read {}", path.display());
        let size = fs::metadata(path).with_context(failed)?.len();
        anyhow::ensure!(size <= MAX_FILE_BYTES, "{} is too large", path.display());
        let text = fs::read_to_string(path).with_context(failed)?;
        let measured: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no measurement of loadtest", path.display()))?;
        anyhow::ensure!(
            measured.format == FORMAT,
            "{} has format {}, and this program reads format {FORMAT}",
            path.display(),
            measured.format
        );
        Ok(measured)
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Run::Lookups(result) => result.fmt(f),
            Run::Replay(result) => result.fmt(f),
            Run::Soak(result) => result.fmt(f),
        }
    }
}
