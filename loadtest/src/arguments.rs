//! What a person can say on the command line.
//!
//! Above 400 lines because clap takes every option with its help in one place, and so do readers.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::bucket::Place;
use crate::client::Target;
use crate::credentials::Credentials;
use crate::lookups::mix::Mix;
use crate::lookups::{Plan, Rates};
use crate::replay::{self, pace::Pace};
use crate::report::MAX_RUNS;
use crate::soak;
use crate::trigger::Trigger;
use currents::generate::traffic::Traffic;
use currents::generate::{self, Course};
use currents::write::Compression;

/// Most look-ups under way: each takes a connection, and systems allow few thousand files.
const MAX_IN_FLIGHT: u64 = 20_000;

/// Connections that a replay keeps to the api: as many as it asks at a time.
const KEPT_CONNECTIONS: usize = 32;

/// Makes load that looks like Braze's, and measures what became of it.
///
/// Exit codes: 0 all is well, 1 measured and not well (a bound not kept, something lost),
/// 2 nothing could be measured.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version = program::build::VERSION.as_str())]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write Currents files into a folder or a bucket.
    Generate(Generate),
    /// Look users up at a schedule, and find the highest rate that the api keeps.
    Lookups(Lookups),
    /// Upload Currents files at a schedule, and follow users to their readable content.
    Replay(Replay),
    /// Put a mixed load on a running `local` while faults come and go, and account for every event.
    Soak(Soak),
    /// Draw one measurement, or compare two, as one HTML file that needs no network.
    Report(Report),
}

/// Writes Currents files.
#[derive(Debug, Args)]
pub struct Generate {
    /// Number of events.
    #[arg(long, default_value_t = 20_000)]
    pub events: u64,
    /// Number of users that the events are drawn from.
    #[arg(long, default_value_t = 2_000)]
    pub users: u64,
    /// Decides everything random: the same seed writes the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How blocks are compressed: null, deflate, snappy, zstandard, bzip2 or xz.
    #[arg(long, value_name = "NAME", default_value_t)]
    pub codec: Compression,
    /// What comes: streaming (six types), all (94 types), or EVENT_TYPE=WEIGHT,...
    #[arg(long, value_name = "WHAT", default_value = "streaming")]
    pub traffic: Traffic,
    /// Hours that the events are spread over; from a day on, nights are quiet.
    #[arg(long, value_name = "N", default_value = "1", value_parser = hours)]
    pub hours: f64,
    /// Events that stand in the files once more, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub duplicates: f64,
    /// Events that happened up to three days before they are written, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub late: f64,
    /// Events that delete their user, in percent, in place of the traffic's own.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub deletes: Option<f64>,
    /// Files that are damaged, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub damaged: f64,
    /// Files with another version of their schema, a field less or one more, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    pub other_versions: f64,
    /// Folder to write into, or s3://BUCKET/PREFIX.
    #[arg(long)]
    pub out: Place,
    /// Where the bucket is, if not on AWS; AWS_ENDPOINT_URL is understood as well.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub endpoint_url: Option<String>,
    /// Write to AWS itself, at your cost.
    #[arg(long)]
    pub yes: bool,
}

/// Where the api is.
#[derive(Debug, Args)]
pub struct Api {
    /// Address of the api.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Campaign to ask for; may be left out where there is only one.
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Credentials of the api. Others on this machine can see arguments: prefer the variable.
    #[arg(
        long,
        value_name = "USER:PASSWORD",
        env = "LOADTEST_CREDENTIALS",
        hide_env_values = true,
        value_parser = Credentials::given
    )]
    pub credentials: Option<Credentials>,
}

/// Where the result goes.
#[derive(Debug, Args)]
pub struct Output {
    /// Write the result to this file as well, for scripts and for `loadtest report`.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// What the run is called in reports.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub label: String,
}

/// Looks users up.
#[derive(Debug, Args)]
pub struct Lookups {
    /// Where the api is.
    #[command(flatten)]
    pub api: Api,
    /// Users who have content: a file with one id a line.
    #[arg(long, value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// Shares of users with content, unknown users, and callers without valid credentials.
    #[arg(long, value_name = "SHARES", default_value = "hit=80,miss=18,unauthorised=2")]
    pub mix: Mix,
    /// Hold each of these rates in turn, in look-ups a second, and search none.
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = rate)]
    pub rates: Vec<f64>,
    /// Where the search begins.
    #[arg(long, value_name = "N", default_value = "100", value_parser = rate, conflicts_with = "rates")]
    pub from: f64,
    /// Where the search ends.
    #[arg(long, value_name = "N", default_value = "50000", value_parser = rate, conflicts_with = "rates")]
    pub to: f64,
    /// How long each rate is held, in seconds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub step_secs: u64,
    /// What 99 of 100 look-ups must keep, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    pub p99_ms: u64,
    /// Look-ups under way at a time, at most.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=MAX_IN_FLIGHT))]
    pub in_flight: u64,
    /// Open a connection for every look-up.
    #[arg(long)]
    pub no_reuse: bool,
    /// Decides the order of kinds and users.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the result goes.
    #[command(flatten)]
    pub output: Output,
}

/// Replays files.
#[derive(Debug, Args)]
pub struct Replay {
    /// Currents files; folders, or s3://BUCKET/PREFIX, that are searched for .avro files.
    #[arg(required = true)]
    pub files: Vec<Place>,
    /// Bucket that Currents writes to.
    #[arg(long, value_name = "NAME", default_value = "currents")]
    pub bucket: String,
    /// Where the bucket is, if not on AWS; AWS_ENDPOINT_URL is understood as well.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub endpoint_url: Option<String>,
    /// Upload to AWS itself, at your cost.
    #[arg(long)]
    pub yes: bool,
    /// Events a second; without this and --speed, as fast as possible.
    #[arg(long, value_name = "N", value_parser = rate, conflicts_with = "speed")]
    pub rate: Option<f64>,
    /// Keep the original time stamps, so many times faster.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub speed: Option<f64>,
    /// Uploads at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub uploads: u64,
    /// Users to follow.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub sample: u64,
    /// Events that ask for content: EVENT_TYPE or EVENT_TYPE:FIELD=VALUE.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "users.behaviors.CustomEvent:name=episode_watched"
    )]
    pub trigger: Trigger,
    /// Look-ups of followed users a second; more make freshness more exact.
    #[arg(long, value_name = "N", default_value = "500", value_parser = rate)]
    pub polls_per_second: f64,
    /// How long content is waited for after the last upload, in seconds.
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience_secs: u64,
    /// Price of a generation in dollars, for the estimate; by default that of a short text by
    /// the model of bill/prices.toml.
    #[arg(long, value_name = "USD")]
    pub usd_per_generation: Option<f64>,
    /// Decides which users are followed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the api is.
    #[command(flatten)]
    pub api: Api,
    /// Where the result goes.
    #[command(flatten)]
    pub output: Output,
}

/// Soaks a running `local`.
#[derive(Debug, Args)]
pub struct Soak {
    /// Currents files, or folders that are searched for .avro files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Bucket that Currents writes to.
    #[arg(long, value_name = "NAME", default_value = "currents")]
    pub bucket: String,
    /// Where the bucket is; AWS_ENDPOINT_URL is understood as well.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL_S3")]
    pub endpoint_url: Option<String>,
    /// Events a second; with their number this is how long the soak takes.
    #[arg(long, value_name = "N", default_value = "2000", value_parser = rate)]
    pub rate: f64,
    /// Uploads at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub uploads: u64,
    /// Look-ups a second; 0 for none.
    #[arg(long, value_name = "N", default_value = "50", value_parser = rate_or_none)]
    pub look_ups_per_second: f64,
    /// Events whose users are looked up: EVENT_TYPE or EVENT_TYPE:FIELD=VALUE.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "users.behaviors.CustomEvent:name=episode_watched"
    )]
    pub trigger: Trigger,
    /// How long the system may take after the last upload, in seconds.
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience_secs: u64,
    /// Decides the faults, and who is looked up.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the api is.
    #[command(flatten)]
    pub api: Api,
    /// Where the result goes.
    #[command(flatten)]
    pub output: Output,
}

/// Draws measurements.
#[derive(Debug, Args)]
pub struct Report {
    /// Files that --json wrote: one, or two to compare.
    #[arg(required = true, num_args = 1..=MAX_RUNS)]
    pub files: Vec<PathBuf>,
    /// File to write.
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
}

impl Api {
    /// The api, with this number of connections kept.
    pub fn target(&self, kept_connections: usize) -> Target {
        Target {
            url: self.url.clone(),
            campaign: self.campaign.clone(),
            credentials: self.credentials.clone(),
            kept_connections,
        }
    }
}

impl Lookups {
    /// What was asked for.
    pub fn plan(&self) -> Plan {
        let in_flight = usize::try_from(self.in_flight).unwrap_or(usize::MAX);
        let rates = if self.rates.is_empty() {
            Rates::Search { from: self.from, to: self.to }
        } else {
            Rates::Steps(self.rates.clone())
        };
        Plan {
            target: self.api.target(if self.no_reuse { 0 } else { in_flight }),
            mix: self.mix,
            rates,
            step: Duration::from_secs(self.step_secs),
            bound: Duration::from_millis(self.p99_ms),
            in_flight,
            seed: self.seed,
        }
    }
}

impl Replay {
    /// Users to follow.
    pub fn sample(&self) -> usize {
        usize::try_from(self.sample).unwrap_or(usize::MAX)
    }

    /// What was asked for; the bucket is at `endpoint`.
    pub fn plan(&self, endpoint: Option<String>) -> replay::Plan {
        let pace = match (self.rate, self.speed) {
            (Some(rate), _) => Pace::Rate(rate),
            (None, Some(speed)) => Pace::Speed(speed),
            (None, None) => Pace::Fast,
        };
        replay::Plan {
            bucket: self.bucket.clone(),
            endpoint,
            pace,
            uploads: usize::try_from(self.uploads).unwrap_or(usize::MAX),
            trigger: self.trigger.to_string(),
            api: self.api.target(KEPT_CONNECTIONS),
            sample: self.sample(),
            polls_per_second: self.polls_per_second,
            patience: Duration::from_secs(self.patience_secs),
        }
    }
}

impl Soak {
    /// What was asked for.
    pub fn plan(&self) -> soak::Plan {
        soak::Plan {
            bucket: self.bucket.clone(),
            rate: self.rate,
            uploads: usize::try_from(self.uploads).unwrap_or(usize::MAX),
            api: self.api.target(KEPT_CONNECTIONS),
            look_ups_per_second: self.look_ups_per_second,
            patience: Duration::from_secs(self.patience_secs),
            tick: soak::TICK,
            seed: self.seed,
        }
    }
}

impl Generate {
    /// What was asked for.
    pub fn plan(&self) -> generate::Plan {
        generate::Plan {
            events: self.events,
            users: self.users,
            seed: self.seed,
            compression: self.codec,
            course: Course {
                traffic: self.traffic.clone(),
                span_secs: (self.hours * 3_600.0) as i64,
                duplicates: self.duplicates / 100.0,
                late: self.late / 100.0,
                deletes: self.deletes.map(|percent| percent / 100.0),
                damaged: self.damaged / 100.0,
                other_versions: self.other_versions / 100.0,
            },
        }
    }
}

/// A part of all, in percent.
fn percent(text: &str) -> Result<f64, String> {
    in_range(text, 0.0, 100.0)
}

/// Up to a year, and from a minute.
fn hours(text: &str) -> Result<f64, String> {
    in_range(text, 1.0 / 60.0, 8_784.0)
}

/// A rate in things a second.
fn rate(text: &str) -> Result<f64, String> {
    in_range(text, 0.001, 10_000_000.0)
}

/// A rate in things a second, or none of them.
fn rate_or_none(text: &str) -> Result<f64, String> {
    in_range(text, 0.0, 10_000_000.0)
}

fn in_range(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number: f64 = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(format!("must be between {low} and {high}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
