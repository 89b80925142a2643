//! The first stage: what each user's events ask for, from what is stored now.
//!
//! Reads what is stored of some units at once, decides about each (`eligibility`, which is
//! pure), renders the prompts of those that ask for content, and looks up what is known of
//! all these prompts, again at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use campaign::{CompiledCampaign, Past, safe_text};
use contract::metrics::Fate;
use program::causes;
use quota::clock::Clock;

use crate::answers::{Conclusion, Question, SharedAnswer};
use crate::batch::{Arrival, Batch};
use crate::coordination::{Coordination, Entry};
use crate::deadline::Deadline;
use crate::eligibility::{Action, Candidate, Decision, Rules, State, decide};
use crate::failure::{self, Verdict};
use crate::store::{ContentTable, Key, TableError};

/// One user and campaign, before its turn: it holds no event.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Its number in the invocation.
    pub(crate) id: usize,
    pub(crate) campaign: Arc<CompiledCampaign>,
    pub(crate) key: Key,
    /// Places of the events in the batch, oldest first.
    pub(crate) places: Vec<usize>,
}

/// One user and campaign, with the events that trigger it.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its number in the invocation.
    pub(crate) id: usize,
    pub(crate) campaign: Arc<CompiledCampaign>,
    pub(crate) key: Key,
    /// Places of the events in the batch, oldest first.
    pub(crate) places: Vec<usize>,
    pub(crate) candidates: Vec<Candidate>,
}

/// What is to be done about a unit.
#[derive(Debug)]
pub(crate) struct Step {
    /// The revision that this was decided from.
    pub(crate) seen: Option<u64>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) intent: Intent,
}

/// What a unit's events ask for.
#[derive(Debug, PartialEq)]
pub(crate) enum Intent {
    /// Nothing is to be done.
    Nothing,
    /// The history is written.
    Remember { history: Vec<Past> },
    /// The history is written, with content for the event `trigger` if there is any.
    Generate { trigger: usize, history: Vec<Past>, asked: Inquiry },
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
        let steps = units.into_iter().map(|unit| {
            let step = unit.step(&states.remove(&unit.key).unwrap_or_default());
            (unit, step)
        });
        let steps: Vec<(Unit, Step)> = steps.collect();
        let known = self.known(&steps, deadline).await;
        Ok(Decisions { steps, known })
    }

    /// Decides about one unit once more.
    pub(crate) async fn decide_again(&self, unit: &Unit) -> Result<Step, TableError> {
        let mut states = self.table.load(std::slice::from_ref(&unit.key)).await?;
        Ok(unit.step(&states.remove(&unit.key).unwrap_or_default()))
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
        let Self { id, campaign, key, places } = self;
        let allowed = &campaign.campaign.config.fields;
        let candidates = places.iter().map(|place| {
            let Arrival { event_type, event, redriven_at_ms, .. } = &batch.events[*place];
            let (event, _) = Past::of(event_type, event, allowed);
            Candidate { event, redriven_at_ms: *redriven_at_ms }
        });
        let candidates = candidates.collect();
        Unit { id, campaign, key, places, candidates }
    }
}

impl Step {
    /// What it holds in memory, roughly, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        match &self.intent {
            Intent::Nothing => 0,
            Intent::Remember { history } => history.iter().map(Past::size_bytes).sum(),
            Intent::Generate { history, asked, .. } => {
                let prompt = match asked {
                    Inquiry::Question(question) => question.prompt.len(),
                    Inquiry::Nobody(_) => 0,
                };
                history.iter().map(Past::size_bytes).sum::<usize>() + prompt
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
    /// Decides what to do, and renders the prompt if something is asked.
    pub(crate) fn step(&self, state: &State) -> Step {
        let Decision { fates, action } =
            decide(&self.candidates, state, Rules::of(&self.campaign.campaign.config));
        let intent = match action {
            Action::Nothing => Intent::Nothing,
            Action::Remember { history } => Intent::Remember { history },
            Action::Generate { trigger, history } => {
                let asked = self.asked(trigger, &history);
                Intent::Generate { trigger, history, asked }
            }
        };
        Step { seen: state.revision, fates, intent }
    }

    fn asked(&self, trigger: usize, history: &[Past]) -> Inquiry {
        let prompt = match self.campaign.prompt.render(history) {
            Ok(prompt) => prompt,
            Err(error) => {
                let reason = match failure::of_template(&error) {
                    Verdict::DeadLetter(reason) => reason,
                    Verdict::RetryNow | Verdict::GiveBack => failure::NOT_RENDERED,
                };
                let (reason, detail) = (reason.to_owned(), error.to_string());
                let conclusion = Conclusion::GivenUp { reason, detail, attempts: 0 };
                return Inquiry::Nobody(SharedAnswer::without_asking(conclusion));
            }
        };
        if safe_text::shows_nothing(&prompt) {
            return Inquiry::Nobody(SharedAnswer::without_asking(Conclusion::Blank));
        }
        let hash = self.campaign.prompt_hash(&prompt);
        let retry_given_up_before_ms = self.candidates[trigger].redriven_at_ms.unwrap_or_default();
        Inquiry::Question(Question { prompt, hash, retry_given_up_before_ms })
    }
}
