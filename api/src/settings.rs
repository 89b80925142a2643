//! Settings of `api`, read once at cold start.

use std::path::PathBuf;
use std::str::FromStr;

use contract::env::{Env, InvalidSettings};
use program::telemetry::TelemetrySettings;
use registry::settings::RegistrySettings;

/// What an operator can change without a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Table that holds the content.
    pub content_table: String,
    /// Folder of campaigns, which hold the fallback content.
    pub campaigns_dir: PathBuf,
    /// Where published campaigns are, which take its place.
    pub registry: RegistrySettings,
    /// What a user without content gets.
    pub unknown_user: UnknownUser,
    /// ARN of the secret in AWS Secrets Manager that callers must know.
    pub credentials_secret_arn: String,
    /// How long content that was read is served again without looking, in seconds; 0 for
    /// not at all.
    pub cache_secs: u32,
    /// What it tells of itself.
    pub telemetry: TelemetrySettings,
}

/// What a user without content gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownUser {
    /// The campaign's fallback content with status 200 (`fallback`, the default).
    Fallback,
    /// Status 404 (`not-found`), which Braze renders as an empty string.
    NotFound,
}

/// The text is neither `fallback` nor `not-found`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is fallback or not-found")]
pub struct Unrecognised;

impl FromStr for UnknownUser {
    type Err = Unrecognised;

    fn from_str(text: &str) -> Result<Self, Unrecognised> {
        match text {
            "fallback" => Ok(Self::Fallback),
            "not-found" => Ok(Self::NotFound),
            _ => Err(Unrecognised),
        }
    }
}

impl Settings {
    /// Reads the settings through `lookup`; see [`Env`].
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut env = Env::new(lookup);
        let settings = Self::read(&mut env);
        env.finish(settings)
    }

    fn read(env: &mut Env<'_>) -> Option<Self> {
        let content_table = env.required("CONTENT_TABLE");
        let campaigns_dir = env.optional("CAMPAIGNS_DIR", PathBuf::from("campaigns"));
        let registry = RegistrySettings::read(env);
        let unknown_user = env.optional("UNKNOWN_USER", UnknownUser::Fallback);
        let credentials_secret_arn = env.required("CREDENTIALS_SECRET_ARN");
        let cache_secs = env.optional("CACHE_SECS", 0);
        let telemetry = TelemetrySettings::read(env);
        Some(Self {
            content_table: content_table?,
            campaigns_dir: campaigns_dir?,
            registry: registry?,
            unknown_user: unknown_user?,
            credentials_secret_arn: credentials_secret_arn?,
            cache_secs: cache_secs?,
            telemetry: telemetry?,
        })
    }
}

#[cfg(test)]
mod tests {
    use contract::env::golden_names;

    use super::*;

    #[test]
    fn the_settings_read_are_those_of_the_golden_file() {
        let lookup = |_: &str| None;
        let mut env = Env::new(&lookup);

        Settings::read(&mut env);

        assert_eq!(env.asked(), golden_names("api"));
    }
}
