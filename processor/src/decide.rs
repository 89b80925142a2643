//! The first stage: what each user's events, or an ask, want, from what is stored now.
//!
//! Reads what is stored of some units at once, decides about each (`eligibility`, which is
//! pure), renders the prompts of those that ask for content, and looks up what is known of
//! all these prompts, again at once.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use campaign::{CompiledCampaign, Grounds, Items, Past, Rendering};
use contract::ask::Ask;
use contract::attributes::Attributes;
use contract::dead_letter::{DeadLetter, Input};
use contract::digest;
use contract::metrics::{AskFate, Fate};
use program::causes;
use quota::clock::Clock;

use crate::answers::{Conclusion, Question, SharedAnswer};
use crate::batch::{Arrival, Batch};
use crate::coordination::{Coordination, Entry};
use crate::deadline::Deadline;
use crate::eligibility::{
    Action, AskDecision, AskOutcome, Candidate, Decision, Memory, Parking, Role, Rules, State,
    decide, decide_ask,
};
use crate::failure::{self, Verdict};
use crate::store::{ContentTable, Key, TableError};

/// One user and campaign, before its turn: it holds no event.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Its number in the invocation.
    pub(crate) id: usize,
    pub(crate) campaign: Arc<CompiledCampaign>,
    pub(crate) key: Key,
    pub(crate) wanted: Wanted,
}

/// What wants content.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Events at these places in the batch, oldest first, with what each is to the campaign.
    Events(Vec<(usize, Role)>),
    /// An ask.
    Ask(Ask),
}

/// One user and campaign, with what wants content of it.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its number in the invocation.
    pub(crate) id: usize,
    pub(crate) campaign: Arc<CompiledCampaign>,
    pub(crate) key: Key,
    pub(crate) origin: Origin,
}

/// What a unit comes from: enough to say so in a dead letter, whatever upset the program.
#[derive(Debug, Clone)]
pub(crate) struct UnitInput {
    pub(crate) key: Key,
    /// Places of its events, or its ask.
    pub(crate) places: Result<Vec<usize>, Ask>,
}

/// Where a unit comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Events of the batch.
    Events {
        /// Places of the events in the batch, oldest first.
        places: Vec<usize>,
        candidates: Vec<Candidate>,
    },
    /// An ask.
    Ask(Ask),
}

/// What becomes of what a unit comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fated {
    /// Of each of its events.
    Events(Vec<Fate>),
    /// Of its ask.
    Ask(AskFate),
}

/// What is to be done about a unit.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// The revision that this was decided from.
    pub(crate) seen: Option<u64>,
    /// Whether content is stored.
    pub(crate) has_content: bool,
    /// Until when an ask for it waits, in UNIX milliseconds, if one was sent for sure.
    pub(crate) parked_until_ms: Option<u64>,
    pub(crate) fated: Fated,
    /// Place of the event that speaks for the others.
    pub(crate) trigger: usize,
    pub(crate) intent: Intent,
}

/// What a unit asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Intent {
    /// Nothing is to be done.
    Nothing,
    /// It is written what is remembered.
    Remember(Memory),
    /// It is written that no ask waits any more.
    Settle(Memory),
    /// An ask is to wait; `writes` if what is remembered changes with it.
    Park { parking: Parking, writes: bool },
    /// It is written what is remembered, with content for its newest event if there is any.
    Generate { memory: Memory, asked: Inquiry },
}

/// Whether somebody must be asked for content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inquiry {
    /// This.
    Question(Question),
    /// Nobody: this is known without asking.
    Nobody(SharedAnswer),
}

/// Units that were decided about, and what is known of what they ask.
#[derive(Debug)]
pub(crate) struct Decisions {
    pub(crate) steps: Vec<(Unit, Step)>,
    pub(crate) known: HashMap<String, Entry>,
}

/// What the first stage reads.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) table: Arc<dyn ContentTable>,
    pub(crate) coordination: Arc<dyn Coordination>,
    pub(crate) clock: Clock,
}

impl Reader {
    /// Decides about units from what is stored of them.
    pub(crate) async fn decide(
        &self,
        units: Vec<Unit>,
        deadline: Deadline,
    ) -> Result<Decisions, (Vec<Unit>, TableError)> {
        let keys: Vec<Key> = units.iter().map(|unit| unit.key.clone()).collect();
        let mut states = match self.table.load(&keys).await {
            Ok(states) => states,
            Err(error) => return Err((units, error)),
        };
        let now = self.clock.now_secs();
        let steps = units.into_iter().map(|unit| {
            let step = unit.step(&states.remove(&unit.key).unwrap_or_default(), now);
            (unit, step)
        });
        let steps: Vec<(Unit, Step)> = steps.collect();
        let known = self.known(&steps, deadline).await;
        Ok(Decisions { steps, known })
    }

    /// Decides about one unit once more.
    pub(crate) async fn decide_again(&self, unit: &Unit) -> Result<Step, TableError> {
        let mut states = self.table.load(std::slice::from_ref(&unit.key)).await?;
        let state = states.remove(&unit.key).unwrap_or_default();
        Ok(unit.step(&state, self.clock.now_secs()))
    }

    /// What is known of all questions. What is not known in time is looked up one by one, if
    /// there is any time.
    async fn known(&self, steps: &[(Unit, Step)], deadline: Deadline) -> HashMap<String, Entry> {
        let questions = steps.iter().filter_map(|(_, step)| step.question());
        let mut seen = HashSet::new();
        let hashes = questions.map(|question| &question.hash).filter(|hash| seen.insert(*hash));
        let hashes: Vec<String> = hashes.cloned().collect();
        if hashes.is_empty() {
            return HashMap::new();
        }
        let known = self.coordination.answers(&hashes, self.clock.now_secs());
        match deadline.while_working(known).await {
            Some(Ok(known)) => known,
            // The lease will tell what is known.
            Some(Err(error)) => {
                tracing::debug!(error = causes::told(&error), "cached answers were not read");
                HashMap::new()
            }
            None => HashMap::new(),
        }
    }
}

impl Turn {
    /// Takes the events out of the batch.
    pub(crate) fn unit(self, batch: &Batch) -> Unit {
        let Self { id, campaign, key, wanted } = self;
        let places = match wanted {
            Wanted::Events(places) => places,
            Wanted::Ask(ask) => return Unit { id, campaign, key, origin: Origin::Ask(ask) },
        };
        let allowed = &campaign.campaign.config.fields;
        let candidates = places.iter().map(|(place, role)| {
            let Arrival { event_type, event, redriven_at_ms, .. } = &batch.events[*place];
            let (event, _) = Past::of(event_type, event, allowed);
            Candidate { event, role: *role, redriven_at_ms: *redriven_at_ms }
        });
        let candidates = candidates.collect();
        let places = places.iter().map(|(place, _)| *place).collect();
        Unit { id, campaign, key, origin: Origin::Events { places, candidates } }
    }

    /// What it comes from.
    pub(crate) fn input(&self) -> UnitInput {
        let places = match &self.wanted {
            Wanted::Events(places) => Ok(places.iter().map(|(place, _)| *place).collect()),
            Wanted::Ask(ask) => Err(ask.clone()),
        };
        UnitInput { key: self.key.clone(), places }
    }
}

impl UnitInput {
    /// Places of its events, if it comes from events.
    pub(crate) fn places(&self) -> Option<Vec<usize>> {
        self.places.as_ref().ok().cloned()
    }

    /// Number of its events, if it comes from events.
    pub(crate) fn events(&self) -> Option<usize> {
        self.places.as_ref().ok().map(Vec::len)
    }

    /// Identifies it through all deliveries, without saying whose it is.
    pub(crate) fn name(&self, batch: &Batch, why: &str) -> String {
        let Key { user_id, campaign } = &self.key;
        let input = match &self.places {
            Ok(places) => {
                let ids = places.iter().map(|place| batch.events[*place].event.id.as_str());
                ids.collect::<Vec<_>>().join("\n")
            }
            Err(ask) => ask.encode(),
        };
        let whole = format!("{campaign}\n{user_id}\n{input}");
        format!("{why}#{}", digest::hex(whole))
    }

    /// The dead letter of it, with the reason and what was wrong.
    pub(crate) fn letter(&self, batch: &Batch, (reason, detail): (&str, &str)) -> DeadLetter {
        let (first_seen_ms, input) = match &self.places {
            Ok(places) => {
                let last = places.last().map(|place| batch.events[*place].event.id.clone());
                let input = Input::Unit {
                    campaign: self.key.campaign.clone(),
                    user_id: self.key.user_id.clone(),
                    event_id: last.unwrap_or_default(),
                    prompt_hash: None,
                    user_records: batch.user_records(&self.key.user_id, places),
                };
                (batch.first_seen_ms(places), input)
            }
            Err(ask) => {
                let input = Input::Ask { ask: ask.clone(), event_id: None, prompt_hash: None };
                (Some(ask.first_seen_ms), input)
            }
        };
        DeadLetter::new(reason, detail, input).seen(first_seen_ms, 0)
    }
}

impl Fated {
    /// All of it goes back.
    pub(crate) fn returned(events: Option<usize>) -> Self {
        match events {
            Some(events) => Self::Events(vec![Fate::Returned; events]),
            None => Self::Ask(AskFate::Returned),
        }
    }
}

impl Step {
    /// What it holds in memory, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let of = |memory: &Memory| memory.history.iter().map(Past::size_bytes).sum::<usize>();
        match &self.intent {
            Intent::Nothing => 0,
            Intent::Remember(memory) | Intent::Settle(memory) => of(memory),
            Intent::Park { parking, .. } => of(&parking.memory),
            Intent::Generate { memory, asked } => {
                let prompt = match asked {
                    Inquiry::Question(question) => question.told.prompt.len(),
                    Inquiry::Nobody(_) => 0,
                };
                of(memory) + prompt
            }
        }
    }

    /// What is asked, if somebody must be.
    pub(crate) fn question(&self) -> Option<&Question> {
        match &self.intent {
            Intent::Generate { asked: Inquiry::Question(question), .. } => Some(question),
            _ => None,
        }
    }
}

impl Unit {
    /// Number of its events, if it comes from events.
    pub(crate) fn events(&self) -> Option<usize> {
        match &self.origin {
            Origin::Events { places, .. } => Some(places.len()),
            Origin::Ask(_) => None,
        }
    }

    /// What it holds in memory, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.origin {
            Origin::Events { candidates, .. } => {
                candidates.iter().map(|candidate| candidate.event.size_bytes()).sum()
            }
            Origin::Ask(ask) => ask.user_id.len() + ask.campaign.len(),
        }
    }

    /// Before when what was given up is to be tried again, in UNIX milliseconds; 0 for never.
    pub(crate) fn retry_given_up_before_ms(&self, trigger: usize) -> u64 {
        match &self.origin {
            Origin::Events { candidates, .. } => {
                candidates[trigger].redriven_at_ms.unwrap_or_default()
            }
            Origin::Ask(ask) => ask.retry_given_up_before_ms,
        }
    }

    /// Decides what to do, and renders the prompt if something is asked; `now` in UNIX seconds.
    pub(crate) fn step(&self, state: &State, now: i64) -> Step {
        let rules = Rules::of(&self.campaign.campaign.config);
        let (fated, trigger, action, is_repeat) = match &self.origin {
            Origin::Events { candidates, .. } => {
                let decision = decide(candidates, state, rules, now);
                let Decision { fates, trigger, action, is_repeat } = decision;
                (Fated::Events(fates), trigger, Some(action), is_repeat)
            }
            Origin::Ask(ask) => {
                let AskDecision { fate, outcome } = decide_ask(ask, state, rules, now);
                let action = match outcome {
                    AskOutcome::Over => None,
                    AskOutcome::Goes(action) => Some(action),
                };
                (Fated::Ask(fate), 0, action, false)
            }
        };
        let is_known = |memory: &Memory| *memory == state.memory;
        let intent = match action {
            // What was announced is over, and the next event must announce anew.
            None if state.parked_until_ms.is_some() && fated != Fated::Ask(AskFate::Superseded) => {
                Intent::Settle(state.memory.clone())
            }
            // Nothing is to be asked, and what was announced for a repeat may not have been sent.
            Some(Action::Nothing) if is_repeat && state.parked_until_ms.is_some() => {
                Intent::Settle(state.memory.clone())
            }
            Some(Action::Remember(memory)) if is_repeat && state.parked_until_ms.is_some() => {
                Intent::Settle(memory)
            }
            None | Some(Action::Nothing) => Intent::Nothing,
            Some(Action::Remember(memory)) => Intent::Remember(memory),
            Some(Action::Park(parking)) => {
                let writes = !is_known(&parking.memory) && self.events().is_some();
                Intent::Park { parking, writes }
            }
            Some(Action::Generate(memory)) => {
                let asked = self.asked(trigger, &memory.history);
                Intent::Generate { memory, asked }
            }
        };
        let has_content = state.written_for.is_some();
        let parked_until_ms = state.parked_until_ms.filter(|_| !is_repeat);
        Step { seen: state.revision, has_content, parked_until_ms, fated, trigger, intent }
    }

    /// What is asked. Whatever in an event upsets the program costs this unit only.
    fn asked(&self, trigger: usize, history: &[Past]) -> Inquiry {
        let asked = AssertUnwindSafe(|| self.rendered(trigger, history));
        catch_unwind(asked).unwrap_or_else(|_| {
            let reason = failure::PANICKED.to_owned();
            let detail = "while it was rendered".to_owned();
            let conclusion = Conclusion::GivenUp { reason, detail, attempts: 0 };
            Inquiry::Nobody(SharedAnswer::without_asking(conclusion))
        })
    }

    fn rendered(&self, trigger: usize, history: &[Past]) -> Inquiry {
        let (attributes, items) = (Attributes::new(), Items::default());
        let grounds = Grounds { events: history, attributes: &attributes, items: &items };
        let rendering = match self.campaign.brief(&grounds) {
            Ok(rendering) => rendering,
            Err(error) => {
                let reason = match failure::of_template(&error) {
                    Verdict::DeadLetter(reason) => reason,
                    _ => failure::NOT_RENDERED,
                };
                let (reason, detail) = (reason.to_owned(), error.to_string());
                let conclusion = Conclusion::GivenUp { reason, detail, attempts: 0 };
                return Inquiry::Nobody(SharedAnswer::without_asking(conclusion));
            }
        };
        let Rendering::Asks(brief) = rendering else {
            return Inquiry::Nobody(SharedAnswer::without_asking(Conclusion::Blank));
        };
        let retry_given_up_before_ms = self.retry_given_up_before_ms(trigger);
        let (told, hash) = (Arc::new(brief.told), brief.hash);
        Inquiry::Question(Question { told, hash, retry_given_up_before_ms })
    }
}
