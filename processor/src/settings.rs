//! Settings of `processor`, read once at cold start.

use std::num::NonZeroU32;
use std::path::PathBuf;

use contract::ask::QueueUrls;
use contract::env::{Env, InvalidSettings};
use contract::guardrails::Guardrails;
use program::telemetry::TelemetrySettings;
use quota::ModelQuotas;
use registry::settings::RegistrySettings;

use crate::store::Form;

/// What an operator can change without a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Table that receives the content.
    pub content_table: String,
    /// Form of the items that are written to it.
    pub content_form: Form,
    /// Table in which the instances share answers and budgets.
    pub coordination_table: String,
    /// Table of catalogs, of which items are read.
    pub catalog_table: String,
    /// Queue that receives what could not be processed.
    pub dead_letter_queue_url: String,
    /// Queues of what waits.
    pub ask_queues: QueueUrls,
    /// Folder of campaigns.
    pub campaigns_dir: PathBuf,
    /// Where published campaigns are, which take its place.
    pub registry: RegistrySettings,
    /// What the account allows, by model, for all instances together.
    pub model_quotas: ModelQuotas,
    /// Guardrails that may be asked.
    pub guardrails: Guardrails,
    /// Where there may be jobs of batch inference.
    pub jobs: Option<PlaceOfJobs>,
    /// Most instances that run at a time.
    pub max_instances: NonZeroU32,
    /// Most calls of the model at a time.
    pub max_concurrent_generations: NonZeroU32,
    /// What it tells of itself.
    pub telemetry: TelemetrySettings,
}

/// Where jobs have their files, and as whom the service reads and writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOfJobs {
    /// The bucket.
    pub bucket: String,
    /// ARN of the role.
    pub role_arn: String,
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
        let content_form = env.optional("CONTENT_FORM", Form::default());
        let registry = RegistrySettings::read(env);
        let catalog_table = env.required("CATALOG_TABLE");
        let dead_letter_queue_url = env.required("DEAD_LETTER_QUEUE_URL");
        let ask_queues = env.required("ASK_QUEUES");
        let campaigns_dir = env.optional("CAMPAIGNS_DIR", PathBuf::from("campaigns"));
        let model_quotas = env.required("MODEL_QUOTAS");
        let guardrails = env.optional("GUARDRAILS", Guardrails::default());
        let jobs_bucket = env.optional("JOBS_BUCKET", String::new());
        let jobs_role_arn = env.optional("JOBS_ROLE_ARN", String::new());
        let max_instances = env.required("MAX_INSTANCES");
        let max_concurrent_generations =
            env.optional("MAX_CONCURRENT_GENERATIONS", NonZeroU32::MIN.saturating_add(31));
        let telemetry = TelemetrySettings::read(env);
        let registry = registry?;
        Some(Self {
            content_table: content_table?,
            content_form: content_form?,
            coordination_table: registry.table.clone(),
            registry,
            catalog_table: catalog_table?,
            dead_letter_queue_url: dead_letter_queue_url?,
            ask_queues: ask_queues?,
            campaigns_dir: campaigns_dir?,
            model_quotas: model_quotas?,
            guardrails: guardrails?,
            jobs: Some(PlaceOfJobs { bucket: jobs_bucket?, role_arn: jobs_role_arn? })
                .filter(|place| !place.bucket.is_empty() && !place.role_arn.is_empty()),
            max_instances: max_instances?,
            max_concurrent_generations: max_concurrent_generations?,
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

        assert_eq!(env.asked(), golden_names("processor"));
    }

    #[test]
    fn a_quota_of_zero_tokens_is_refused_with_the_reason() {
        let quotas = r#"{"*": {"tokens_per_minute": 0}}"#;
        let lookup =
            |name: &str| Some(if name == "MODEL_QUOTAS" { quotas } else { "1" }.to_owned());

        let error = Settings::from_lookup(&lookup).expect_err("zero").to_string();

        assert!(error.contains("MODEL_QUOTAS cannot be \"{"), "{error}");
        assert!(error.contains("expected a nonzero u64"), "{error}");
    }
}
