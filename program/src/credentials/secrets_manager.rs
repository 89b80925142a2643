//! Reads the valid secrets from AWS Secrets Manager.
//!
//! The current version and the one before it are valid: a new secret can be stored first and
//! given to Braze afterwards. Secrets Manager keeps both by itself (`AWSCURRENT` and
//! `AWSPREVIOUS`); the older one ends with the next change, or when its label is removed.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

use crate::aws::CallError;

use super::{BadSecret, Secret, ValidSecrets};

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

/// What one reading gave of each version; none where there is no such version.
#[derive(Debug)]
pub struct Reading {
    /// The version to use.
    pub current: Result<Option<ValidSecrets>, Unreadable>,
    /// The version that was current before.
    pub previous: Result<Option<ValidSecrets>, Unreadable>,
}

/// The secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The service did not give it.
    #[error("asking for the {0} version of the secret")]
    NotGiven(&'static str, #[source] CallError),
    /// It holds something else.
    #[error("reading the {0} version of the secret")]
    Bad(&'static str, #[source] BadSecret),
}

impl SecretsManager {
    /// Reads the secret `arn`.
    pub fn new(config: &aws_config::SdkConfig, arn: String) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(config)
            // There is no time for a second attempt; the next reading is one.
            .retry_config(RetryConfig::disabled());
        Self { client: Client::from_conf(config.build()), arn }
    }

    /// Reads both versions at the same time, each in one attempt that ends `within` this.
    pub async fn read(&self, within: Duration) -> Reading {
        let version = |stage| self.version(stage, within);
        let (current, previous) = tokio::join!(version(CURRENT), version(PREVIOUS));
        let previous = match previous {
            // A secret that was of another form before is no reason to refuse the new one.
            Err(Unreadable::Bad(..)) => Ok(None),
            previous => previous,
        };
        Reading { current, previous }
    }

    /// The secret in this version; a new secret has no previous one.
    async fn version(
        &self,
        stage: &'static str,
        within: Duration,
    ) -> Result<Option<ValidSecrets>, Unreadable> {
        let request = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage);
        let not_given = |cause| Unreadable::NotGiven(stage, cause);
        let answer = tokio::time::timeout(within, request.send()).await;
        let value = match answer.map_err(|_| not_given(CallError::TimedOut))? {
            Ok(value) => value,
            Err(error) if error.as_service_error().is_some_and(is_gone) => return Ok(None),
            Err(error) => return Err(not_given(CallError::from(&error))),
        };
        let text = value.secret_string.unwrap_or_default();
        match Secret::parse(&text) {
            Ok(secret) => Ok(Some(ValidSecrets::new(&[secret]))),
            Err(error) => Err(Unreadable::Bad(stage, error)),
        }
    }
}

/// Whether there is no such secret or version, or the secret is marked for deletion.
fn is_gone(error: &GetSecretValueError) -> bool {
    error.is_resource_not_found_exception() || error.is_invalid_request_exception()
}
