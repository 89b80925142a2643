//! Whether a person wants a change: asked for at a terminal, said with `--yes` elsewhere.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::say;

/// Whether a change is wanted.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Only show what would change.
    #[arg(long)]
    pub dry_run: bool,

    /// Do it without asking.
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
}

impl Consent {
    /// Tells whether the change is wanted, and asks where a person can be asked.
    pub(crate) fn goes_on(self, question: &str) -> anyhow::Result<bool> {
        if self.dry_run {
            say("Nothing was changed.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        let is_agreed = agrees(question)?;
        if !is_agreed {
            say("Nothing was changed.");
        }
        Ok(is_agreed)
    }
}

/// Asks a person at the terminal.
pub(crate) fn agrees(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to agree: say --yes, or --dry-run to see this only");
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
