//! One generation, from the quota to the table.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts, Fate};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer;
use crate::batch::Batch;
use crate::campaign::Compiled;
use crate::handler::Processor;
use crate::model::{self, Action, Answer, Correction, ModelError, Stop, Usage};
use crate::prompt::BadTemplate;
use crate::quota::NotAdmitted;
use crate::store::{self, Content, Key, Written};

/// Attempts at one generation within an invocation; more are Kinesis' business.
const MAX_ATTEMPTS: u32 = 4;

/// First wait after the service failed; doubled each time, so three seconds at most.
const FIRST_BACKOFF: Duration = Duration::from_millis(400);

/// One generation to make: a user, a campaign, and the event that asks for it.
pub(crate) struct Unit<'a> {
    pub(crate) campaign: &'a Compiled,
    pub(crate) key: Key,
    pub(crate) trigger: usize,
    /// The rendered prompt; fails only on a filter that some value upsets, because
    /// every template was rendered once when it was compiled.
    pub(crate) prompt: Result<String, BadTemplate>,
}

/// What a unit came to.
pub(crate) struct Outcome {
    pub(crate) trigger: usize,
    pub(crate) fate: Fate,
    pub(crate) counts: Counts,
    pub(crate) freshness: Option<Duration>,
}

impl Processor {
    /// Makes one generation, from the quota to the table.
    pub(crate) async fn work(&self, unit: &Unit<'_>, batch: &Batch, deadline: Instant) -> Outcome {
        let mut counts = Counts::default();
        let received = &batch.events[unit.trigger];
        let generated = match &unit.prompt {
            Ok(prompt) => {
                let data = self.usable_answer(unit.campaign, prompt, deadline, &mut counts).await;
                data.map(|data| (prompt, data))
            }
            Err(error) => {
                let detail = error.to_string();
                Err(Failure::GiveUp { reason: "prompt_does_not_render", detail })
            }
        };
        let fate = match generated {
            Ok((prompt, (data, usage))) => {
                self.store_content(unit, batch, prompt, data, usage, &mut counts).await
            }
            Err(Failure::GiveBack(reason)) => {
                tracing::debug!(reason, "unit goes back");
                Fate::Returned
            }
            Err(Failure::Stopped(stop)) => {
                self.bury(unit, batch, stop.name(), stop.to_string(), &mut counts).await
            }
            Err(Failure::GiveUp { reason, detail }) => {
                self.bury(unit, batch, reason, detail, &mut counts).await
            }
        };
        let freshness = (fate == Fate::Stored)
            .then(|| since(UNIX_EPOCH + Duration::from_millis(received.uploaded_at_ms)));
        Outcome { trigger: unit.trigger, fate, counts, freshness }
    }

    /// Generates until the answer is content: at most twice, the second time with
    /// what was wrong with the first answer.
    async fn usable_answer(
        &self,
        campaign: &Compiled,
        prompt: &str,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(Map<String, Value>, Usage), Failure> {
        let mut spent = Usage::default();
        let mut correction: Option<Correction> = None;
        loop {
            let generated =
                self.generate(campaign, prompt, correction.as_ref(), deadline, counts).await;
            let is_last = correction.is_some();
            let next = match generated {
                Ok(answer) => {
                    spent.add(answer.usage);
                    match answer::accept(&answer.text, &campaign.validator) {
                        Ok(data) => return Ok((data, spent)),
                        Err(error) if is_last => {
                            let detail = error.to_string();
                            return Err(Failure::GiveUp { reason: "bad_answer", detail });
                        }
                        Err(error) => {
                            Correction { answer: Some(answer), complaint: error.to_string() }
                        }
                    }
                }
                Err(Failure::Stopped(stop)) => match stop.complaint() {
                    Some(complaint) if !is_last => {
                        Correction { answer: None, complaint: complaint.to_owned() }
                    }
                    _ => return Err(Failure::Stopped(stop)),
                },
                Err(failure) => return Err(failure),
            };
            counts.add(metrics::CORRECTIONS, 1);
            correction = Some(next);
        }
    }

    async fn generate(
        &self,
        campaign: &Compiled,
        prompt: &str,
        correction: Option<&Correction>,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<Answer, Failure> {
        let input_tokens = model::estimated_input_tokens(campaign, prompt, correction);
        let worst_case = self.limiter.worst_case(input_tokens, campaign.campaign.config.max_tokens);
        let mut backoff = FIRST_BACKOFF;
        for _ in 0..MAX_ATTEMPTS {
            let reservation = self.limiter.reserve(worst_case, deadline).await?;
            let call = self.model.generate(campaign, prompt, correction);
            let Ok(answered) = timeout_at(deadline, call).await else {
                return Err(Failure::GiveBack("out of time".to_owned()));
            };
            let settle = |usage: model::Usage| {
                reservation
                    .settle(self.limiter.settlement(usage.input_tokens, usage.output_tokens));
            };
            match answered {
                Ok(answer) => {
                    self.limiter.admitted();
                    settle(answer.usage);
                    count_usage(counts, answer.usage);
                    return Ok(answer);
                }
                Err(ModelError::Throttled) => {
                    counts.add(metrics::THROTTLES, 1);
                    self.limiter.throttled();
                    // A call that was refused is not charged.
                    settle(model::Usage::default());
                }
                Err(ModelError::Stopped { stop, usage }) => {
                    settle(usage);
                    count_usage(counts, usage);
                    return Err(Failure::Stopped(stop));
                }
                Err(error @ ModelError::NotSent(_)) => {
                    settle(model::Usage::default());
                    return Err(Failure::GiveBack(error.to_string()));
                }
                Err(error) => match error.action() {
                    Action::Retry => {
                        tracing::debug!(%error, "model call failed");
                        sleep(backoff.mul_f64(rand::random_range(0.5..1.0))).await;
                        backoff *= 2;
                    }
                    Action::GiveBack => return Err(Failure::GiveBack(error.to_string())),
                    Action::GiveUp => {
                        let detail = error.to_string();
                        return Err(Failure::GiveUp { reason: "refused_request", detail });
                    }
                },
            }
        }
        Err(Failure::GiveBack(format!("no answer in {MAX_ATTEMPTS} attempts")))
    }

    async fn store_content(
        &self,
        unit: &Unit<'_>,
        batch: &Batch,
        prompt: &str,
        data: Map<String, Value>,
        usage: Usage,
        counts: &mut Counts,
    ) -> Fate {
        let event = &batch.events[unit.trigger].event;
        let config = &unit.campaign.campaign.config;
        let now = unix_secs();
        let content = Content {
            data,
            event_id: event.id.clone(),
            event_time: event.time,
            model_id: config.model_id.clone(),
            prompt_hash: unit.campaign.prompt_hash(prompt),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            generated_at: now,
            expires_at: now + i64::from(config.ttl_days) * store::DAY_SECS,
        };
        match self.store.put(&unit.key, content).await {
            Ok(Written::Stored) => {
                counts.add(metrics::CONTENTS_STORED, 1);
                Fate::Stored
            }
            Ok(Written::Superseded) => Fate::Stale,
            Err(error) if error.is_final => {
                self.bury(unit, batch, "not_storable", error.to_string(), counts).await
            }
            Err(error) => {
                tracing::warn!(%error, "content goes back");
                Fate::Returned
            }
        }
    }

    async fn bury(
        &self,
        unit: &Unit<'_>,
        batch: &Batch,
        reason: &str,
        detail: String,
        counts: &mut Counts,
    ) -> Fate {
        let input = Input::Unit {
            campaign: unit.key.campaign.clone(),
            user_id: unit.key.user_id.clone(),
            event_id: batch.events[unit.trigger].event.id.clone(),
            sequence_numbers: vec![batch.sequence_number(unit.trigger).to_owned()],
        };
        if self.give_up(&DeadLetter::new(reason, detail, input), counts).await {
            Fate::DeadLettered
        } else {
            Fate::Returned
        }
    }
}

/// Why a generation came to nothing.
enum Failure {
    GiveBack(String),
    Stopped(Stop),
    GiveUp { reason: &'static str, detail: String },
}

impl From<NotAdmitted> for Failure {
    fn from(error: NotAdmitted) -> Self {
        match error {
            NotAdmitted::OutOfTime => Self::GiveBack(error.to_string()),
            NotAdmitted::NeverFits { .. } => {
                Self::GiveUp { reason: "never_fits_quota", detail: error.to_string() }
            }
        }
    }
}

fn count_usage(counts: &mut Counts, usage: model::Usage) {
    counts.add(metrics::GENERATIONS, 1);
    counts.add(metrics::INPUT_TOKENS, usage.input_tokens);
    counts.add(metrics::OUTPUT_TOKENS, usage.output_tokens);
}

/// The time now, in UNIX seconds.
pub(crate) fn unix_secs() -> i64 {
    i64::try_from(since(UNIX_EPOCH).as_secs()).unwrap_or(i64::MAX)
}

fn since(then: SystemTime) -> Duration {
    SystemTime::now().duration_since(then).unwrap_or_default()
}
