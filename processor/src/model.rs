//! The text model, a port: what is asked of it, and what its failures mean.
//!
//! - [`bedrock`] — the model on Amazon Bedrock.

pub mod bedrock;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use campaign::CompiledCampaign;
use quota::Tokens;

pub use bedrock::Bedrock;

/// Bytes of a prompt that make one token, estimated low so that input is estimated
/// high: AWS' sample takes 4, which is too few tokens for scripts other than Latin.
const BYTES_PER_TOKEN: u64 = 3;

/// Begins the message that asks once more; what is wrong follows.
const CORRECTION: &str =
    "Your answer cannot be used. Write it again, complete and corrected. What was wrong:";

/// Tokens that a request costs beside its text.
const OVERHEAD_TOKENS: u64 = 20;

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

    /// What the quota counts of them.
    pub fn tokens(&self) -> Tokens {
        Tokens { input: self.input_tokens, output: self.output_tokens }
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
    #[error("quota of the day is used up until 00:00 UTC, as the service says")]
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
    /// Those of them that took all the time they had, counted alike.
    pub timed_out: u32,
}

/// Writes texts.
#[async_trait]
pub trait TextModel: Debug + Send + Sync {
    /// Asks the campaign's model once, or once more with a correction.
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError>;
}

/// Estimates the input tokens of a call, rather too many than too few.
///
/// The schema counts as well: it travels with the request, and models that have
/// no structured output read it as a tool.
pub fn estimated_input_tokens(
    campaign: &CompiledCampaign,
    prompt: &str,
    correction: Option<&Correction>,
) -> u64 {
    let added = correction.map_or(0, Correction::bytes);
    let bytes = prompt.len() + campaign.system.len() + campaign.schema_bytes + added;
    bytes as u64 / BYTES_PER_TOKEN + OVERHEAD_TOKENS
}
