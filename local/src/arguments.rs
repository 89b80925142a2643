//! What a person can say on the command line.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use currents::generate::{Course, Plan};
use currents::write::Compression;
use ingest::stream::packing::Format;
use processor::store::Form;
use quota::{ModelQuota, ModelQuotas};

use crate::aws::{self, Pace};
use crate::bedrock::scenario::{self, Rule};
use crate::bedrock::{Behaviour, DEFAULT_SLOW};
use crate::event_source::Mapping;
use crate::faults::Faults;
use crate::pipeline::{Credentials, Model, Options};

/// Quota of the stand-in, in tokens per minute: enough not to wait for in a demonstration.
const STAND_IN_TOKENS_PER_MINUTE: NonZeroU64 = NonZeroU64::new(20_000_000).unwrap();

/// Calls of the model at a time: 32 for each of eight instances; here is one process.
const MAX_CONCURRENT_GENERATIONS: usize = 8 * 32;

/// Runs the whole system on this machine: events in, content out over HTTP.
///
/// Without files it makes an hour of a streaming service's events. AWS is
/// embedded, and the text comes from a stand-in for Amazon Bedrock, unless you
/// ask for the real one.
#[derive(Debug, Parser)]
#[command(name = "local", version = program::build::VERSION.as_str(), args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Something else than a run.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Events of your own: Currents files (Avro), JSON Lines (one event a line, .gz as well), or
    /// folders that are searched for .avro, .jsonl, .ndjson and .json files, and for .gz of the
    /// last three.
    pub files: Vec<PathBuf>,

    /// End after the summary; the exit code is not zero if anything was lost or unreadable.
    #[arg(long)]
    pub exit_when_done: bool,

    /// Process nothing, and serve what the folder of --data holds.
    #[arg(long, requires = "data", conflicts_with_all = ["files", "exit_when_done", "events", "users", "seed"])]
    pub serve: bool,

    /// Write what AWS would charge for to this file when the work is done: `ops cost --counted FILE`
    /// tells what a month of such events costs.
    #[arg(long, value_name = "FILE")]
    pub counted: Option<PathBuf>,

    /// Keep the embedded AWS' state in this folder between runs.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Port of the api on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// Let other programs put files into the bucket, on this port of 127.0.0.1.
    #[arg(long, value_name = "PORT", conflicts_with = "exit_when_done")]
    pub s3_port: Option<u16>,

    /// Let everybody who reaches the api look content up, without credentials.
    #[arg(long)]
    pub no_credentials: bool,

    /// Let faults be switched on while it runs, by PUT /local/faults: for soak tests.
    #[arg(long)]
    pub faults: bool,

    /// What the run is made of.
    #[command(flatten)]
    pub system: System,

    /// Number of sample events.
    #[arg(long, value_name = "N", default_value_t = 20_000, conflicts_with = "files")]
    pub events: u64,

    /// Number of users that the sample events are drawn from.
    #[arg(long, value_name = "N", default_value_t = 2_000, conflicts_with = "files")]
    pub users: u64,

    /// Decides the sample events: the same seed makes the same files.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "files")]
    pub seed: u64,
}

/// What a run is made of.
#[derive(Debug, Args)]
pub struct System {
    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,

    /// Folder of catalogs, NAME.csv or NAME.jsonl each; without it, the folder "catalogs" beside
    /// that of the campaigns, if there is one.
    #[arg(long, value_name = "DIR", env = "CATALOGS")]
    pub catalogs: Option<PathBuf>,

    /// Who writes the text.
    #[arg(long, value_enum, default_value_t = Bedrock::StandIn)]
    pub bedrock: Bedrock,

    /// Quota in tokens per minute; must be given with --bedrock aws.
    #[arg(long, value_name = "N", required_if_eq("bedrock", "aws"))]
    pub tokens_per_minute: Option<NonZeroU64>,

    /// Quota in requests per minute, for models that have one.
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<NonZeroU32>,

    /// Quota in tokens per day (UTC), if there is one.
    #[arg(long, value_name = "N")]
    pub tokens_per_day: Option<NonZeroU64>,

    /// What an output token counts against the quota: 1, 5, 10 or 15, by model.
    #[arg(long, value_name = "N", default_value = "5")]
    pub output_burndown: NonZeroU32,

    /// How long calls take, and how files come: for a bill that is near to that of AWS.
    #[arg(long, value_enum, default_value_t)]
    pub pace: Pace,

    /// Time to the stand-in's first token, in milliseconds; without this, 20, or a second at the
    /// pace of AWS.
    #[arg(long, value_name = "MS")]
    pub latency_ms: Option<u64>,

    /// Time for each token of the stand-in's output, in microseconds; without this, 100, or ten
    /// milliseconds at the pace of AWS.
    #[arg(long, value_name = "US")]
    pub latency_per_token_us: Option<u64>,

    /// Let the stand-in refuse every Nth call, whatever the quota; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub throttle_every: u64,

    /// What else the stand-in does.
    #[command(flatten)]
    pub scenarios: Scenarios,

    /// Form of the stream records that are written: kpl or zstd; without this, as it is deployed.
    #[arg(long, value_name = "FORM", default_value = "kpl")]
    pub stream_format: Format,

    /// How long an hour of the time that campaigns give to jobs is, in seconds: nobody waits for a
    /// real one.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub job_hour_seconds: u64,

    /// Form of the content items that are written: plain or compact; without this, as it is
    /// deployed.
    #[arg(long, value_name = "FORM", default_value = "plain")]
    pub content_form: Form,

    /// How long a batch waits to be filled, in milliseconds; without this, as it is deployed.
    #[arg(long, value_name = "MS")]
    pub batch_window_ms: Option<u64>,

    /// Batches of one shard at a time; without this, as it is deployed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub parallelization_factor: Option<u8>,

    /// Shards of the embedded stream.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub shards: u8,
}

/// What a stand-in does that a service which answers well does not.
#[derive(Debug, Clone, Args)]
pub struct Scenarios {
    /// Let the stand-in do what Bedrock has been seen to do; --help lists the names.
    #[arg(long = "scenario", value_name = "NAME", value_delimiter = ',', long_help = scenario::help())]
    pub rules: Vec<Rule>,

    /// What the scenario `slow` takes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = DEFAULT_SLOW.as_millis() as u64)]
    pub slow_ms: u64,
}

/// Something else than a run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Render one message for the page, within limits that it cannot leave.
    #[command(hide = true, name = crate::page::render::COMMAND)]
    Render,
    /// Run the stand-in for Amazon Bedrock alone, for a processor that runs elsewhere.
    Bedrock {
        /// Port on 127.0.0.1; 0 takes a free one.
        #[arg(long, default_value_t = 8090)]
        port: u16,

        /// Folder of campaigns whose whole schemas its text is to fit; calls tell it a part.
        #[arg(long, value_name = "DIR", env = "CAMPAIGNS")]
        campaigns: Option<PathBuf>,

        /// What it does.
        #[command(flatten)]
        scenarios: Scenarios,
    },
}

/// Who writes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bedrock {
    /// A stand-in in this process: free, instant, and no model at all.
    StandIn,
    /// Amazon Bedrock, with your credentials and at your cost.
    Aws,
}

impl Arguments {
    /// The sample to make when no files are named.
    pub fn plan(&self) -> Plan {
        Plan {
            events: self.events,
            users: self.users,
            seed: self.seed,
            compression: Compression::default(),
            course: Course::default(),
        }
    }
}

impl Arguments {
    /// How the pipeline is set up, and whom it serves.
    pub fn options(&self) -> Options {
        let credentials = if self.no_credentials { Credentials::Off } else { Credentials::Asked };
        let mut options = Options { credentials, ..self.system.options() };
        options.aws.faults = self.faults.then(Faults::default);
        options.aws.kept = self.data.is_some();
        options.serves_only = self.serve;
        options
    }
}

impl Scenarios {
    /// A stand-in that does this, and otherwise answers well.
    pub fn behaviour(&self) -> Behaviour {
        Behaviour {
            scenarios: self.rules.clone(),
            slow: Duration::from_millis(self.slow_ms),
            ..Behaviour::default()
        }
    }
}

impl System {
    fn mapping(&self) -> Mapping {
        let deployed = match self.pace {
            Pace::Fast => Mapping::default(),
            Pace::Aws => Mapping::of_files(),
        };
        let window = self.batch_window_ms.map(Duration::from_millis);
        let factor = self.parallelization_factor.map(usize::from);
        Mapping {
            batching_window: window.unwrap_or(deployed.batching_window),
            parallelization_factor: factor.unwrap_or(deployed.parallelization_factor),
            ..deployed
        }
    }

    /// How the pipeline is set up, with its state kept.
    pub fn options(&self) -> Options {
        let tokens_per_minute = self.tokens_per_minute.unwrap_or(STAND_IN_TOKENS_PER_MINUTE);
        let (latency_ms, latency_per_token_us) = match self.pace {
            Pace::Fast => (20, 100),
            Pace::Aws => (1_000, 10_000),
        };
        let stand_in = Behaviour {
            tokens_per_minute: tokens_per_minute.get(),
            output_burndown: u64::from(self.output_burndown.get()),
            latency: Duration::from_millis(self.latency_ms.unwrap_or(latency_ms)),
            latency_per_token: Duration::from_micros(
                self.latency_per_token_us.unwrap_or(latency_per_token_us),
            ),
            throttle_every: self.throttle_every,
            ..self.scenarios.behaviour()
        };
        Options {
            campaigns_dir: self.campaigns.clone(),
            catalogs_dir: self
                .catalogs
                .clone()
                .or_else(|| catalog::folder::beside(&self.campaigns)),
            aws: aws::Options {
                shards: i32::from(self.shards),
                enforce_limits: true,
                kept: true,
                faults: None,
                pace: self.pace,
            },
            bedrock: match self.bedrock {
                Bedrock::StandIn => Model::StandIn(stand_in),
                Bedrock::Aws => Model::Aws,
            },
            quotas: ModelQuotas::same(ModelQuota {
                tokens_per_minute,
                requests_per_minute: self.requests_per_minute,
                tokens_per_day: self.tokens_per_day,
                output_burndown: self.output_burndown,
            }),
            max_concurrent_generations: MAX_CONCURRENT_GENERATIONS,
            stream_format: self.stream_format,
            job_hour: Duration::from_secs(self.job_hour_seconds),
            content_form: self.content_form,
            mapping: self.mapping(),
            credentials: Credentials::Asked,
            serves_only: false,
            // Without a path of its own, the one that the shell would find.
            program: std::env::current_exe().unwrap_or_else(|_| "local".into()),
        }
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

    #[test]
    fn the_real_service_is_never_called_without_a_quota() {
        let error = Arguments::try_parse_from(["local", "--bedrock", "aws"]).expect_err("no quota");

        assert!(error.to_string().contains("--tokens-per-minute"), "{error}");
    }
}
