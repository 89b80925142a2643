//! Calls of AWS with which something is done on their way.

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// What is done with a call, given the way on.
type Way = dyn Fn(&SharedHttpConnector, HttpRequest) -> HttpConnectorFuture + Send + Sync;

/// The same configuration, whose calls go by `way`.
pub(crate) fn by(
    config: &SdkConfig,
    way: impl Fn(&SharedHttpConnector, HttpRequest) -> HttpConnectorFuture + Send + Sync + 'static,
) -> SdkConfig {
    let Some(inner) = config.http_client() else { return config.clone() };
    let client = SharedHttpClient::new(Led { inner, way: Arc::new(way) });
    config.to_builder().http_client(client).build()
}

/// What leads calls by a way.
struct Led<T> {
    inner: T,
    way: Arc<Way>,
}

impl<T: fmt::Debug> fmt::Debug for Led<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Led").field(&self.inner).finish()
    }
}

impl HttpClient for Led<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Led { inner, way: Arc::clone(&self.way) })
    }
}

impl HttpConnector for Led<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        (self.way)(&self.inner, request)
    }
}
