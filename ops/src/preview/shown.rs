//! Models whose every call a person sees.

use std::sync::Arc;

use async_trait::async_trait;
use campaign::{CompiledCampaign, Price, Told, example};
use processor::model::{
    Answer, Correction, ModelError, Refusal, TextModel, Usage, estimated_input_tokens,
};

use super::pretty;
use crate::output::say;

/// Bytes of an answer that make one token, about.
const BYTES_PER_TOKEN: usize = 4;

/// Shows what a model is asked once more, and what it answers.
#[derive(Debug)]
pub(super) struct ShowingModel {
    pub(super) model: Arc<dyn TextModel>,
    pub(super) price: Option<Price>,
    /// Nobody counts tokens: they are estimated.
    pub(super) is_estimate: bool,
    /// What it is told, and its answers are held against.
    pub(super) told: Arc<Told>,
}

/// What a preview says where nothing can be made up: it is no failure of a model.
fn no_example(limit: &example::Limit) -> ModelError {
    ModelError::Refused(Refusal {
        code: "no example".to_owned(),
        message: limit.to_string(),
        remedy: Some("--bedrock aws asks the model itself"),
    })
}

/// Makes answers up that fit the schema.
#[derive(Debug)]
pub(super) struct Example;

#[async_trait]
impl TextModel for ShowingModel {
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        if let Some(Correction { complaint, .. }) = correction {
            say(format_args!("cannot be used: {complaint}\nasked once more:"));
        }
        let answer = self.model.generate(campaign, prompt, correction).await;
        match &answer {
            Ok(answer) => {
                self.show(&answer.text, answer.usage);
                unapplied(campaign, &answer.text, &self.told).iter().for_each(say);
            }
            Err(ModelError::Stopped { stop, usage }) => {
                self.show(&format!("(none: {stop})"), *usage)
            }
            Err(error) => say(format_args!("(none: {error})")),
        }
        answer
    }
}

impl ShowingModel {
    fn show(&self, text: &str, usage: Usage) {
        say(serde_json::from_str(text).map_or_else(|_| text.to_owned(), |answer| pretty(&answer)));
        let usd = self.price.map_or(String::new(), |price| {
            format!(", ${:.6}", price.usd(usage.priced_input_tokens(), usage.output_tokens))
        });
        let cached = match (usage.cache_write_tokens, usage.cache_read_tokens) {
            (0, 0) => String::new(),
            (written, read) => {
                format!(" ({written} of them written into the cache, {read} more read)")
            }
        };
        let about = if self.is_estimate { "about " } else { "" };
        say(format_args!(
            "{about}{} input tokens{cached}, {} output tokens{usd}",
            usage.input_tokens, usage.output_tokens
        ));
    }
}

/// Says which of a campaign's checks did not apply to an answer, so that nobody takes them for met.
fn unapplied(campaign: &CompiledCampaign, answer: &str, told: &Told) -> Vec<String> {
    let checks = &campaign.campaign.config.rules.checks;
    let unapplied = campaign.examine(answer, told).unapplied.into_iter();
    let told = unapplied.map(|name| {
        let when = checks.iter().find(|check| check.name == name);
        let when = when.map_or("", |check| check.when.text.trim());
        format!(
            "the check {name} was not applied, as something that it looks at is missing here or does not fit: {when}"
        )
    });
    told.collect()
}

#[async_trait]
impl TextModel for Example {
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        let made = example::answer(campaign.asked_schema(), prompt);
        let text = made.map_err(|limit| no_example(&limit))?.to_string();
        let usage = Usage {
            input_tokens: estimated_input_tokens(campaign, prompt, correction),
            output_tokens: text.len().div_ceil(BYTES_PER_TOKEN) as u64,
            ..Usage::default()
        };
        Ok(Answer { text, tool_use_id: None, usage })
    }
}
