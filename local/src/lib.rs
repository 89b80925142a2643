//! The whole system in one process, on an embedded AWS.
//!
//! ```text
//! files -> S3 -> notification -> ingest -> Kinesis -> shard reader -> processor -> DynamoDB
//!        (aws)  (event_source)                       (event_source)      |           |
//!                                                              Bedrock stand-in     api -> HTTP
//!                                                                 (bedrock)       (front, page)
//! ```
//!
//! The three Lambdas are the very libraries that are deployed, with the real AWS
//! SDK clients; what is different here is who listens at the other end. Only two
//! things are our own, because nobody offers them: the stand-in for Bedrock and
//! the runner of event sources.
//!
//! Read [`pipeline`] first.

pub mod arguments;
pub mod authoring;
pub mod aws;
pub mod bedrock;
pub mod billing;
pub mod by_hand;
mod calls;
mod catalogs;
pub mod event_source;
pub mod faults;
pub mod front;
mod interruption;
pub mod metrics;
mod own_events;
pub mod pace;
pub mod page;
pub mod parked;
pub mod pipeline;
pub mod progress;
pub mod redriven;
pub mod run;
pub mod stand_in;
pub mod standstill;
pub mod summary;
pub mod totals;

use std::process::ExitCode;

use arguments::{Arguments, Command};

/// Does what the command line says.
pub async fn command(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        None => run::run(arguments).await,
        Some(Command::Render) => page::render::child(),
        Some(Command::Bedrock { port, campaigns, scenarios }) => {
            stand_in::serve(*port, campaigns.as_deref(), scenarios).await
        }
    }
}
