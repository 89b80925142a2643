//! The processor Lambda: one Kinesis batch per invocation, or the asks that wait.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use contract::env::InvalidSettings;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use processor::{handler::Processor, settings::Settings};
use program::start_up;
use program::telemetry::{log, meter::Meter};

#[tokio::main]
async fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok());
    log::begin(settings.as_ref().map_or(log::DEFAULT, |settings| settings.telemetry.level));
    start_up::log_panics();
    start_up::ended(serve(settings).await)
}

async fn serve(settings: Result<Settings, InvalidSettings>) -> Result<(), Error> {
    let settings = settings?;
    let processor = &Processor::from_settings(&settings).await?;
    let meter = &Meter::new("processor", &settings.telemetry.namespace);

    run(service_fn(|event: LambdaEvent<_>| async move {
        let report = processor.invoke(event.payload, event.context.deadline()).await;
        meter.done(&report.counts, || report.remarks());
        Ok::<_, Error>(report.response)
    }))
    .await
}
