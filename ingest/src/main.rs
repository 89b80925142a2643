//! The ingest Lambda: S3 notifications in, user records on the stream out.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;
use std::sync::Arc;

use ingest::posts::is_request;
use ingest::{handler::Ingest, settings::Settings};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use program::build::BUILD;
use program::start_up;
use serde_json::Value;

#[tokio::main]
async fn main() -> ExitCode {
    tracing::init_default_subscriber();
    start_up::log_panics();
    start_up::ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok())?;
    let ingest = &Ingest::from_settings(&settings).await?;
    let gate = &Ingest::gate(&settings).await;

    run(service_fn(|event: LambdaEvent<Value>| async move {
        let ingest = ingest.now().await;
        if is_request(&event.payload) {
            let posts = ingest.door(Arc::clone(gate));
            let deadline = event.context.deadline();
            return Ok::<_, Error>(Box::pin(posts.invoke(&event.payload, deadline)).await);
        }
        // Boxed, or the compiler finds what this holds too deep.
        let report = Box::pin(ingest.handle(event.payload, event.context.deadline())).await?;
        tracing::info!(counts = report.counts.to_json(), build = BUILD, "invocation done");
        Ok(serde_json::to_value(report.response)?)
    }))
    .await
}
