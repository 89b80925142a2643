//! The first stage: what each user's events, or an ask, want, from what is stored now.
//!
//! Reads what is stored of some units at once, decides about each (`eligibility`, which is
//! pure), reads what Braze knows of the users who are to get content, renders their prompts,
//! fetches the catalog items that all these want at once and renders again, and looks up what is
//! known of all these prompts.
//!
//! Attributes are read after the items that are to be written, and never beside them: a deletion
//! forgets attributes first and gives items another revision afterwards, so whoever read older
//! attributes has an older revision too, and looks again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use campaign::{Brief, CompiledCampaign, Grounds, Items, Lack, Past, Rendering};
use catalog::cache::CachedItems;
use contract::ask::Ask;
use contract::catalog::ItemKey;
use contract::dead_letter::{DeadLetter, Input};
use contract::digest;
use contract::metrics::{AskFate, Fate};
use program::causes;
use quota::clock::Clock;
use serde_json::{Map, Value};

use crate::answers::{Conclusion, Question, SharedAnswer};
use crate::attributes::{Profile, Shown};
use crate::batch::{Arrival, Batch};
use crate::coordination::{Coordination, Entry};
use crate::deadline::Deadline;
use crate::eligibility::{
    Action, AskDecision, AskOutcome, Candidate, Decision, Memory, Parking, Role, Rules, State,
    decide, decide_ask,
};
use crate::failure::{self, Verdict};
use crate::store::{ContentTable, Key, Packed, TableError};

/// Times that items are fetched for a prompt: an item may lead to one that leads to a third.
const MAX_ITEM_ROUNDS: usize = 3;

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
    /// What the item holds packed.
    pub(crate) packed: Packed,
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
    /// This, and what goes into the table beside the answer.
    Question(Box<Question>, Beside),
    /// That cannot be told before it is known what Braze knows of the user.
    Attributes,
    /// That cannot be told before these items are known.
    Items(BTreeSet<ItemKey>),
    /// Nobody: this is known without asking.
    Nobody(SharedAnswer),
}

/// What goes into the table beside an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beside {
    /// What the content takes over as it is.
    pub(crate) passed: Map<String, Value>,
    /// Time of the event that told the oldest of the attributes that the prompt could show.
    pub(crate) oldest_attribute_time: Option<i64>,
}

/// Units that were decided about, and what is known of what they ask.
#[derive(Debug)]
pub(crate) struct Decisions {
    pub(crate) steps: Vec<(Unit, Step)>,
    pub(crate) known: HashMap<String, Entry>,
    /// Items that were read from the catalogs' table.
    pub(crate) items_read: u64,
}

/// What the first stage reads.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) table: Arc<dyn ContentTable>,
    pub(crate) items: CachedItems,
    pub(crate) coordination: Arc<dyn Coordination>,
    pub(crate) clock: Clock,
}

/// What prompts may speak of besides events.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What Braze knows of users, as far as no deletion covers it.
    profiles: HashMap<String, Profile>,
    /// Catalog items.
    items: Items,
}

/// Why it could not be decided about units.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The content table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The table of catalogs could not be read.
    #[error("catalog items were not read")]
    Items(#[source] catalog::table::TableError),
}

impl Reader {
    /// Decides about units from what is stored of them.
    pub(crate) async fn decide(
        &self,
        units: Vec<Unit>,
        deadline: Deadline,
    ) -> Result<Decisions, (Vec<Unit>, ReadError)> {
        let keys: Vec<Key> = units.iter().map(|unit| unit.key.clone()).collect();
        let (steps, items_read) = match self.steps(&units, &keys).await {
            Ok(steps) => steps,
            Err(error) => return Err((units, error)),
        };
        let steps: Vec<(Unit, Step)> = units.into_iter().zip(steps).collect();
        let known = self.known(&steps, deadline).await;
        Ok(Decisions { steps, known, items_read })
    }

    /// Decides about one unit once more, and tells how many catalog items were read for that.
    pub(crate) async fn decide_again(&self, unit: &Unit) -> Result<(Step, u64), ReadError> {
        let (unit, key) = (std::slice::from_ref(unit), std::slice::from_ref(&unit.key));
        let (mut steps, items_read) = self.steps(unit, key).await?;
        Ok((steps.swap_remove(0), items_read))
    }

    /// What is to be done about each unit, all of whose keys are given, with the number of
    /// catalog items that were read.
    async fn steps(&self, units: &[Unit], keys: &[Key]) -> Result<(Vec<Step>, u64), ReadError> {
        let (now, empty) = (self.clock.now_secs(), State::default());
        let mut known = Known::default();
        let states = self.table.load(keys).await?;
        let state_of = |unit: &Unit| states.get(&unit.key).unwrap_or(&empty);
        let mut steps: Vec<Step> =
            units.iter().map(|unit| unit.step(state_of(unit), &known, now)).collect();
        let asking = units.iter().zip(&steps).filter(|(_, step)| step.wants_attributes());
        let users: BTreeSet<&str> = asking.map(|(unit, _)| unit.key.user_id.as_str()).collect();
        known.profiles = self.profiles(users).await?;
        for (unit, step) in units.iter().zip(&mut steps).filter(|(_, step)| step.wants_attributes())
        {
            *step = unit.step(state_of(unit), &known, now);
        }
        let mut items_read = 0;
        for round in 0.. {
            let wanted: BTreeSet<ItemKey> =
                steps.iter().flat_map(Step::wanted_items).cloned().collect();
            if wanted.is_empty() {
                break;
            }
            let found = self.find(wanted, round, &mut known.items).await;
            items_read += found.map_err(ReadError::Items)?;
            for (unit, step) in units.iter().zip(&mut steps) {
                if step.wanted_items().next().is_some() {
                    *step = unit.step(state_of(unit), &known, now);
                }
            }
        }
        Ok((steps, items_read))
    }

    /// What Braze knows of these users, as far as no deletion covers it: nothing, of those of
    /// whom nothing is kept.
    async fn profiles(
        &self,
        users: BTreeSet<&str>,
    ) -> Result<HashMap<String, Profile>, TableError> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let users: Vec<String> = users.into_iter().map(str::to_owned).collect();
        let mut read = self.table.profiles(&users).await?;
        let profiles = users.into_iter().map(|user| {
            let profile = read.remove(&user).unwrap_or_default();
            let known = profile.deleted_at.map_or(profile.known.clone(), |at| profile.after(at));
            (user, Profile { known, ..profile })
        });
        Ok(profiles.collect())
    }

    /// Adds items that are wanted to those that are known, and tells how many were read. After
    /// the last round there are none: an item leads to no more than one that leads to a third.
    async fn find(
        &self,
        wanted: BTreeSet<ItemKey>,
        round: usize,
        items: &mut Items,
    ) -> Result<u64, catalog::table::TableError> {
        if round >= MAX_ITEM_ROUNDS {
            items.extend(wanted.into_iter().map(|key| (key, None)));
            return Ok(0);
        }
        let found = self.items.find(wanted, self.clock.now_ms()).await?;
        items.extend(found.items);
        Ok(found.read)
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
        let packed = serde_json::to_string(&self.packed).map_or(0, |json| json.len());
        let intent = match &self.intent {
            Intent::Nothing => 0,
            Intent::Remember(memory) | Intent::Settle(memory) => of(memory),
            Intent::Park { parking, .. } => of(&parking.memory),
            Intent::Generate { memory, asked } => {
                let prompt = match asked {
                    Inquiry::Question(question, _) => question.told.prompt.len(),
                    Inquiry::Attributes | Inquiry::Items(_) | Inquiry::Nobody(_) => 0,
                };
                of(memory) + prompt
            }
        };
        packed + intent
    }

    /// What is asked, if somebody must be.
    pub(crate) fn question(&self) -> Option<&Question> {
        match &self.intent {
            Intent::Generate { asked: Inquiry::Question(question, _), .. } => Some(question),
            _ => None,
        }
    }

    /// Whether it must be known what Braze knows of the user before it can be told what is
    /// asked.
    fn wants_attributes(&self) -> bool {
        matches!(self.intent, Intent::Generate { asked: Inquiry::Attributes, .. })
    }

    /// The items that must be known before it can be told what is asked.
    fn wanted_items(&self) -> impl Iterator<Item = &ItemKey> {
        let wanted = match &self.intent {
            Intent::Generate { asked: Inquiry::Items(items), .. } => Some(items),
            _ => None,
        };
        wanted.into_iter().flatten()
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
    pub(crate) fn step(&self, state: &State, known: &Known, now: i64) -> Step {
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
                let asked = self.asked(trigger, &memory.history, known);
                Intent::Generate { memory, asked }
            }
        };
        let has_content = state.written_for.is_some();
        let parked_until_ms = state.parked_until_ms.filter(|_| !is_repeat);
        let seen = state.revision;
        let packed = state.packed.clone();
        Step { seen, has_content, parked_until_ms, packed, fated, trigger, intent }
    }

    /// What is asked. Whatever in an event upsets the program costs this unit only.
    fn asked(&self, trigger: usize, history: &[Past], known: &Known) -> Inquiry {
        let asked = AssertUnwindSafe(|| self.rendered(trigger, history, known));
        catch_unwind(asked).unwrap_or_else(|_| {
            let reason = failure::PANICKED.to_owned();
            let detail = "while it was rendered".to_owned();
            let conclusion = Conclusion::GivenUp { reason, detail, attempts: 0 };
            Inquiry::Nobody(SharedAnswer::without_asking(conclusion))
        })
    }

    fn rendered(&self, trigger: usize, history: &[Past], known: &Known) -> Inquiry {
        let listed = &self.campaign.campaign.config.attributes;
        let Shown { attributes, oldest } = match known.profiles.get(&self.key.user_id) {
            Some(profile) => profile.shown(listed),
            None if listed.is_empty() => Shown::default(),
            None => return Inquiry::Attributes,
        };
        let grounds = Grounds { events: history, attributes: &attributes, items: &known.items };
        let nobody = |conclusion| Inquiry::Nobody(SharedAnswer::without_asking(conclusion));
        let brief = match self.campaign.brief(&grounds) {
            Ok(Rendering::Asks(brief)) => *brief,
            Ok(Rendering::Wants(items)) => return Inquiry::Items(items),
            Ok(Rendering::Lacks(Lack::Item(_))) => return nobody(Conclusion::NoItem),
            Ok(Rendering::Lacks(Lack::Blank | Lack::Parts(_))) => return nobody(Conclusion::Blank),
            Err(error) => {
                let reason = match failure::of_template(&error) {
                    Verdict::DeadLetter(reason) => reason,
                    _ => failure::NOT_RENDERED,
                };
                let (reason, detail) = (reason.to_owned(), error.to_string());
                return nobody(Conclusion::GivenUp { reason, detail, attempts: 0 });
            }
        };
        let Brief { told, hash, passed, language: _ } = brief;
        let retry_given_up_before_ms = self.retry_given_up_before_ms(trigger);
        let question = Question { told: Arc::new(told), hash, retry_given_up_before_ms };
        Inquiry::Question(Box::new(question), Beside { passed, oldest_attribute_time: oldest })
    }
}
