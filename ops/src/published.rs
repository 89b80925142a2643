//! Campaigns of a deployment: publishes them, puts a version back, pauses, recalls.
//!
//! All of these are one conditional write of the registry's head, so that of two people the second
//! is told. The functions follow within a minute.
//!
//! - `changes` — what differs between two versions, in lines.
//! - `review` — what a person must know before a version holds.
//! - [`publish`] — lets a folder hold.
//! - [`pause`] — lets campaigns wait, and go on.
//! - [`recall`] — lets content not be served any more.
//! - `sample` — how much content a campaign has, about.
//! - `survey` — what that would be.

mod changes;
pub mod pause;
pub mod publish;
pub mod recall;
mod review;
mod sample;
mod survey;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use campaign::CompiledCampaign;
use program::causes;
use registry::Registry as _;
use registry::aws::Aws;
use registry::files::{Files, Version};
use registry::head::{Head, NoChange, Recalled, Serves};
use serde_json::json;
use tempfile::TempDir;

use crate::arguments::{PutBack, RegistryPlace};
use crate::now_secs;
use crate::outcome::moment;
use crate::output::{answer, say};
use changes::Changes;
use review::{Deployed, Review};

/// What functions take until they have followed.
const FOLLOWED: &str = "The functions follow within a minute.";

/// Prompts that are named in a line.
const MAX_NAMED: usize = 3;

/// Lists what was published, what is paused and what is recalled.
pub async fn versions(place: &RegistryPlace) -> anyhow::Result<ExitCode> {
    let head = head_of(&open(place).await?).await?;
    answer(serde_json::to_value(&head)?);
    if head.publications.is_empty() {
        say("Nothing was published: the campaigns of the deployment hold.");
    }
    for (n, each) in head.publications.iter().rev().enumerate() {
        let holds = if n == 0 { "  holds" } else { "" };
        say(format_args!("{:>5}  {}  {}{holds}", each.number, each.version, moment(each.at)));
    }
    for (campaign, pause) in &head.paused {
        let serves = match &pause.serves {
            Serves::Content => "serves what is written",
            Serves::Fallback => "serves fallback content",
            Serves::Unknown(_) => "serves what a newer version of this program knows",
        };
        say(format_args!("{campaign}: paused since {}, {serves}", moment(pause.since)));
    }
    for recall in &head.recalls {
        say(format_args!(
            "{}: recalled {}, {}",
            recall.campaign,
            moment(recall.at),
            what(&recall.of)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows what differs between two versions.
pub async fn diff(a: &str, b: &str, place: &RegistryPlace) -> anyhow::Result<ExitCode> {
    let registry = open(place).await?;
    let head = head_of(&registry).await?;
    let (a, b) = (among(&head, a)?, among(&head, b)?);
    let changes = Changes::between(&registry.files(&a).await?, &registry.files(&b).await?);
    say(&changes);
    answer(json!({ "a": a, "b": b, "changes": changes }));
    Ok(ExitCode::SUCCESS)
}

/// Lets an earlier version hold again.
pub async fn put_back(arguments: &PutBack) -> anyhow::Result<ExitCode> {
    let registry = open(&arguments.change.place).await?;
    let head = head_of(&registry).await?;
    let version = among(&head, &arguments.version)?;
    let next = match head.published(&version, now_secs()) {
        Err(NoChange::Holds) => {
            say(format_args!("{version} holds already: nothing to change."));
            answer(json!({ "done": false, "number": number(&head), "version": version }));
            return Ok(ExitCode::SUCCESS);
        }
        next => next?,
    };
    // A version that is not there any more, or that nobody can load, must not hold.
    let files = registry.files(&version).await?;
    let written = written(&files)?;
    let campaigns = campaign::read(written.path())?;
    campaign::load(written.path())?;
    Deployed::of(&arguments.deployed).ensure(&campaigns)?;
    let before = files_of(&registry, &head).await;
    let review =
        Review::of((&before, &files), &campaigns, &registry.dynamodb, &arguments.deployed).await?;
    say(&review);
    answer(review.to_json());
    let told = |is_done| {
        answer(json!({ "done": is_done, "number": number(&next), "version": version }));
    };
    told(false);
    let question = review.question(&format!("Put {version} back"), &registry.table);
    if let Some(ended) = arguments.change.consent.ends(&question)? {
        return Ok(ended);
    }
    registry.switch(&next).await.with_context(|| registry.table.clone())?;
    told(true);
    say(format_args!("Published as {}. {FOLLOWED}", number(&next)));
    Ok(ExitCode::SUCCESS)
}

/// What holds.
async fn head_of(registry: &Aws) -> anyhow::Result<Head> {
    registry.head().await.with_context(|| format!("reading the table {}", registry.table))
}

async fn open(place: &RegistryPlace) -> anyhow::Result<Aws> {
    let config = program::aws::account(program::aws::environment()).await?;
    Ok(registry_at(&config, place.table.clone(), place.bucket.clone()))
}

/// Where published campaigns are kept.
pub(crate) fn registry_at(config: &SdkConfig, table: String, bucket: String) -> Aws {
    let (dynamodb, s3) = (aws_sdk_dynamodb::Client::new(config), aws_sdk_s3::Client::new(config));
    Aws { dynamodb, table, s3, bucket }
}

/// The campaigns that hold, with what else does; those of the folder, where none were published.
pub(crate) async fn held_campaigns(
    registry: &Aws,
    folder: &Path,
) -> anyhow::Result<(Vec<Arc<CompiledCampaign>>, Head)> {
    let head = head_of(registry).await?;
    let Some(current) = head.current() else {
        return Ok((campaign::load(folder)?, head));
    };
    let files = registry.files(&current.version).await?;
    Ok((campaign::load(written(&files)?.path())?, head))
}

/// Files in a folder, as long as it is held: campaigns are made of folders.
fn written(files: &Files) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    files.write(folder.path()).context("writing campaigns into a temporary folder")?;
    Ok(folder)
}

/// The files that hold; none, where they cannot be read: they are being replaced.
async fn files_of(registry: &Aws, head: &Head) -> Files {
    let Some(current) = head.current() else { return Files::default() };
    registry.files(&current.version).await.unwrap_or_else(|error| {
        eprintln!(
            "What differs cannot be told, for what holds cannot be read: {}",
            causes::told(&error)
        );
        Files::default()
    })
}

/// Refuses a name that no campaign has, as far as that can be known.
async fn ensure_campaign(registry: &Aws, head: &Head, name: &str) -> anyhow::Result<()> {
    let Some(current) = head.current() else {
        eprintln!("Nothing was published, so whether there is a campaign {name} cannot be told.");
        return Ok(());
    };
    // Who has to stop something must not be stopped by a bucket.
    let files = match registry.files(&current.version).await {
        Ok(files) => files,
        Err(error) => {
            let error = causes::told(&error);
            eprintln!("Whether there is a campaign {name} cannot be told: {error}");
            return Ok(());
        }
    };
    if files.campaigns().any(|campaign| campaign == name) {
        return Ok(());
    }
    let names: Vec<&str> = files.campaigns().collect();
    bail!("no campaign \"{name}\": there is {}", names.join(", "))
}

/// The version that a person means.
fn among(head: &Head, typed: &str) -> anyhow::Result<Version> {
    let by_number = |number: u64| head.publications.iter().find(|each| each.number == number);
    let numbered = typed.parse().ok().and_then(by_number).map(|each| each.version.clone());
    let known = head.publications.iter().map(|each| &each.version);
    numbered.or_else(|| Version::among(typed, known)).with_context(|| {
        format!("no version \"{typed}\": see ops campaigns versions, and say number or beginning")
    })
}

fn number(head: &Head) -> u64 {
    head.current().map_or(0, |current| current.number)
}

fn what(of: &Recalled) -> String {
    match of {
        Recalled::All => "all".to_owned(),
        Recalled::Unknown(_) => "what a newer version of this program knows".to_owned(),
        Recalled::Below(number) => format!("what was written before publication {number}"),
        Recalled::Prompts(hashes) => {
            let named: Vec<&str> = hashes.iter().take(MAX_NAMED).map(String::as_str).collect();
            let more = hashes.len() - named.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("what was written from prompt {}{more}", named.join(", "))
        }
        Recalled::Written(from, to) => {
            format!("what was written from {} and before {}", moment(*from), moment(*to))
        }
    }
}
