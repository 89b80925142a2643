//! What a person can say on the command line.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use ingest::settings::DEFAULT_STREAM_BUCKETS;

use crate::cost::load::LoadArguments;

/// Looks after a deployment, or after the folder that a run of `local` keeps.
#[derive(Debug, Parser)]
#[command(name = "ops", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after campaigns.
    #[command(subcommand)]
    Campaigns(Campaigns),
    /// Send again what was given up: by a run of `local`, or on AWS.
    Redrive(Redrive),
    /// Tell what a month on AWS costs, and what one call of the model for each event would.
    Cost(Cost),
}

/// Looks after campaigns.
#[derive(Debug, Subcommand)]
pub enum Campaigns {
    /// Check every campaign and say everything that is wrong, with file and line.
    Check {
        /// Folder of campaigns.
        #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
        campaigns: PathBuf,

        /// Let event types and fields pass that Currents does not have: for events of your own.
        #[arg(long)]
        unknown_events: bool,
    },
    /// Show what a campaign would ask and send for a user's events, without storing anything.
    Preview(Preview),
    /// Tell what becomes of a user's events in each campaign, and why.
    Why(Why),
}

/// Tells what becomes of a user's events.
#[derive(Debug, Args)]
pub struct Why {
    /// Braze id of the user.
    #[arg(value_name = "USER")]
    pub user: String,

    /// Events: Currents files (.avro), files with one event a line as JSON, or folders of them.
    #[arg(long, value_name = "FILE_OR_FOLDER")]
    pub events: PathBuf,

    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,
}

/// Shows what a campaign would do.
#[derive(Debug, Args)]
pub struct Preview {
    /// Name of the campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: String,

    /// Events: Currents files (.avro), files with one event a line as JSON (.gz as well), or
    /// folders of them; without it, events.jsonl in the campaign's folder.
    #[arg(long, value_name = "FILE_OR_FOLDER")]
    pub events: Option<PathBuf>,

    /// Braze id of the user; without it, whoever has the newest event that asks for content.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,

    /// Show so many users, those with the newest events; equal prompts are asked once.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "user", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub users: u16,

    /// What only Braze knows of the user, as JSON or a file of it: {"first_name": "Ada",
    /// "custom_attribute": {"pet": "cat"}}.
    #[arg(long, value_name = "JSON_OR_FILE")]
    pub user_attributes: Option<String>,

    /// Show the prompt only and ask nobody.
    #[arg(long)]
    pub prompt_only: bool,

    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,

    /// Who writes the text: example (made up in the shape of the schema), aws (Amazon Bedrock,
    /// with your credentials and at your cost), or the URL of a stand-in, e.g. that of
    /// `make run ARGS="bedrock"`.
    #[arg(long, value_name = "WHO", default_value = "example")]
    pub bedrock: Bedrock,
}

/// Who writes the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bedrock {
    /// Nobody: it is made up.
    Example,
    /// Amazon Bedrock.
    Aws,
    /// What answers as Bedrock does, at this address.
    At(String),
}

impl FromStr for Bedrock {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "example" => Ok(Self::Example),
            "aws" => Ok(Self::Aws),
            url if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Self::At(url.to_owned()))
            }
            _ => Err("say example, aws, or a URL such as http://127.0.0.1:8090"),
        }
    }
}

/// Sends again what was given up.
#[derive(Debug, Args)]
pub struct Redrive {
    /// Folder that a run of `local` kept with --data; the next such run sends the letters.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["queue_url", "bucket"])]
    pub data: Option<PathBuf>,

    /// Dead-letter queue on AWS, with your credentials, in place of a folder.
    #[arg(long, value_name = "URL", conflicts_with = "data", requires = "stream")]
    pub queue_url: Option<String>,

    /// Bucket on AWS with the batches that the event source gave up, in place of a folder.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["data", "queue_url", "reason"], requires = "stream")]
    pub bucket: Option<String>,

    /// Stream on AWS that takes the records again.
    #[arg(long, value_name = "NAME", conflicts_with = "data")]
    pub stream: Option<String>,

    /// STREAM_BUCKETS of the deployment, so that users go back to their own shards.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_STREAM_BUCKETS, conflicts_with = "data")]
    pub stream_buckets: NonZeroU16,

    /// Only what was given up for this reason, e.g. bad_answer.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
}

/// Tells what a month on AWS costs.
#[derive(Debug, Args)]
pub struct Cost {
    /// What there is to do.
    #[command(flatten)]
    pub load: LoadArguments,
    /// Price list to use in place of the built-in one, ops/prices.toml.
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Campaign whose model and `[price]` to use in place of the price list's.
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,
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
    fn who_writes_is_a_word_or_an_address() {
        assert_eq!("example".parse(), Ok(Bedrock::Example));
        assert_eq!("http://a:1".parse(), Ok(Bedrock::At("http://a:1".to_owned())));
        assert!("stand-in".parse::<Bedrock>().is_err());
    }
}
