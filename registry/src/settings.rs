//! Settings that every program has that follows the registry.

use std::num::NonZeroU32;
use std::time::Duration;

use aws_config::SdkConfig;
use contract::env::Env;

use crate::Registry;
use crate::aws::Aws;
use crate::current::DEFAULT_FOLLOW;

/// Where published campaigns are, and how often to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// Bucket of the versions; without it nothing is followed.
    pub bucket: Option<String>,
    /// Table of the head.
    pub table: String,
    /// Time between two looks.
    pub follow: Duration,
}

impl RegistrySettings {
    /// Reads the settings.
    pub fn read(env: &mut Env<'_>) -> Option<Self> {
        let bucket = env.optional("CAMPAIGNS_BUCKET", String::new());
        let table = env.required("COORDINATION_TABLE");
        #[expect(clippy::cast_possible_truncation, reason = "half a minute")]
        let default = NonZeroU32::new(DEFAULT_FOLLOW.as_secs() as u32)?;
        let follow_secs = env.optional("CAMPAIGNS_FOLLOW_SECS", default);
        Some(Self {
            bucket: Some(bucket?).filter(|bucket| !bucket.is_empty()),
            table: table?,
            follow: Duration::from_secs(follow_secs?.get().into()),
        })
    }

    /// The registry that they name.
    pub fn open(&self, config: &SdkConfig) -> Option<Box<dyn Registry>> {
        let bucket = self.bucket.clone()?;
        Some(Box::new(Aws {
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            table: self.table.clone(),
            s3: aws_sdk_s3::Client::new(config),
            bucket,
        }))
    }
}
