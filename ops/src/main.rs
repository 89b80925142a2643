//! The program `ops`: what people run against a deployment.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use ops::arguments::{Arguments, set_to_nothing};
use tracing_subscriber::EnvFilter;

/// What is shown unless somebody asks for more: the SDK complains of places without a region
/// before it says that there is none.
const DEFAULT_FILTER: &str = "warn,aws_config=error";

/// Exit code of a wrong command line, as clap has it.
const WRONG: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let empty = set_to_nothing(&Arguments::command(), &|name| std::env::var_os(name));
    if let Some(name) = empty {
        eprintln!("error: {name} is set to nothing in the environment: unset it, or name it");
        return ExitCode::from(WRONG);
    }
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    ops::command(&arguments).await
}
