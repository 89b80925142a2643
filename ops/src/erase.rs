//! Deletes users: one by their id, or again those who came back with a restored table.
//!
//! A deletion goes the way of Braze's own, as an event on the stream, behind everything of the
//! user that is on its way there. So it holds as that one does: what happened up to its second
//! is refused for 400 days, wherever it comes from.
//!
//! - `deletion` — the event.
//! - `holdings` — what the content table has of a user.
//! - `evidence` — what was done, and what is left elsewhere until when.
//! - `list` — who was deleted, in a file that outlives the table.
//! - `again` — deletes those of such a file once more.
//!
//! Guarantees: nothing is called done that was not looked at; nothing but the list names a user.

mod again;
mod deletion;
mod evidence;
mod holdings;
mod list;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use contract::user_record::is_user_id;
use ingest::stream::again::Target;
use processor::store::DynamoDb;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use crate::arguments::Erase;
use crate::now_secs;
use crate::output::{answer, say};
use crate::user_id::wrong_with;
use deletion::Deletion;
use evidence::Evidence;
use holdings::Holdings;

/// How often it is looked whether all is gone.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Where a deployment is reached.
#[derive(Debug)]
pub struct Account {
    /// Has the content table.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Has the stream.
    pub kinesis: aws_sdk_kinesis::Client,
}

/// Deletes users of a deployment.
pub async fn erase(arguments: &Erase) -> anyhow::Result<ExitCode> {
    ensure_said(arguments)?;
    let config = program::aws::account(program::aws::environment()).await?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    erase_in(&Account { dynamodb, kinesis }, arguments).await
}

/// Deletes users there.
pub async fn erase_in(account: &Account, arguments: &Erase) -> anyhow::Result<ExitCode> {
    ensure_said(arguments)?;
    match (&arguments.user, &arguments.list, arguments.since, &arguments.from) {
        (Some(user_id), ..) => one(account, arguments, user_id).await,
        (_, Some(file), ..) => list::write(&account.dynamodb, &arguments.table, file).await,
        (.., Some(since), Some(file)) => again::again(account, arguments, since.0, file).await,
        _ => bail!("say whom: USER, or --since TIME --from FILE, or write a list with --list FILE"),
    }
}

/// Deletes one user.
async fn one(account: &Account, arguments: &Erase, user_id: &str) -> anyhow::Result<ExitCode> {
    let table = DynamoDb::new(account.dynamodb.clone(), arguments.table.clone());
    let before = Holdings::read(&table, user_id).await?;
    say(format_args!("The content table has of the user: {before}."));
    answer(json!({ "done": false, "before": before.all() }));
    if arguments.consent.dry_run {
        say("Nothing was changed.");
        return Ok(ExitCode::SUCCESS);
    }
    if before.is_empty() && !arguments.unknown_user {
        let hint = wrong_with(user_id).map_or(String::new(), |what| format!(" (it {what})"));
        bail!(
            "nothing is stored of such a user{hint}: name the Braze id, not the external id or an \
             address; to have what may still come of them refused, say --unknown-user"
        );
    }
    let target = target(account, arguments)?;
    if let Some(ended) =
        arguments.consent.ends(&format!("Delete the user? [{}]", arguments.table))?
    {
        return Ok(ended);
    }
    // Who cannot keep the evidence must hear so before there is something to keep.
    if let Some(file) = &arguments.evidence {
        File::create_new(file).with_context(|| {
            format!("{}: what an earlier run wrote stays; name another", writing(file))
        })?;
    }
    let asked_at = now_secs();
    let limit = Duration::from_secs(arguments.wait_secs.into());
    let deleted = async {
        deletion::send(&target, &[Deletion { user_id: user_id.to_owned(), at: asked_at }]).await?;
        waited(&table, user_id, asked_at, limit).await
    };
    let (after, is_done) = deleted.await.inspect_err(|_| {
        // Nothing is proven.
        if let Some(file) = &arguments.evidence {
            let _ = std::fs::remove_file(file);
        }
    })?;
    let evidence = Evidence {
        user_id,
        asked_at,
        ended_at: now_secs(),
        is_done,
        was_known: !before.is_empty(),
        before: before.all(),
        after: after.up_to(asked_at),
        newer: after.behind(asked_at),
        tombstone: after.deleted_at,
        retention: arguments.retention,
    };
    say(&evidence);
    answer(evidence.to_json());
    if let Some(file) = &arguments.evidence {
        std::fs::write(file, format!("{:#}\n", evidence.to_json()))
            .with_context(|| writing(file))?;
    }
    Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until nothing of a user is left that goes back to the deletion, or time is over.
async fn waited(
    table: &DynamoDb,
    user_id: &str,
    at: i64,
    limit: Duration,
) -> anyhow::Result<(Holdings, bool)> {
    let end = Instant::now() + limit;
    loop {
        let left = Holdings::read(table, user_id).await?;
        let is_done = left.is_gone(at);
        if is_done || Instant::now() >= end {
            return Ok((left, is_done));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Refuses what cannot be done before anybody is asked for anything.
fn ensure_said(arguments: &Erase) -> anyhow::Result<()> {
    let user_id = arguments.user.as_deref();
    ensure!(user_id.is_none_or(is_user_id), "no user has such an id: it has 1 to 128 bytes");
    ensure!(!arguments.table.is_empty(), "--table is missing: name the content table");
    if arguments.list.is_none() && !arguments.consent.dry_run {
        stream(arguments)?;
    }
    Ok(())
}

fn stream(arguments: &Erase) -> anyhow::Result<String> {
    let stream = arguments.stream.clone().filter(|name| !name.is_empty());
    stream.context("--stream is missing: name the stream of the deployment")
}

fn target(account: &Account, arguments: &Erase) -> anyhow::Result<Target> {
    let stream = stream(arguments)?;
    Ok(Target::new(account.kinesis.clone(), stream, arguments.stream_buckets))
}

fn writing(file: &Path) -> String {
    format!("writing {}", file.display())
}
