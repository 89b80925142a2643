//! Calls that take as long as those of AWS do.
//!
//! An embedded service answers at once, and a function that waits is billed. So that a bill is not
//! too low, each call waits first, for about as long as AWS' services take to answer one.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorFuture};
use tokio::time::sleep;

use crate::calls;

/// Assumed: a small request of a table, "single-digit milliseconds" in AWS' words.
pub const DYNAMODB: Duration = Duration::from_millis(4);

/// Assumed: a request of some MiB to the stream.
pub const KINESIS: Duration = Duration::from_millis(30);

/// Assumed: the first byte of an object; AWS says 100 to 200 ms of large ones, less of small.
pub const S3: Duration = Duration::from_millis(60);

/// Assumed: a request of a queue.
pub const SQS: Duration = Duration::from_millis(10);

/// The same configuration, whose calls wait first.
pub fn slowed(config: &SdkConfig, wait: Duration) -> SdkConfig {
    calls::by(config, move |inner, request| {
        let inner = inner.clone();
        HttpConnectorFuture::new(async move {
            sleep(wait).await;
            inner.call(request).await
        })
    })
}
