//! The program `ops`: what people run against a deployment.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use clap::Parser as _;
use ops::arguments::Arguments;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    ops::command(&arguments).await
}
