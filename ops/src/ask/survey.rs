//! What asks come to: how many there are, what they cost at most, and how long they take.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use campaign::{Budget, CompiledCampaign, Config, OverBudget};
use processor::coordination::{Coordination, Entry};
use processor::model::estimated_input_tokens;
use program::causes;
use quota::{ModelQuota, ModelQuotas};
use serde_json::{Value, json};

use super::look::{Plan, Seen};

/// Hexadecimal digits of a prompt's hash by which prompts are told apart: of a billion prompts
/// no two are taken for one.
const DIGITS: usize = 32;

/// What asks come to.
pub(super) struct Survey {
    campaign: Arc<CompiledCampaign>,
    quota: Option<ModelQuota>,
    cache: Option<Arc<dyn Coordination>>,
    looked_at: u64,
    asks: u64,
    later: u64,
    left: BTreeMap<&'static str, u64>,
    prompts: HashSet<u128>,
    /// Prompts of which it is not known yet whether they are answered, by their hashes, each
    /// with its input tokens.
    unsettled: BTreeMap<String, u64>,
    answered: u64,
    input_tokens: u64,
}

impl Survey {
    /// Of nobody yet. Answers that are kept already are looked up in `cache`.
    pub(super) fn new(
        campaign: &Arc<CompiledCampaign>,
        quotas: Option<&ModelQuotas>,
        cache: Option<Arc<dyn Coordination>>,
    ) -> Self {
        let model_id = &campaign.campaign.config.model_id;
        Self {
            campaign: Arc::clone(campaign),
            quota: quotas.and_then(|quotas| quotas.of(model_id)),
            cache,
            looked_at: 0,
            asks: 0,
            later: 0,
            left: BTreeMap::new(),
            prompts: HashSet::new(),
            unsettled: BTreeMap::new(),
            answered: 0,
            input_tokens: 0,
        }
    }

    /// Users who were looked at.
    pub(super) fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// Counts a user.
    pub(super) fn take(&mut self, seen: &Seen) {
        self.looked_at += 1;
        let Plan { ask, prompt, .. } = match seen {
            Seen::Wanted(plan) => &**plan,
            Seen::Left(why) => {
                *self.left.entry(why).or_default() += 1;
                return;
            }
        };
        self.asks += 1;
        self.later += u64::from(ask.not_before_ms > 0);
        let hash = self.campaign.prompt_hash(prompt);
        let digits = hash.get(..DIGITS).unwrap_or(&hash);
        if self.prompts.insert(u128::from_str_radix(digits, 16).unwrap_or_default()) {
            let tokens = estimated_input_tokens(&self.campaign, prompt, None);
            self.unsettled.insert(hash, tokens);
        }
    }

    /// Finds out which of the latest prompts are answered already.
    pub(super) async fn settle(&mut self) {
        let unsettled = std::mem::take(&mut self.unsettled);
        let mut known = Default::default();
        if let (Some(cache), false) = (&self.cache, unsettled.is_empty()) {
            let hashes: Vec<String> = unsettled.keys().cloned().collect();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            known = cache.answers(&hashes, now).await.unwrap_or_else(|error| {
                eprintln!("answers that are kept are not counted: {}", causes::told(&error));
                self.cache = None;
                Default::default()
            });
        }
        for (hash, tokens) in unsettled {
            match known.get(&hash) {
                Some(Entry::Answered { .. }) => self.answered += 1,
                Some(Entry::Leased { .. } | Entry::GivenUp { .. }) | None => {
                    self.input_tokens += tokens;
                }
            }
        }
    }

    /// Prompts that somebody must answer.
    fn questions(&self) -> u64 {
        (self.prompts.len() as u64).saturating_sub(self.answered)
    }

    fn output_tokens(&self) -> u64 {
        self.questions() * u64::from(self.campaign.campaign.config.max_tokens)
    }

    /// Most that it costs, if prices are known.
    fn usd(&self) -> Option<f64> {
        let price = self.campaign.campaign.config.price?;
        Some(price.usd(self.input_tokens, self.output_tokens()))
    }

    /// The same for a program.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "looked_at": self.looked_at,
            "asks": self.asks,
            "left_out": self.left,
            "prompts": self.prompts.len(),
            "answered_already": self.answered,
            "input_tokens": self.input_tokens,
            "most_output_tokens": self.output_tokens(),
            "most_usd": self.usd(),
            "most_minutes": self.quota.as_ref().map(|quota| self.minutes(quota)),
        })
    }

    /// Minutes of a quota, by its tokens or by its requests, whichever takes longer.
    fn minutes(&self, quota: &ModelQuota) -> f64 {
        let tokens =
            self.input_tokens + self.output_tokens() * u64::from(quota.output_burndown.get());
        let by_tokens = tokens as f64 / quota.tokens_per_minute.get() as f64;
        let requests = quota.requests_per_minute.map(|n| f64::from(n.get()));
        by_tokens.max(requests.map_or(0.0, |n| self.questions() as f64 / n))
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.campaign.campaign.config;
        let (n, asks) = (self.looked_at, self.asks);
        writeln!(f, "{n} users looked at; {asks} are asked for",)?;
        if self.later > 0 {
            writeln!(f, "  {} of them when their time comes", self.later)?;
        }
        for (why, n) in &self.left {
            writeln!(f, "  {n} left out, who {why}")?;
        }
        if asks == 0 {
            if self.left.keys().all(|why| why.starts_with("have done nothing")) && n > 0 {
                writeln!(f, "  (users are named by Braze's own id, not by the external id)")?;
            }
            return write!(f, "Nothing to ask for.");
        }
        let prompts = self.prompts.len();
        let answered = match &self.cache {
            Some(_) if self.answered > 0 => {
                format!(", {} of them answered already, with the text that is kept", self.answered)
            }
            Some(_) | None => String::new(),
        };
        writeln!(f, "{prompts} different prompts{answered}")?;
        let (input, output) = (self.input_tokens, self.output_tokens());
        writeln!(f, "about {input} input tokens, at most {output} output tokens")?;
        let usd = self.usd();
        match usd {
            Some(usd) => {
                // A few answers cost less than a cent.
                let digits = if usd < 1.0 { 4 } else { 2 };
                writeln!(f, "at most ${usd:.digits$}")?;
            }
            None => writeln!(f, "price unknown: add a [price] to campaign.toml")?,
        }
        if let Some(over) = over_budget(config, input + output, usd) {
            writeln!(f, "{over}")?;
        }
        let model = &config.model_id;
        match &self.quota {
            Some(quota) => {
                let minutes = self.minutes(quota);
                write!(f, "at most {minutes:.1} minutes of the quota of {model}")
            }
            None => write!(f, "(how long it takes: say --tokens-per-minute N, of {model})"),
        }
    }
}

/// What is said of so many tokens where a campaign's budget of a day may be less.
fn over_budget(config: &Config, tokens: u64, usd: Option<f64>) -> Option<String> {
    let budget = match config.budget? {
        Budget::Tokens(most) if tokens > most => format!("{most} tokens"),
        Budget::Usd(most) if usd.is_some_and(|usd| usd > most) => format!("${most}"),
        Budget::Tokens(_) | Budget::Usd(_) => return None,
    };
    let rest = match config.over_budget {
        OverBudget::Skip => "users who come too late for it get nothing",
        OverBudget::Wait => "the rest waits for the next",
    };
    Some(format!("that may be more than the campaign's budget of the day ({budget}): {rest}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use contract::ask::Ask;

    use super::*;

    fn survey(quotas: Option<&str>) -> Survey {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let campaigns = campaign::load(&folder).expect("is valid");
        let quotas = quotas.map(|text| text.parse().expect("are quotas"));
        Survey::new(&campaigns[0], quotas.as_ref(), None)
    }

    fn wanted(prompt: &str, not_before_ms: u64) -> Seen {
        let ask = Ask::by_hand("u".to_owned(), "new-episode".to_owned(), 5);
        let ask = Ask { not_before_ms, ..ask };
        Seen::Wanted(Box::new(Plan { ask, prompt: prompt.to_owned(), writes: None }))
    }

    #[tokio::test]
    async fn equal_prompts_are_paid_for_once_and_who_is_left_out_is_told_with_the_reason() {
        let mut survey =
            survey(Some(r#"{"*": {"tokens_per_minute": 1000, "output_burndown": 1}}"#));
        for prompt in ["a", "a", "b"] {
            survey.take(&wanted(prompt, 0));
        }
        survey.take(&wanted("b", 9));
        survey.take(&Seen::Left("are within their cooldown"));
        survey.settle().await;

        let each = estimated_input_tokens(&survey.campaign, "a", None);
        let most = 2 * u64::from(survey.campaign.campaign.config.max_tokens);
        let told = survey.to_string();
        for part in [
            "5 users looked at; 4 are asked for\n  1 of them when their time comes\n",
            "  1 left out, who are within their cooldown\n2 different prompts\n",
            &format!("about {} input tokens, at most {most} output tokens\n", 2 * each),
            "at most $0.0",
            &format!("at most {:.1} minutes", (2 * each + most) as f64 / 1000.0),
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }

    #[test]
    fn what_may_be_more_than_the_budget_of_a_day_is_said() {
        let mut config = survey(None).campaign.campaign.config.clone();
        config.budget = Some(Budget::Tokens(100));
        config.over_budget = OverBudget::Wait;

        assert_eq!(over_budget(&config, 100, Some(9.0)), None);
        let told = over_budget(&config, 101, None).expect("is more");
        assert!(told.ends_with("budget of the day (100 tokens): the rest waits for the next"));
        config.budget = Some(Budget::Usd(2.5));
        assert_eq!(over_budget(&config, 101, Some(2.5)), None);
        assert!(over_budget(&config, 101, Some(2.6)).is_some_and(|told| told.contains("($2.5)")));
    }

    #[tokio::test]
    async fn users_of_whom_nothing_is_known_may_be_named_by_another_id() {
        let mut survey = survey(None);
        survey.take(&Seen::Left("have done nothing that is remembered, or were deleted"));

        let told = survey.to_string();
        assert!(told.contains("Braze's own id"), "{told}");
        assert!(told.ends_with("Nothing to ask for."), "{told}");
    }
}
