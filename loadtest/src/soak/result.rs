//! What came of a soak, as it is written and read again.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::reconcile::Line;
use super::schedule::Period;
use crate::client::Kind;
use crate::latency::LatencySummary;
use crate::lookups::result::Counts;
use crate::replay::result::{Input, Upload};
use crate::system::System;

/// A whole soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoakResult {
    /// Address of the api.
    pub url: String,
    /// Events a second, as scheduled.
    pub rate: f64,
    /// Look-ups a second, as scheduled.
    pub look_ups_per_second: f64,
    /// What decided the faults.
    pub seed: u64,
    /// What the files hold.
    pub input: Input,
    /// What was uploaded.
    pub upload: Upload,
    /// From the last upload to when the system was done.
    pub drain_secs: f64,
    /// When which fault was on.
    pub periods: Vec<Period>,
    /// How often each kind struck.
    pub struck: BTreeMap<String, u64>,
    /// What became of events, every delivery counted.
    pub fates: BTreeMap<String, u64>,
    /// Calls of the model that returned an answer.
    pub generations: u64,
    /// How it went on in the system.
    pub system: System,
    /// What look-ups got.
    pub look_ups: LookUps,
    /// Every figure against what it must be.
    pub lines: Vec<Line>,
}

/// What look-ups got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUps {
    /// Answers by kind. For a user of the files, content and fallback are both expected.
    pub counts: Counts,
    /// From the scheduled moment to the whole answer.
    pub latency: LatencySummary,
    /// The first that failed or were answered otherwise than expected.
    pub failures: Vec<Failure>,
}

/// A look-up that failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Since the start.
    pub secs: f64,
    /// What it got.
    pub kind: Kind,
}

impl SoakResult {
    /// Whether everything is accounted for.
    pub fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.holds)
    }
}

impl fmt::Display for SoakResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upload = &self.upload;
        let mut line = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "{name:<32}{value}");
        line("events uploaded", format_args!("{} in {} files", upload.events, upload.files))?;
        if upload.failed_files > 0 {
            line("files that failed", format_args!("{}", upload.failures()))?;
        }
        line("events a second", format_args!("{:.0} of {}", upload.events_per_second, self.rate))?;
        line("done after the last file", format_args!("{:.1} s", self.drain_secs))?;
        line("generations", format_args!("{}", self.generations))?;
        for (fate, n) in self.fates.iter().filter(|(_, n)| **n > 0) {
            line(&format!("  {}", fate.replace('_', " ")), format_args!("{n}"))?;
        }
        for (kind, n) in &self.struck {
            line(&format!("  struck: {kind}"), format_args!("{n}"))?;
        }
        let latency = &self.look_ups.latency;
        line(
            "look-ups",
            format_args!(
                "{}, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
                latency.count, latency.p50_ms, latency.p99_ms, latency.max_ms
            ),
        )?;
        for failure in &self.look_ups.failures {
            line("  not as expected", format_args!("{:?} at {:.1} s", failure.kind, failure.secs))?;
        }
        writeln!(f)?;
        for line in &self.lines {
            let verdict = if line.holds { "ok  " } else { "FAIL" };
            let Line { name, found, expected, note, .. } = line;
            let note = if note.is_empty() { String::new() } else { format!("  ({note})") };
            writeln!(
                f,
                "{verdict}  {name:<43}{found:>10} {:>2} {expected}{note}",
                line.rule.sign()
            )?;
        }
        let broken = self.lines.iter().filter(|line| !line.holds).count();
        match broken {
            0 => write!(f, "every event is accounted for"),
            n => write!(f, "{n} of {} lines do not hold", self.lines.len()),
        }
    }
}
