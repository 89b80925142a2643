//! The last stage: what was decided and answered, in the table, in an ask that waits, or in a
//! dead letter.
//!
//! A write that meets a conflict decides anew from what is stored then, so that a deletion,
//! a newer event or another instance is never written over. What then asks for something
//! else goes back to the questions.
//!
//! What waits is written first, and then the ask is sent. Whoever is cut off in between has
//! not acknowledged the events, and their repeat sends the ask.

use std::sync::Arc;
use std::time::Duration;

use contract::ask::{self, Ask, Reason};
use contract::dead_letter::{DeadLetter, Input};
use contract::digest;
use contract::metrics::{self, AskFate, Counts, Fate};
use program::build::BUILD;
use program::causes;
use tokio::time::Instant;

use crate::answers::{Conclusion, HALT_MS, SharedAnswer};
use crate::asks::{NOT_SENT, Outbox, announced_until_ms, place};
use crate::batch::Batch;
use crate::dead_letters::{Letters, NO_LETTER};
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::decide::{Fated, Inquiry, Intent, Origin, Reader, Step, Unit};
use crate::eligibility::{Memory, Rules};
use crate::failure::Verdict;
use crate::held::Standing;
use crate::jobs::schedule::HOUR_MS;
use crate::store::{
    Asked, Content, DAY_SECS, Key, MAX_WAIT_SECS, TableError, WaitingAsk, Write, WriteResult,
};

/// Times that a unit is decided anew after a conflict; more are Kinesis' business.
const MAX_ROUNDS: usize = 4;

/// How often an ask finds that the model answers nobody before it is given up: with a quarter of
/// an hour in between, about a day.
const MAX_OUTAGES: u32 = 100;

/// Most of a prompt that is kept for a person to look at, in bytes: DynamoDB takes items of
/// 400 KB, and an answer of `max_tokens` stands beside it.
const MAX_KEPT_PROMPT_BYTES: usize = 100 * 1_024;

/// First wait of an ask after that; doubled each time, up to [`ask::MAX_DELAY`].
const FIRST_OUTAGE_MS: u64 = 30_000;

/// What an ask waits for, and before when it is of no use, in UNIX milliseconds.
#[derive(Debug, Clone, Copy)]
struct Later<'a> {
    reason: Reason,
    not_before_ms: u64,
    /// As in [`Ask::job`]; empty for that of before.
    job: &'a str,
}

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
    pub(crate) fated: Fated,
    pub(crate) counts: Counts,
    /// Why it goes back, if it does, and not because it got no turn.
    pub(crate) returned_for: Option<String>,
    /// Whether it goes back because it got no turn.
    pub(crate) got_no_turn: bool,
}

impl Outcome {
    /// All of a unit goes back to where it came from, or a repeat would miss a part of it. It
    /// has so many events, or none if it comes from an ask.
    pub(crate) fn returned(unit: usize, events: Option<usize>, reason: impl Into<String>) -> Self {
        let (fated, counts) = (Fated::returned(events), Counts::default());
        let returned_for = Some(reason.into());
        Self { unit, fated, counts, returned_for, got_no_turn: false }
    }

    /// All of a unit was given up.
    pub(crate) fn given_up(unit: usize, events: Option<usize>) -> Self {
        let fated = match events {
            Some(events) => Fated::Events(vec![Fate::DeadLettered; events]),
            None => Fated::Ask(AskFate::DeadLettered),
        };
        let counts = Counts::default();
        Self { unit, fated, counts, returned_for: None, got_no_turn: false }
    }
}

/// What the last stage writes to.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) reader: Reader,
    pub(crate) letters: Letters,
    pub(crate) outbox: Outbox,
    /// What holds of the campaigns during the invocation.
    pub(crate) standing: Arc<Standing>,
}

/// What became of the event or ask that asked for content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stored,
    Incomplete,
    NoItem,
    OverBudget,
    DeadLettered,
    Parked,
}

/// What a round comes to.
enum Round {
    /// It is in the table, or an ask waits; what asked for content came to this.
    Written(Option<Ending>),
    /// What is stored has changed, and with it the decision.
    Changed(Step),
    /// The table refuses it for good, and its letter is written.
    Refused,
    /// It must go back.
    Returned(String),
    /// It goes back because it got no turn.
    NoTurn,
}

impl Draft {
    /// Of a unit about which it was decided for the first time.
    pub(crate) fn new(unit: Unit, step: Step) -> Self {
        let counts = Counts::default();
        Self { unit, step, answer: None, is_first: false, counts, is_buried: false, rounds: 0 }
    }

    /// What it holds in memory, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.unit.size_bytes() + self.step.size_bytes()
    }

    /// Nothing is to be done.
    pub(crate) fn unchanged(self) -> Outcome {
        self.ended()
    }

    fn returned(self, reason: impl Into<String>) -> Outcome {
        let counts = self.counts;
        Outcome { counts, ..Outcome::returned(self.unit.id, self.unit.events(), reason) }
    }

    fn ended(self) -> Outcome {
        let (unit, fated, counts) = (self.unit.id, self.step.fated, self.counts);
        Outcome { unit, fated, counts, returned_for: None, got_no_turn: false }
    }

    /// What asked for content came to this.
    fn comes_to(&mut self, ending: Ending) {
        match &mut self.step.fated {
            Fated::Events(fates) => fates[self.step.trigger] = ending.fate(),
            Fated::Ask(fate) => *fate = ending.ask_fate(),
        }
    }

    /// The answer to what its step asks, if that is known.
    fn known_answer(&self) -> Option<&SharedAnswer> {
        match &self.step.intent {
            Intent::Generate { asked: Inquiry::Nobody(answer), .. } => Some(answer),
            Intent::Generate { asked: Inquiry::Question(question, _), .. } => {
                self.answer.as_ref().filter(|answer| *answer.hash == *question.hash)
            }
            Intent::Generate { asked: Inquiry::Attributes | Inquiry::Items(_), .. }
            | Intent::Nothing
            | Intent::Remember(_)
            | Intent::Settle(_)
            | Intent::Park { .. } => None,
        }
    }

    /// Whether its step asks for something that is not known.
    fn asks(&self) -> bool {
        self.step.question().is_some() && self.known_answer().is_none()
    }

    /// Id and time of the event that speaks for the unit, if one is known.
    fn newest(&self) -> Option<(&str, i64)> {
        let memory = match (&self.unit.origin, &self.step.intent) {
            (Origin::Events { candidates, .. }, _) => {
                let event = &candidates[self.step.trigger].event;
                return Some((&event.id, event.time));
            }
            (Origin::Ask(_), Intent::Generate { memory, .. }) => memory,
            (Origin::Ask(_), _) => return None,
        };
        memory.history.last().map(|event| (event.id.as_str(), event.time))
    }

    /// Where the event came in that asks.
    fn came_in<'d>(&'d self, batch: &'d Batch) -> &'d str {
        match &self.unit.origin {
            Origin::Events { places, .. } => &batch.events[places[self.step.trigger]].origin,
            Origin::Ask(ask) => &ask.origin,
        }
    }

    /// Identifies the dead letter of an event, without saying whose it is.
    fn letter_name(&self) -> String {
        let Key { user_id, campaign } = &self.unit.key;
        let retried_ms = self.unit.retry_given_up_before_ms(self.step.trigger);
        let retried_ms = Some(retried_ms).filter(|at| *at > 0);
        let event_id = self.newest().map(|(id, _)| id).unwrap_or_default();
        let whole = format!("{campaign}\n{user_id}\n{event_id}\n{retried_ms:?}");
        format!("unit#{}", digest::hex(whole))
    }

    fn content(&self, batch: &Batch, standing: &Standing, now: i64) -> Option<Content> {
        let answer = self.known_answer()?;
        let Conclusion::Content { data, usage, .. } = &*answer.conclusion else { return None };
        let (event_id, event_time) = self.newest()?;
        let Intent::Generate { asked: Inquiry::Question(_, beside), .. } = &self.step.intent else {
            return None;
        };
        Some(Content {
            data: self.unit.campaign.content(data.clone(), &beside.passed),
            event_id: event_id.to_owned(),
            event_time,
            oldest_attribute_time: beside.oldest_attribute_time,
            model_id: self.unit.campaign.campaign.config.model_id.clone(),
            prompt_hash: answer.hash.to_string(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            origin: self.came_in(batch).to_owned(),
            generated_at: now,
            publication: standing.publication,
            campaigns_version: standing.version.clone(),
        })
    }

    /// What is remembered, with the generation that its question came to: one that was given up
    /// was paid for too.
    fn paced(&self, memory: &Memory, now: i64) -> Memory {
        let rules = Rules::of(&self.unit.campaign.campaign.config);
        let paced_until = match self.known_answer().map(|answer| &*answer.conclusion) {
            Some(Conclusion::Content { .. } | Conclusion::GivenUp { attempts: 1.., .. }) => {
                rules.paced_until(memory.paced_until, now)
            }
            _ => memory.paced_until,
        };
        Memory { paced_until, ..memory.clone() }
    }

    /// By when what waits is to have come to something, in UNIX milliseconds: what gathers for a job
    /// waits for more than that.
    fn due_ms(&self, later: Later<'_>, now_ms: u64) -> u64 {
        let hours = self.unit.campaign.campaign.config.batch_within_hours;
        match (later.reason, hours) {
            (Reason::Job, Some(hours)) => now_ms + u64::from(hours) * HOUR_MS,
            _ => later.not_before_ms,
        }
    }

    /// What the model was asked and answered, if its campaign keeps that.
    fn asked(&self, now: i64) -> Option<Asked> {
        let days = self.unit.campaign.campaign.config.keep_prompts_days;
        let question = self.step.question().filter(|_| days > 0)?;
        let answer = self.known_answer()?;
        let Conclusion::Content { data, .. } = &*answer.conclusion else { return None };
        let (event_id, _) = self.newest()?;
        Some(Asked {
            event_id: event_id.to_owned(),
            prompt: kept_prompt(&question.told.prompt),
            answer: data.clone(),
            expires_at: now + i64::from(days) * DAY_SECS,
        })
    }

    /// The ask that waits in the place of the unit.
    fn ask(&self, later: Later<'_>, batch: &Batch, standing: &Standing) -> Ask {
        let Later { reason, not_before_ms, job } = later;
        let (build, publication) = (BUILD.to_owned(), standing.publication);
        match &self.unit.origin {
            Origin::Ask(ask) => {
                // Those of another reason say nothing of this one.
                let attempts = if reason == ask.reason { ask.attempts + 1 } else { 1 };
                let again = ask.clone().waiting_for(reason);
                // It gathers once: what no job answered is asked by itself.
                let job = if job.is_empty() { again.job.clone() } else { job.to_owned() };
                Ask { not_before_ms, attempts, job, build, publication, ..again }
            }
            Origin::Events { places, .. } => {
                let trigger = self.step.trigger;
                let first_seen_ms = batch.events[places[trigger]].uploaded_at_ms;
                let Key { user_id, campaign } = self.unit.key.clone();
                let retry_given_up_before_ms = self.unit.retry_given_up_before_ms(trigger);
                let new = Ask::new(user_id, campaign, reason, first_seen_ms);
                let job = job.to_owned();
                let origin = self.came_in(batch).to_owned();
                Ask {
                    not_before_ms,
                    retry_given_up_before_ms,
                    origin,
                    job,
                    build,
                    publication,
                    ..new
                }
            }
        }
    }
}

impl Later<'_> {
    const fn without_a_job(reason: Reason, not_before_ms: u64) -> Self {
        Self { reason, not_before_ms, job: "" }
    }
}

impl Ending {
    const fn fate(self) -> Fate {
        match self {
            Self::Stored => Fate::Stored,
            Self::Incomplete => Fate::Incomplete,
            Self::NoItem => Fate::NoItem,
            Self::OverBudget => Fate::OverBudget,
            Self::DeadLettered => Fate::DeadLettered,
            Self::Parked => Fate::Parked,
        }
    }

    const fn ask_fate(self) -> AskFate {
        match self {
            Self::Stored => AskFate::Stored,
            Self::Incomplete => AskFate::Incomplete,
            Self::NoItem => AskFate::NoItem,
            Self::OverBudget => AskFate::OverBudget,
            Self::DeadLettered => AskFate::DeadLettered,
            Self::Parked => AskFate::ParkedAgain,
        }
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
            let began = Instant::now();
            let round = self.round(&mut draft, batch, deadline).await;
            draft.counts.took(metrics::STORE_TIME, began.elapsed());
            match round {
                Round::Written(ending) => return End::Over(self.written(draft, batch, ending)),
                Round::Refused => {
                    let given_up = Outcome::given_up(draft.unit.id, draft.unit.events());
                    return End::Over(Outcome { counts: draft.counts, ..given_up });
                }
                Round::Returned(reason) => return End::Over(draft.returned(reason)),
                Round::NoTurn => {
                    let returned = draft.returned("");
                    let (returned_for, got_no_turn) = (None, true);
                    return End::Over(Outcome { returned_for, got_no_turn, ..returned });
                }
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
        let now = self.reader.clock.now_secs();
        match &draft.step.intent {
            Intent::Nothing => Round::Written(None),
            Intent::Remember(memory) => {
                let write = self.write(draft, memory, WaitingAsk::Unchanged, None);
                self.put(draft, write, None, batch, deadline).await
            }
            Intent::Settle(memory) => {
                let write = self.write(draft, memory, WaitingAsk::Over, None);
                self.put(draft, write, None, batch, deadline).await
            }
            Intent::Park { parking, writes } => {
                let is_due = parking.not_before_ms <= self.reader.clock.now_ms();
                let reason = if is_due { Reason::Quota } else { Reason::Due };
                let later = Later::without_a_job(reason, parking.not_before_ms);
                let ask = draft.ask(later, batch, &self.standing);
                let is_to_send = !parking.is_announced;
                let waiting = match is_to_send {
                    true => WaitingAsk::Until(parking.not_before_ms),
                    false => WaitingAsk::Unchanged,
                };
                let write = writes.then(|| self.write(draft, &parking.memory, waiting, None));
                self.park(draft, write, is_to_send.then_some(ask), (batch, deadline)).await
            }
            Intent::Generate { memory, .. } => {
                let Some(answer) = draft.known_answer().cloned() else {
                    return Round::Returned("its question has no answer".to_owned());
                };
                let ending = match &*answer.conclusion {
                    Conclusion::Content { .. } => Ending::Stored,
                    Conclusion::Blank => Ending::Incomplete,
                    Conclusion::NoItem => Ending::NoItem,
                    Conclusion::OverBudget => Ending::OverBudget,
                    Conclusion::GivenUp { .. } => Ending::DeadLettered,
                    Conclusion::NotNow { reason, not_before_ms, detail, job } => {
                        let later = Later { reason: *reason, not_before_ms: *not_before_ms, job };
                        return self.wait(draft, (later, detail), (batch, deadline)).await;
                    }
                    Conclusion::GiveBack(reason) => return Round::Returned(reason.clone()),
                };
                let content = draft.content(batch, &self.standing, now);
                let write = self.write(draft, memory, WaitingAsk::Over, content);
                if ending == Ending::DeadLettered
                    && let Err(round) = self.give_up(draft, batch, deadline).await
                {
                    return round;
                }
                self.put(draft, write, Some(ending), batch, deadline).await
            }
        }
    }

    /// What is asked cannot be answered now.
    async fn wait(
        &self,
        draft: &mut Draft,
        (later, detail): (Later<'_>, &str),
        (batch, deadline): (&Batch, Deadline),
    ) -> Round {
        let Later { reason, not_before_ms, .. } = later;
        let Intent::Generate { memory, .. } = &draft.step.intent else {
            return Round::Written(None);
        };
        let now_ms = self.reader.clock.now_ms();
        let Origin::Ask(waited) = &draft.unit.origin else {
            let is_announced = draft.step.parked_until_ms.is_some_and(|until| until > now_ms);
            let until_ms = announced_until_ms(draft.due_ms(later, now_ms), now_ms);
            let waiting = match is_announced {
                true => WaitingAsk::Unchanged,
                false => WaitingAsk::Until(until_ms),
            };
            let write = self.write(draft, memory, waiting, None);
            let ask = (!is_announced).then(|| draft.ask(later, batch, &self.standing));
            return self.park(draft, Some(write), ask, (batch, deadline)).await;
        };
        if reason == Reason::Quota {
            // Its worker sends it anew.
            return Round::NoTurn;
        }
        let after = draft.unit.campaign.campaign.config.trigger.after.unwrap_or_default();
        let attempts = if waited.reason == reason { waited.attempts } else { 0 };
        if let Some(given_up) = is_hopeless((waited, attempts), reason, after, now_ms) {
            let write = self.write(draft, memory, WaitingAsk::Over, None);
            let why = (given_up, detail, waited.attempts);
            if !self.bury(draft, batch, why).await {
                return Round::Returned(NO_LETTER.to_owned());
            }
            return self.put(draft, write, Some(Ending::DeadLettered), batch, deadline).await;
        }
        let not_before_ms = match reason {
            Reason::Outage => not_before_ms.max(now_ms + doubled(FIRST_OUTAGE_MS, attempts)),
            Reason::Halted => not_before_ms.max(now_ms + doubled(HALT_MS, attempts)),
            _ => not_before_ms,
        };
        let ask = draft.ask(Later { not_before_ms, ..later }, batch, &self.standing);
        self.park(draft, None, Some(ask), (batch, deadline)).await
    }

    /// Writes what is remembered, and then sends the ask that waits.
    async fn park(
        &self,
        draft: &mut Draft,
        write: Option<Write>,
        ask: Option<Ask>,
        (batch, deadline): (&Batch, Deadline),
    ) -> Round {
        if let Some(write) = write {
            match self.put(draft, write, Some(Ending::Parked), batch, deadline).await {
                Round::Written(_) => {}
                other => return other,
            }
        }
        let Some(ask) = ask else { return Round::Written(Some(Ending::Parked)) };
        let config = &draft.unit.campaign.campaign.config;
        let (queue, delay) = place(&ask, config, self.reader.clock.now_ms());
        let reason = ask.reason;
        let sending = self.outbox.send(queue, ask, delay);
        match deadline.before_the_answer(sending).await {
            Some(true) => {
                if draft.unit.events().is_some() {
                    draft.counts.add(metrics::ASKS_PARKED, 1);
                }
                if let Some(metric) = reason.metric() {
                    draft.counts.add(metric, 1);
                }
                Round::Written(Some(Ending::Parked))
            }
            _ => Round::Returned(NOT_SENT.to_owned()),
        }
    }

    /// Writes, unless somebody else did meanwhile.
    async fn put(
        &self,
        draft: &mut Draft,
        write: Write,
        ending: Option<Ending>,
        batch: &Batch,
        deadline: Deadline,
    ) -> Round {
        if !deadline.may_write() {
            return Round::Returned(OUT_OF_TIME.to_owned());
        }
        match self.reader.table.write(&draft.unit.key, draft.step.seen, &write).await {
            Ok(WriteResult::Done) => Round::Written(ending),
            Ok(WriteResult::Conflict) => match self.look_again(draft, deadline).await {
                Ok(step) => Round::Changed(step),
                Err(round) => round,
            },
            Err(error) => self.failed(draft, &error, batch).await,
        }
    }

    /// Writes the dead letter of a unit whose answer was given up. A letter cannot be taken
    /// back: nothing may have been deleted meanwhile.
    async fn give_up(
        &self,
        draft: &mut Draft,
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
        match self.bury(draft, batch, (reason, detail, *attempts)).await {
            true => Ok(()),
            false => Err(Round::Returned(NO_LETTER.to_owned())),
        }
    }

    /// Decides anew from what is stored now, if there is time.
    async fn look_again(&self, draft: &mut Draft, deadline: Deadline) -> Result<Step, Round> {
        if deadline.is_over() {
            return Err(Round::Returned(OUT_OF_TIME.to_owned()));
        }
        let decided = self.reader.decide_again(&draft.unit).await;
        let (step, items_read) = decided.map_err(|error| Round::Returned(causes::told(&error)))?;
        draft.counts.add(metrics::ITEMS_READ, items_read);
        Ok(step)
    }

    fn write(
        &self,
        draft: &Draft,
        memory: &Memory,
        ask: WaitingAsk,
        content: Option<Content>,
    ) -> Write {
        let days = i64::from(draft.unit.campaign.campaign.config.ttl_days);
        let clock = &self.reader.clock;
        let expires_at = ask.expires_at(clock.now_secs() + days * DAY_SECS);
        let asked = content.as_ref().and_then(|_| draft.asked(clock.now_secs()));
        Write {
            asked,
            language: draft.unit.campaign.language(memory.history.last()),
            revision: Write::revision_after(draft.step.seen, clock.now_ms()),
            memory: draft.paced(memory, clock.now_secs()),
            keeps_content: content.is_none() && draft.step.has_content,
            is_announced: draft.step.parked_until_ms.is_some(),
            packed: draft.step.packed.clone(),
            content,
            ask,
            expires_at,
        }
    }

    /// Writes a unit's dead letter, once through all deliveries; `false` means that it must
    /// go back instead.
    async fn bury(
        &self,
        draft: &mut Draft,
        batch: &Batch,
        (reason, detail, attempts): (&str, &str, u32),
    ) -> bool {
        if draft.is_buried {
            return true;
        }
        let unit = &draft.unit;
        let hash = draft.known_answer().map(|answer| answer.hash.to_string());
        let prompt_hash = hash.filter(|hash| !hash.is_empty());
        let event_id = draft.newest().map(|(id, _)| id.to_owned());
        let (first_seen_ms, input) = match &unit.origin {
            Origin::Events { places, .. } => {
                let input = Input::Unit {
                    campaign: unit.key.campaign.clone(),
                    user_id: unit.key.user_id.clone(),
                    event_id: event_id.unwrap_or_default(),
                    prompt_hash,
                    user_records: batch.user_records(&unit.key.user_id, places),
                };
                (batch.first_seen_ms(places), input)
            }
            Origin::Ask(ask) => {
                let input = Input::Ask { ask: ask.clone(), event_id, prompt_hash };
                (Some(ask.first_seen_ms), input)
            }
        };
        let letter = DeadLetter::new(reason, detail, input).seen(first_seen_ms, attempts);
        let name = draft.letter_name();
        draft.is_buried = self.letters.bury_once(&name, &letter, &mut draft.counts).await;
        draft.is_buried
    }

    /// It is in the table, or an ask waits.
    fn written(&self, mut draft: Draft, batch: &Batch, ending: Option<Ending>) -> Outcome {
        let Some(ending) = ending else { return draft.ended() };
        draft.comes_to(ending);
        if ending != Ending::Stored {
            return draft.ended();
        }
        let is_cached = draft.known_answer().is_some_and(|answer| {
            matches!(*answer.conclusion, Conclusion::Content { is_cached: true, .. })
        });
        let from_cache = u64::from(is_cached || !draft.is_first);
        draft.counts.add(metrics::CONTENTS_STORED, 1);
        draft.counts.add(metrics::CONTENTS_FROM_CACHE, from_cache);
        let appeared_at_ms = match &draft.unit.origin {
            Origin::Events { places, .. } => {
                batch.events[places[draft.step.trigger]].uploaded_at_ms
            }
            Origin::Ask(ask) => ask.first_seen_ms,
        };
        draft.counts.took(metrics::FRESHNESS, self.reader.clock.since_ms(appeared_at_ms));
        draft.ended()
    }

    /// The table did not take it.
    async fn failed(&self, draft: &mut Draft, error: &TableError, batch: &Batch) -> Round {
        let Verdict::DeadLetter(reason) = error.verdict() else {
            return Round::Returned(causes::told(error));
        };
        let detail = error.cause.to_string();
        match self.bury(draft, batch, (reason, &detail, 0)).await {
            true => Round::Refused,
            false => Round::Returned(NO_LETTER.to_owned()),
        }
    }
}

/// A prompt as it is kept: a longer one is cut, or what keeps it would keep its content from
/// being stored.
fn kept_prompt(prompt: &str) -> String {
    prompt[..prompt.floor_char_boundary(MAX_KEPT_PROMPT_BYTES)].to_owned()
}

/// Why an ask that would wait again is given up instead, if it is; its campaign asks so long
/// `after` the event.
fn is_hopeless(
    (ask, attempts): (&Ask, u32),
    reason: Reason,
    after: Duration,
    now_ms: u64,
) -> Option<&'static str> {
    if reason == Reason::Outage && attempts >= MAX_OUTAGES {
        return Some("model_unavailable");
    }
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    let waited_ms = now_ms.saturating_sub(ask.first_seen_ms.saturating_add(after_ms));
    (waited_ms > MAX_WAIT_SECS.unsigned_abs() * 1_000).then_some("waited_too_long")
}

/// How long an ask waits that did so before for the same reason.
fn doubled(first_ms: u64, attempts: u32) -> u64 {
    let longest = u64::try_from(ask::MAX_DELAY.as_millis()).unwrap_or(u64::MAX);
    first_ms.saturating_mul(2_u64.saturating_pow(attempts)).min(longest)
}
