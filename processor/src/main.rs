//! The processor Lambda: one Kinesis batch per invocation, or the asks that wait.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use processor::{handler::Processor, settings::Settings};
use program::build::BUILD;
use program::start_up;

#[tokio::main]
async fn main() -> ExitCode {
    tracing::init_default_subscriber();
    start_up::log_panics();
    start_up::ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok())?;
    let processor = &Processor::from_settings(&settings).await?;

    run(service_fn(|event: LambdaEvent<_>| async move {
        let report = processor.invoke(event.payload, event.context.deadline()).await;
        let (counts, publication) = (report.counts.to_json(), report.publication);
        tracing::info!(counts, build = BUILD, publication, "invocation done");
        Ok::<_, Error>(report.response)
    }))
    .await
}
