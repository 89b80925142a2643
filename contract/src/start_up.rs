//! How a program says that it cannot go on: as lines of its log, which the runbook names.
//!
//! What ends a process otherwise goes to the log as plain text, which no filter for a level
//! finds.

use std::error::Error;
use std::process::ExitCode;

/// Ends a program that could not start, or whose runtime failed, with a line of level ERROR.
pub fn ended(outcome: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "does not start");
            ExitCode::FAILURE
        }
    }
}

/// Lets every panic write a line of level ERROR that says where it was. Not its own words:
/// they can quote an event.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
