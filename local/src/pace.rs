//! Calls that take as long as those of AWS do.
//!
//! An embedded service answers at once, and a function that waits is billed. So that a bill is not
//! too low, each call waits first, for about as long as AWS' services take to answer one.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::sleep;

/// Assumed: a small request of a table, "single-digit milliseconds" in AWS' words.
pub const DYNAMODB: Duration = Duration::from_millis(4);

/// Assumed: a request of some MiB to the stream.
pub const KINESIS: Duration = Duration::from_millis(30);

/// Assumed: the first byte of an object; AWS says 100 to 200 ms of large ones, less of small.
pub const S3: Duration = Duration::from_millis(60);

/// Assumed: a request of a queue.
pub const SQS: Duration = Duration::from_millis(10);

/// The same configuration, whose calls wait first; with no time to wait it is as it was.
pub fn slowed(config: SdkConfig, wait: Duration) -> SdkConfig {
    let Some(inner) = config.http_client().filter(|_| wait > Duration::ZERO) else { return config };
    let client = SharedHttpClient::new(Slow { inner, wait });
    config.to_builder().http_client(client).build()
}

#[derive(Debug)]
struct Slow<T> {
    inner: T,
    wait: Duration,
}

impl HttpClient for Slow<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Slow { inner, wait: self.wait })
    }
}

impl HttpConnector for Slow<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, wait) = (self.inner.clone(), self.wait);
        HttpConnectorFuture::new(async move {
            sleep(wait).await;
            inner.call(request).await
        })
    }
}
