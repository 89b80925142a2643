//! What `ops erase` takes.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use ingest::settings::DEFAULT_STREAM_BUCKETS;

use super::Since;
use crate::consent::Consent;

/// Deletes users.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true).args(["user", "list", "since"]))]
pub struct Erase {
    /// Braze id of the user.
    #[arg(value_name = "USER")]
    pub user: Option<String>,

    /// Note the deletion of a user of whom nothing is stored, so that what may still come of them
    /// is refused.
    #[arg(long, conflicts_with_all = ["list", "since"])]
    pub unknown_user: bool,

    /// Write into this new file who was deleted, and when: a line of JSON each. Keep it beside the
    /// backups, for --since. The whole content table is read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "yes"])]
    pub list: Option<PathBuf>,

    /// After a restore of the content table to this time (2026-11-25T00:00:00Z, or 3d for three
    /// days ago): delete again those of the list who were deleted since, and some weeks before,
    /// because a deletion can be under way that long.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub since: Option<Since>,

    /// The list that --list wrote.
    #[arg(long, value_name = "FILE", requires = "since", conflicts_with_all = ["user", "list"])]
    pub from: Option<PathBuf>,

    /// Deletions of the list sent in a second at most.
    #[arg(long, value_name = "N", default_value = "50")]
    pub rate: NonZeroU32,

    /// Content table of the deployment, with your credentials.
    #[arg(long, value_name = "NAME", env = "CONTENT_TABLE")]
    pub table: String,

    /// Stream of the deployment.
    #[arg(long, value_name = "NAME", env = "STREAM_NAME")]
    pub stream: Option<String>,

    /// STREAM_BUCKETS of the deployment, so that users go to their own shards.
    #[arg(long, value_name = "N", env = "STREAM_BUCKETS", default_value_t = DEFAULT_STREAM_BUCKETS)]
    pub stream_buckets: NonZeroU16,

    /// Write what was done into this new file as JSON; it names the user by SHA-256 only.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list", "since"])]
    pub evidence: Option<PathBuf>,

    /// How long it is waited until all is gone, in seconds; of a list, from one user who is gone
    /// to the next.
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub wait_secs: u32,

    /// How long others keep what they have.
    #[command(flatten)]
    pub retention: Retention,

    /// Whether it is wanted.
    #[command(flatten)]
    pub consent: Consent,
}

/// How long what is stored elsewhere is kept, in days, as the deployment has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Retention {
    /// Days that the stream keeps records (stream.retentionDays).
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub stream_days: u16,

    /// Days that the bucket keeps files of Currents (currents.retentionDays; 30 in the stage dev).
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub files_days: u16,

    /// Days that queues keep dead letters and asks.
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub letters_days: u16,

    /// Days that the bucket of records that were given up keeps them.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub given_up_days: u16,

    /// Days to which the content table can be restored.
    #[arg(long, value_name = "DAYS", default_value_t = 35)]
    pub backups_days: u16,
}
