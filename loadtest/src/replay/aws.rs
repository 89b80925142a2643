//! The bucket, with the credentials of the environment, a profile or a process; temporary
//! ones as well.

use std::time::Duration;

use anyhow::Context as _;
use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, ProvideCredentials as _};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

/// Longest upload of a file: the largest ones of Currents are a few dozen megabytes.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// A client, and where it goes; no endpoint means AWS itself.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// The endpoint, if it was set.
    pub endpoint: Option<String>,
}

impl Bucket {
    /// Connects with what the environment says; `endpoint` goes before its general one.
    pub async fn connect(endpoint: Option<&str>) -> anyhow::Result<Self> {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder().operation_timeout(UPLOAD_TIMEOUT).build();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .load()
            .await;
        anyhow::ensure!(config.region().is_some(), "no AWS region: set AWS_REGION");
        let provider = config.credentials_provider().context("no AWS credentials")?;
        provider.provide_credentials().await.context("no AWS credentials")?;
        let endpoint = endpoint.or(config.endpoint_url()).map(str::to_owned);
        let mut builder = Builder::from(&config);
        if let Some(endpoint) = &endpoint {
            builder = builder.endpoint_url(endpoint).force_path_style(true);
        }
        Ok(Self { s3: Client::from_conf(builder.build()), endpoint })
    }
}
