//! The api Lambda: one look-up per invocation.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use std::process::ExitCode;

use api::handler::Call;
use api::{path, settings::Settings, start};
use contract::env::InvalidSettings;
use contract::metrics::Counts;
use lambda_http::{Error, Request, run, service_fn};
use program::start_up;
use program::telemetry::{log, meter::Meter};

// One invocation at a time needs one thread; more would only take longer to start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok());
    log::begin(settings.as_ref().map_or(log::DEFAULT, |settings| settings.telemetry.level));
    start_up::log_panics();
    start_up::ended(serve(settings).await)
}

async fn serve(settings: Result<Settings, InvalidSettings>) -> Result<(), Error> {
    let settings = settings?;
    let api = &start::api(&settings).await?;
    let meter = &Meter::new("api", &settings.telemetry.namespace).gathering(api::GATHER);

    run(service_fn(|request: Request| async move {
        let call = Call {
            method: request.method(),
            path: &path::path(&request),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            has_body: !request.body().is_empty(),
        };
        let mut counts = Counts::default();
        let response = api.answer(&call, &mut counts).await;
        meter.done(&counts, || api.remarks());
        Ok::<_, Error>(response)
    }))
    .await
}
