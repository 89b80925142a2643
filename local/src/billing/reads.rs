//! The read units of look-ups, whose client is of the api's own making: an item of up to four
//! KiB, eventually consistent, for each key of a request.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::Billing;

/// Read units of a key.
const OF_A_KEY: f64 = 0.5;

/// How a key begins in a request: in a text its quotes would be escaped.
const KEY: &[u8] = br#""item":{"S":"#;

#[derive(Debug)]
struct Reads<T> {
    inner: T,
    billing: Arc<Billing>,
}

impl Billing {
    /// The same configuration, whose reads are counted for look-ups.
    pub(crate) fn counts_reads(self: &Arc<Self>, config: &SdkConfig) -> SdkConfig {
        let Some(inner) = config.http_client() else { return config.clone() };
        let client = SharedHttpClient::new(Reads { inner, billing: Arc::clone(self) });
        config.to_builder().http_client(client).build()
    }
}

impl HttpClient for Reads<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Reads { inner, billing: Arc::clone(&self.billing) })
    }
}

impl HttpConnector for Reads<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let keys = body.windows(KEY.len()).filter(|window| *window == KEY).count();
        self.billing.add_reads(keys as f64 * OF_A_KEY);
        self.inner.call(request)
    }
}
