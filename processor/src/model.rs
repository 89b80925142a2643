//! The text model: one call of Bedrock Converse, and what its failures mean.
//!
//! The SDK's own retries are off: every attempt costs quota, so the limiter owns
//! them all. Every wait is bounded, because the SDK by itself bounds only the
//! connect time.

mod classify;
mod remedy;

use std::fmt::Debug;
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
use contract::campaign::{Guardrail, StructuredOutput};
use tokio::time::sleep;

use crate::campaign::Compiled;
use crate::failure::Verdict;
use crate::structured;
use classify::classify;

/// Attempts at letting a guardrail look at one answer.
const MAX_GUARDRAIL_ATTEMPTS: u32 = 3;

/// Wait before a guardrail is asked again, times the attempt.
const GUARDRAIL_BACKOFF: Duration = Duration::from_millis(200);

/// Longest time that a guardrail may take for one answer.
const GUARDRAIL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time to connect; a fleet that answers at all answers far sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of a prompt that make one token, estimated low so that input is estimated
/// high: AWS' sample takes 4, which is too few tokens for scripts other than Latin.
const BYTES_PER_TOKEN: u64 = 3;

/// Begins the message that asks once more; what is wrong follows.
const CORRECTION: &str =
    "Your answer cannot be used. Write it again, complete and corrected. What was wrong:";

/// Tokens that a request costs beside its text.
const OVERHEAD_TOKENS: u64 = 20;

/// Calls Bedrock.
#[derive(Debug, Clone)]
pub struct Bedrock {
    client: Client,
}

/// A raw answer.
#[derive(Debug)]
pub struct Answer {
    /// The text, or the tool's input as JSON.
    pub text: String,
    /// The call of the forced tool that it came through, if it did.
    pub tool_use_id: Option<String>,
    /// What the service counted.
    pub usage: Usage,
}

/// Tokens that the service counted for a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens and cache writes, which the quota counts; it does not count cache reads.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Those of the input tokens that were written into the service's cache.
    pub cache_write_tokens: u64,
    /// Tokens that were read from the service's cache, beside the input tokens.
    pub cache_read_tokens: u64,
}

impl Usage {
    /// Adds another call's tokens.
    pub fn add(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
    }

    /// As many input tokens as cost the same: cache writes cost a quarter more, cache reads
    /// a tenth. Rounded up. <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>
    pub fn priced_input_tokens(&self) -> u64 {
        self.input_tokens
            + self.cache_write_tokens.div_ceil(CACHE_WRITES_FOR_ONE_MORE)
            + self.cache_read_tokens.div_ceil(CACHE_READS_FOR_ONE)
    }
}

/// Cache writes that cost one input token more than they are.
pub(crate) const CACHE_WRITES_FOR_ONE_MORE: u64 = 4;

/// Cache reads that cost as much as one input token.
const CACHE_READS_FOR_ONE: u64 = 10;

/// Why the model gave no usable answer.
///
/// The variants are the decisions a caller can take, not the shapes of the SDK's
/// errors; [`ModelError::verdict`] decides.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The account is over its quota for a minute, or the service over its capacity; how
    /// long to wait, if it said so.
    #[error("model throttled the call")]
    Throttled(Option<Duration>),
    /// The account is over its quota for the day: waiting minutes is useless.
    #[error("quota of the day is used up")]
    DailyQuota,
    /// The service answered that it failed; it does not charge for that.
    #[error("service failed: {0}")]
    Failed(String),
    /// The service answered that all is well, with something that is no answer: that is
    /// charged, and nobody knows how much.
    #[error("answer could not be read: {0}")]
    Unreadable(String),
    /// The call took longer than it may, and is charged in full.
    #[error("{TIMED_OUT} {} s: raise timeout_seconds or lower max_tokens", .0.as_secs())]
    TimedOut(Duration),
    /// No reply that could be read: what the service did with the call is not known.
    #[error("model call did not complete: {0}")]
    Unavailable(String),
    /// The call never left: no credentials, no region, nobody at the address.
    #[error("model call was not sent: {0}")]
    NotSent(String),
    /// The account may not call this model, or there is no such model: a person must
    /// change the campaign or the account, unless that is being done now.
    #[error("account may not call the model: {0}")]
    NotAllowed(Refusal),
    /// The service does not take the call now: expired credentials, a limit of the account.
    #[error("service does not take the call: {0}")]
    NotServed(String),
    /// The model answered, but stopped for a reason that makes the answer useless.
    #[error("model stopped: {stop}")]
    Stopped {
        /// Why it stopped.
        stop: Stop,
        /// What the service counted all the same.
        usage: Usage,
    },
    /// The model answered, and is paid for that, but its guardrail did not see the answer.
    #[error("guardrail did not see the answer: {cause}")]
    Unchecked {
        /// What the service counted.
        usage: Usage,
        /// Why the guardrail could not be asked.
        cause: Box<ModelError>,
    },
    /// The request is wrong; every repeat would fail alike.
    #[error("model refused the request: {0}")]
    Refused(Refusal),
}

/// How it is said that a call took longer than it may.
pub(crate) const TIMED_OUT: &str = "no answer within";

/// What the service says no with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its error code.
    pub code: String,
    /// Its words, cut; those about a request can quote it.
    pub message: String,
    /// What would mend it, where that is known.
    pub remedy: Option<&'static str>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        self.remedy.map_or(Ok(()), |remedy| write!(f, " ({remedy})"))
    }
}

/// Why an answer ended before it was one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// `max_tokens` was reached: the answer is cut off.
    #[error("max_tokens was reached")]
    TooLong,
    /// The output, or the tool call in it, cannot be read.
    #[error("the output is malformed")]
    Malformed,
    /// The prompt does not fit in the model's context.
    #[error("the prompt is larger than the model's context")]
    PromptTooLong,
    /// A guardrail of the account intervened.
    #[error("a guardrail intervened")]
    Guardrail,
    /// The service's own filter took the answer away.
    #[error("the content filter intervened")]
    ContentFilter,
    /// Anything else, a refusal among it.
    #[error("stop reason \"{0}\"")]
    Other(String),
}

impl Stop {
    /// What the model should hear of it, where asking again can help: an answer that
    /// somebody blocked would be blocked again.
    pub fn complaint(&self) -> Option<&'static str> {
        match self {
            Self::TooLong => Some("it was cut off; be much shorter"),
            Self::Malformed => Some("it could not be read"),
            Self::PromptTooLong | Self::Guardrail | Self::ContentFilter | Self::Other(_) => None,
        }
    }
}

/// Asks once more, after an answer that cannot be used.
#[derive(Debug)]
pub struct Correction {
    /// The answer, unless there is nothing of it to show.
    pub answer: Option<Answer>,
    /// What is wrong with it.
    pub complaint: String,
}

impl Correction {
    /// Bytes that travel in addition.
    fn bytes(&self) -> usize {
        let answer = self.answer.as_ref().map_or(0, |answer| answer.text.len());
        answer + self.complaint.len() + CORRECTION.len()
    }

    fn text(&self) -> String {
        format!("{CORRECTION} {}.", self.complaint)
    }
}

/// What was asked of the model for one question.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calls {
    /// Calls that were sent.
    pub attempts: u32,
    /// Calls that were answered, usable or not.
    pub answered: u32,
    /// What the service counted for those that were answered.
    pub spent: Usage,
    /// Calls of which nobody knows what they took.
    pub unknown: u32,
    /// Calls that came to nothing; one that took all the time it had counts as several.
    pub failed: u32,
}

/// Writes texts.
#[async_trait]
pub trait TextModel: Debug + Send + Sync {
    /// Asks the campaign's model once, or once more with a correction.
    async fn generate(
        &self,
        campaign: &Compiled,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError>;
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
        let mut last = ModelError::Unavailable("guardrail was not asked".to_owned());
        for attempt in 1..=MAX_GUARDRAIL_ATTEMPTS {
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
                Err(error) => match classify(&error, GUARDRAIL_TIMEOUT) {
                    error if error.verdict() == Verdict::RetryNow => last = error,
                    error => return Err(unchecked(error)),
                },
            }
            sleep(GUARDRAIL_BACKOFF * attempt).await;
        }
        Err(unchecked(last))
    }

    fn request(
        &self,
        campaign: &Compiled,
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
        campaign: &Compiled,
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
        let worst = Usage {
            input_tokens: estimated_input_tokens(campaign, prompt, correction),
            output_tokens: u64::from(config.max_tokens),
            ..Usage::default()
        };
        let answer = read_reply(&reply, worst)?;
        match &config.guardrail {
            Some(guardrail) if config.structured_output == StructuredOutput::Tool => {
                self.check(guardrail, answer).await
            }
            _ => Ok(answer),
        }
    }
}

/// Estimates the input tokens of a call, rather too many than too few.
///
/// The schema counts as well: it travels with the request, and models that have
/// no structured output read it as a tool.
pub fn estimated_input_tokens(
    campaign: &Compiled,
    prompt: &str,
    correction: Option<&Correction>,
) -> u64 {
    let added = correction.map_or(0, Correction::bytes);
    let bytes = prompt.len() + campaign.system.len() + campaign.schema_bytes + added;
    bytes as u64 / BYTES_PER_TOKEN + OVERHEAD_TOKENS
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
