//! Dead letters that a person set aside to be sent again (`ops redrive --data`).
//!
//! They stay set aside until all of them were sent: a run that is stopped on the way leaves
//! them to the next one.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use contract::dead_letter::{DeadLetter, Input};
use contract::local::{DEAD_LETTERS_FILE, REDRIVEN_FILE, SET_ASIDE_FILE};
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use ingest::stream::again::{Sent, Target, records_of};

use crate::aws::STREAM;
use crate::by_hand;
use crate::pipeline::Pipeline;

/// What became of the letters of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedriveReport {
    /// Letters that were sent again.
    pub sent: usize,
    /// Letters whose input is not there to be sent again.
    pub kept: usize,
}

/// The letters that are set aside in a folder, a line each.
pub fn set_aside(folder: &Path) -> anyhow::Result<Vec<String>> {
    lines(&folder.join(SET_ASIDE_FILE))
}

/// Sends letters again, and forgets that they were set aside.
pub async fn send(
    folder: &Path,
    letters: &[String],
    pipeline: &Pipeline,
) -> anyhow::Result<RedriveReport> {
    let (mut sent, mut kept) = (Vec::new(), Vec::new());
    for line in letters {
        let is_sent = match serde_json::from_str(line) {
            Ok(letter) => send_one(pipeline, &letter).await?,
            Err(_) => false,
        };
        if is_sent { sent.push(line.clone()) } else { kept.push(line.clone()) }
    }
    append(&folder.join(REDRIVEN_FILE), &sent)?;
    append(&folder.join(DEAD_LETTERS_FILE), &kept)?;
    let aside = folder.join(SET_ASIDE_FILE);
    fs::remove_file(&aside).with_context(|| format!("removing {}", aside.display()))?;
    Ok(RedriveReport { sent: sent.len(), kept: kept.len() })
}

/// Sends one letter's input again; `false` if that is neither in the letter nor, any more,
/// in the bucket.
async fn send_one(pipeline: &Pipeline, letter: &DeadLetter) -> anyhow::Result<bool> {
    match &letter.input {
        Input::Object { key, .. } => return Ok(pipeline.announce(key).await),
        Input::Notification { body } if !body.is_empty() => pipeline.notify(body).await,
        Input::Ask { ask, .. } => {
            let ask = ask.clone().again(now_ms());
            by_hand::send_all(&[ask], pipeline).await?;
        }
        input => {
            let kinesis = pipeline.aws.kinesis.clone();
            let target = Target::new(kinesis, STREAM.to_owned(), DEFAULT_STREAM_BUCKETS);
            let Ok(records) = records_of(input, now_ms()) else { return Ok(false) };
            let sent = target.send(&records).await;
            return Ok(sent.context("putting records on the stream again")? == Sent::All);
        }
    }
    Ok(true)
}

/// The time now, in UNIX milliseconds.
pub(crate) fn now_ms() -> u64 {
    let now_ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis());
    u64::try_from(now_ms).unwrap_or(u64::MAX)
}

pub(crate) fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let failed = || format!("reading {}", path.display());
    match fs::File::open(path) {
        Ok(file) => {
            let lines = std::io::BufReader::new(file).lines();
            lines.collect::<Result<_, _>>().with_context(failed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(failed),
    }
}

fn append(path: &Path, lines: &[String]) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.with_context(failed)?;
    lines.iter().try_for_each(|line| writeln!(file, "{line}")).with_context(failed)
}
