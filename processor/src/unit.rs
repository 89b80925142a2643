//! One user and campaign of a batch, from the decision to the table.
//!
//! Everything is decided anew from what is stored whenever a write meets a conflict, so
//! that a deletion, a newer event or another instance is never written over.

use std::sync::Arc;
use std::time::Duration;

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts, Fate};
use contract::safe_text;
use sha2::{Digest as _, Sha256};

use crate::answers::{Answered, Question};
use crate::batch::Batch;
use crate::campaign::Compiled;
use crate::deadline::Deadline;
use crate::eligibility::{Action, Candidate, Decision, State, decide};
use crate::failure::{self, Verdict};
use crate::handler::{NO_LETTER, Processor};
use crate::history::Past;
use crate::store::{Content, DAY_SECS, Key, TableError, Write, Written};

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

impl Told {
    fn without_asking(answered: Answered) -> Self {
        Self { hash: "".into(), answered: Arc::new(answered) }
    }
}

/// What a unit came to.
pub(crate) struct Outcome {
    /// What became of each of its events.
    pub(crate) fates: Vec<Fate>,
    pub(crate) counts: Counts,
    /// From the object's appearance to the content being stored.
    pub(crate) freshness: Option<Duration>,
    /// Why it goes back, if it does.
    pub(crate) returned_for: Option<String>,
}

impl Outcome {
    /// The invocation is over before the unit is done.
    pub(crate) fn late(unit: &Unit) -> Self {
        Self {
            fates: vec![Fate::Returned; unit.places.len()],
            counts: Counts::default(),
            freshness: None,
            returned_for: Some("out of time".to_owned()),
        }
    }
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
            Told::without_asking(Answered::GivenUp { reason, detail, attempts: 0 })
        })?;
        if safe_text::shows_nothing(&prompt) {
            return Err(Told::without_asking(Answered::Blank));
        }
        let hash = self.campaign.prompt_hash(&prompt);
        let retry_given_up_before_ms = self.candidates[trigger].redriven_at_ms.unwrap_or_default();
        Ok(Question { prompt, hash, retry_given_up_before_ms })
    }
}

impl Processor {
    /// Brings a unit to its end. `told` is what came of its first question, which
    /// `is_first` of those who share it counts as its own.
    pub(crate) async fn conclude(
        &self,
        batch: &Batch,
        unit: &Unit,
        step: Step,
        told: Option<Told>,
        is_first: bool,
        deadline: Deadline,
    ) -> Outcome {
        let counts = Counts::default();
        let concluding = Concluding {
            processor: self,
            batch,
            unit,
            deadline,
            is_first,
            told,
            is_buried: false,
            returned_for: None,
            counts,
        };
        concluding.run(step).await
    }
}

/// A unit on its way to the table.
struct Concluding<'a> {
    processor: &'a Processor,
    batch: &'a Batch,
    unit: &'a Unit,
    deadline: Deadline,
    is_first: bool,
    /// What came of the latest question.
    told: Option<Told>,
    /// Whether its dead letter is written.
    is_buried: bool,
    /// Why it cannot be done now, once that is known.
    returned_for: Option<String>,
    counts: Counts,
}

/// What follows from a decision.
enum Intent {
    /// This is written, and the event that asked for it comes to that.
    Write(Write, Option<(usize, Fate)>),
    /// What is stored has changed, and with it the decision.
    DecideAnew(Box<Step>),
}

impl Concluding<'_> {
    async fn run(mut self, mut step: Step) -> Outcome {
        for _ in 0..MAX_ROUNDS {
            if step.decision.action == Action::Nothing {
                return self.ended(step.decision.fates, None);
            }
            let (write, fate) = match self.intent(&step).await {
                Some(Intent::Write(write, fate)) => (write, fate),
                Some(Intent::DecideAnew(next)) => {
                    step = *next;
                    continue;
                }
                None => return self.returned("out of time"),
            };
            if !self.deadline.may_write() {
                return self.returned("out of time");
            }
            let table = &self.processor.table;
            match table.write(&self.unit.key, step.seen, &write).await {
                Ok(Written::Done) => return self.written(step.decision.fates, fate),
                Ok(Written::Conflict) => match self.look_again().await {
                    Some(next) => step = next,
                    None => return self.returned("out of time"),
                },
                Err(error) => return self.failed(&error, fate).await,
            }
        }
        self.returned("its item kept changing")
    }

    /// What to write for a step; `None` if it cannot be said now.
    async fn intent(&mut self, step: &Step) -> Option<Intent> {
        let (trigger, history) = match &step.decision.action {
            Action::Generate { trigger, history } => (*trigger, history),
            Action::Remember { history } => {
                return Some(Intent::Write(self.write(step, history, None), None));
            }
            Action::Nothing => return None,
        };
        let told = self.answer(step).await?;
        let fate = match &*told.answered {
            Answered::Content { .. } => Fate::Stored,
            Answered::Blank => Fate::Incomplete,
            Answered::OverBudget => Fate::OverBudget,
            Answered::GivenUp { reason, detail, attempts } => {
                // A letter cannot be taken back: nothing may have been deleted meanwhile.
                if !self.is_buried {
                    let next = self.look_again().await?;
                    if next.seen != step.seen || next.decision.action != step.decision.action {
                        return Some(Intent::DecideAnew(Box::new(next)));
                    }
                }
                if !self.bury(trigger, reason, detail, *attempts).await {
                    self.returned_for = Some(NO_LETTER.to_owned());
                    return None;
                }
                Fate::DeadLettered
            }
            Answered::GiveBack(reason) => {
                self.returned_for = Some(reason.clone());
                return None;
            }
        };
        let content = self.content(trigger, &told);
        Some(Intent::Write(self.write(step, history, content), Some((trigger, fate))))
    }

    /// The answer to a step's question: the one that is known, if it is the same.
    async fn answer(&mut self, step: &Step) -> Option<Told> {
        let known = self.told.take();
        let told = match &step.question {
            Some(Err(broken)) => broken.clone(),
            Some(Ok(question)) => match known {
                Some(known) if *known.hash == *question.hash => known,
                _ => {
                    let (campaign, deadline) = (&self.unit.campaign, self.deadline);
                    let answer =
                        self.processor.answer(campaign, question, None, deadline, &mut self.counts);
                    let answered = Arc::new(answer.await);
                    Told { hash: question.hash.as_str().into(), answered }
                }
            },
            // Asked for all who share it, before this unit's turn.
            None => known?,
        };
        self.told = Some(told.clone());
        Some(told)
    }

    /// Decides anew from what is stored now, if there is time.
    async fn look_again(&mut self) -> Option<Step> {
        if self.deadline.is_over() {
            return None;
        }
        match self.processor.table.load(std::slice::from_ref(&self.unit.key)).await {
            Ok(mut states) => {
                Some(self.unit.step(&states.remove(&self.unit.key).unwrap_or_default()))
            }
            Err(error) => {
                self.returned_for = Some(error.to_string());
                None
            }
        }
    }

    fn content(&self, trigger: usize, told: &Told) -> Option<Content> {
        let Answered::Content { data, usage, .. } = &*told.answered else { return None };
        let event = &self.unit.candidates[trigger].event;
        Some(Content {
            data: data.clone(),
            event_id: event.id.clone(),
            event_time: event.time,
            model_id: self.unit.campaign.campaign.config.model_id.clone(),
            prompt_hash: told.hash.to_string(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            generated_at: self.processor.clock.now_secs(),
        })
    }

    fn write(&self, step: &Step, history: &[Past], content: Option<Content>) -> Write {
        let days = i64::from(self.unit.campaign.campaign.config.ttl_days);
        let clock = &self.processor.clock;
        Write {
            revision: Write::revision_after(step.seen, clock.now_ms()),
            history: history.to_vec(),
            content,
            expires_at: clock.now_secs() + days * DAY_SECS,
        }
    }

    /// Writes the unit's dead letter, once through all deliveries; `false` means that it must go back instead.
    async fn bury(&mut self, trigger: usize, reason: &str, detail: &str, attempts: u32) -> bool {
        if self.is_buried {
            return true;
        }
        let hash = self.told.as_ref().map(|told| told.hash.to_string());
        let key = &self.unit.key;
        let input = Input::Unit {
            campaign: key.campaign.clone(),
            user_id: key.user_id.clone(),
            event_id: self.unit.candidates[trigger].event.id.clone(),
            prompt_hash: hash.filter(|hash| !hash.is_empty()),
            user_records: self.batch.user_records(&key.user_id, &self.unit.places),
        };
        let first_seen_ms = self.batch.first_seen_ms(&self.unit.places);
        let letter = DeadLetter::new(reason, detail, input).seen(first_seen_ms, attempts);
        let name = self.letter_name(trigger);
        self.is_buried = self.processor.bury_once(&name, &letter, &mut self.counts).await;
        self.is_buried
    }

    /// Identifies the dead letter of an event, without saying whose it is.
    fn letter_name(&self, trigger: usize) -> String {
        let Candidate { event, redriven_at_ms } = &self.unit.candidates[trigger];
        let Key { user_id, campaign } = &self.unit.key;
        let whole = format!("{campaign}\n{user_id}\n{}\n{redriven_at_ms:?}", event.id);
        let hash = Sha256::digest(whole);
        format!("unit#{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// It is in the table.
    fn written(mut self, mut fates: Vec<Fate>, fate: Option<(usize, Fate)>) -> Outcome {
        let Some((trigger, fate)) = fate else { return self.ended(fates, None) };
        fates[trigger] = fate;
        if fate != Fate::Stored {
            return self.ended(fates, None);
        }
        let is_cached = self.told.as_ref().is_some_and(|told| {
            matches!(*told.answered, Answered::Content { is_cached: true, .. })
        });
        let from_cache = u64::from(is_cached || !self.is_first);
        self.counts.add(metrics::CONTENTS_STORED, 1);
        self.counts.add(metrics::CONTENTS_FROM_CACHE, from_cache);
        let uploaded_at_ms = self.batch.events[self.unit.places[trigger]].uploaded_at_ms;
        let freshness = self.processor.clock.since_ms(uploaded_at_ms);
        self.ended(fates, Some(freshness))
    }

    /// The table did not take it.
    async fn failed(mut self, error: &TableError, fate: Option<(usize, Fate)>) -> Outcome {
        let Verdict::DeadLetter(reason) = error.verdict() else {
            return self.returned(&error.to_string());
        };
        let last = self.unit.candidates.len() - 1;
        let trigger = fate.map_or(last, |(trigger, _)| trigger);
        if !self.bury(trigger, reason, &error.reason, 0).await {
            return self.returned(NO_LETTER);
        }
        let fates = vec![Fate::DeadLettered; self.unit.places.len()];
        self.ended(fates, None)
    }

    /// All of it goes back to the stream, or a repeat would miss a part of it.
    fn returned(mut self, reason: &str) -> Outcome {
        let returned_for = self.returned_for.take().unwrap_or_else(|| reason.to_owned());
        let fates = vec![Fate::Returned; self.unit.places.len()];
        Outcome { returned_for: Some(returned_for), ..self.ended(fates, None) }
    }

    fn ended(self, fates: Vec<Fate>, freshness: Option<Duration>) -> Outcome {
        Outcome { fates, counts: self.counts, freshness, returned_for: None }
    }
}
