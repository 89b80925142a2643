//! What a run of `local` gave up, in the folder that it kept.
//!
//! The letters are set aside, so that none is sent twice and what is given up next has a file
//! of its own; the next run with the folder sends them.

use std::fs::{self, File};
use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use contract::dead_letter::DeadLetter;
use contract::local::{DEAD_LETTERS_FILE, LOCK_FILE, SET_ASIDE_FILE};

use crate::say;

/// Sets the letters of a folder aside, those of one reason only if it is named.
pub fn redrive(folder: &Path, reason: Option<&str>) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        folder.is_dir(),
        "{} is no folder: name the one that an earlier run kept with --data",
        folder.display()
    );
    let failed = || format!("cannot use {}", folder.display());
    let lock = File::create(folder.join(LOCK_FILE)).with_context(failed)?;
    lock.try_lock()
        .map_err(|_| anyhow::anyhow!("{} is in use by a run: end it first", folder.display()))?;
    let letters = set_aside(folder, reason)?;
    if letters == 0 {
        say("No dead letters to send again.");
    } else {
        say(format_args!(
            "{letters} dead letters are sent again by the next run with this folder:\n\n  \
             make run ARGS=\"--data {}\"",
            folder.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Moves the letters that are asked for out of the way of new ones, and tells how many
/// there are.
fn set_aside(folder: &Path, reason: Option<&str>) -> anyhow::Result<usize> {
    let (current, aside) = (folder.join(DEAD_LETTERS_FILE), folder.join(SET_ASIDE_FILE));
    // Those that no run has sent yet are asked for anew.
    let before = lines(&aside)?;
    let all = before.iter().cloned().chain(lines(&current)?);
    let (asked, others): (Vec<String>, Vec<String>) = all.partition(|line| is_asked(line, reason));
    if asked != before {
        // Nothing is lost on the way: what moves stands in both files for a moment.
        let whole: Vec<String> = before.into_iter().chain(asked.iter().cloned()).collect();
        replace(&aside, &whole)?;
        replace(&current, &others)?;
        replace(&aside, &asked)?;
    }
    Ok(asked.len())
}

/// Whether a letter is asked for; what cannot be read stays.
fn is_asked(line: &str, reason: Option<&str>) -> bool {
    let letter = serde_json::from_str::<DeadLetter>(line);
    letter.is_ok_and(|letter| reason.is_none_or(|reason| letter.reason == reason))
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

fn replace(path: &Path, lines: &[String]) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    let new = path.with_extension("new");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&new, text).with_context(failed)?;
    fs::rename(&new, path).with_context(failed)
}
