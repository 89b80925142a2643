//! The api Lambda: one look-up per invocation.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use api::{handler::Api, settings::Settings};
use lambda_http::{Error, Request, RequestExt as _, run, service_fn, tracing};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok())?;
    let api = &Api::from_settings(&settings).await?;

    run(service_fn(|request: Request| async move {
        let query = request.uri().query().unwrap_or_default();
        Ok::<_, Error>(api.handle(request.method(), request.raw_http_path(), query).await)
    }))
    .await
}
