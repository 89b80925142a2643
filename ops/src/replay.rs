//! Lets files of Currents be read that lie in the bucket already: what S3 tells of a new file is
//! told of them, on the deployment's own queue.
//!
//! ```text
//! listing -> choice (time, type) -> survey -> yes? -> listing -> choice -> send
//! ```
//!
//! The listing is read twice, first to say what it comes to: so it needs no room, however many
//! files there are, and one that is stopped goes on behind the last key.
//!
//! Guarantees: no file is copied or changed. What was processed changes nothing as long as it is
//! remembered: the processor knows its events, or newer ones, and deletions refuse what they
//! refused before. Who has nothing any more, because its time is over, gets content anew.
//!
//! - `choice` — which files, and what they come to.
//! - `send` — puts notifications on the queue.

mod choice;
mod send;

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use aws_sdk_s3::types::{Object, ObjectStorageClass, OptionalObjectAttributes};
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{Place, Replay};
use crate::output::{answer, say};
use crate::pace::Pace;
use crate::progress::Progress;
use choice::{Choice, File, Survey};
use send::Sender;

/// Where a deployment is reached.
#[derive(Debug)]
pub struct Account {
    /// Has the bucket.
    pub s3: aws_sdk_s3::Client,
    /// Has the queue.
    pub sqs: aws_sdk_sqs::Client,
}

/// Lets files be read that are there.
pub async fn replay(arguments: &Replay) -> anyhow::Result<ExitCode> {
    queue(arguments)?;
    let config = program::aws::account(program::aws::environment()).await?;
    let (s3, sqs) = (aws_sdk_s3::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    replay_in(&Account { s3, sqs }, arguments).await
}

/// Lets files of an account be read.
pub async fn replay_in(account: &Account, arguments: &Replay) -> anyhow::Result<ExitCode> {
    let queue = queue(arguments)?;
    let (from, to) = (arguments.from.0, arguments.to.0);
    let choice = Choice { from, to, types: arguments.types.clone() };
    let mut survey = Survey::new(&choice);
    let (mut listing, mut progress) = (Listing::of(account, arguments), Progress::default());
    while let Some(files) = listing.next().await? {
        files.iter().for_each(|file| survey.take(file));
        progress.tell("files looked at:", survey.looked_at());
    }
    say(&survey);
    let told = |sent: u64| answer(json!({ "sent": sent, "wanted": survey.to_json() }));
    told(0);
    if survey.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(ended) = arguments.consent.ends("Let them be read?")? {
        return Ok(ended);
    }
    let sender = Sender::new(&account.sqs, &queue, arguments.after.clone());
    let sent = tokio::select! {
        sent = send_all(account, arguments, &choice, &sender) => sent,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped")),
    };
    told(sender.sent());
    sent.with_context(|| sender.how_to_go_on())?;
    say(format_args!(
        "Sent {} notifications. What is new in these files is content soon; the rest is skipped \
         as known.",
        sender.sent()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The queue, which nobody needs who only wants to be told.
fn queue(arguments: &Replay) -> anyhow::Result<String> {
    let (from, to) = (arguments.from.0, arguments.to.0);
    ensure!(from < to, "--to is not after --from: no file came between them");
    let queue = arguments.queue.clone().filter(|url| !url.is_empty());
    match arguments.consent.dry_run {
        true => Ok(String::new()),
        false => queue.context("--queue is missing: the deployment's queue of uploads"),
    }
}

async fn send_all(
    account: &Account,
    arguments: &Replay,
    choice: &Choice,
    sender: &Sender<'_>,
) -> anyhow::Result<()> {
    let mut listing = Listing::of(account, arguments);
    let (mut progress, mut pace) = (Progress::default(), Pace::new(arguments.rate));
    while let Some(files) = listing.next().await? {
        let chosen: Vec<File> = files.into_iter().filter(|file| choice.takes(file)).collect();
        for some in chosen.chunks(send::MAX_MESSAGES) {
            pace.turn(some.len()).await;
            sender.send(&arguments.place.bucket, some).await?;
            progress.tell("notifications sent:", sender.sent());
        }
    }
    Ok(())
}

/// Files below a prefix, a page at a time, in the order of their keys.
struct Listing<'a> {
    s3: &'a aws_sdk_s3::Client,
    place: &'a Place,
    next: Option<Start>,
}

/// Where a page begins.
enum Start {
    /// Behind this key, or with the first.
    Behind(Option<String>),
    /// Where the page before ended.
    Token(String),
}

impl<'a> Listing<'a> {
    fn of(account: &'a Account, arguments: &'a Replay) -> Self {
        let next = Some(Start::Behind(arguments.after.clone()));
        Self { s3: &account.s3, place: &arguments.place, next }
    }

    /// The next page, if there is one.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<File>>> {
        let Some(start) = self.next.take() else { return Ok(None) };
        let Place { bucket, prefix } = self.place;
        let list = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let list = list.optional_object_attributes(OptionalObjectAttributes::RestoreStatus);
        let list = match start {
            Start::Behind(key) => list.set_start_after(key),
            Start::Token(token) => list.continuation_token(token),
        };
        let page = list.send().await.with_context(|| format!("listing the bucket {bucket}"))?;
        self.next = page.next_continuation_token().map(|token| Start::Token(token.to_owned()));
        Ok(Some(page.contents().iter().filter_map(file).collect()))
    }
}

/// A file of a listing; one without a key or a time is none.
fn file(object: &Object) -> Option<File> {
    let at = object.last_modified()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok()?;
    let bytes = u64::try_from(object.size().unwrap_or_default()).unwrap_or_default();
    let archived = [ObjectStorageClass::Glacier, ObjectStorageClass::DeepArchive];
    let restored = object.restore_status().and_then(|status| status.restore_expiry_date());
    let is_archived =
        restored.is_none() && object.storage_class().is_some_and(|class| archived.contains(class));
    Some(File { key: object.key()?.to_owned(), bytes, at, is_archived })
}
