//! The program `loadtest`.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use clap::Parser as _;
use loadtest::arguments::Arguments;
use loadtest::commands::{self, NOT_MEASURED};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    commands::command(&arguments).await.unwrap_or_else(|error| {
        // A person reads this: the causes, without a backtrace.
        eprintln!("error: {error:#}");
        ExitCode::from(NOT_MEASURED)
    })
}
