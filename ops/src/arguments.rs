//! What a person can say on the command line.
//!
//! - `erase`, `replay` — what these take.

mod erase;
mod replay;

use std::ffi::OsString;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use campaign::config::wait;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::ask::QueueUrls;
use contract::guardrails::Guardrails;
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use program::build::VERSION;
use quota::ModelQuotas;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::consent::Consent;
use crate::cost::load::LoadArguments;
use crate::letters::Pick;

pub use erase::{Erase, Retention};
pub use replay::{Place, Replay};

/// What `--help` ends with: what somebody needs who is called at night.
const AFTER_HELP: &str = "\
AWS credentials: the environment, a profile, or after a single sign-on
  eval \"$(aws configure export-credentials --format env)\"
Names of tables, buckets, queues and the stream, which all commands find in the environment:
  names=$(ops where --stage prod) && eval \"$names\"

At night:
  content is wrong          ops campaigns pause NAME --serve-fallback, then ops recall --help
  a new version is wrong    ops campaigns versions, then ops campaigns put-back NUMBER
  what does a user get?     ops show USER
  something was given up    ops letters list, then ops redrive --help

Whatever changes something takes --dry-run, which only shows it. Most of it asks first; --yes does not.
Exit codes: 0 done, or nothing to do; 1 failed, not all done, or not wanted; 2 wrong command line.";

/// Looks after a deployment, or after the folder that a run of `local` keeps.
#[derive(Debug, Parser)]
#[command(name = "ops", version = VERSION.as_str(), after_help = AFTER_HELP)]
pub struct Arguments {
    /// Answer with one JSON document on standard output; what is meant for people goes to
    /// standard error.
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A name that commands look for and that is set to nothing, through `lookup`: of a shell in which
/// a look-up failed.
pub fn set_to_nothing(
    command: &clap::Command,
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Option<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env).find_map(|name| {
        let name = name.to_string_lossy();
        lookup(&name).is_some_and(|value| value.is_empty()).then(|| name.into_owned())
    });
    own.or_else(|| command.get_subcommands().find_map(|each| set_to_nothing(each, lookup)))
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Look after campaigns.
    #[command(subcommand)]
    Campaigns(Campaigns),
    /// Bring in what texts may say of things, and show what is there.
    #[command(subcommand)]
    Catalogs(Catalogs),
    /// Ask for content by hand: of users who have none yet, or anew after a change.
    Ask(Ask),
    /// Show what is stored of one user: contents, attributes, and prompts where they are kept.
    Show(Show),
    /// Let content of a campaign not be served any more; users get fallback content until it is
    /// written anew.
    Recall(RecallArguments),
    /// See what was given up and why; keep it in a file, or discard it.
    #[command(subcommand)]
    Letters(Letters),
    /// Send again what was given up: by a run of `local`, or on AWS.
    Redrive(Redrive),
    /// Delete all that is stored of a user, wait until it is done, and say what is left elsewhere;
    /// or delete again those who came back with a restored table.
    Erase(Erase),
    /// Let files of Currents be read that lie in the bucket already. Events that are remembered
    /// change nothing.
    Replay(Replay),
    /// Tell the names of a deployment's parts, as a shell takes them, for all other commands:
    /// names=$(ops where --stage prod) && eval "$names"
    Where {
        /// Stage of the deployment.
        #[arg(long, value_name = "NAME", env = "STAGE", default_value = "dev")]
        stage: String,
    },
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

        /// Folder of catalogs, whose columns are compared with those that campaigns show; without
        /// it, the folder "catalogs" beside that of the campaigns, if there is one.
        #[arg(long, value_name = "DIR", env = "CATALOGS")]
        catalogs: Option<PathBuf>,
    },
    /// Show what a campaign would ask and send for a user's events, without storing anything.
    Preview(Preview),
    /// Tell what becomes of a user's events in each campaign, and why.
    Why(Why),
    /// Check a folder, show what changes, and let it hold for a deployment.
    Publish(Publish),
    /// List what was published, what is paused, and what is recalled.
    Versions {
        /// Where it is kept.
        #[command(flatten)]
        place: RegistryPlace,
    },
    /// Show what differs between two versions: numbers, or beginnings of their names.
    Diff {
        /// The one.
        a: String,
        /// The other.
        b: String,
        /// Where they are kept.
        #[command(flatten)]
        place: RegistryPlace,
    },
    /// Let an earlier version hold again.
    PutBack(PutBack),
    /// Generate nothing more for a campaign; its events wait. What is written is served.
    Pause(Pause),
    /// Let a paused campaign go on, with what waited.
    Resume {
        /// Name of the campaign.
        campaign: String,
        /// How it is done.
        #[command(flatten)]
        change: Change,
    },
}

/// Where published campaigns are kept.
#[derive(Debug, Args)]
pub struct RegistryPlace {
    /// Coordination table of the deployment.
    #[arg(long = "coordination-table", value_name = "NAME", env = "COORDINATION_TABLE")]
    pub table: String,

    /// Bucket of the deployment's campaigns.
    #[arg(long = "campaigns-bucket", value_name = "NAME", env = "CAMPAIGNS_BUCKET")]
    pub bucket: String,
}

/// How campaigns are changed.
#[derive(Debug, Args)]
pub struct Change {
    /// Whether it is wanted.
    #[command(flatten)]
    pub consent: Consent,

    /// Where it is kept.
    #[command(flatten)]
    pub place: RegistryPlace,
}

/// Publishes a folder.
#[derive(Debug, Args)]
pub struct Publish {
    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,

    /// Let event types and fields pass that Currents does not have.
    #[arg(long)]
    pub unknown_events: bool,

    /// Folder of catalogs, whose columns are compared with those that campaigns show.
    #[arg(long, value_name = "DIR", env = "CATALOGS")]
    pub catalogs: Option<PathBuf>,

    /// What it is held against.
    #[command(flatten)]
    pub deployed: DeployedArguments,

    /// Refuse, unless the publication of this number still holds: that from which the folder was
    /// made.
    #[arg(long, value_name = "N")]
    pub expect: Option<u64>,

    /// How it is done.
    #[command(flatten)]
    pub change: Change,
}

/// Whether every campaign must say what it may cost in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Budgets {
    /// One without a budget is refused.
    Required,
    /// The quota is the limit of one without.
    Optional,
}

/// What a deployment has, against which campaigns are held before they hold.
#[derive(Debug, Args)]
pub struct DeployedArguments {
    /// ASK_QUEUES of the deployment, as JSON: campaigns on a model that has none are refused.
    #[arg(long, value_name = "JSON", env = "ASK_QUEUES")]
    pub queues: Option<QueueUrls>,

    /// GUARDRAILS of the deployment, as JSON: campaigns that ask another are refused.
    #[arg(long, value_name = "JSON", env = "GUARDRAILS")]
    pub guardrails: Option<Guardrails>,

    /// MODEL_QUOTAS of the deployment, as JSON: campaigns whose answers never fit are refused.
    #[arg(long, value_name = "JSON", env = "MODEL_QUOTAS")]
    pub model_quotas: Option<ModelQuotas>,

    /// Whether every campaign must say what it may cost in a day.
    #[arg(long, value_enum, env = "BUDGETS")]
    pub budgets: Option<Budgets>,

    /// Content table of the deployment, to tell what writing anew what changes may cost.
    #[arg(long = "table", value_name = "NAME", env = "CONTENT_TABLE")]
    pub content_table: Option<String>,
}

/// Lets an earlier version hold again.
#[derive(Debug, Args)]
pub struct PutBack {
    /// Number of a publication, or the beginning of a version's name.
    pub version: String,

    /// What it is held against.
    #[command(flatten)]
    pub deployed: DeployedArguments,

    /// How it is done.
    #[command(flatten)]
    pub change: Change,
}

/// Pauses a campaign.
#[derive(Debug, Args)]
pub struct Pause {
    /// Name of the campaign.
    pub campaign: String,

    /// Serve fallback content meanwhile, and nothing that was written.
    #[arg(long)]
    pub serve_fallback: bool,

    /// How it is done.
    #[command(flatten)]
    pub change: Change,
}

/// Lets content not be served any more.
#[derive(Debug, Args)]
pub struct RecallArguments {
    /// Name of the campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: String,

    /// What was written before the publication of this number.
    #[arg(long, value_name = "N")]
    pub below: Option<u64>,

    /// What was written from the prompt of this hash.
    #[arg(long, value_name = "HASH")]
    pub prompt: Option<String>,

    /// What holds this text in one of its fields, and all with the same prompts. Upper and lower
    /// case, kinds of quotes and blanks, and entities of HTML make no difference.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub containing: Option<String>,

    /// What was written from this time on (2026-01-31T12:00:00Z, or 2h ago) ...
    #[arg(long, value_name = "TIME", requires = "written_to")]
    pub written_from: Option<Since>,

    /// ... and before this one.
    #[arg(long, value_name = "TIME", requires = "written_from")]
    pub written_to: Option<Since>,

    /// Everything that is written so far.
    #[arg(long)]
    pub all: bool,

    /// Content table of the deployment, which is scanned.
    #[arg(long = "table", value_name = "NAME", env = "CONTENT_TABLE")]
    pub content_table: String,

    /// File to write the users to whose content it was, one Braze id a line, for ops ask --users.
    #[arg(long, value_name = "FILE")]
    pub users_file: Option<PathBuf>,

    /// Then write it anew, at --rate, with the campaigns that hold.
    #[arg(long)]
    pub regenerate: bool,

    /// Seconds that the functions take to follow, campaigns.followSeconds of the deployment: so
    /// long, and half a minute for what is under way, is waited before anything is written anew.
    #[arg(long, value_name = "N", env = "CAMPAIGNS_FOLLOW_SECS", default_value_t = 30)]
    pub follow_secs: u32,

    /// Folder of the deployment's campaigns, for --regenerate where none were published.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,

    /// How asks are sent.
    #[command(flatten)]
    pub sending: Sending,

    /// How it is done.
    #[command(flatten)]
    pub change: Change,
}

/// Brings catalogs in.
#[derive(Debug, Subcommand)]
pub enum Catalogs {
    /// Put a file into a catalog: CSV as Braze takes it, or one JSON object a line (.jsonl).
    /// Nothing is written if anything in it is wrong.
    Put(Put),
    /// List the catalogs.
    List {
        /// Where they lie.
        #[command(flatten)]
        place: CatalogPlace,
    },
    /// Show an item.
    Show {
        /// Name of the catalog.
        name: String,
        /// Id of the item.
        id: String,
        /// Where it lies.
        #[command(flatten)]
        place: CatalogPlace,
    },
    /// Get a whole catalog from Braze's REST API, 2,500 items a minute; stopped, it goes on where
    /// it was. The key is read from the environment: BRAZE_API_KEY.
    Pull(PullArguments),
}

/// Where catalogs lie.
#[derive(Debug, Args)]
pub struct CatalogPlace {
    /// Table of catalogs on AWS, with your credentials.
    #[arg(long, value_name = "NAME", env = "CATALOG_TABLE")]
    pub table: Option<String>,

    /// Folder that runs of local take (--catalogs), in place of AWS.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Puts a file into a catalog.
#[derive(Debug, Args)]
pub struct Put {
    /// Name of the catalog.
    pub name: String,

    /// The file, .csv or .jsonl.
    pub file: PathBuf,

    /// Add to the catalog; without it the file is the whole catalog.
    #[arg(long)]
    pub partial: bool,

    /// Only check the file and say what it holds.
    #[arg(long)]
    pub dry_run: bool,

    /// Where the catalog lies.
    #[command(flatten)]
    pub place: CatalogPlace,
}

/// Gets a catalog from Braze.
#[derive(Debug, Args)]
pub struct PullArguments {
    /// Name of the catalog, in Braze and here.
    pub name: String,

    /// Address of Braze's REST API, e.g. `https://rest.iad-01.braze.com`.
    #[arg(long, value_name = "URL", env = "BRAZE_URL")]
    pub braze_url: String,

    /// The key, which no command line shows.
    #[arg(skip = Secret::of_environment())]
    pub key: Option<Secret>,

    /// Only get it and say what it holds; a later run goes on from there.
    #[arg(long)]
    pub dry_run: bool,

    /// Folder of what came so far, until all is there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub state: PathBuf,

    /// Where the catalog is to lie.
    #[command(flatten)]
    pub place: CatalogPlace,
}

/// What is not to be shown.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    #[expect(clippy::disallowed_methods, reason = "a key on the command line is seen by everybody")]
    fn of_environment() -> Option<Self> {
        std::env::var("BRAZE_API_KEY").ok().filter(|key| !key.trim().is_empty()).map(Self)
    }
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

    /// What only Braze knows of the user, as JSON or a file of it: {"first_name": "Ada",
    /// "custom_attribute": {"pet": "cat"}}.
    #[arg(long, value_name = "JSON_OR_FILE")]
    pub user_attributes: Option<String>,

    /// Folder of catalogs; without it, the folder "catalogs" beside that of the campaigns, if there
    /// is one.
    #[arg(long, value_name = "DIR", env = "CATALOGS")]
    pub catalogs: Option<PathBuf>,

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

    /// Folder of catalogs; without it, the folder "catalogs" beside that of the campaigns, if there
    /// is one.
    #[arg(long, value_name = "DIR", env = "CATALOGS")]
    pub catalogs: Option<PathBuf>,

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

/// Asks for content by hand.
///
/// It says first what that comes to, and asks whether it is to be done. Users of whom nothing is
/// remembered for the campaign get nothing, unless --events tells what they did.
#[derive(Debug, Args)]
pub struct Ask {
    /// Name of the campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: String,

    /// Users: one Braze id a line, a segment's CSV from Braze, or JSON of its export API; - for
    /// standard input.
    #[arg(long, value_name = "FILE", group = "whom")]
    pub users: Option<PathBuf>,

    /// Everybody of whom something is remembered for the campaign.
    #[arg(long, group = "whom")]
    pub all: bool,

    /// Everybody whose events here mean something to the campaign: Currents files, files with one
    /// event a line as JSON, or folders of them. They are remembered first: so a new campaign
    /// gets users whose events came before it.
    #[arg(long, value_name = "FILE_OR_FOLDER", group = "whom")]
    pub events: Option<PathBuf>,

    /// Only users whose newest event for the campaign is not older: 2h, 3d, or a time such as
    /// 2026-11-25T00:00:00Z. Alone it is of everybody.
    #[arg(long, value_name = "TIME")]
    pub seen_since: Option<Since>,

    /// Write anew what was written before now; a prompt that did not change gets the answer that
    /// is kept for it, for as long as that is kept (cache_hours).
    #[arg(long)]
    pub regenerate: bool,

    /// How asks are sent.
    #[command(flatten)]
    pub sending: Sending,

    /// Whether it is wanted.
    #[command(flatten)]
    pub consent: Consent,

    /// Folder that a run of `local` kept with --data, in place of AWS; the next such run asks.
    #[arg(long, value_name = "DIR", conflicts_with = "events")]
    pub data: Option<PathBuf>,

    /// Content table on AWS, with your credentials.
    #[arg(long, value_name = "NAME", env = "CONTENT_TABLE")]
    pub table: Option<String>,

    /// Coordination table, to tell which prompts are answered already.
    #[arg(long, value_name = "NAME", env = "COORDINATION_TABLE")]
    pub coordination_table: Option<String>,

    /// Bucket of the deployment's campaigns: with the coordination table it tells which hold; where
    /// none were published, those of the folder do.
    #[arg(long, value_name = "NAME", env = "CAMPAIGNS_BUCKET")]
    pub campaigns_bucket: Option<String>,

    /// Folder of campaigns.
    #[arg(long, value_name = "DIR", env = "CAMPAIGNS", default_value = "campaigns")]
    pub campaigns: PathBuf,
}

/// What is said where queues are needed.
pub(crate) const NO_QUEUES: &str = "--queues is missing: ASK_QUEUES of the deployment";

/// How asks are sent, and what tells how long they take.
#[derive(Debug, Args)]
pub struct Sending {
    /// Asks sent in a second at most. The model's quota is kept in any case.
    #[arg(long, value_name = "N", default_value = "200")]
    pub rate: NonZeroU32,

    /// ASK_QUEUES of the deployment, as JSON.
    #[arg(long, value_name = "JSON", env = "ASK_QUEUES")]
    pub queues: Option<QueueUrls>,

    /// Tokens a minute that the model's quota allows, to tell how long it takes.
    #[arg(long, value_name = "N")]
    pub tokens_per_minute: Option<NonZeroU64>,

    /// MODEL_QUOTAS of the deployment, as JSON, in place of --tokens-per-minute.
    #[arg(long, value_name = "JSON", env = "MODEL_QUOTAS")]
    pub model_quotas: Option<ModelQuotas>,
}

impl Sending {
    /// The queues, which nobody needs who only wants to be told.
    pub(crate) fn urls(&self, consent: Consent) -> anyhow::Result<Option<QueueUrls>> {
        match consent.dry_run {
            true => Ok(None),
            false => self.queues.clone().context(NO_QUEUES).map(Some),
        }
    }

    /// The quotas, if they are known.
    pub(crate) fn quotas(&self) -> anyhow::Result<Option<ModelQuotas>> {
        let Some(tokens) = self.tokens_per_minute else {
            return Ok(self.model_quotas.clone());
        };
        let quotas = format!(r#"{{"*": {{"tokens_per_minute": {tokens}}}}}"#);
        Ok(Some(quotas.parse().context("--tokens-per-minute is no quota")?))
    }
}

/// Since when, in UNIX seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since(pub i64);

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self(at.unix_timestamp()));
        }
        let ago = wait::read(text)
            .ok_or("say how long ago (30m, 2h, 3d) or when (2026-11-25T00:00:00Z)")?;
        let since = SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH);
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self(i64::try_from(since).unwrap_or(i64::MAX)))
    }
}

/// Shows what is stored of one user.
#[derive(Debug, Args)]
pub struct Show {
    /// Braze id of the user.
    #[arg(value_name = "USER")]
    pub user: String,

    /// The content table on AWS, CONTENT_TABLE of the deployment; with your credentials.
    #[arg(long, value_name = "NAME", env = "CONTENT_TABLE", required_unless_present = "data")]
    pub table: Option<String>,

    /// Folder that a run of `local` keeps with --data, in place of AWS; the run must be on.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Only what is stored for this campaign.
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,

    /// Show values: the content itself, prompt and answer, attributes. They are about a person.
    #[arg(long)]
    pub values: bool,
}

/// Looks after dead letters.
#[derive(Debug, Subcommand)]
pub enum Letters {
    /// Count them by reason and campaign.
    List {
        /// Which.
        #[command(flatten)]
        pick: Pick,
        /// Where they lie.
        #[command(flatten)]
        place: LetterPlace,
    },
    /// Show one, and how to try it again.
    Show {
        /// What list calls it.
        id: String,
        /// Show values: detail, user, events. They are about a person.
        #[arg(long)]
        values: bool,
        /// Where it lies.
        #[command(flatten)]
        place: LetterPlace,
    },
    /// Write them into a new file, which holds values; they stay where they are.
    Archive {
        /// The file: a line of JSON each.
        file: PathBuf,
        /// Which.
        #[command(flatten)]
        pick: Pick,
        /// Where they lie.
        #[command(flatten)]
        place: LetterPlace,
    },
    /// Remove them, for a reason, once they are in a new file.
    Discard {
        /// Why, for who reads the file.
        #[arg(long, value_name = "TEXT")]
        because: String,
        /// The file: a line of JSON each.
        #[arg(long, value_name = "FILE")]
        archive: PathBuf,
        /// Which.
        #[command(flatten)]
        pick: Pick,
        /// Whether it is wanted.
        #[command(flatten)]
        consent: Consent,
        /// Where they lie.
        #[command(flatten)]
        place: LetterPlace,
    },
}

/// Where dead letters lie.
#[derive(Debug, Args)]
pub struct LetterPlace {
    /// Dead-letter queue on AWS, with your credentials.
    #[arg(long, value_name = "URL", env = "DEAD_LETTER_QUEUE_URL")]
    pub queue_url: Option<String>,

    /// Folder that a run of `local` kept with --data, in place of AWS.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Sends again what was given up.
#[derive(Debug, Args)]
pub struct Redrive {
    /// Folder that a run of `local` kept with --data; the next such run sends the letters.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["queue_url", "bucket"])]
    pub data: Option<PathBuf>,

    /// Dead-letter queue on AWS, with your credentials, in place of a folder.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub queue_url: Option<String>,

    /// Bucket on AWS with the batches that the event source gave up, in place of a folder.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["data", "queue_url", "reason"])]
    pub bucket: Option<String>,

    /// Stream on AWS that takes the records again.
    #[arg(long, value_name = "NAME", env = "STREAM_NAME")]
    pub stream: Option<String>,

    /// STREAM_BUCKETS of the deployment, so that users go back to their own shards.
    #[arg(long, value_name = "N", env = "STREAM_BUCKETS", default_value_t = DEFAULT_STREAM_BUCKETS)]
    pub stream_buckets: NonZeroU16,

    /// ASK_QUEUES of the deployment, as JSON: where asks that were given up go back to.
    #[arg(long, value_name = "JSON", env = "ASK_QUEUES")]
    pub queues: Option<QueueUrls>,

    /// Which.
    #[command(flatten)]
    pub pick: Pick,

    /// Only say what can be sent.
    #[arg(long)]
    pub dry_run: bool,
}

/// Tells what a month on AWS costs.
#[derive(Debug, Args)]
pub struct Cost {
    /// What there is to do.
    #[command(flatten)]
    pub load: LoadArguments,
    /// Run that was counted (`local --counted FILE`), to use in place of the built-in one.
    #[arg(long, value_name = "FILE")]
    pub counted: Option<PathBuf>,
    /// Price list to use in place of the built-in one, bill/prices.toml.
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

    /// Names in the environment that are no deployment's.
    const OF_A_PERSON: [&str; 4] = ["BRAZE_URL", "CAMPAIGNS", "CATALOGS", "STAGE"];

    #[test]
    fn whatever_is_found_in_the_environment_is_a_name_that_ops_where_tells() {
        let (known, mut looked_at) = (contract::names::golden(), 0);
        let mut commands = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            for name in command.get_arguments().filter_map(clap::Arg::get_env) {
                let name = name.to_string_lossy().into_owned();
                looked_at += 1;
                assert!(
                    known.contains(&name) || OF_A_PERSON.contains(&name.as_str()),
                    "{}: {name}",
                    command.get_name()
                );
            }
        }
        assert!(looked_at > 20, "{looked_at} names");
        assert!(known.iter().all(|name| contract::names::is_name(name)));
    }

    #[test]
    fn a_name_that_is_set_to_nothing_is_found_whichever_command_looks_for_it() {
        let command = Arguments::command();
        let lookup = |name: &str| match name {
            "STREAM_BUCKETS" => Some(OsString::new()),
            _ => Some("x".into()),
        };

        assert_eq!(set_to_nothing(&command, &lookup), Some("STREAM_BUCKETS".to_owned()));
        assert_eq!(set_to_nothing(&command, &|_| None), None);
    }

    #[test]
    fn since_when_is_a_time_or_how_long_ago() {
        assert_eq!("2026-11-25T00:00:00Z".parse(), Ok(Since(1_795_564_800)));
        let hour: Since = "1h".parse().expect("is one");
        let day: Since = "1d".parse().expect("is one");
        assert!((hour.0 - day.0 - 23 * 3_600).abs() <= 1, "{hour:?} {day:?}");
        assert!("yesterday".parse::<Since>().is_err());
    }

    #[test]
    fn who_writes_is_a_word_or_an_address() {
        assert_eq!("example".parse(), Ok(Bedrock::Example));
        assert_eq!("http://a:1".parse(), Ok(Bedrock::At("http://a:1".to_owned())));
        assert!("stand-in".parse::<Bedrock>().is_err());
    }
}
