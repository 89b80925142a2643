//! Dead letters: lists what was given up and why, shows one, puts them into a file, removes them.
//! [`redrive`](crate::redrive) sends them again.
//!
//! - `queue` — those of a deployment, on its queue.
//! - `folder` — those of a folder that a run of `local` kept.
//! - `told` — what is said of them: values, which are about a person, only to who asks.

mod folder;
pub(crate) mod queue;
mod told;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::dead_letter::{DeadLetter, Input};
use serde_json::{Value, json};

use crate::arguments::{LetterPlace, Letters};
use crate::now_secs;
use crate::outcome::moment;
use crate::output::{answer, say};
use queue::{LetterQueue, id_of, sent_ms};
use told::Summary;

/// Which letters are meant: all that say this.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Pick {
    /// Only what was given up for this reason, e.g. `bad_answer`.
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,

    /// Only what this campaign asked for.
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
}

/// A letter as it lies somewhere.
#[derive(Debug)]
struct Lying {
    /// What it is called there.
    id: String,
    /// When it was put there, in UNIX milliseconds.
    at_ms: Option<u64>,
    body: String,
    /// `None` if it cannot be read.
    letter: Option<DeadLetter>,
}

impl Pick {
    /// Those of a reason.
    pub fn of_reason(reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), campaign: None }
    }

    /// Whether a letter is meant.
    pub(crate) fn takes(&self, letter: &DeadLetter) -> bool {
        self.reason.as_ref().is_none_or(|reason| letter.reason == *reason)
            && self.campaign.as_deref().is_none_or(|name| campaign_of(letter) == Some(name))
    }

    /// Whether any letter is meant.
    fn is_all(&self) -> bool {
        self.reason.is_none() && self.campaign.is_none()
    }
}

impl Lying {
    fn of(id: String, at_ms: Option<u64>, body: String) -> Self {
        let letter = serde_json::from_str(&body).ok();
        Self { id, at_ms, body, letter }
    }

    /// Whether it is meant; what cannot be read is, where nobody says which.
    fn is_picked(&self, pick: &Pick) -> bool {
        self.letter.as_ref().map_or(pick.is_all(), |letter| pick.takes(letter))
    }
}

/// The campaign that asked for what was given up.
fn campaign_of(letter: &DeadLetter) -> Option<&str> {
    match &letter.input {
        Input::Unit { campaign, .. } => Some(campaign),
        Input::Ask { ask, .. } => Some(&ask.campaign),
        _ => None,
    }
}

/// Does what is said of dead letters.
pub async fn letters(arguments: &Letters) -> anyhow::Result<ExitCode> {
    match arguments {
        Letters::List { pick, place } => {
            let mut summary = Summary::default();
            each(place, |lying| {
                if lying.is_picked(pick) {
                    summary.take(lying);
                }
            })
            .await?;
            say(&summary);
            answer(summary.to_json());
            Ok(ExitCode::SUCCESS)
        }
        Letters::Show { id, values, place } => {
            let mut found = None;
            each(place, |lying| {
                if lying.id == *id {
                    found = Some(told::told(lying, *values));
                }
            })
            .await?;
            let (lines, json) = found.with_context(|| {
                format!("no letter {id}: ops letters list names some, and others may be sent again")
            })?;
            lines.iter().for_each(say);
            answer(json);
            Ok(ExitCode::SUCCESS)
        }
        Letters::Archive { file, pick, place } => {
            let mut archive = Archive::create(file, None)?;
            let mut failed = None;
            each(place, |lying| {
                if lying.is_picked(pick) && failed.is_none() {
                    failed = archive.take(lying).err();
                }
            })
            .await?;
            let n = archive.end(failed)?;
            say(format_args!("{} holds {n} letters; they stay where they are.", file.display()));
            answer(json!({ "archived": n }));
            Ok(ExitCode::SUCCESS)
        }
        Letters::Discard { because, archive, pick, consent, place } => {
            if because.trim().is_empty() {
                bail!("--because says why: whoever reads the archive asks");
            }
            let mut summary = Summary::default();
            let mut ids = Vec::new();
            let mut file = match consent.dry_run {
                true => None,
                false => Some(Archive::create(archive, Some(because))?),
            };
            let mut failed = None;
            each(place, |lying| {
                if !lying.is_picked(pick) {
                    return;
                }
                summary.take(lying);
                ids.push(lying.id.clone());
                if let (Some(file), None) = (&mut file, &failed) {
                    failed = file.take(lying).err();
                }
            })
            .await?;
            if let Some(file) = file {
                file.end(failed)?;
            }
            say(&summary);
            answer(summary.to_json());
            let question = format!("Discard {} letters?", ids.len());
            let ended = match ids.is_empty() {
                true => Ok(Some(ExitCode::SUCCESS)),
                false => consent.ends(&question),
            };
            if !matches!(ended, Ok(None)) {
                // They stay where they are.
                remove_unless(consent.dry_run, archive);
                return Ok(ended?.unwrap_or(ExitCode::FAILURE));
            }
            let discarded = discard(place, &ids).await?;
            say(format_args!(
                "{discarded} letters are discarded, and kept in {}.",
                archive.display()
            ));
            answer(json!({ "discarded": discarded }));
            Ok(if discarded == ids.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Removes the archive of letters that stay, if one was written.
fn remove_unless(is_dry: bool, archive: &Path) {
    if !is_dry {
        let _ = std::fs::remove_file(archive);
    }
}

/// Lets somebody see every letter of a place once.
async fn each(place: &LetterPlace, mut see: impl FnMut(&Lying)) -> anyhow::Result<()> {
    if let Some(folder) = &place.data {
        return folder::letters(folder)?.iter().try_for_each(|lying| {
            see(lying);
            Ok(())
        });
    }
    let queue = queue(place).await?;
    let mut reading = queue.read();
    let read = async {
        while let Some(new) = reading.next().await? {
            for message in new {
                reading.stays(&message);
                let body = message.body().unwrap_or_default().to_owned();
                see(&Lying::of(id_of(&message), sent_ms(&message), body));
            }
        }
        anyhow::Ok(())
    };
    let read = read.await;
    reading.end().await;
    if reading.is_cut() {
        eprintln!("There may be more behind these: they are as many as can be hidden at a time.");
    }
    read
}

/// Removes letters of a place, and says how many.
async fn discard(place: &LetterPlace, ids: &[String]) -> anyhow::Result<usize> {
    if let Some(folder) = &place.data {
        return folder::discard(folder, ids);
    }
    let queue = queue(place).await?;
    let mut reading = queue.read();
    let read = async {
        while let Some(new) = reading.next().await? {
            new.iter().for_each(|message| reading.stays(message));
        }
        anyhow::Ok(())
    };
    let read = read.await;
    let handles: Vec<String> = match &read {
        Ok(()) => ids.iter().filter_map(|id| reading.take(id)).collect(),
        Err(_) => Vec::new(),
    };
    let n = handles.len();
    let deleted = queue.delete(handles).await;
    reading.end().await;
    read?;
    deleted?;
    Ok(n)
}

async fn queue(place: &LetterPlace) -> anyhow::Result<LetterQueue> {
    let url = place.queue_url.clone().filter(|url| !url.is_empty());
    let url =
        url.context("--queue-url is missing: name the dead-letter queue, or a folder (--data)")?;
    let config = program::aws::account(program::aws::environment()).await?;
    Ok(LetterQueue { sqs: aws_sdk_sqs::Client::new(&config), url })
}

/// A new file of letters, a line of JSON each, for nobody but the person.
struct Archive {
    file: std::io::BufWriter<std::fs::File>,
    because: Option<String>,
    n: usize,
}

impl Archive {
    fn create(path: &Path, because: Option<&str>) -> anyhow::Result<Self> {
        let failed = || format!("writing {}: name a new file", path.display());
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let file = std::io::BufWriter::new(file.with_context(failed)?);
        Ok(Self { file, because: because.map(str::to_owned), n: 0 })
    }

    fn take(&mut self, lying: &Lying) -> anyhow::Result<()> {
        let body = serde_json::from_str(&lying.body).unwrap_or_else(|_| Value::from(&*lying.body));
        let mut line = json!({ "id": lying.id, "letter": body });
        if let Some(because) = &self.because {
            line["discarded_because"] = because.as_str().into();
            line["discarded_at"] = moment(now_secs()).into();
        }
        writeln!(self.file, "{line}").context("writing the archive")?;
        self.n += 1;
        Ok(())
    }

    /// Says how many letters it holds, all of which are on the disk.
    fn end(self, failed: Option<anyhow::Error>) -> anyhow::Result<usize> {
        if let Some(failed) = failed {
            return Err(failed);
        }
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        file.and_then(|file| file.sync_all()).context("writing the archive")?;
        Ok(self.n)
    }
}

#[cfg(test)]
mod tests {
    use contract::ask::Ask;

    use super::*;

    #[test]
    fn letters_are_picked_by_reason_and_campaign_and_what_cannot_be_read_by_neither() {
        let ask = Ask::by_hand("u".to_owned(), "offer".to_owned(), 5);
        let input = Input::Ask { ask, event_id: None, prompt_hash: None };
        let letter = DeadLetter::new("bad_answer", "d", input);
        let lying = Lying::of("1".to_owned(), None, letter.encode());
        let unreadable = Lying::of("2".to_owned(), None, "{".to_owned());
        let pick = |reason: Option<&str>, campaign: Option<&str>| Pick {
            reason: reason.map(str::to_owned),
            campaign: campaign.map(str::to_owned),
        };

        for (pick, expected) in [
            (pick(None, None), (true, true)),
            (pick(Some("bad_answer"), None), (true, false)),
            (pick(Some("other"), None), (false, false)),
            (pick(Some("bad_answer"), Some("offer")), (true, false)),
            (pick(None, Some("recap")), (false, false)),
        ] {
            let picked = (lying.is_picked(&pick), unreadable.is_picked(&pick));
            assert_eq!(picked, expected, "{pick:?}");
        }
    }
}
