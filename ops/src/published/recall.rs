//! Recalls content: users get fallback content until theirs is written anew.
//!
//! What is recalled is told by publication, prompt, time, or a text that it holds; a text is
//! turned into the prompts of what holds it, for equal prompts have equal texts. Answers that are
//! kept for these prompts are forgotten, so that they are given to nobody else.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content::{COORDINATION_KEY, answer_key};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use registry::Registry as _;
use registry::aws::Aws;
use registry::head::{Recall, Recalled};

use super::survey::{Survey, Wanted, survey};
use super::{FOLLOWED, ensure_campaign, now_secs, open, what};
use crate::arguments::RecallArguments;
use crate::say;

/// Answers that are forgotten at a time.
const CONCURRENT: usize = 16;

/// Lets content of a campaign not be served any more.
pub async fn recall(arguments: &RecallArguments) -> anyhow::Result<ExitCode> {
    let mut recall = recall_of(arguments)?;
    let registry = open(&arguments.change.place).await?;
    ensure_campaign(&registry, &registry.head().await?, &recall.campaign).await?;
    let wanted = Wanted { recall: &recall, containing: arguments.containing.as_deref() };
    let found = survey(&registry.dynamodb, &arguments.content_table, &wanted).await?;
    say(found.told());
    if arguments.containing.is_some() {
        if found.prompts.is_empty() {
            say("Nothing holds that text: nothing was changed.");
            return Ok(ExitCode::SUCCESS);
        }
        recall.of = Recalled::Prompts(found.prompts.clone());
    }
    let told = what(&recall.of);
    let next = registry.head().await?.recalled(recall)?;
    if !arguments.change.consent.goes_on(&format!("Recall of {}: {told}?", arguments.campaign))? {
        return Ok(ExitCode::SUCCESS);
    }
    registry.switch(&next).await?;
    forget(&registry, &found.prompts).await?;
    let users = arguments.users_file.as_deref();
    if let Some(path) = users {
        write_users(path, &found)?;
    }
    let whose = users.map_or("FILE".to_owned(), |path| path.display().to_string());
    say(format_args!(
        "Recalled. {FOLLOWED} Answers to {} prompts are forgotten. To write it anew, once they \
         have: ops ask --campaign {} --users {whose} --regenerate",
        found.prompts.len(),
        arguments.campaign
    ));
    Ok(ExitCode::SUCCESS)
}

fn recall_of(arguments: &RecallArguments) -> anyhow::Result<Recall> {
    let RecallArguments { campaign, below, prompt, containing, written_from, .. } = arguments;
    let written = written_from.zip(arguments.written_to);
    let of = match (below, prompt, written, arguments.all || containing.is_some()) {
        (Some(below), None, None, false) => Recalled::Below(*below),
        (None, Some(hash), None, false) => Recalled::Prompts([hash.clone()].into()),
        (None, None, Some((from, to)), false) => Recalled::Written(from.0, to.0),
        (None, None, None, true) => Recalled::All,
        _ => bail!(
            "say what: one of --below N, --prompt HASH, --containing TEXT, --written-from T \
             --written-to T, --all"
        ),
    };
    Ok(Recall { campaign: campaign.clone(), at: now_secs(), of })
}

/// Lets nobody get the answers to these prompts any more.
async fn forget(registry: &Aws, prompts: &BTreeSet<String>) -> anyhow::Result<()> {
    stream::iter(prompts)
        .map(|hash| async move {
            let key = AttributeValue::S(answer_key(hash));
            let delete = registry.dynamodb.delete_item().table_name(&registry.table);
            let deleted = delete.key(COORDINATION_KEY, key).send().await;
            deleted.map(drop).context("forgetting an answer: run it again")
        })
        .buffer_unordered(CONCURRENT)
        .try_collect()
        .await
}

/// Writes whose content it was, for nobody but the person.
fn write_users(path: &Path, found: &Survey) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = || format!("writing {}", path.display());
    let mut file = options.open(path).with_context(failed)?;
    for user in &found.users {
        writeln!(file, "{user}").with_context(failed)?;
    }
    Ok(())
}
