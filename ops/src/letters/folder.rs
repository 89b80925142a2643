//! The letters of a folder that a run of `local` kept; they are called by their lines.

use std::collections::HashSet;
use std::path::Path;

use contract::local::DEAD_LETTERS_FILE;

use super::Lying;
use crate::kept::Kept;

/// All letters.
pub(super) fn letters(folder: &Path) -> anyhow::Result<Vec<Lying>> {
    let lines = Kept::take(folder)?.lines(DEAD_LETTERS_FILE)?;
    let lying = lines.into_iter().enumerate();
    Ok(lying.map(|(n, line)| Lying::of((n + 1).to_string(), None, line)).collect())
}

/// Removes some, and says how many.
pub(super) fn discard(folder: &Path, ids: &[String]) -> anyhow::Result<usize> {
    let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let kept = Kept::take(folder)?;
    let lines = kept.lines(DEAD_LETTERS_FILE)?;
    let all = lines.len();
    let numbered = lines.into_iter().enumerate();
    let left = numbered.filter(|(n, _)| !ids.contains(&*(n + 1).to_string()));
    let left: Vec<String> = left.map(|(_, line)| line).collect();
    kept.replace(DEAD_LETTERS_FILE, &left)?;
    Ok(all - left.len())
}
