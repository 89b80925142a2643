//! What the account allows, by model.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use serde::Deserialize;

/// Stands for every model that has no quota of its own name.
const EVERY_OTHER: &str = "*";

/// Multiplier of current Claude models; a lower one is named by the operator.
const DEFAULT_BURNDOWN: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// What the account allows for one model, in one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelQuota {
    /// Tokens in any sixty seconds.
    pub tokens_per_minute: NonZeroU64,
    /// Requests in any sixty seconds; newer models have no such quota.
    #[serde(default)]
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens in a day (UTC), if that is limited.
    #[serde(default)]
    pub tokens_per_day: Option<NonZeroU64>,
    /// What an output token counts when a call is settled: 1, 5, 10 or 15 by model.
    #[serde(default = "default_burndown")]
    pub output_burndown: NonZeroU32,
}

fn default_burndown() -> NonZeroU32 {
    DEFAULT_BURNDOWN
}

impl ModelQuota {
    /// Only tokens per minute, at a burndown of one; none is taken for one.
    pub fn of_tokens(tokens_per_minute: u64) -> Self {
        Self {
            tokens_per_minute: NonZeroU64::new(tokens_per_minute).unwrap_or(NonZeroU64::MIN),
            requests_per_minute: None,
            tokens_per_day: None,
            output_burndown: NonZeroU32::MIN,
        }
    }
}

/// Quotas by model or inference profile; `*` stands for every other.
///
/// As text it is a JSON object: `{"model": {"tokens_per_minute": 4000000,
/// "requests_per_minute": 2000, "tokens_per_day": 5760000000, "output_burndown": 5}}`, of
/// which all but the first may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ModelQuotas(pub BTreeMap<String, ModelQuota>);

impl ModelQuotas {
    /// The same quota for each model.
    pub fn same(quota: ModelQuota) -> Self {
        Self(BTreeMap::from([(EVERY_OTHER.to_owned(), quota)]))
    }

    /// The quota of a model.
    pub fn of(&self, model_id: &str) -> Option<ModelQuota> {
        self.0.get(model_id).or_else(|| self.0.get(EVERY_OTHER)).copied()
    }
}

impl FromStr for ModelQuotas {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_its_own_quota_or_that_of_every_other() {
        let text = r#"{"a": {"tokens_per_minute": 5, "requests_per_minute": 7, "tokens_per_day": 9,
            "output_burndown": 1}, "*": {"tokens_per_minute": 6}}"#;
        let quotas: ModelQuotas = text.parse().expect("parses");

        let own = quotas.of("a").expect("is named");
        assert_eq!(own.tokens_per_day.map(NonZeroU64::get), Some(9));
        let other = quotas.of("b").expect("is any");
        assert_eq!((other.tokens_per_minute.get(), other.output_burndown.get()), (6, 5));
    }

    #[test]
    fn what_cannot_be_a_quota_is_refused() {
        for text in [
            r#"{"a": {"tokens_per_minute": 0}}"#,
            r#"{"a": {}}"#,
            r#"{"a": {"tokens_per_minute": 1, "tokens_per_hour": 1}}"#,
            "4000000",
        ] {
            assert!(text.parse::<ModelQuotas>().is_err(), "{text}");
        }
    }
}
