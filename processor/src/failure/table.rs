//! The failures that this program decides about, as a table for its documents.
//!
//! Made of the decisions themselves: the rows are real failures, and each match below names
//! every kind, so that whoever adds one is led to its list.

use std::num::NonZeroU64;
use std::time::Duration;

use campaign::answer::BadAnswer;
use contract::ask::Reason;
use quota::NotAdmitted;

use super::{Verdict, of_quota};
use crate::model::{ModelError, Refusal, Stop, Usage};
use crate::store::{Cause, TableError};

/// The table in Markdown, a row for each failure.
pub fn markdown() -> String {
    let model = model_errors().into_iter().map(|error| (said(&error), error.verdict()));
    let stops = stops().into_iter().map(|stop| (stopped(&stop), stop.verdict()));
    let quota = refusals().into_iter().map(|refusal| (refused(&refusal), of_quota(&refusal)));
    let table = [false, true].map(|is_final| {
        let error = TableError { attempted: "", cause: Cause::Other(""), is_final };
        let row = if is_final {
            "DynamoDB finds the item itself wrong"
        } else {
            "DynamoDB failed, the SDK's own attempts included"
        };
        (row, error.verdict())
    });
    let others = [
        ("an answer stays unusable after one correction", Verdict::DeadLetter(super::BAD_ANSWER)),
        (
            "an answer stays against a rule of its campaign after one correction",
            super::of_answer(&BadAnswer::AgainstRules(Vec::new())),
        ),
        ("the prompt's template fails on a value", Verdict::DeadLetter(super::NOT_RENDERED)),
        ("a user record does not decode", Verdict::DeadLetter(super::POISON)),
        ("a unit makes the program panic", Verdict::DeadLetter(super::PANICKED)),
        ("a unit ends the function, three times by itself", Verdict::DeadLetter(super::KILLS)),
    ];
    let rows = model.chain(stops).chain(quota).chain(table).chain(others);
    let rows = rows.map(|(failure, verdict)| match verdict {
        Verdict::RetryNow => format!("| {failure} | retry now | |\n"),
        Verdict::Park(reason) => format!("| {failure} | park | until {} |\n", until(reason)),
        Verdict::GiveBack => format!("| {failure} | give back | |\n"),
        Verdict::DeadLetter(reason) => format!("| {failure} | dead letter | `{reason}` |\n"),
    });
    format!("| failure | verdict | reason |\n| --- | --- | --- |\n{}", rows.collect::<String>())
}

/// Until what an ask waits that is parked for a reason.
fn until(reason: Reason) -> &'static str {
    match reason {
        Reason::Quota => "its turn",
        Reason::DayQuota => "the day is over (UTC)",
        Reason::Budget => "the campaign's day is over (UTC)",
        Reason::Halted => "the campaign's halt is over",
        Reason::Outage => "the service is tried again",
        Reason::Lease => "the other's lease is over",
        Reason::Paused => "the campaign goes on",
        Reason::Job => "the job that asks it is over",
        Reason::Due | Reason::Operator | Reason::Unknown => "its time",
    }
}

fn model_errors() -> Vec<ModelError> {
    let usage = Usage::default();
    let text = String::new;
    vec![
        ModelError::Throttled(None),
        ModelError::DailyQuota,
        ModelError::Failed(text()),
        ModelError::Unreadable(text()),
        ModelError::TimedOut(Duration::ZERO),
        ModelError::Unavailable(text()),
        ModelError::NotSent(text()),
        ModelError::NotAllowed(Refusal::default()),
        ModelError::NotServed(text()),
        ModelError::Unchecked { usage, cause: Box::new(ModelError::Failed(text())) },
        ModelError::Refused(Refusal::default()),
    ]
}

fn said(error: &ModelError) -> &'static str {
    match error {
        ModelError::Throttled(_) => "the model is throttled (429, 503, 529)",
        ModelError::DailyQuota => "the model's quota of the day is used up",
        ModelError::Failed(_) => "the service failed (408, 424, other 5xx, what passes)",
        ModelError::Unreadable(_) => "status 200 with something that is no answer, twice",
        ModelError::TimedOut(_) => "no answer within `timeout_seconds`",
        ModelError::Unavailable(_) => "the connection broke on the way back",
        ModelError::NotSent(_) => "the call never left",
        ModelError::NotAllowed(_) => "the account may not call the model",
        ModelError::NotServed(_) => "any other refusal, such as expired credentials",
        ModelError::Stopped { .. } => "the answer ended before it was one",
        ModelError::Unchecked { .. } => "the guardrail cannot be asked",
        ModelError::Refused(_) => "the request is wrong (ValidationException)",
    }
}

fn stops() -> Vec<Stop> {
    vec![
        Stop::TooLong,
        Stop::Malformed,
        Stop::PromptTooLong,
        Stop::Guardrail,
        Stop::ContentFilter,
        Stop::Other(String::new()),
    ]
}

fn stopped(stop: &Stop) -> &'static str {
    match stop {
        Stop::TooLong => "the answer reaches `max_tokens`, twice",
        Stop::Malformed => "the output, or its tool call, is malformed, twice",
        Stop::PromptTooLong => "the prompt is larger than the model's context",
        Stop::Guardrail => "a guardrail intervened",
        Stop::ContentFilter => "the service's content filter intervened",
        Stop::Other(_) => "the model stopped for another reason",
    }
}

fn refusals() -> Vec<NotAdmitted> {
    let never = NotAdmitted::NeverFits { wanted: 0, tokens_per_minute: NonZeroU64::MIN };
    vec![NotAdmitted::OutOfTime, NotAdmitted::DayUsedUp, never]
}

fn refused(refusal: &NotAdmitted) -> &'static str {
    match refusal {
        NotAdmitted::OutOfTime => "the quota is promised to others for longer than a batch waits",
        NotAdmitted::DayUsedUp => "`tokens_per_day` is used up",
        NotAdmitted::NeverFits { .. } => "a call wants more than a minute's quota",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What stands around the table in the document.
    const MARKS: (&str, &str) = ("<!-- failures -->\n", "<!-- /failures -->");

    #[test]
    fn the_documents_table_is_what_the_code_decides() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/failures.md");
        let document = fs::read_to_string(&path).expect("is there");
        let (_, rest) = document.split_once(MARKS.0).expect("has the mark");
        let (table, _) = rest.split_once(MARKS.1).expect("has the mark");

        assert_eq!(table.trim(), markdown().trim(), "write it with `make tables`");
    }
}
