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
pub mod aws;
pub mod bedrock;
pub mod event_source;
pub mod faults;
pub mod front;
mod interruption;
pub mod message;
pub mod metrics;
pub mod page;
pub mod pipeline;
pub mod preview;
pub mod progress;
pub mod redrive;
pub mod run;
pub mod stand_in;
pub mod summary;
pub mod totals;

pub use loadtest::input;

use std::process::ExitCode;

use arguments::{Arguments, Campaigns, Command};

/// Does what the command line says.
pub async fn command(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        None => run::run(arguments).await,
        Some(Command::Campaigns(Campaigns::Check { campaigns })) => check(campaigns),
        Some(Command::Preview(arguments)) => preview::preview(arguments).await,
        Some(Command::Redrive(arguments)) => redrive::redrive(arguments).await,
        Some(Command::Render) => page::render::child(),
        Some(Command::Bedrock { port, scenarios }) => stand_in::serve(*port, scenarios).await,
    }
}

/// Says what every campaign does, or everything that is wrong with them.
fn check(folder: &std::path::Path) -> anyhow::Result<ExitCode> {
    for compiled in processor::campaign::load(folder)? {
        let config = &compiled.campaign.config;
        let types: Vec<&str> = config.trigger.event_types.iter().map(String::as_str).collect();
        let when = config.trigger.when.as_ref();
        run::say(format_args!(
            "{}: ok, on {}{}",
            compiled.campaign.name,
            types.join(", "),
            when.map_or(String::new(), |when| format!(" with {}", when.text.trim()))
        ));
        if !compiled.required.is_empty() {
            let required: Vec<&str> = compiled.required.iter().map(String::as_str).collect();
            let whose =
                if config.required.is_some() { "" } else { ", because the prompt prints them" };
            run::say(format_args!("  answers events that have {}{whose}", required.join(", ")));
        }
        for warning in &compiled.warnings {
            run::say(format_args!("  warning: {warning}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
