//! One usable answer: the quota, the call, its repeats and one correction.

use std::time::Duration;

use contract::metrics::{self, Counts};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer;
use crate::campaign::Compiled;
use crate::deadline::Deadline;
use crate::failure::{self, Verdict};
use crate::handler::Processor;
use crate::model::{self, Answer, Calls, Correction, ModelError, Usage};
use crate::quota::Call;

/// Attempts at one call within an invocation; more are Kinesis' business.
const MAX_ATTEMPTS: u32 = 4;

/// First wait after the service failed; doubled each time, so three seconds at most.
const FIRST_BACKOFF: Duration = Duration::from_millis(400);

/// Why a generation came to nothing.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
    /// What the model should hear, where asking again can help.
    complaint: Option<&'static str>,
}

impl Failure {
    fn new(verdict: Verdict, detail: impl ToString) -> Self {
        Self { verdict, detail: detail.to_string(), complaint: None }
    }
}

impl Processor {
    /// Generates until the answer is content: at most twice, the second time with
    /// what was wrong with the first answer.
    pub(crate) async fn usable_answer(
        &self,
        campaign: &Compiled,
        prompt: &str,
        deadline: Deadline,
        calls: &mut Calls,
        counts: &mut Counts,
    ) -> Result<Map<String, Value>, Failure> {
        let mut correction: Option<Correction> = None;
        loop {
            let generated =
                self.generate(campaign, prompt, correction.as_ref(), deadline, calls, counts).await;
            let is_last = correction.is_some();
            let next = match generated {
                Ok(answer) => match answer::accept(&answer.text, &campaign.validator) {
                    Ok(data) => return Ok(data),
                    Err(error) if is_last => {
                        return Err(Failure::new(failure::of_answer(&error), error));
                    }
                    Err(error) => Correction { answer: Some(answer), complaint: error.to_string() },
                },
                Err(failure) => match failure.complaint {
                    Some(complaint) if !is_last => {
                        Correction { answer: None, complaint: complaint.to_owned() }
                    }
                    _ => return Err(failure),
                },
            };
            counts.add(metrics::CORRECTIONS, 1);
            correction = Some(next);
        }
    }

    /// Makes one call, repeated where that can help.
    async fn generate(
        &self,
        campaign: &Compiled,
        prompt: &str,
        correction: Option<&Correction>,
        deadline: Deadline,
        calls: &mut Calls,
        counts: &mut Counts,
    ) -> Result<Answer, Failure> {
        let input_tokens = model::estimated_input_tokens(campaign, prompt, correction);
        let limiter = self.quotas.of(&campaign.campaign.config.model_id);
        let limiter = limiter.map_err(|error| Failure::new(Verdict::GiveBack, error))?;
        let call = Call {
            campaign: &campaign.campaign.name,
            priority: campaign.campaign.config.priority,
            input_tokens,
            max_tokens: campaign.campaign.config.max_tokens,
            since: Instant::now(),
        };
        let mut backoff = FIRST_BACKOFF;
        for _ in 0..MAX_ATTEMPTS {
            let start_by = deadline.start_by(self.latency.p99());
            if Instant::now() >= start_by {
                return Err(Failure::new(Verdict::GiveBack, "a generation would not end in time"));
            }
            let reserved = limiter.reserve(&call, start_by).await;
            let reservation = reserved.map_err(|error| Failure::new(error.verdict(), error))?;
            calls.attempts += 1;
            let began = Instant::now();
            let call = self.model.generate(campaign, prompt, correction);
            let Ok(answered) = timeout_at(deadline.work_until, call).await else {
                calls.unknown += 1;
                return Err(Failure::new(Verdict::GiveBack, "out of time"));
            };
            let error = match answered {
                Ok(answer) => {
                    self.latency.record(began.elapsed());
                    reservation.settle(answer.usage);
                    calls.count(answer.usage, counts);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let verdict = error.verdict();
            let failure = Failure::new(verdict, &error);
            match error {
                ModelError::Throttled(retry_after) => {
                    counts.add(metrics::THROTTLES, 1);
                    limiter.throttled(reservation, retry_after).await;
                    // The limiter pauses all calls: no wait of its own.
                    continue;
                }
                ModelError::Stopped { stop, usage } => {
                    reservation.settle(usage);
                    calls.count(usage, counts);
                    return Err(Failure { complaint: stop.complaint(), ..failure });
                }
                ModelError::NotAllowed(code) | ModelError::NotServed(code) => {
                    self.refusals.note(&campaign.campaign.name, code);
                    reservation.release();
                }
                ModelError::Unchecked { usage, cause } => {
                    if let ModelError::NotAllowed(code) | ModelError::NotServed(code) = *cause {
                        self.refusals.note(&campaign.campaign.name, code);
                    }
                    reservation.settle(usage);
                    calls.count(usage, counts);
                }
                ModelError::NotSent(_) | ModelError::Failed(_) => reservation.release(),
                // What the service did with it is not known: the worst case stays charged.
                ModelError::Unavailable(_) => calls.unknown += 1,
                ModelError::DailyQuota => {
                    limiter.day_used_up();
                    reservation.release();
                }
                ModelError::Refused(_) => reservation.release(),
            }
            if verdict != Verdict::RetryNow {
                return Err(failure);
            }
            tracing::debug!(error = failure.detail, "model call failed");
            sleep(self.jitter.spread(backoff)).await;
            backoff *= 2;
        }
        Err(Failure::new(Verdict::GiveBack, format!("no answer in {MAX_ATTEMPTS} attempts")))
    }
}

impl Calls {
    fn count(&mut self, usage: Usage, counts: &mut Counts) {
        self.spent.add(usage);
        counts.add(metrics::GENERATIONS, 1);
        counts.add(metrics::INPUT_TOKENS, usage.input_tokens);
        counts.add(metrics::OUTPUT_TOKENS, usage.output_tokens);
    }
}
