//! What a run of `local` gave up, in the folder that it kept.
//!
//! The letters are set aside, so that none is sent twice and what is given up next has a file
//! of its own; the next run with the folder sends them.

use std::path::Path;
use std::process::ExitCode;

use contract::dead_letter::DeadLetter;
use contract::local::{DEAD_LETTERS_FILE, SET_ASIDE_FILE};
use serde_json::json;

use crate::kept::Kept;
use crate::letters::Pick;
use crate::output::{answer, say};

/// Sets the letters of a folder aside, those of one reason only if it is named.
pub fn redrive(folder: &Path, pick: &Pick, only_looks: bool) -> anyhow::Result<ExitCode> {
    let letters = set_aside(&Kept::take(folder)?, pick, only_looks)?;
    answer(json!({ "set_aside": letters }));
    if letters == 0 {
        say("No dead letters to send again.");
    } else if only_looks {
        say(format_args!("{letters} dead letters can be sent again. Nothing was changed."));
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
fn set_aside(kept: &Kept<'_>, pick: &Pick, only_looks: bool) -> anyhow::Result<usize> {
    // Those that no run has sent yet are asked for anew.
    let before = kept.lines(SET_ASIDE_FILE)?;
    let all = before.iter().cloned().chain(kept.lines(DEAD_LETTERS_FILE)?);
    let (asked, others): (Vec<String>, Vec<String>) = all.partition(|line| is_asked(line, pick));
    if asked != before && !only_looks {
        // Nothing is lost on the way: what moves stands in both files for a moment.
        let whole: Vec<String> = before.into_iter().chain(asked.iter().cloned()).collect();
        kept.replace(SET_ASIDE_FILE, &whole)?;
        kept.replace(DEAD_LETTERS_FILE, &others)?;
        kept.replace(SET_ASIDE_FILE, &asked)?;
    }
    Ok(asked.len())
}

/// Whether a letter is asked for; what cannot be read stays.
fn is_asked(line: &str, pick: &Pick) -> bool {
    let letter = serde_json::from_str::<DeadLetter>(line);
    letter.is_ok_and(|letter| pick.takes(&letter))
}
