//! The ingest Lambda: S3 notifications in, user records on the stream out.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;
use std::sync::Arc;

use contract::env::InvalidSettings;
use ingest::posts::is_request;
use ingest::{handler::Ingest, settings::Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use program::telemetry::{log, meter::Meter};
use program::{causes, start_up};
use serde_json::Value;

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
    let meter = &Meter::new("ingest", &settings.telemetry.namespace);
    let ingest = &Ingest::from_settings(&settings).await?;
    let gate = &Ingest::gate(&settings).await;

    run(service_fn(|event: LambdaEvent<Value>| async move {
        let ingest = ingest.now().await;
        if is_request(&event.payload) {
            let posts = ingest.door(Arc::clone(gate));
            let deadline = event.context.deadline();
            let (answer, mut counts) = Box::pin(posts.invoke(&event.payload, deadline)).await;
            ingest.count_published(&mut counts);
            meter.done(&counts, || ingest.remarks());
            return Ok::<_, Error>(answer);
        }
        // Boxed, or the compiler finds what this holds too deep.
        let report = Box::pin(ingest.handle(event.payload, event.context.deadline())).await;
        meter.done(&report.counts, || {
            let mut remarks = ingest.remarks();
            remarks.push(("objects", report.objects.join(" ")));
            remarks.extend(report.errors.last().map(|why| ("returned_for", causes::told(why))));
            remarks
        });
        Ok(serde_json::to_value(report.into_answer()?)?)
    }))
    .await
}
