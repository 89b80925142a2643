//! The text model on Bedrock: one call of Converse, and what its failures mean.
//!
//! The SDK's own retries are off: every attempt costs quota, so the limiter owns
//! them all. Every wait is bounded, because the SDK by itself bounds only the
//! connect time.

mod classify;
mod on_paper;
mod remedy;
mod structured;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::timeout::TimeoutConfig;
use aws_sdk_bedrockruntime::error::{BuildError, DisplayErrorContext};
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{
    CachePointBlock, CachePointType, ContentBlock, ConversationRole, GuardrailAction,
    GuardrailConfiguration, GuardrailContentBlock, GuardrailContentSource, GuardrailTextBlock,
    InferenceConfiguration, Message, StopReason, SystemContentBlock, TokenUsage,
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use campaign::{CompiledCampaign, Guardrail, StructuredOutput};
use tokio::time::sleep;

use super::{
    Answer, Correction, ModelError, Refusal, Stop, TextModel, Usage, estimated_input_tokens,
};
use crate::failure::Verdict;
use classify::classify;

pub use on_paper::OnPaper;

/// Waits before a guardrail is asked again about one answer.
const GUARDRAIL_BACKOFF: ExponentialBuilder =
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_times(2);

/// Longest time that a guardrail may take for one answer.
const GUARDRAIL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time to connect; a fleet that answers at all answers far sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Calls Bedrock.
#[derive(Debug, Clone)]
pub struct Bedrock {
    client: Client,
}

impl Bedrock {
    /// Builds the client from the account's configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_timeout(GUARDRAIL_TIMEOUT)
            .build();
        let config = aws_sdk_bedrockruntime::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// Lets a guardrail look at an answer that came through a tool, which Converse's
    /// guardrails do not see.
    async fn check(&self, guardrail: &Guardrail, answer: Answer) -> Result<Answer, ModelError> {
        let refused = |error| not_built("guardrail cannot be asked", error);
        // The answer is paid for, but nobody may see it.
        let usage = answer.usage;
        let unchecked = |cause| ModelError::Unchecked { usage, cause: Box::new(cause) };
        let text = GuardrailTextBlock::builder().text(structured::texts_of(&answer.text)).build();
        let content = GuardrailContentBlock::Text(text.map_err(refused).map_err(unchecked)?);
        let mut waits = GUARDRAIL_BACKOFF.build();
        loop {
            let request = self
                .client
                .apply_guardrail()
                .guardrail_identifier(&guardrail.id)
                .guardrail_version(&guardrail.version)
                .source(GuardrailContentSource::Output)
                .content(content.clone());
            match request.send().await {
                Ok(reply) if *reply.action() == GuardrailAction::GuardrailIntervened => {
                    return Err(ModelError::Stopped { stop: Stop::Guardrail, usage });
                }
                Ok(_) => return Ok(answer),
                Err(error) => {
                    let error = classify(&error, GUARDRAIL_TIMEOUT);
                    match waits.next().filter(|_| error.verdict() == Verdict::RetryNow) {
                        Some(wait) => sleep(wait).await,
                        None => return Err(unchecked(error)),
                    }
                }
            }
        }
    }

    fn request(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<
        aws_sdk_bedrockruntime::operation::converse::builders::ConverseFluentBuilder,
        BuildError,
    > {
        let config = &campaign.campaign.config;
        let inference = InferenceConfiguration::builder()
            .max_tokens(i32::try_from(config.max_tokens).unwrap_or(i32::MAX))
            .set_temperature(config.temperature);
        let mut request = self
            .client
            .converse()
            .model_id(&config.model_id)
            .inference_config(inference.build())
            .system(SystemContentBlock::Text(campaign.system.clone()))
            .set_messages(Some(messages(prompt, correction)?));
        if config.cache_system {
            let point = CachePointBlock::builder().r#type(CachePointType::Default).build()?;
            request = request.system(SystemContentBlock::CachePoint(point));
        }
        if let Some(guardrail) = &config.guardrail {
            let guardrail = GuardrailConfiguration::builder()
                .guardrail_identifier(&guardrail.id)
                .guardrail_version(&guardrail.version);
            request = request.guardrail_config(guardrail.build());
        }
        let schema = &campaign.travelling_schema;
        Ok(match config.structured_output {
            StructuredOutput::JsonSchema => {
                request.output_config(structured::output_config(&campaign.campaign.name, schema)?)
            }
            StructuredOutput::Tool => request.tool_config(structured::forced_tool(schema)?),
        })
    }
}

fn not_built(attempted: &str, error: BuildError) -> ModelError {
    ModelError::Refused(Refusal {
        code: attempted.to_owned(),
        message: DisplayErrorContext(error).to_string(),
        remedy: None,
    })
}

#[async_trait]
impl TextModel for Bedrock {
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        let request = self.request(campaign, prompt, correction);
        let request = request.map_err(|error| not_built("request cannot be built", error))?;
        let config = &campaign.campaign.config;
        let longest = config.timeout();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // One limit: a second one that ended at the same moment would be another failure.
            .operation_timeout(longest);
        let limited =
            aws_sdk_bedrockruntime::config::Config::builder().timeout_config(timeouts.build());
        let sent = request.customize().config_override(limited).send().await;
        let reply = sent.map_err(|error| classify(&error, longest))?;
        let answer = read_reply(&reply, worst_usage(campaign, prompt, correction))?;
        match &config.guardrail {
            Some(guardrail) if config.structured_output == StructuredOutput::Tool => {
                self.check(guardrail, answer).await
            }
            _ => Ok(answer),
        }
    }
}

/// The conversation: the prompt, and after an unusable answer that answer and what is
/// wrong with it. Nothing stands between two messages of the same side where there
/// is no answer to show, so the complaint joins the prompt then.
fn messages(prompt: &str, correction: Option<&Correction>) -> Result<Vec<Message>, BuildError> {
    let asked = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(prompt.to_owned()));
    let Some(correction) = correction else { return Ok(vec![asked.build()?]) };
    let Some(answer) = &correction.answer else {
        return Ok(vec![asked.content(ContentBlock::Text(correction.text())).build()?]);
    };
    let [answered, complained] = structured::answer_and_reply(answer, correction.text())?;
    Ok(vec![
        asked.build()?,
        Message::builder().role(ConversationRole::Assistant).content(answered).build()?,
        Message::builder().role(ConversationRole::User).content(complained).build()?,
    ])
}

/// What the SDK puts in the place of a stop reason that a reply does not have.
const NOT_SAID: &str = "no value was set";

/// What a call takes at most.
fn worst_usage(
    campaign: &CompiledCampaign,
    prompt: &str,
    correction: Option<&Correction>,
) -> Usage {
    Usage {
        input_tokens: estimated_input_tokens(campaign, prompt, correction),
        output_tokens: u64::from(campaign.campaign.config.max_tokens),
        ..Usage::default()
    }
}

/// Reads a reply; `worst` is what its call takes at most.
fn read_reply(reply: &ConverseOutput, worst: Usage) -> Result<Answer, ModelError> {
    if reply.stop_reason().as_str() == NOT_SAID {
        return Err(ModelError::Unreadable("the reply does not say why it ended".to_owned()));
    }
    // Where the usage is missing, what the call took is not known. No call takes no input.
    let said = reply.usage().filter(|usage| usage.input_tokens() > 0 || usage.output_tokens() > 0);
    let usage = said.map_or(worst, counted);
    let stop = match reply.stop_reason() {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::ToolUse => None,
        StopReason::MaxTokens => Some(Stop::TooLong),
        StopReason::MalformedModelOutput | StopReason::MalformedToolUse => Some(Stop::Malformed),
        StopReason::ModelContextWindowExceeded => Some(Stop::PromptTooLong),
        StopReason::GuardrailIntervened => Some(Stop::Guardrail),
        StopReason::ContentFiltered => Some(Stop::ContentFilter),
        other => Some(Stop::Other(other.as_str().to_owned())),
    };
    if let Some(stop) = stop {
        return Err(ModelError::Stopped { stop, usage });
    }
    let message = reply.output().and_then(|output| output.as_message().ok());
    let (text, tool_use_id) = message.map(structured::answer_in).unwrap_or_default();
    Ok(Answer { text, tool_use_id, usage })
}

fn counted(usage: &TokenUsage) -> Usage {
    let cache_write_tokens = count(usage.cache_write_input_tokens().unwrap_or_default());
    Usage {
        input_tokens: count(usage.input_tokens()) + cache_write_tokens,
        output_tokens: count(usage.output_tokens()),
        cache_write_tokens,
        cache_read_tokens: count(usage.cache_read_input_tokens().unwrap_or_default()),
    }
}

fn count(tokens: i32) -> u64 {
    u64::try_from(tokens).unwrap_or_default()
}
