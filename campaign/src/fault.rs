//! What makes a campaign unusable: a place, what is wrong there, and what would be right.

use std::fmt;
use std::path::{Path, PathBuf};

/// Every fault found in a folder of campaigns.
#[derive(Debug, thiserror::Error)]
#[error("campaigns cannot be used:{}", join(.0))]
pub struct InvalidCampaigns(pub Vec<Fault>);

/// One place that makes a campaign unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file or folder.
    pub path: PathBuf,
    /// The line, from 1, where there is one to blame.
    pub line: Option<usize>,
    /// What is wrong with it and what would be right.
    pub reason: String,
    /// It is a name that no event of Currents has, and nothing else.
    pub is_of_events: bool,
}

impl Fault {
    /// Blames a place.
    pub fn new(path: &Path, line: Option<usize>, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, reason: reason.into(), is_of_events: false }
    }

    /// Blames a name that no event of Currents has.
    pub fn of_events(path: &Path, line: usize, reason: impl Into<String>) -> Self {
        Self { is_of_events: true, ..Self::new(path, Some(line), reason) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.reason)
    }
}

fn join(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}
