//! The api Lambda: one look-up per invocation.
//!
//! This file only wires. Decisions live in the library, where they are tested.

use api::handler::Call;
use api::{settings::Settings, start};
use lambda_http::{Error, Request, RequestExt as _, run, service_fn, tracing};

// One invocation at a time needs one thread; more would only take longer to start.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let settings = Settings::from_lookup(&|name| std::env::var(name).ok())?;
    let api = &start::api(&settings).await?;

    run(service_fn(|request: Request| async move {
        let call = Call {
            method: request.method(),
            path: request.raw_http_path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            has_body: !request.body().is_empty(),
        };
        Ok::<_, Error>(api.handle(&call).await)
    }))
    .await
}
