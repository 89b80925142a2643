//! The program `local`: the whole system on one machine.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use local::arguments::{Arguments, Command};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

/// Longest wait for work on other threads to notice the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What is shown unless somebody asks for more. The embedded DynamoDB warns of every
/// condition that is not met, which is how instances agree; the SDK complains of calls that
/// a fault ends before there is a connection, and of places without a region before it says
/// that there is none.
const DEFAULT_FILTER: &str = "warn,s3s=off,dynoxide=error,aws_config=error,\
                              aws_smithy_runtime::client::http::connection_poisoning=off";

/// The C library's allocator makes threads wait for one another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    // Stacks of threads would count against the limits of a message that is rendered.
    let mut runtime = match arguments.command {
        Some(Command::Render) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(local::command(arguments));
    runtime.shutdown_timeout(STOP_TIMEOUT);
    ended.unwrap_or_else(|error| {
        // A person reads this: the causes, without a backtrace.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
