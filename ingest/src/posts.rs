//! The second door: events and attributes that come over HTTP, `POST /events`.
//!
//! ```text
//! request -> credentials -> body -> messages -> user records -> PutRecords -> answer
//!            (program)      (body)   (message)   (crate::grouping, crate::stream)
//! ```
//!
//! Two callers are understood: Currents' custom HTTP connector, and Braze's webhooks. What they
//! send becomes the same user records that come of files, so that order, repeats and deletions
//! hold alike.
//!
//! Guarantees: 200 is said when Kinesis has acknowledged everything and not before. What is
//! wrong with one event is told with its number and keeps no other from being delivered. What
//! repeats changes nothing, because its id is the same. Nothing of a body is logged or quoted.
//!
//! <https://www.braze.com/docs/partners/data_and_analytics/custom_http_connector>

mod body;
mod gateway;
mod message;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::attributes::PROFILE_UPDATE;
use contract::metrics::{self, Counts};
use contract::user_record::of_post;
use contract::wanted::Wanted;
use currents::read::Envelope;
use http::{Method, StatusCode, header};
use program::causes;
use program::credentials::{Access, Gate};
use registry::current::Outdated;
use serde_json::json;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::decode::Decoder;
use crate::grouping::{Group, Grouper};
use crate::stream::packing::Packer;
use crate::stream::{Put, PutError, Stream};
use body::Body;
pub use gateway::{Request, is_request};
use message::{Told, Wrong};

/// Most bytes of a body: as much as Lambda takes of a request, less what its form adds.
pub const MAX_BODY_BYTES: usize = 4 * 1_024 * 1_024;

/// Most events of a body: Braze's connector sends a hundred unless it is told otherwise.
pub const MAX_EVENTS: usize = 1_000;

/// Most faults that are told of one body.
const MAX_TOLD: usize = 20;

/// How long Kinesis may take for all of a body: API Gateway waits for 29 seconds.
pub const PUT_TIME: Duration = Duration::from_secs(20);

/// When to come again after the stream was full, in seconds.
const RETRY_AFTER_SECS: &str = "5";

/// Takes what is posted to the stream.
#[derive(Debug)]
pub struct Posts {
    /// Receives the user records.
    pub stream: Stream,
    /// How users are spread over the stream, and what may pass.
    pub decoder: Decoder,
    /// Names of the campaigns, whose content webhooks may ask for.
    pub campaigns: Vec<String>,
    /// Set where nobody can tell any more what campaigns want.
    pub outdated: Option<Outdated>,
    /// Who may post.
    pub gate: Arc<Gate>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// Headers beside that of the body's type.
    pub headers: Vec<(header::HeaderName, &'static str)>,
    /// JSON.
    pub body: String,
}

/// What is wrong with an event, and its number in the body, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    event: usize,
    reason: String,
}

impl Posts {
    /// Answers what API Gateway hands over, and says what was measured. At `deadline` Lambda ends
    /// the invocation.
    pub async fn invoke(
        &self,
        event: &serde_json::Value,
        deadline: SystemTime,
    ) -> (serde_json::Value, Counts) {
        let until = Deadline::before(deadline).work.min(Instant::now() + PUT_TIME);
        let now_ms = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let mut counts = Counts::default();
        let answer = self.answer(&Request::of(event), now_ms, until, &mut counts).await;
        (answer.to_gateway(), counts)
    }

    /// Answers a request at `now_ms` (UNIX milliseconds), and counts what became of it. What
    /// Kinesis has not taken by `deadline` is refused.
    pub async fn answer(
        &self,
        request: &Request,
        now_ms: u64,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Answer {
        counts.add(metrics::POSTS_RECEIVED, 1);
        let answer = match self.admit(request, now_ms).await {
            Ok(()) => self.take(request, now_ms, deadline, counts).await,
            Err(refusal) => refusal,
        };
        if !answer.status.is_success() {
            counts.add(metrics::POSTS_REFUSED, 1);
        }
        answer
    }

    /// Refuses whoever may not post, and what is none.
    async fn admit(&self, request: &Request, now_ms: u64) -> Result<(), Answer> {
        let Request { method, headers, body, .. } = request;
        if *method != Method::POST {
            let refusal = Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, "use POST");
            return Err(refusal.with(header::ALLOW, "POST"));
        }
        let now = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        match self.gate.judge(headers, now).await {
            Access::Granted => {}
            Access::Refused => {
                let reason = "send Authorization: Bearer and the token";
                let refusal = Answer::refusal(StatusCode::UNAUTHORIZED, reason);
                return Err(refusal.with(header::WWW_AUTHENTICATE, "Bearer"));
            }
            Access::Unverifiable => {
                let reason = "the token cannot be compared just now: send again";
                return Err(Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, reason).again());
            }
        }
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes());
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
            let reason = "send the body without Content-Encoding";
            return Err(Answer::refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        if body.len() > MAX_BODY_BYTES {
            let reason = format!("a body has at most {MAX_BODY_BYTES} bytes: send fewer events");
            return Err(Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason));
        }
        if let Some(outdated) = &self.outdated {
            tracing::warn!(error = causes::told(outdated), "a post was not taken");
            let reason = "what campaigns want cannot be told just now: send all of it again";
            return Err(Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, reason).again());
        }
        Ok(())
    }

    /// Puts everything that is right on the stream.
    async fn take(
        &self,
        Request { body, id, .. }: &Request,
        now_ms: u64,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Answer {
        let entries = match Body::parse(body) {
            Ok(Body { entries }) if entries.len() > MAX_EVENTS => {
                let reason = format!("a body has at most {MAX_EVENTS} events: send fewer");
                return Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason);
            }
            Ok(body) => body.entries,
            Err(reason) => return Answer::refusal(StatusCode::BAD_REQUEST, &reason),
        };
        let (mut told, mut faults) = (Vec::new(), Vec::new());
        for (event, entry) in entries.into_iter().enumerate() {
            match entry.told(&self.decoder.reader.wanted, &self.campaigns, now_ms) {
                Ok(more) => told.extend(more),
                Err(Wrong { reason, rest }) => {
                    told.extend(rest);
                    faults.push(Fault { event, reason });
                }
            }
        }
        let accepted = told.len();
        let mut put = Put::default();
        for group in self.groups(told, id, now_ms) {
            let done = self.stream.put(group.records, deadline, &mut put).await;
            counts.add(metrics::STREAM_RECORDS, std::mem::take(&mut put.records));
            counts.add(metrics::STREAM_BYTES, std::mem::take(&mut put.bytes));
            counts.add(metrics::ENTRIES_RESENT, std::mem::take(&mut put.resent));
            if let Err(error) = done {
                return refused_by_stream(&error);
            }
            // What is not acknowledged comes again, and is counted then.
            counts.add(metrics::USER_RECORDS, group.user_records);
            counts.add(metrics::EVENTS_POSTED, group.events);
            counts.add(metrics::EVENTS_UNWANTED, group.unwanted);
            counts.add(metrics::EVENTS_WITHOUT_USER, group.without_user);
        }
        if faults.is_empty() {
            return Answer::new(StatusCode::OK, json!({ "accepted": accepted }));
        }
        let more = faults.len().saturating_sub(MAX_TOLD);
        let errors: Vec<_> = faults
            .iter()
            .take(MAX_TOLD)
            .map(|fault| json!({ "event": fault.event, "reason": fault.reason }))
            .collect();
        let body = json!({ "accepted": accepted, "errors": errors, "more_errors": more });
        Answer::new(StatusCode::BAD_REQUEST, body)
    }

    /// Groups events as those of a file are, one type at a time.
    fn groups(&self, mut told: Vec<Told>, id: &str, now_ms: u64) -> Vec<Group> {
        // Those of one type keep their order, and attributes come before who speaks of them.
        let order = |told: &Told| (told.event_type != PROFILE_UPDATE, told.event_type.clone());
        told.sort_by_cached_key(order);
        let packer = Packer::new(self.decoder.buckets, self.decoder.format);
        let mut grouper = Grouper::new(now_ms, self.decoder.max_group_bytes, packer);
        if !id.is_empty() {
            grouper.came_in(of_post(id));
        }
        let (mut groups, mut before) = (Vec::new(), None::<String>);
        for Told { event_type, user_id, event } in told {
            if !self.decoder.reader.wanted.takes(&event_type) {
                grouper.pass_over(1);
                continue;
            }
            if before.as_ref() != Some(&event_type) {
                if before.is_some() {
                    groups.push(grouper.take());
                }
                grouper.begin(&event_type);
                before = Some(event_type);
            }
            let start = grouper.json().len();
            let Ok(json) = serde_json::to_vec(&event) else { continue };
            grouper.json().extend_from_slice(&json);
            let (time, is_mended, too_large) = (event.time, false, None);
            let user_id = user_id.as_str();
            grouper.push(&Envelope { user_id, time, start, is_mended, too_large });
            if grouper.is_full() {
                groups.push(grouper.take());
            }
        }
        groups.push(grouper.take());
        groups
    }
}

impl Answer {
    fn new(status: StatusCode, body: serde_json::Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    fn refusal(status: StatusCode, reason: &str) -> Self {
        Self::new(status, json!({ "error": reason }))
    }

    fn with(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// To be sent again.
    fn again(self) -> Self {
        self.with(header::RETRY_AFTER, RETRY_AFTER_SECS)
    }
}

/// What is answered where the stream did not take everything: all of it is to come again.
fn refused_by_stream(error: &PutError) -> Answer {
    tracing::warn!(error = causes::told(error), "a post was not put on the stream");
    if error.is_throttled() {
        let reason = "the stream takes no more just now: send all of it again";
        return Answer::refusal(StatusCode::TOO_MANY_REQUESTS, reason).again();
    }
    let reason = "the stream did not take the events: send all of them again";
    Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, reason).again()
}

/// What may pass, for tests and for who reads no files.
pub(crate) fn is_wanted(wanted: &Wanted, event_type: &str, field: &str) -> bool {
    let is_personal = message::is_personal(event_type, field);
    wanted.passes(event_type, field, is_personal)
}
