//! A model that answers by script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use campaign::CompiledCampaign;
use processor::model::{Answer, Correction, ModelError, Stop, TextModel, Usage};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// A show about which no answer is ever allowed.
pub(crate) const FORBIDDEN: &str = "forbidden";

/// A show about which the first answer is no content.
pub(crate) const AWKWARD: &str = "awkward";

/// A show about which every call fails.
pub(crate) const BROKEN: &str = "broken";

/// A show about which every answer is nothing that can be read.
pub(crate) const GARBLED: &str = "garbled";

/// A show about which no answer comes in time.
pub(crate) const ENDLESS: &str = "endless";

/// A show about which the program panics.
pub(crate) const PANICKING: &str = "panicking";

/// A show about which an answer takes half a minute.
pub(crate) const SLUGGISH: &str = "sluggish";

/// Answers with what the prompt says, which no sensible model would.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    /// Prompts that were asked, corrections not counted, and how often.
    pub(crate) asked: Mutex<BTreeMap<String, u64>>,
    /// Calls, corrections counted.
    pub(crate) calls: Mutex<u64>,
    /// How long a call takes.
    pub(crate) latency: Mutex<Duration>,
    /// What the next calls meet instead of an answer.
    pub(crate) failures: Mutex<VecDeque<ModelError>>,
    /// Prompts in the order in which they were asked, with when.
    pub(crate) order: Mutex<Vec<(Instant, String)>>,
    /// Calls that its service did not pass on.
    pub(crate) refused: Mutex<u64>,
    /// When its service does what instead of passing calls on.
    pub(crate) spells: Mutex<Vec<Spell>>,
}

/// A time in which the service passes no call on to a model.
#[derive(Debug, Clone)]
pub(crate) struct Spell {
    pub(crate) model_id: &'static str,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    /// What it answers instead.
    pub(crate) refusal: fn() -> ModelError,
}

impl Scripted {
    pub(crate) fn calls(&self) -> u64 {
        self.asked.lock().expect("whole").values().sum()
    }

    pub(crate) fn prompts(&self) -> Vec<String> {
        self.asked.lock().expect("whole").keys().cloned().collect()
    }

    pub(crate) fn take(&self, latency: Duration) {
        *self.latency.lock().expect("whole") = latency;
    }

    pub(crate) fn fail(&self, failures: impl IntoIterator<Item = ModelError>) {
        self.failures.lock().expect("whole").extend(failures);
    }
}

#[async_trait]
impl TextModel for Scripted {
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        let model_id = campaign.campaign.config.model_id.as_str();
        let refusal = self.spells.lock().expect("whole").iter().find_map(|spell| {
            let is_now = (spell.from..spell.until).contains(&Instant::now());
            (spell.model_id == model_id && is_now).then_some(spell.refusal)
        });
        if let Some(refusal) = refusal {
            *self.refused.lock().expect("whole") += 1;
            return Err(refusal());
        }
        let asked = format!("{}: {prompt}", campaign.campaign.name);
        *self.calls.lock().expect("whole") += 1;
        self.order.lock().expect("whole").push((Instant::now(), prompt.to_owned()));
        if correction.is_none() {
            *self.asked.lock().expect("whole").entry(asked).or_default() += 1;
        }
        assert!(!prompt.contains(PANICKING), "it panics");
        let latency = match prompt.contains(SLUGGISH) {
            true => Duration::from_secs(30),
            false => *self.latency.lock().expect("whole"),
        };
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if let Some(failure) = self.failures.lock().expect("whole").pop_front() {
            return Err(failure);
        }
        let usage = Usage { input_tokens: 10, output_tokens: 20, ..Usage::default() };
        let last = prompt.lines().rev().find(|line| line.contains('"')).unwrap_or_default();
        if last.contains(FORBIDDEN) {
            return Err(ModelError::Stopped { stop: Stop::Guardrail, usage });
        }
        if last.contains(BROKEN) {
            return Err(ModelError::Failed("ModelErrorException".to_owned()));
        }
        if last.contains(GARBLED) {
            return Err(ModelError::Unreadable("status 200 with text/html".to_owned()));
        }
        if last.contains(ENDLESS) {
            return Err(ModelError::TimedOut(Duration::from_secs(50)));
        }
        let text = if last.contains(AWKWARD) && correction.is_none() {
            "{}".to_owned()
        } else {
            let heading: String = prompt.chars().take(500).collect();
            json!({ "heading": heading }).to_string()
        };
        Ok(Answer { text, tool_use_id: None, usage })
    }
}
