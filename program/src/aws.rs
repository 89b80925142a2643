//! AWS as every program reaches it: one TLS client, and one way to say what a call failed
//! with.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::causes;

/// Where the region, the credentials and the endpoints come from, as every AWS SDK looks for
/// them, with the TLS client of all programs.
pub fn environment() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).http_client(https())
}

/// Attempts at a call of a program that a person started.
const MAX_ATTEMPTS: u32 = 8;

/// The account's configuration, refused where it could not send a single call.
pub async fn account(environment: ConfigLoader) -> Result<SdkConfig, NoAccount> {
    // Nobody waits at the other end of a person's program: a table that is busy gets its time.
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    let config = environment.retry_config(retries).load().await;
    if config.region().is_none() {
        return Err(NoAccount::Region);
    }
    let provider = config.credentials_provider().ok_or(NoAccount::NoCredentials)?;
    provider.provide_credentials().await.map_err(NoAccount::Credentials)?;
    Ok(config)
}

/// What answers as AWS does at `url`, and asks for no credentials that mean anything.
pub async fn at(url: &str) -> SdkConfig {
    let credentials = Credentials::new("stand-in", "stand-in", None, None, "stand-in");
    let config = environment().endpoint_url(url).credentials_provider(credentials);
    config.region(Region::new("us-east-1")).load().await
}

/// Why no call can be sent to an account.
#[derive(Debug, thiserror::Error)]
pub enum NoAccount {
    /// Nobody says which region.
    #[error("no AWS region: set AWS_REGION")]
    Region,
    /// There is no source of credentials.
    #[error("no AWS credentials: set them in the environment or a profile")]
    NoCredentials,
    /// The source of credentials gives none.
    #[error("no AWS credentials: set them in the environment or a profile")]
    Credentials(#[source] CredentialsError),
}

/// The TLS client of all programs.
fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// What a call of AWS failed with, without what was in it: a reply can quote the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The service refused it, with this code.
    #[error("{0}")]
    Refused(String),
    /// Nobody answered in time.
    #[error("time-out")]
    TimedOut,
    /// It never left.
    #[error("not sent{}", .0.as_deref().map_or(String::new(), |why| format!(": {why}")))]
    NotSent(Option<String>),
    /// The request cannot be built.
    #[error("request cannot be built")]
    NotBuilt,
    /// What came is no reply.
    #[error("reply cannot be read")]
    Unreadable,
}

impl<E: ProvideErrorMetadata, R> From<&SdkError<E, R>> for CallError {
    fn from(error: &SdkError<E, R>) -> Self {
        match error {
            SdkError::ServiceError(error) => match error.err().code() {
                Some(code) => Self::Refused(code.to_owned()),
                // A reply that the SDK could not read has none.
                None => Self::Unreadable,
            },
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) => {
                Self::NotSent(failure.as_connector_error().map(|error| causes::told(error)))
            }
            SdkError::ConstructionFailure(_) => Self::NotBuilt,
            _ => Self::Unreadable,
        }
    }
}
