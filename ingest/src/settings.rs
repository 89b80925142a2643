//! Settings of `ingest`, read once at cold start.

use std::num::NonZeroU16;
use std::path::PathBuf;

use contract::env::{Env, InvalidSettings};
use contract::wanted::Unmarked;

use currents::read::container::DEFAULT_MAX_BLOCK_BYTES;
use program::telemetry::TelemetrySettings;
use registry::settings::RegistrySettings;

use crate::stream::packing::Format;

/// Enough for 32 shards with four lanes each; a change moves users between shards.
pub const DEFAULT_STREAM_BUCKETS: NonZeroU16 = NonZeroU16::new(128).unwrap();

const DEFAULT_MAX_BLOCK_MIB: NonZeroU16 =
    NonZeroU16::new((DEFAULT_MAX_BLOCK_BYTES >> 20) as u16).unwrap();

/// What an operator can change without a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Stream that receives the user records.
    pub stream_name: String,
    /// Queue that receives what could not be read.
    pub dead_letter_queue_url: String,
    /// Queue of the notifications, which also takes the rest of objects too large for one
    /// invocation; without it such an object is read from its beginning again.
    pub continuation_queue_url: Option<String>,
    /// Secret of who may post events; without it nobody may.
    pub events_secret_arn: Option<String>,
    /// Buckets that users are spread over on the stream.
    pub stream_buckets: NonZeroU16,
    /// The form of stream records.
    pub stream_format: Format,
    /// Largest block of a container, compressed or not, in MiB.
    pub max_block_mib: NonZeroU16,
    /// Table that receives the catalogs.
    pub catalog_table: String,
    /// What becomes of fields that no campaign names.
    pub unmarked_fields: Unmarked,
    /// Folder of campaigns, which name the fields that may pass.
    pub campaigns_dir: PathBuf,
    /// Where published campaigns are, which take its place.
    pub registry: RegistrySettings,
    /// What it tells of itself.
    pub telemetry: TelemetrySettings,
}

impl Settings {
    /// Reads the settings through `lookup`; see [`Env`].
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut env = Env::new(lookup);
        let settings = Self::read(&mut env);
        env.finish(settings)
    }

    fn read(env: &mut Env<'_>) -> Option<Self> {
        let stream_name = env.required("STREAM_NAME");
        let catalog_table = env.required("CATALOG_TABLE");
        let dead_letter_queue_url = env.required("DEAD_LETTER_QUEUE_URL");
        let continuation_queue_url = env.optional("CONTINUATION_QUEUE_URL", String::new());
        let events_secret_arn = env.optional("EVENTS_SECRET_ARN", String::new());
        let stream_buckets = env.optional("STREAM_BUCKETS", DEFAULT_STREAM_BUCKETS);
        let stream_format = env.optional("STREAM_FORMAT", Format::default());
        let max_block_mib = env.optional("MAX_BLOCK_MIB", DEFAULT_MAX_BLOCK_MIB);
        let unmarked_fields = env.optional("UNMARKED_FIELDS", Unmarked::Stay);
        let registry = RegistrySettings::read(env);
        let campaigns_dir = env.optional("CAMPAIGNS_DIR", PathBuf::from("campaigns"));
        let telemetry = TelemetrySettings::read(env);
        Some(Self {
            stream_name: stream_name?,
            dead_letter_queue_url: dead_letter_queue_url?,
            continuation_queue_url: Some(continuation_queue_url?).filter(|url| !url.is_empty()),
            events_secret_arn: Some(events_secret_arn?).filter(|arn| !arn.is_empty()),
            stream_buckets: stream_buckets?,
            stream_format: stream_format?,
            max_block_mib: max_block_mib?,
            catalog_table: catalog_table?,
            unmarked_fields: unmarked_fields?,
            campaigns_dir: campaigns_dir?,
            registry: registry?,
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

        assert_eq!(env.asked(), golden_names("ingest"));
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let error = Settings::from_lookup(&|_| None).expect_err("nothing is set");

        assert_eq!(
            error.to_string(),
            "invalid settings: STREAM_NAME is not set; CATALOG_TABLE is not set; DEAD_LETTER_QUEUE_URL is not set; COORDINATION_TABLE is not set"
        );
    }
}
