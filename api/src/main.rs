//! The api Lambda: one look-up per invocation.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use api::handler::Call;
use api::{path, settings::Settings, start};
use lambda_http::{Error, Request, run, service_fn, tracing};
use program::start_up;

// One invocation at a time needs one thread; more would only take longer to start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing::init_default_subscriber();
    start_up::log_panics();
    start_up::ended(serve().await)
}

async fn serve() -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok())?;
    let api = &start::api(&settings).await?;

    run(service_fn(|request: Request| async move {
        let call = Call {
            method: request.method(),
            path: &path::path(&request),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            has_body: !request.body().is_empty(),
        };
        Ok::<_, Error>(api.handle(&call).await)
    }))
    .await
}
