//! Processes again what was given up.
//!
//! Of a data folder, the letters are set aside first, so that none is sent twice and what is given up now
//! has a file of its own. A run that is stopped on the way finds them again.

pub mod bucket;
pub mod records;
pub mod sqs;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{fmt, fs};

use anyhow::Context as _;
use contract::dead_letter::{DeadLetter, Input};
use ingest::settings::DEFAULT_STREAM_BUCKETS;
use records::{Sent, Stays, Target, records_of};
use tokio::time::Instant;

use crate::arguments::Redrive;
use crate::aws::{DEAD_LETTERS_FILE, STREAM, dead_letters_so_far};
use crate::front;
use crate::pipeline::{Pipeline, account_config};
use crate::run::{DataFolder, report_dead_letters, say, writer};
use crate::summary::Summary;

/// Letters that are being sent again.
const SET_ASIDE: &str = "dead-letters.redriving.jsonl";

/// Letters that were sent again.
const DONE: &str = "dead-letters.redriven.jsonl";

/// Sends dead letters once more.
pub async fn redrive(arguments: &Redrive) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &arguments.data {
        return from_folder(folder, arguments).await;
    }
    let stream = arguments.stream.clone().context("--stream is missing: name the stream")?;
    let config = account_config().await?;
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let target = Target::new(kinesis, stream, arguments.stream_buckets);
    let left = match (&arguments.queue_url, &arguments.bucket) {
        (Some(queue_url), _) => {
            let sqs = aws_sdk_sqs::Client::new(&config);
            let queue = sqs::Queue { sqs, target, queue_url: queue_url.clone() };
            let sent = queue.redrive(arguments.reason.as_deref()).await?;
            say(&sent);
            sent.left()
        }
        (None, Some(name)) => {
            let s3 = aws_sdk_s3::Client::new(&config);
            let sent = bucket::Bucket { s3, target, name: name.clone() }.redrive().await?;
            say(&sent);
            sent.left()
        }
        (None, None) => anyhow::bail!("name a folder, or a queue or bucket and a stream"),
    };
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends the dead letters of a data folder once more.
async fn from_folder(data: &Path, arguments: &Redrive) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        data.is_dir(),
        "{} is no folder: name the one that an earlier run kept with --data",
        data.display()
    );
    let folder = DataFolder::open(Some(data))?;
    let letters = set_aside(&folder.path, arguments.reason.as_deref())?;
    if letters.is_empty() {
        say("No dead letters to send again.");
        return Ok(ExitCode::SUCCESS);
    }
    let listener = front::bind(0).await?;
    let pipeline = Pipeline::start(&folder.path, arguments.system.options(), listener).await?;
    let letters_before = dead_letters_so_far(&folder.path);
    let began = Instant::now();
    let mut kept = Vec::new();
    for letter in &letters {
        if !send(&pipeline, letter).await? {
            kept.push(letter);
        }
    }
    finish(&folder.path, &kept)?;
    say(format_args!(
        "Sent {} of {} dead letters again.",
        letters.len() - kept.len(),
        letters.len()
    ));
    if !kept.is_empty() {
        say(format_args!("{} hold too little to be sent again; they stay.", kept.len()));
    }
    pipeline.drain().await;
    let writer = writer(arguments.system.bedrock);
    let summary = Summary::new(&pipeline.totals, began.elapsed(), writer);
    say(format_args!("\n{summary}"));
    let new = summary.dead_letters();
    report_dead_letters(&folder.path, letters_before, new, &[])?;
    pipeline.stop().await;
    let is_clean = summary.lost() == 0 && new == 0 && kept.is_empty();
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Moves the letters out of the way of new ones and reads those that are asked for.
fn set_aside(folder: &Path, reason: Option<&str>) -> anyhow::Result<Vec<DeadLetter>> {
    let (current, aside) = (folder.join(DEAD_LETTERS_FILE), folder.join(SET_ASIDE));
    let mut asked = Vec::new();
    let mut others = Vec::new();
    for path in [&aside, &current] {
        for line in lines(path)? {
            match serde_json::from_str::<DeadLetter>(&line) {
                Ok(letter) if reason.is_none_or(|reason| letter.reason == reason) => {
                    asked.push((line, letter));
                }
                // What is not asked for, or cannot be read, stays.
                _ => others.push(line),
            }
        }
    }
    let asked_lines: Vec<&str> = asked.iter().map(|(line, _)| line.as_str()).collect();
    // First what must not be lost, then what replaces it.
    replace(&aside, &asked_lines)?;
    replace(&current, &others.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(asked.into_iter().map(|(_, letter)| letter).collect())
}

/// Notes that the letters were sent, and keeps those that could not be.
fn finish(folder: &Path, kept: &[&DeadLetter]) -> anyhow::Result<()> {
    let aside = folder.join(SET_ASIDE);
    append(&folder.join(DONE), &lines(&aside)?)?;
    let kept: Vec<String> = kept.iter().map(|letter| letter.encode()).collect();
    append(&folder.join(DEAD_LETTERS_FILE), &kept)?;
    fs::remove_file(&aside).with_context(|| format!("removing {}", aside.display()))
}

fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    match fs::File::open(path) {
        Ok(file) => std::io::BufReader::new(file)
            .lines()
            .collect::<Result<_, _>>()
            .with_context(|| format!("reading {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn replace(path: &Path, lines: &[&str]) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    let new = path.with_extension("new");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&new, text).with_context(failed)?;
    fs::rename(&new, path).with_context(failed)
}

fn append(path: &Path, lines: &[String]) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.with_context(failed)?;
    lines.iter().try_for_each(|line| writeln!(file, "{line}")).with_context(failed)
}

/// Sends one letter's input again; `false` if the letter does not hold it.
async fn send(pipeline: &Pipeline, letter: &DeadLetter) -> anyhow::Result<bool> {
    match &letter.input {
        Input::Object { key, .. } => pipeline.announce(key).await?,
        Input::Notification { body } if !body.is_empty() => pipeline.notify(body).await,
        input => {
            let kinesis = pipeline.aws.kinesis.clone();
            let target = Target::new(kinesis, STREAM.to_owned(), DEFAULT_STREAM_BUCKETS);
            let Ok(records) = records_of(input, now_ms()) else { return Ok(false) };
            return Ok(target.send(&records).await? == Sent::All);
        }
    }
    Ok(true)
}

/// The time now, in UNIX milliseconds.
fn now_ms() -> u64 {
    let now_ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_millis());
    u64::try_from(now_ms).unwrap_or(u64::MAX)
}

/// Writes how many stay for which reason, and ends the sentence.
fn write_left(left: &BTreeMap<Stays, u64>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (n, (stays, count)) in left.iter().enumerate() {
        write!(f, "{} {count} {stays}", if n == 0 { ":" } else { "," })?;
    }
    write!(f, ".")
}
