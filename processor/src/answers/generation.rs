//! One usable answer: the budget, the quota, the call, its repeats and one correction.
//!
//! Guarantees: no prompt costs more than a named number of calls that come to nothing while
//! others are answered, over all deliveries and instances; then it is given up, and says why.
//! Where nobody is answered the prompt is not to blame, and waits.

use std::time::Duration;

use campaign::{CompiledCampaign, Told};
use contract::ask::Reason;
use contract::metrics::{self, Counts};
use program::causes;
use quota::{Call, Reservation};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::budget::Allowance;
use super::waits::Waiting;
use super::{Answers, OUTAGE_MS};
use crate::coordination::{Failures, Spending};
use crate::deadline::Deadline;
use crate::failure::{self, Verdict};
use crate::model::{self, Answer, Calls, Correction, ModelError, TIMED_OUT, Usage};

/// Attempts at one call at a time; then it waits as an ask.
const MAX_ATTEMPTS: u32 = 4;

/// The same while the model answers nobody else: two are enough to see that it does not.
const MAX_ATTEMPTS_WITHOUT_ANSWERS: u32 = 2;

/// Calls for one prompt that come to nothing while others are answered, over all deliveries and
/// instances, before it is given up: three turns, a few seconds in all. Those that took all the
/// time they had, or were answered with what is no content, were paid for and always count.
pub const MAX_FAILED_CALLS: u32 = 12;

/// As how many calls counts one that took all the time it had, and was paid for in full:
/// three of them are enough.
const TIMED_OUT_COUNTS: u32 = 4;

/// First wait after the service failed; doubled each time, so three seconds in all.
const FIRST_BACKOFF: Duration = Duration::from_millis(400);

/// Why a generation came to nothing.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The campaign's budget of the day does not allow it.
    OverBudget,
    /// Something failed.
    Failed {
        verdict: Verdict,
        detail: String,
        /// What the model should hear, where asking again can help.
        complaint: Option<&'static str>,
    },
}

impl Failure {
    fn new(verdict: Verdict, detail: impl ToString) -> Self {
        Self::Failed { verdict, detail: detail.to_string(), complaint: None }
    }
}

/// One turn to ask the model for a prompt.
pub(crate) struct Generation<'a> {
    pub(crate) answers: &'a Answers,
    pub(crate) campaign: &'a CompiledCampaign,
    pub(crate) told: &'a Told,
    pub(crate) deadline: Deadline,
    /// Until when it may wait for the quota.
    pub(crate) until: Deadline,
    /// What its campaign's budget lets it take, if there is one.
    pub(crate) allowance: Option<Allowance>,
    /// What came to nothing for the same prompt before this turn.
    pub(crate) failed_before: Failures,
    /// What was asked in this turn.
    pub(crate) calls: Calls,
    /// Why the last call of this turn came to nothing.
    pub(crate) last_failure: Option<String>,
}

/// What follows from a failed call.
enum Next {
    /// The same call once more, after a wait.
    Again(Duration),
    GiveUp(Failure),
}

impl Generation<'_> {
    /// Generates until the answer is content: at most twice, the second time with
    /// what was wrong with the first answer.
    pub(crate) async fn usable_answer(
        &mut self,
        counts: &mut Counts,
    ) -> Result<Map<String, Value>, Failure> {
        let mut correction: Option<Correction> = None;
        loop {
            let is_last = correction.is_some();
            let next = match self.generate(correction.as_ref(), counts).await {
                Ok(answer) => {
                    match self.answers.examined(self.campaign, (&answer.text, self.told), counts) {
                        Ok(data) => return Ok(data),
                        Err(error) if is_last => {
                            return Err(Failure::new(failure::of_answer(&error), error));
                        }
                        Err(error) => {
                            Correction { answer: Some(answer), complaint: error.complaint() }
                        }
                    }
                }
                Err(Failure::Failed { complaint: Some(complaint), .. }) if !is_last => {
                    Correction { answer: None, complaint: complaint.to_owned() }
                }
                Err(failure) => return Err(failure),
            };
            counts.add(metrics::CORRECTIONS, 1);
            correction = Some(next);
        }
    }

    /// Makes one call, repeated where that can help.
    async fn generate(
        &mut self,
        correction: Option<&Correction>,
        counts: &mut Counts,
    ) -> Result<Answer, Failure> {
        self.may_ask(None)?;
        for attempt in 1.. {
            let error = match self.call(correction, counts).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = match self.after(&error, attempt) {
                Next::Again(wait) => wait,
                Next::GiveUp(failure) => return Err(failure),
            };
            self.may_ask(Some(&error))?;
            if attempt >= self.most_attempts() {
                return Err(self.unanswered(attempt, &error));
            }
            tracing::debug!(%error, "model call failed");
            let waiting = self.waiting(|| format!("another attempt, as {error}"));
            sleep(wait).await;
            drop(waiting);
        }
        unreachable!("attempts end")
    }

    fn most_attempts(&self) -> u32 {
        match self.answers.health.answers(self.model_id()) {
            true => MAX_ATTEMPTS,
            false => MAX_ATTEMPTS_WITHOUT_ANSWERS,
        }
    }

    /// No attempt was answered: the model is left alone for a while if it answers nobody.
    fn unanswered(&self, attempts: u32, last: &ModelError) -> Failure {
        let Answers { health, clock, .. } = self.answers;
        if !health.answers(self.model_id()) {
            health.is_out(self.model_id(), clock.now_ms() + OUTAGE_MS);
        }
        let detail = format!("no answer in {attempts} attempts, the last: {last}");
        Failure::new(Verdict::Park(Reason::Outage), detail)
    }

    /// Refuses another call for a prompt for which too many came to nothing, of which `last`
    /// was the last.
    fn may_ask(&self, last: Option<&ModelError>) -> Result<(), Failure> {
        let last = last.map_or_else(|| self.failed_before.last.clone(), ToString::to_string);
        let is_too_slow = last.starts_with(TIMED_OUT);
        let blamed = match self.answers.health.answers(self.model_id()) {
            true => self.calls.failed,
            false => self.calls.timed_out,
        };
        if self.failed_before.calls + blamed < MAX_FAILED_CALLS {
            return Ok(());
        }
        let reason = if is_too_slow { "answer_too_slow" } else { "model_failed" };
        let last = if last.is_empty() { "nobody came back from it" } else { &last };
        let detail = format!("too many calls came to nothing, the last: {last}");
        Err(Failure::new(Verdict::DeadLetter(reason), detail))
    }

    /// Asks once, when budget and quota let it; fails as a whole where they do not.
    async fn call(
        &mut self,
        correction: Option<&Correction>,
        counts: &mut Counts,
    ) -> Result<Result<Answer, ModelError>, Failure> {
        self.afford().await?;
        let start_by = self.deadline.start_by(self.answers.latency.p99());
        if Instant::now() >= start_by {
            let verdict = Verdict::Park(Reason::Quota);
            return Err(Failure::new(verdict, "a generation would not end in time"));
        }
        // An answer that cannot be used is paid for: its correction waits as long as it can.
        let start_by = match correction {
            Some(_) => start_by,
            None => start_by.min(self.until.work_until()),
        };
        let limiter = self.answers.quotas.of(self.model_id());
        let limiter = limiter.map_err(|error| Failure::new(Verdict::GiveBack, error))?;
        let config = &self.campaign.campaign.config;
        let call = Call {
            kind: &self.campaign.campaign.name,
            priority: config.priority,
            input_tokens: model::estimated_input_tokens(
                self.campaign,
                &self.told.prompt,
                correction,
            ),
            max_tokens: config.max_tokens,
            since: Instant::now(),
        };
        let waiting = self.waiting(|| format!("the quota of {}", self.model_id()));
        let reserved = limiter.reserve(&call, start_by).await;
        drop(waiting);
        counts.took(metrics::QUOTA_WAIT, call.since.elapsed());
        let reservation =
            reserved.map_err(|error| Failure::new(failure::of_quota(&error), error))?;
        self.calls.attempts += 1;
        let began = Instant::now();
        let answer = self.answers.model.generate(self.campaign, &self.told.prompt, correction);
        let waiting = self.waiting(|| format!("an answer of {}", self.model_id()));
        let answered = self.deadline.while_working(answer).await;
        drop(waiting);
        let Some(answered) = answered else {
            self.calls.unknown += 1;
            self.calls.failed += 1;
            counts.add(metrics::CALLS_FAILED, 1);
            return Err(Failure::new(Verdict::Park(Reason::Outage), "out of time"));
        };
        match answered {
            Ok(answer) => {
                self.answers.latency.record(began.elapsed());
                counts.took(metrics::CALL_TIME, began.elapsed());
                self.answered(reservation, answer.usage, counts);
                Ok(Ok(answer))
            }
            Err(error) => {
                self.failed(&error, reservation, counts).await;
                self.last_failure = Some(error.to_string());
                Ok(Err(error))
            }
        }
    }

    /// Takes what a call costs at most out of the campaign's budget, unless what was taken
    /// was for a call that cost nothing.
    async fn afford(&mut self) -> Result<(), Failure> {
        let Some(allowance) = &mut self.allowance else { return Ok(()) };
        if allowance.charged > self.calls.answered + self.calls.unknown {
            return Ok(());
        }
        let name = self.answers.jitter.name();
        let spent = self.answers.coordination.spend(&allowance.budget, allowance.most, &name);
        match spent.await {
            Ok(Spending::Granted) => {
                allowance.charged += 1;
                Ok(())
            }
            Ok(Spending::Refused) => Err(Failure::OverBudget),
            Err(error) => Err(Failure::new(Verdict::GiveBack, causes::told(&error))),
        }
    }

    fn answered(&mut self, reservation: Reservation<'_>, usage: Usage, counts: &mut Counts) {
        self.answers.health.answered(self.model_id());
        reservation.settle(usage.tokens());
        self.calls.answered += 1;
        self.calls.spent.add(usage);
        count_answer(self.campaign, usage, 1.0, counts);
    }

    /// Notes what a failed call took, and tells who must know of it.
    async fn failed(
        &mut self,
        error: &ModelError,
        reservation: Reservation<'_>,
        counts: &mut Counts,
    ) {
        let limiter = self.answers.quotas.of(self.model_id());
        let campaign = &self.campaign.campaign.name;
        let mut count_failed = |calls: u32| {
            self.calls.failed += calls;
            counts.add(metrics::CALLS_FAILED, 1);
        };
        match error {
            ModelError::Throttled(retry_after) => {
                counts.add(metrics::THROTTLES, 1);
                match limiter {
                    Ok(limiter) => limiter.throttled(reservation, *retry_after).await,
                    Err(_) => reservation.release(),
                }
            }
            ModelError::Stopped { usage, .. } => {
                count_refused(metrics::ANSWERS_STOPPED, counts);
                self.answered(reservation, *usage, counts);
            }
            ModelError::Unchecked { usage, cause } => {
                self.answers.refusals.note(campaign, cause);
                self.answered(reservation, *usage, counts);
            }
            ModelError::NotAllowed(_) | ModelError::NotServed(_) | ModelError::Refused(_) => {
                self.answers.refusals.note(campaign, error);
                reservation.release();
            }
            ModelError::Failed(_) => {
                count_failed(1);
                reservation.release();
            }
            ModelError::NotSent(_) => reservation.release(),
            // It was paid for, or what the service did with it is not known: the worst case
            // stays charged.
            ModelError::Unreadable(_) | ModelError::Unavailable(_) => {
                count_failed(1);
                self.calls.unknown += 1;
            }
            ModelError::TimedOut(_) => {
                count_failed(TIMED_OUT_COUNTS);
                self.calls.timed_out += TIMED_OUT_COUNTS;
                self.calls.unknown += 1;
            }
            ModelError::DailyQuota => {
                if let Ok(limiter) = limiter {
                    limiter.day_used_up();
                }
                reservation.release();
            }
        }
    }

    /// Decides what follows from a call that failed, the `attempt`th from 1.
    fn after(&self, error: &ModelError, attempt: u32) -> Next {
        let give_up = |complaint| {
            let (verdict, detail) = (error.verdict(), error.to_string());
            Next::GiveUp(Failure::Failed { verdict, detail, complaint })
        };
        match error {
            // The limiter pauses all calls: no wait of its own.
            ModelError::Throttled(_) => Next::Again(Duration::ZERO),
            ModelError::Stopped { stop, .. } => give_up(stop.complaint()),
            ModelError::Unreadable(_) => give_up(Some("it could not be read")),
            error if error.verdict() == Verdict::RetryNow => Next::Again(self.backoff(attempt)),
            _ => give_up(None),
        }
    }

    /// How long to wait after a failed call, the `attempt`th from 1.
    fn backoff(&self, attempt: u32) -> Duration {
        let wait = FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(attempt - 1));
        self.answers.jitter.spread(wait)
    }

    /// Tells who watches what this turn waits for, until it is dropped.
    fn waiting(&self, reason: impl FnOnce() -> String) -> Waiting<'_> {
        let campaign = &self.campaign.campaign.name;
        self.answers.waits.begin(|| format!("{} (campaign {campaign})", reason()))
    }

    fn model_id(&self) -> &str {
        &self.campaign.campaign.config.model_id
    }
}

/// Counts an answer that came, usable or not, and cost this part of the price.
pub(crate) fn count_answer(
    campaign: &CompiledCampaign,
    usage: Usage,
    part_of_price: f64,
    counts: &mut Counts,
) {
    counts.add(metrics::GENERATIONS, 1);
    counts.add(metrics::INPUT_TOKENS, usage.input_tokens);
    counts.add(metrics::OUTPUT_TOKENS, usage.output_tokens);
    if let Some(price) = campaign.campaign.config.price {
        let usd = price.usd(usage.priced_input_tokens(), usage.output_tokens) * part_of_price;
        counts.add(metrics::MODEL_COST, (usd * 1e6).round().max(0.0) as u64);
    }
}

/// Counts an answer that cannot be used, under its reason.
pub(crate) fn count_refused(reason: &'static str, counts: &mut Counts) {
    counts.add(metrics::ANSWERS_REFUSED, 1);
    counts.add(reason, 1);
}
