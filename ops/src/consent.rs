//! Whether a person wants a change: asked for at a terminal, said with `--yes` elsewhere.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::output::say;

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
    /// How the command ends, where the change is not wanted: well, if it was only to be shown.
    /// A person is asked where one can be.
    pub(crate) fn ends(self, question: &str) -> anyhow::Result<Option<ExitCode>> {
        let ended = match self {
            Self { dry_run: true, .. } => ExitCode::SUCCESS,
            Self { yes: true, .. } => return Ok(None),
            _ if agrees(question)? => return Ok(None),
            _ => ExitCode::FAILURE,
        };
        say("Nothing was changed.");
        Ok(Some(ended))
    }
}

/// Asks a person at the terminal.
fn agrees(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to agree: say --yes, or --dry-run to see this only");
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
