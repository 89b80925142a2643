//! Reads the valid secrets from AWS Secrets Manager.
//!
//! The current version and the one before it are valid: a new secret can be stored first and
//! given to Braze afterwards. Secrets Manager keeps both by itself (`AWSCURRENT` and
//! `AWSPREVIOUS`); the older one ends with the next change, or when its label is removed.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::Client;

use super::{Accepted, BadSecret, Secret};
use crate::failure::brief;

/// Longest wait for the secrets: a call of Braze may have to wait for it, and for the table
/// afterwards, and has two seconds.
const READ_TIMEOUT: Duration = Duration::from_millis(500);

/// The version to use.
const CURRENT: &str = "AWSCURRENT";

/// The version that was current before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret in AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    arn: String,
}

/// The secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The service did not give it.
    #[error("asking for the {0} version of the secret: {1}")]
    NotGiven(&'static str, String),
    /// It has no such version.
    #[error("the secret has no {0} version")]
    NoVersion(&'static str),
    /// It holds something else.
    #[error("reading the {0} version of the secret")]
    Bad(&'static str, #[source] BadSecret),
}

impl SecretsManager {
    /// Reads the secret `arn`.
    pub fn new(config: &aws_config::SdkConfig, arn: String) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(READ_TIMEOUT).build();
        let config =
            aws_sdk_secretsmanager::config::Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), arn }
    }

    /// Reads all secrets that are valid now.
    pub async fn read(&self) -> Result<Accepted, Unreadable> {
        let (current, previous) = tokio::join!(self.version(CURRENT), self.version(PREVIOUS));
        let current = current?.ok_or(Unreadable::NoVersion(CURRENT))?;
        let secrets = match previous {
            Ok(previous) => [Some(current), previous],
            // A secret that was of another form before is no reason to refuse the new one.
            Err(Unreadable::Bad(..)) => [Some(current), None],
            Err(error) => return Err(error),
        };
        let secrets: Vec<Secret> = secrets.into_iter().flatten().collect();
        Ok(Accepted::new(&secrets))
    }

    /// The secret in this version; a new secret has no previous one.
    async fn version(&self, stage: &'static str) -> Result<Option<Secret>, Unreadable> {
        let request = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage);
        let value = match request.send().await {
            Ok(value) => value,
            Err(error) => {
                let service = error.as_service_error();
                if service.is_some_and(|error| error.is_resource_not_found_exception()) {
                    return Ok(None);
                }
                return Err(Unreadable::NotGiven(stage, brief(&error)));
            }
        };
        let text = value.secret_string.unwrap_or_default();
        Secret::parse(&text).map(Some).map_err(|error| Unreadable::Bad(stage, error))
    }
}
