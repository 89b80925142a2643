//! One user and campaign of a batch, from the decision to the table.
//!
//! Everything is decided anew from what is stored whenever a write meets a conflict, so
//! that a deletion, a newer event or another instance is never written over.

use std::sync::Arc;
use std::time::Duration;

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts, Fate};
use tokio::time::Instant;

use crate::answers::{Answered, Question};
use crate::batch::Batch;
use crate::campaign::Compiled;
use crate::eligibility::{Action, Candidate, Decision, State, decide};
use crate::failure::{self, Verdict};
use crate::handler::{Deadline, Processor};
use crate::history::Past;
use crate::store::{Content, DAY_SECS, Key, Write, Written};

/// Times that a unit is decided anew after a conflict; more are Kinesis' business.
const MAX_ROUNDS: usize = 4;

/// One user and campaign, with the events that trigger it.
pub(crate) struct Unit {
    pub(crate) campaign: Arc<Compiled>,
    pub(crate) key: Key,
    /// Places of the events in the batch, oldest first.
    pub(crate) places: Vec<usize>,
    pub(crate) candidates: Vec<Candidate>,
}

/// What is to be done about a unit.
pub(crate) struct Step {
    seen: Option<u64>,
    pub(crate) decision: Decision,
    /// What is asked, if content is generated.
    pub(crate) question: Option<Result<Question, Told>>,
}

/// What came of a question, shared by all who ask it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// Hash of the question; empty where it could not be asked.
    pub(crate) hash: Arc<str>,
    pub(crate) answered: Arc<Answered>,
}

/// What a unit came to.
pub(crate) struct Outcome {
    /// What became of each of its events.
    pub(crate) fates: Vec<Fate>,
    pub(crate) counts: Counts,
    /// From the object's appearance to the content being stored.
    pub(crate) freshness: Option<Duration>,
}

impl Unit {
    /// Decides what to do, and renders the prompt if something is asked.
    pub(crate) fn step(&self, state: &State) -> Step {
        let decision = decide(&self.candidates, state, self.campaign.rules());
        let question = match &decision.action {
            Action::Generate { trigger, history } => Some(self.question(*trigger, history)),
            Action::Nothing | Action::Remember { .. } => None,
        };
        Step { seen: state.revision, decision, question }
    }

    fn question(&self, trigger: usize, history: &[Past]) -> Result<Question, Told> {
        let prompt = self.campaign.prompt.render(history).map_err(|error| {
            let reason = match failure::of_template(&error) {
                Verdict::DeadLetter(reason) => reason,
                Verdict::RetryNow | Verdict::GiveBack => "prompt_does_not_render",
            };
            let (reason, detail) = (reason.to_owned(), error.to_string());
            let answered = Answered::GivenUp { reason, detail, attempts: 0 };
            Told { hash: "".into(), answered: Arc::new(answered) }
        })?;
        let hash = self.campaign.prompt_hash(&prompt);
        let retry_given_up = self.candidates[trigger].is_redriven;
        Ok(Question { prompt, hash, retry_given_up })
    }

    /// All of it goes back to the stream.
    fn returned(&self, counts: Counts) -> Outcome {
        Outcome { fates: vec![Fate::Returned; self.places.len()], counts, freshness: None }
    }
}

impl Processor {
    /// Brings a unit to its end. `told` is what came of its first question.
    pub(crate) async fn conclude(
        &self,
        batch: &Batch,
        unit: &Unit,
        mut step: Step,
        mut told: Option<Told>,
        is_first: bool,
        deadline: Deadline,
    ) -> Outcome {
        let mut counts = Counts::default();
        let mut is_buried = false;
        for _ in 0..MAX_ROUNDS {
            let (write, fate) = match &step.decision.action {
                Action::Nothing => {
                    return Outcome { fates: step.decision.fates, counts, freshness: None };
                }
                Action::Remember { history } => (self.write(unit, &step, history, None), None),
                Action::Generate { trigger, history } => {
                    let answer = match (&step.question, told.take()) {
                        (Some(Err(broken)), _) => broken.clone(),
                        (Some(Ok(question)), known) => match known {
                            Some(known) if *known.hash == *question.hash => known,
                            _ => self.tell(&unit.campaign, question, deadline, &mut counts).await,
                        },
                        (None, Some(known)) => known,
                        (None, None) => return unit.returned(counts),
                    };
                    let is_fit = match &*answer.answered {
                        Answered::Content { .. } => Some(Fate::Stored),
                        Answered::OverBudget => Some(Fate::OverBudget),
                        Answered::GivenUp { reason, detail, attempts } => {
                            let letter = (reason.as_str(), detail.as_str(), *attempts);
                            is_buried = is_buried
                                || self
                                    .bury(batch, unit, *trigger, &answer, letter, &mut counts)
                                    .await;
                            is_buried.then_some(Fate::DeadLettered)
                        }
                        Answered::GiveBack(reason) => {
                            tracing::debug!(reason, "unit goes back");
                            None
                        }
                    };
                    let Some(fate) = is_fit else { return unit.returned(counts) };
                    let content = self.content(unit, *trigger, &answer);
                    let write = self.write(unit, &step, history, content);
                    told = Some(answer);
                    (write, Some((*trigger, fate)))
                }
            };
            match self.table.write(&unit.key, step.seen, &write).await {
                Ok(Written::Done) => {
                    return self.done(batch, unit, step, fate, told, is_first, counts);
                }
                Ok(Written::Conflict) if Instant::now() < deadline.work_until => {
                    let loaded = self.table.load(std::slice::from_ref(&unit.key)).await;
                    match loaded {
                        Ok(mut states) => {
                            step = unit.step(&states.remove(&unit.key).unwrap_or_default());
                        }
                        Err(error) => {
                            tracing::warn!(%error, "unit goes back");
                            return unit.returned(counts);
                        }
                    }
                }
                Ok(Written::Conflict) => return unit.returned(counts),
                Err(error) => {
                    let Verdict::DeadLetter(reason) = error.verdict() else {
                        tracing::warn!(%error, "unit goes back");
                        return unit.returned(counts);
                    };
                    let trigger = fate.map_or(0, |(trigger, _)| trigger);
                    let answer = told.unwrap_or_else(|| Told {
                        hash: "".into(),
                        answered: Arc::new(Answered::OverBudget),
                    });
                    let letter = (reason, error.reason.as_str(), 0);
                    if !self.bury(batch, unit, trigger, &answer, letter, &mut counts).await {
                        return unit.returned(counts);
                    }
                    let fates = vec![Fate::DeadLettered; unit.places.len()];
                    return Outcome { fates, counts, freshness: None };
                }
            }
        }
        unit.returned(counts)
    }

    /// Answers a question for whoever shares it.
    pub(crate) async fn tell(
        &self,
        campaign: &Compiled,
        question: &Question,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Told {
        let answered = self.answer(campaign, question, None, deadline, counts).await;
        Told { hash: question.hash.as_str().into(), answered: Arc::new(answered) }
    }

    fn done(
        &self,
        batch: &Batch,
        unit: &Unit,
        step: Step,
        fate: Option<(usize, Fate)>,
        told: Option<Told>,
        is_first: bool,
        mut counts: Counts,
    ) -> Outcome {
        let mut fates = step.decision.fates;
        let mut freshness = None;
        if let Some((trigger, fate)) = fate {
            fates[trigger] = fate;
            if fate == Fate::Stored {
                let uploaded_at_ms = batch.events[unit.places[trigger]].uploaded_at_ms;
                freshness = Some(self.clock.since_ms(uploaded_at_ms));
                counts.add(metrics::CONTENTS_STORED, 1);
                let is_cached = told.is_some_and(|told| {
                    matches!(*told.answered, Answered::Content { is_cached: true, .. })
                });
                counts.add(metrics::CONTENTS_FROM_CACHE, u64::from(is_cached || !is_first));
            }
        }
        Outcome { fates, counts, freshness }
    }

    fn content(&self, unit: &Unit, trigger: usize, told: &Told) -> Option<Content> {
        let Answered::Content { data, usage, .. } = &*told.answered else { return None };
        let event = &unit.candidates[trigger].event;
        Some(Content {
            data: data.clone(),
            event_id: event.id.clone(),
            event_time: event.time,
            model_id: unit.campaign.campaign.config.model_id.clone(),
            prompt_hash: told.hash.to_string(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            generated_at: self.clock.now_secs(),
        })
    }

    fn write(&self, unit: &Unit, step: &Step, history: &[Past], content: Option<Content>) -> Write {
        let days = i64::from(unit.campaign.campaign.config.ttl_days);
        Write {
            revision: Write::revision_after(step.seen, self.clock.now_ms()),
            history: history.to_vec(),
            content,
            expires_at: self.clock.now_secs() + days * DAY_SECS,
        }
    }

    /// Writes a dead letter about a unit; `false` means that it must go back instead.
    async fn bury(
        &self,
        batch: &Batch,
        unit: &Unit,
        trigger: usize,
        told: &Told,
        (reason, detail, attempts): (&str, &str, u32),
        counts: &mut Counts,
    ) -> bool {
        let input = Input::Unit {
            campaign: unit.key.campaign.clone(),
            user_id: unit.key.user_id.clone(),
            event_id: unit.candidates[trigger].event.id.clone(),
            prompt_hash: (!told.hash.is_empty()).then(|| told.hash.to_string()),
            user_records: batch.user_records(&unit.key.user_id, &unit.places),
        };
        let first_seen_ms = batch.first_seen_ms(&unit.places);
        let letter = DeadLetter::new(reason, detail, input).seen(first_seen_ms, attempts);
        self.give_up(&letter, counts).await
    }
}
