//! What a failure leads to: the one place that decides it.
//!
//! | verdict | then |
//! | --- | --- |
//! | retry now | the same step again within this invocation, a few times |
//! | park | what is asked is remembered, and an ask waits until it is of use |
//! | give back | the events go back to the stream, and Kinesis delivers them again |
//! | dead letter | another attempt would end the same way: to the dead-letter queue |

use crate::model::{ModelError, Stop};
use crate::store::TableError;
pub mod table;

use campaign::answer::BadAnswer;
use campaign::prompt::NotRendered;
use contract::ask::Reason;
use contract::user_record::Undecodable;
use quota::NotAdmitted;

const BAD_ANSWER: &str = "bad_answer";
const AGAINST_RULES: &str = "answer_against_rules";
pub(crate) const NOT_RENDERED: &str = "prompt_does_not_render";
pub(crate) const POISON: &str = "poison_record";
pub(crate) const PANICKED: &str = "panicked";
pub(crate) const KILLS: &str = "kills_the_function";

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again within this invocation.
    RetryNow,
    /// Remember what is asked, and let an ask wait, for this reason.
    Park(Reason),
    /// Give the events back to the stream.
    GiveBack,
    /// Write a dead letter, with this reason.
    DeadLetter(&'static str),
}

impl ModelError {
    /// Decides about a failed call.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Throttled(_) | Self::Failed(_) | Self::Unavailable(_) | Self::TimedOut(_) => {
                Verdict::RetryNow
            }
            // It is asked for once more, like every answer that cannot be used.
            Self::Unreadable(_) => Verdict::DeadLetter("answer_unreadable"),
            Self::DailyQuota => Verdict::Park(Reason::DayQuota),
            Self::NotSent(_) => Verdict::Park(Reason::Outage),
            // A person must mend the account or the campaign: no event is to blame.
            Self::NotAllowed(_) | Self::NotServed(_) => Verdict::Park(Reason::Halted),
            Self::Stopped { stop, .. } => stop.verdict(),
            // Its own attempts are over, and the model is not asked again for that.
            Self::Unchecked { cause, .. } => match cause.verdict() {
                Verdict::RetryNow => Verdict::Park(Reason::Outage),
                verdict => verdict,
            },
            Self::Refused(_) => Verdict::DeadLetter("refused_request"),
        }
    }
}

impl Stop {
    /// Decides about an answer that ended before it was one.
    pub fn verdict(&self) -> Verdict {
        Verdict::DeadLetter(match self {
            Self::TooLong => "answer_too_long",
            Self::Malformed => "answer_malformed",
            Self::PromptTooLong => "prompt_too_long",
            Self::Guardrail => "guardrail_intervened",
            Self::ContentFilter => "content_filtered",
            Self::Other(_) => "answer_refused",
        })
    }
}

/// Decides about a call that the quota does not let through.
pub fn of_quota(refused: &NotAdmitted) -> Verdict {
    match refused {
        NotAdmitted::OutOfTime => Verdict::Park(Reason::Quota),
        NotAdmitted::DayUsedUp => Verdict::Park(Reason::DayQuota),
        NotAdmitted::NeverFits { .. } => Verdict::DeadLetter("never_fits_quota"),
    }
}

impl TableError {
    /// Decides about a call of DynamoDB that failed, the SDK's own attempts included.
    pub fn verdict(&self) -> Verdict {
        // DynamoDB finds the item itself wrong: too large, or a number that is none.
        if self.is_final { Verdict::DeadLetter("not_storable") } else { Verdict::GiveBack }
    }
}

/// Decides about an answer that stays unusable.
pub(crate) fn of_answer(error: &BadAnswer) -> Verdict {
    Verdict::DeadLetter(match error {
        BadAnswer::AgainstRules(_) => AGAINST_RULES,
        BadAnswer::NotJson(_) | BadAnswer::Mismatch(_) | BadAnswer::NotObject => BAD_ANSWER,
    })
}

/// Decides about a template that some event upsets.
pub(crate) fn of_template(_: &NotRendered) -> Verdict {
    Verdict::DeadLetter(NOT_RENDERED)
}

/// Decides about bytes that are no user record.
pub fn of_record(_: &Undecodable) -> Verdict {
    Verdict::DeadLetter(POISON)
}
