//! Recalls content: users get fallback content until theirs is written anew.
//!
//! What is recalled is told by publication, prompt, time, or a text that it holds; a text is
//! turned into the prompts of what holds it, for equal prompts have equal texts. Answers that are
//! kept for these prompts are forgotten, so that they are given to nobody else.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::folded;
use contract::content::{COORDINATION_KEY, answer_key};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use registry::RegistryError;
use registry::aws::Aws;
use registry::head::{Recall, Recalled, Unknown};
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::survey::{Survey, Wanted, survey};
use super::{FOLLOWED, ensure_campaign, head_of, held_campaigns, registry_at, what};
use crate::arguments::RecallArguments;
use crate::ask::{self, Order, Whom, tell_pause};
use crate::campaigns::named;
use crate::now_secs;
use crate::output::{answer, say};

/// How long what is under way may go on with what held before.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// Attempts at a change while others make theirs.
const MAX_ATTEMPTS: u32 = 5;

/// Answers that are forgotten at a time.
const CONCURRENT: usize = 16;

/// Lets content of a campaign not be served any more.
pub async fn recall(arguments: &RecallArguments) -> anyhow::Result<ExitCode> {
    let mut recall = recall_of(arguments)?;
    let consent = arguments.change.consent;
    if arguments.regenerate {
        arguments.sending.urls(consent)?;
    }
    let config = program::aws::account(program::aws::environment()).await?;
    let place = &arguments.change.place;
    let registry = registry_at(&config, place.table.clone(), place.bucket.clone());
    let head = head_of(&registry).await?;
    ensure_campaign(&registry, &head, &recall.campaign).await?;
    // Refused before anything is looked through.
    head.recalled(recall.clone())?;
    let users = arguments.users_file.as_deref().filter(|_| !consent.dry_run);
    let users = users.map(UsersFile::create).transpose()?;
    let wanted = Wanted { recall: &recall, containing: arguments.containing.as_deref() };
    let mut found = survey(&registry.dynamodb, &arguments.content_table, &wanted).await?;
    say(found.told());
    let told = |is_done: bool, found: &Survey| {
        answer(json!({
            "done": is_done, "contents": found.contents, "recalled": found.users.len(),
            "prompts": found.prompts.len(), "read_units": found.read_units,
        }));
    };
    told(false, &found);
    match &mut recall.of {
        of if arguments.containing.is_some() => {
            if found.prompts.is_empty() {
                say("Nothing holds that text: nothing was changed.");
                return Ok(ExitCode::FAILURE);
            }
            *of = Recalled::Prompts(found.prompts.clone());
        }
        // Its answer may be kept where no content is.
        Recalled::Prompts(hashes) => found.prompts.extend(hashes.iter().cloned()),
        _ => {}
    }
    // Refused before anybody is asked.
    head.recalled(recall.clone())?;
    let which = what(&recall.of);
    let question = format!("Recall of {}: {which}? [{}]", arguments.campaign, registry.table);
    if let Some(ended) = consent.ends(&question)? {
        return Ok(ended);
    }
    hold(&registry, &mut recall).await?;
    told(true, &found);
    forget(&registry, &found.prompts).await?;
    // Until now a kept answer could become somebody's content.
    hold(&registry, &mut recall).await?;
    say(format_args!(
        "Recalled. {FOLLOWED} Answers to {} prompts are forgotten.",
        found.prompts.len()
    ));
    let whose =
        arguments.users_file.as_ref().map_or("FILE".to_owned(), |path| path.display().to_string());
    if let Some(users) = users {
        users.write(&found)?;
    }
    if found.is_cut {
        say("There are more prompts than that: run it again, or their answers end by themselves \
             (cache_hours).");
    }
    if arguments.regenerate {
        return regenerate(arguments, (&registry, &config), found.users).await;
    }
    say(format_args!(
        "To write it anew, once they have: ops ask --campaign {} --users {whose} --regenerate",
        arguments.campaign
    ));
    Ok(ExitCode::SUCCESS)
}

/// Asks anew for users' content, once whoever writes it has followed.
async fn regenerate(
    arguments: &RecallArguments,
    (registry, config): (&Aws, &SdkConfig),
    users: Vec<String>,
) -> anyhow::Result<ExitCode> {
    let wait = Duration::from_secs(arguments.follow_secs.into()) + UNDER_WAY;
    say(format_args!("Waiting {} s until they have.", wait.as_secs()));
    sleep(wait).await;
    let (campaigns, head) = held_campaigns(registry, &arguments.campaigns).await?;
    tell_pause(&head, &arguments.campaign);
    let account =
        ask::Account { dynamodb: registry.dynamodb.clone(), sqs: aws_sdk_sqs::Client::new(config) };
    let order = Order {
        campaign: named(&campaigns, &arguments.campaign)?,
        regenerate: true,
        seen_since: None,
        sending: &arguments.sending,
        table: arguments.content_table.clone(),
        coordination_table: Some(registry.table.clone()),
        consent: arguments.change.consent,
    };
    ask::carry_out(&account, &order, Whom::Named(users)).await
}

/// Lets a recall hold of all that is written up to now. Who changes something else meanwhile is no
/// reason to leave it.
async fn hold(registry: &Aws, recall: &mut Recall) -> anyhow::Result<()> {
    for attempt in 1.. {
        recall.at = now_secs();
        let next = head_of(registry).await?.recalled(recall.clone())?;
        match registry.switch(&next).await {
            Err(RegistryError::Overtaken) if attempt < MAX_ATTEMPTS => {}
            switched => return switched.with_context(|| registry.table.clone()),
        }
    }
    Ok(())
}

fn recall_of(arguments: &RecallArguments) -> anyhow::Result<Recall> {
    ensure!(
        arguments.containing.as_ref().is_none_or(|text| !folded(text).is_empty()),
        "--containing is blank: every content holds that"
    );
    if let Some((from, to)) = arguments.written_from.zip(arguments.written_to) {
        ensure!(from.0 < to.0, "--written-to is not after --written-from: nothing is between them");
    }
    let is_hash = |hash: &String| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit());
    ensure!(
        arguments.prompt.as_ref().is_none_or(is_hash),
        "--prompt is no prompt's hash: 64 hexadecimal digits, as ops show says them"
    );
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
    Ok(Recall { campaign: campaign.clone(), at: now_secs(), of, unknown: Unknown::new() })
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

/// A new file of users, for nobody but the person; one that is not written is removed.
struct UsersFile<'p> {
    path: &'p Path,
    file: File,
    is_written: bool,
}

impl<'p> UsersFile<'p> {
    fn create(path: &'p Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path);
        let file = file.with_context(|| format!("writing {}: name a new file", path.display()))?;
        Ok(Self { path, file, is_written: false })
    }

    /// Writes whose content it was.
    fn write(mut self, found: &Survey) -> anyhow::Result<()> {
        let lines: String = found.users.iter().map(|user| format!("{user}\n")).collect();
        let written = self.file.write_all(lines.as_bytes());
        written.with_context(|| format!("writing {}", self.path.display()))?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for UsersFile<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            let _ = std::fs::remove_file(self.path);
        }
    }
}
