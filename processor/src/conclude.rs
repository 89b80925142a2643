//! The last stage: what was decided and answered, in the table, or in a dead letter.
//!
//! A write that meets a conflict decides anew from what is stored then, so that a deletion,
//! a newer event or another instance is never written over. What then asks for something
//! else goes back to the questions.

use std::time::Duration;

use campaign::Past;
use contract::dead_letter::{DeadLetter, Input};
use contract::digest;
use contract::metrics::{self, Counts, Fate};
use program::causes;

use crate::answers::{Conclusion, SharedAnswer};
use crate::batch::Batch;
use crate::dead_letters::{Letters, NO_LETTER};
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::decide::{Inquiry, Intent, Reader, Step, Unit};
use crate::eligibility::Candidate;
use crate::failure::Verdict;
use crate::store::{Content, DAY_SECS, Key, TableError, Write, WriteResult};

/// Times that a unit is decided anew after a conflict; more are Kinesis' business.
const MAX_ROUNDS: usize = 4;

/// A unit on its way to the table.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) unit: Unit,
    pub(crate) step: Step,
    /// What came of its latest question.
    pub(crate) answer: Option<SharedAnswer>,
    /// Whether that counts as its own: it is the first of those who share it.
    pub(crate) is_first: bool,
    pub(crate) counts: Counts,
    /// Whether its dead letter is written.
    is_buried: bool,
    rounds: usize,
}

/// What became of a draft.
#[derive(Debug)]
pub(crate) enum End {
    /// It is over.
    Over(Outcome),
    /// What is stored has changed, and the unit asks for something else now.
    Asks(Box<Draft>),
}

/// What a unit came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) unit: usize,
    /// What became of each of its events.
    pub(crate) fates: Vec<Fate>,
    pub(crate) counts: Counts,
    /// From the object's appearance to the content being stored.
    pub(crate) freshness: Option<Duration>,
    /// Why it goes back, if it does.
    pub(crate) returned_for: Option<String>,
}

impl Outcome {
    /// All of a unit goes back to the stream, or a repeat would miss a part of it.
    pub(crate) fn returned(unit: usize, events: usize, reason: impl Into<String>) -> Self {
        let (fates, counts) = (vec![Fate::Returned; events], Counts::default());
        Self { unit, fates, counts, freshness: None, returned_for: Some(reason.into()) }
    }
}

/// What the last stage writes to.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) reader: Reader,
    pub(crate) letters: Letters,
}

/// What a round comes to.
enum Round {
    /// It is in the table; the event that asked for content came to this.
    Written(Option<(usize, Fate)>),
    /// What is stored has changed, and with it the decision.
    Changed(Step),
    /// The table refuses it for good, and its letter is written.
    Refused,
    /// It must go back.
    Returned(String),
}

impl Draft {
    /// Of a unit about which it was decided for the first time.
    pub(crate) fn new(unit: Unit, step: Step) -> Self {
        let counts = Counts::default();
        Self { unit, step, answer: None, is_first: false, counts, is_buried: false, rounds: 0 }
    }

    /// What it holds in memory, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let events = self.unit.candidates.iter().map(|candidate| candidate.event.size_bytes());
        events.sum::<usize>() + self.step.size_bytes()
    }

    /// Nothing is to be done.
    pub(crate) fn unchanged(mut self) -> Outcome {
        let fates = std::mem::take(&mut self.step.fates);
        self.ended(fates, None)
    }

    fn returned(self, reason: impl Into<String>) -> Outcome {
        let counts = self.counts;
        Outcome { counts, ..Outcome::returned(self.unit.id, self.unit.places.len(), reason) }
    }

    fn ended(self, fates: Vec<Fate>, freshness: Option<Duration>) -> Outcome {
        Outcome { unit: self.unit.id, fates, counts: self.counts, freshness, returned_for: None }
    }

    /// The answer to what its step asks, if that is known.
    fn known_answer(&self) -> Option<&SharedAnswer> {
        match &self.step.intent {
            Intent::Generate { asked: Inquiry::Nobody(answer), .. } => Some(answer),
            Intent::Generate { asked: Inquiry::Question(question), .. } => {
                self.answer.as_ref().filter(|answer| *answer.hash == *question.hash)
            }
            Intent::Nothing | Intent::Remember { .. } => None,
        }
    }

    /// Whether its step asks for something that is not known.
    fn asks(&self) -> bool {
        self.step.question().is_some() && self.known_answer().is_none()
    }

    /// Identifies the dead letter of an event, without saying whose it is.
    fn letter_name(&self, trigger: usize) -> String {
        let Candidate { event, redriven_at_ms } = &self.unit.candidates[trigger];
        let Key { user_id, campaign } = &self.unit.key;
        let whole = format!("{campaign}\n{user_id}\n{}\n{redriven_at_ms:?}", event.id);
        format!("unit#{}", digest::hex(whole))
    }

    fn content(&self, trigger: usize, answer: &SharedAnswer, now: i64) -> Option<Content> {
        let Conclusion::Content { data, usage, .. } = &*answer.conclusion else { return None };
        let event = &self.unit.candidates[trigger].event;
        Some(Content {
            data: data.clone(),
            event_id: event.id.clone(),
            event_time: event.time,
            model_id: self.unit.campaign.campaign.config.model_id.clone(),
            prompt_hash: answer.hash.to_string(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            generated_at: now,
        })
    }
}

impl Writer {
    /// Brings a unit to its end, or to another question.
    pub(crate) async fn conclude(
        &self,
        mut draft: Draft,
        batch: &Batch,
        deadline: Deadline,
    ) -> End {
        while draft.rounds < MAX_ROUNDS {
            draft.rounds += 1;
            match self.round(&mut draft, batch, deadline).await {
                Round::Written(fate) => return End::Over(self.written(draft, batch, fate)),
                Round::Refused => {
                    let fates = vec![Fate::DeadLettered; draft.unit.places.len()];
                    return End::Over(draft.ended(fates, None));
                }
                Round::Returned(reason) => return End::Over(draft.returned(reason)),
                Round::Changed(step) => draft.step = step,
            }
            // Nobody pays for an answer that no round is left for.
            if draft.rounds < MAX_ROUNDS && draft.asks() {
                return End::Asks(Box::new(draft));
            }
        }
        End::Over(draft.returned("its item kept changing"))
    }

    async fn round(&self, draft: &mut Draft, batch: &Batch, deadline: Deadline) -> Round {
        let (history, content, fate) = match &draft.step.intent {
            Intent::Nothing => return Round::Written(None),
            Intent::Remember { history } => (history.clone(), None, None),
            Intent::Generate { trigger, history, .. } => {
                let Some(answer) = draft.known_answer() else {
                    return Round::Returned("its question has no answer".to_owned());
                };
                let fate = match &*answer.conclusion {
                    Conclusion::Content { .. } => Fate::Stored,
                    Conclusion::Blank => Fate::Incomplete,
                    Conclusion::OverBudget => Fate::OverBudget,
                    Conclusion::GivenUp { .. } => Fate::DeadLettered,
                    Conclusion::GiveBack(reason) => return Round::Returned(reason.clone()),
                };
                let content = draft.content(*trigger, answer, self.reader.clock.now_secs());
                (history.clone(), content, Some((*trigger, fate)))
            }
        };
        if let Some((trigger, Fate::DeadLettered)) = fate
            && let Err(round) = self.give_up(draft, trigger, batch, deadline).await
        {
            return round;
        }
        if !deadline.may_write() {
            return Round::Returned(OUT_OF_TIME.to_owned());
        }
        let (seen, write) = (draft.step.seen, self.write(draft, history, content));
        match self.reader.table.write(&draft.unit.key, seen, &write).await {
            Ok(WriteResult::Done) => Round::Written(fate),
            Ok(WriteResult::Conflict) => match self.look_again(draft, deadline).await {
                Ok(step) => Round::Changed(step),
                Err(round) => round,
            },
            Err(error) => self.failed(draft, &error, fate, batch).await,
        }
    }

    /// Writes the dead letter of a unit whose answer was given up. A letter cannot be taken
    /// back: nothing may have been deleted meanwhile.
    async fn give_up(
        &self,
        draft: &mut Draft,
        trigger: usize,
        batch: &Batch,
        deadline: Deadline,
    ) -> Result<(), Round> {
        if draft.is_buried {
            return Ok(());
        }
        let next = self.look_again(draft, deadline).await?;
        if next.seen != draft.step.seen || next.intent != draft.step.intent {
            return Err(Round::Changed(next));
        }
        let Some(answer) = draft.known_answer().cloned() else { return Ok(()) };
        let Conclusion::GivenUp { reason, detail, attempts } = &*answer.conclusion else {
            return Ok(());
        };
        match self.bury(draft, trigger, batch, (reason, detail, *attempts)).await {
            true => Ok(()),
            false => Err(Round::Returned(NO_LETTER.to_owned())),
        }
    }

    /// Decides anew from what is stored now, if there is time.
    async fn look_again(&self, draft: &Draft, deadline: Deadline) -> Result<Step, Round> {
        if deadline.is_over() {
            return Err(Round::Returned(OUT_OF_TIME.to_owned()));
        }
        let decided = self.reader.decide_again(&draft.unit).await;
        decided.map_err(|error| Round::Returned(causes::told(&error)))
    }

    fn write(&self, draft: &Draft, history: Vec<Past>, content: Option<Content>) -> Write {
        let days = i64::from(draft.unit.campaign.campaign.config.ttl_days);
        let clock = &self.reader.clock;
        Write {
            revision: Write::revision_after(draft.step.seen, clock.now_ms()),
            history,
            content,
            expires_at: clock.now_secs() + days * DAY_SECS,
        }
    }

    /// Writes a unit's dead letter, once through all deliveries; `false` means that it must
    /// go back instead.
    async fn bury(
        &self,
        draft: &mut Draft,
        trigger: usize,
        batch: &Batch,
        (reason, detail, attempts): (&str, &str, u32),
    ) -> bool {
        if draft.is_buried {
            return true;
        }
        let unit = &draft.unit;
        let hash = draft.known_answer().map(|answer| answer.hash.to_string());
        let input = Input::Unit {
            campaign: unit.key.campaign.clone(),
            user_id: unit.key.user_id.clone(),
            event_id: unit.candidates[trigger].event.id.clone(),
            prompt_hash: hash.filter(|hash| !hash.is_empty()),
            user_records: batch.user_records(&unit.key.user_id, &unit.places),
        };
        let first_seen_ms = batch.first_seen_ms(&unit.places);
        let letter = DeadLetter::new(reason, detail, input).seen(first_seen_ms, attempts);
        let name = draft.letter_name(trigger);
        draft.is_buried = self.letters.bury_once(&name, &letter, &mut draft.counts).await;
        draft.is_buried
    }

    /// It is in the table.
    fn written(&self, mut draft: Draft, batch: &Batch, fate: Option<(usize, Fate)>) -> Outcome {
        let mut fates = std::mem::take(&mut draft.step.fates);
        let Some((trigger, fate)) = fate else { return draft.ended(fates, None) };
        fates[trigger] = fate;
        if fate != Fate::Stored {
            return draft.ended(fates, None);
        }
        let is_cached = draft.known_answer().is_some_and(|answer| {
            matches!(*answer.conclusion, Conclusion::Content { is_cached: true, .. })
        });
        let from_cache = u64::from(is_cached || !draft.is_first);
        draft.counts.add(metrics::CONTENTS_STORED, 1);
        draft.counts.add(metrics::CONTENTS_FROM_CACHE, from_cache);
        let uploaded_at_ms = batch.events[draft.unit.places[trigger]].uploaded_at_ms;
        let freshness = self.reader.clock.since_ms(uploaded_at_ms);
        draft.ended(fates, Some(freshness))
    }

    /// The table did not take it.
    async fn failed(
        &self,
        draft: &mut Draft,
        error: &TableError,
        fate: Option<(usize, Fate)>,
        batch: &Batch,
    ) -> Round {
        let Verdict::DeadLetter(reason) = error.verdict() else {
            return Round::Returned(causes::told(error));
        };
        let last = draft.unit.candidates.len() - 1;
        let trigger = fate.map_or(last, |(trigger, _)| trigger);
        let detail = error.cause.to_string();
        match self.bury(draft, trigger, batch, (reason, &detail, 0)).await {
            true => Round::Refused,
            false => Round::Returned(NO_LETTER.to_owned()),
        }
    }
}
