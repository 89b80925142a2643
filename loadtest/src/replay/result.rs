//! What came of a replay, as it is written and read again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::latency::LatencySummary;
use crate::system::System;

/// A whole replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayResult {
    /// The bucket.
    pub bucket: String,
    /// Where the bucket is; none for AWS itself.
    pub endpoint: Option<String>,
    /// How fast, in words.
    pub pace: String,
    /// Which events ask for content.
    pub trigger: String,
    /// What the files hold.
    pub input: Input,
    /// What was uploaded.
    pub upload: Upload,
    /// What became of the users who were followed.
    pub followed: FollowedUsers,
    /// How it went on.
    pub points: Vec<Point>,
    /// How it went on in the system, where that tells its figures, as `local` does.
    pub system: Option<System>,
}

/// What the files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Files.
    pub files: u64,
    /// Files that cannot be read to their end; what can be is counted.
    pub damaged_files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Events in them.
    pub events: u64,
    /// Events that ask for content.
    pub triggers: u64,
}

/// What was uploaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Files in the bucket.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Files that could not be uploaded.
    pub failed_files: u64,
    /// Why the first of them could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// Time from the first to the last.
    pub secs: f64,
    /// Events a second.
    pub events_per_second: f64,
    /// From when a file was due to when it was in the bucket.
    pub delay: LatencySummary,
}

/// What became of the users who were followed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowedUsers {
    /// Users who were followed.
    pub sampled: u64,
    /// Users who were passed over, because they had content before.
    pub had_content: u64,
    /// Users whose first file could not be uploaded.
    pub not_uploaded: u64,
    /// Users whose content became readable.
    pub readable: u64,
    /// Users whose content did not.
    pub lost: u64,
    /// Events of these users that stand in the files more than once.
    pub repeated_events: u64,
    /// Users with a single event, whose content was looked at once more at the end.
    pub looked_at_twice: u64,
    /// Those among them whose content had been written again by then.
    pub written_twice: u64,
    /// From when the first file with an event of the user was due to their readable content.
    pub freshness: LatencySummary,
    /// From the last look-up without content to the first with it: how exact freshness is.
    pub resolution: LatencySummary,
}

/// A moment of the replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Since the start.
    pub secs: f64,
    /// Events in the bucket.
    pub events: u64,
    /// Followed users whose events are in the bucket and whose content is not readable.
    pub waiting: u64,
    /// Followed users whose content is readable.
    pub readable: u64,
}

impl Upload {
    /// How many files could not be uploaded, and why the first one.
    pub(crate) fn failures(&self) -> String {
        let n = self.failed_files;
        let because = |reason| format!("{n}, the first because of: {reason}");
        self.first_failure.as_ref().map_or_else(|| n.to_string(), because)
    }
}

impl ReplayResult {
    /// Whether everything arrived, once.
    pub fn is_good(&self) -> bool {
        let followed = &self.followed;
        self.upload.failed_files == 0
            && followed.lost == 0
            && followed.not_uploaded == 0
            && followed.written_twice == 0
    }
}

impl fmt::Display for ReplayResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (upload, followed) = (&self.upload, &self.followed);
        let mut line = |name: &str, value: fmt::Arguments<'_>| writeln!(f, "{name:<26}{value}");
        line("files uploaded", format_args!("{} of {}", upload.files, self.input.files))?;
        line("  that failed", format_args!("{}", upload.failures()))?;
        line("  that are damaged", format_args!("{}", self.input.damaged_files))?;
        let rate = upload.events_per_second;
        line("events uploaded", format_args!("{} ({rate:.0}/s, {})", upload.events, self.pace))?;
        line("  that ask for content", format_args!("{}", self.input.triggers))?;
        let delay = &upload.delay;
        line(
            "due to uploaded",
            format_args!("p50 {:.0} ms, p99 {:.0} ms", delay.p50_ms, delay.p99_ms),
        )?;
        line("users followed", format_args!("{}", followed.sampled))?;
        line("  with readable content", format_args!("{}", followed.readable))?;
        line("lost", format_args!("{}", followed.lost + followed.not_uploaded))?;
        line(
            "written twice",
            format_args!("{} of {} looked at", followed.written_twice, followed.looked_at_twice),
        )?;
        if let Some(system) = &self.system {
            let usd: f64 = system.usd.values().sum();
            let of_a_million = usd * 1e6 / upload.events.max(1) as f64;
            line(
                "AWS would charge",
                format_args!("${usd:.5}, ${of_a_million:.2} for a million events"),
            )?;
        }
        let freshness = &followed.freshness;
        write!(
            f,
            "{:<26}p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, max {:.0} ms (each over by up to {:.0} ms)",
            "due to readable",
            freshness.p50_ms,
            freshness.p90_ms,
            freshness.p99_ms,
            freshness.max_ms,
            followed.resolution.p99_ms
        )
    }
}
