//! Decide, answer, conclude: the three stages of an invocation, and what joins them.
//!
//! ```text
//! units --> decide --> questions --> conclude --> fates
//!  (some       |     (one task for      ^  |
//!   at once)   |     each prompt)       |  | what changed meanwhile
//!              +------------------------+  | and asks anew
//!                nothing is asked       ^  v
//!                                     questions
//! ```
//!
//! Each piece of work is a task of its own, so none goes on only while somebody looks at
//! another: a call of the model that ends is kept at once, however slow the writes are.
//! There are no waves: as soon as some units are done, others are read.
//!
//! Units of asks come while the stages run; those of events are there when they begin.
//!
//! Guarantees: what is in memory beside the batch is bounded in bytes, and so is the number
//! of writes under way; every unit comes to one outcome, and what answers took is counted,
//! also where time runs out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use campaign::CompiledCampaign;
use contract::metrics::{self, Counts};
use program::causes;
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};

use crate::answers::{Answers, Asker, Conclusion, Question, SharedAnswer};
use crate::batch::Batch;
use crate::conclude::{Draft, End, Outcome, Writer};
use crate::coordination::Entry;
use crate::dead_letters::NO_LETTER;
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::decide::{Decisions, Fated, Intent, ReadError, Turn, Unit, UnitInput};
use crate::failure::PANICKED;
use crate::jobs::gathering::Gathering;

/// Units that are read and decided about at once: five BatchGetItems, and the tombstones.
const UNITS_OF_A_READ: usize = 500;

/// Reads at a time: a unit has a history of 25 events of 8 KiB each at most, so one read
/// brings 100 MiB if all are as large as can be.
const MAX_READS: usize = 2;

/// Bytes of units under way at which no more are read. Not a number of units: those that
/// wait for one slow answer must not keep all others waiting.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// Units ready to be written at which no more are read: what was decided long ago would
/// only be decided anew.
const MAX_READY: usize = UNITS_OF_A_READ;

/// Writes of the content table at a time.
const MAX_WRITES: usize = 64;

/// What the stages work with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) answers: Arc<Answers>,
    pub(crate) writer: Writer,
}

/// What becomes of units that were read together.
type Reading = Result<Decisions, (Vec<Unit>, ReadError)>;

/// The stages of one invocation, while they run.
pub(crate) struct Stages {
    tools: Tools,
    batch: Arc<Batch>,
    deadline: Deadline,
    asker: Asker,
    /// Where questions come together for jobs, if they are to.
    gathering: Option<Arc<Gathering>>,
    /// Units that are not read yet.
    waiting: VecDeque<Turn>,
    /// Those that are still to come, if any are.
    incoming: Option<mpsc::Receiver<Turn>>,
    reads: JoinSet<Reading>,
    questions: HashMap<Arc<str>, OpenQuestion>,
    asked: JoinSet<Conclusion>,
    /// The question that each of these tasks asks.
    asking: HashMap<task::Id, Arc<str>>,
    /// What answers took, also those that were cut off.
    counts: Arc<Mutex<Counts>>,
    /// What is to be written as soon as a write ends.
    ready: VecDeque<Draft>,
    writes: JoinSet<End>,
    /// The unit that each of these tasks writes.
    writing: HashMap<task::Id, usize>,
    /// Units that have come to nothing yet.
    open: HashMap<usize, OpenUnit>,
    /// What those hold that were read.
    held_bytes: usize,
}

/// A unit that has come to nothing yet.
struct OpenUnit {
    /// Whose it is, and what it comes from.
    input: UnitInput,
    /// What it holds, once it is read.
    held_bytes: usize,
}

/// A question that is being asked.
struct OpenQuestion {
    question: Question,
    campaign: Arc<CompiledCampaign>,
    /// Who waits for it.
    drafts: Vec<Draft>,
}

/// Counts what one answer takes, to the last also if it is cut off.
struct Tally {
    campaign: Arc<CompiledCampaign>,
    own: Counts,
    all: Arc<Mutex<Counts>>,
}

/// An outcome, and the places of the events that it is about; none if it comes from an ask.
pub(crate) type Done = (Option<Vec<usize>>, Outcome);

impl Stages {
    /// Of the events of a batch, whose units come in the order of their turns.
    pub(crate) fn of_events(
        tools: Tools,
        batch: Arc<Batch>,
        units: Vec<Turn>,
        deadline: Deadline,
    ) -> Self {
        let mut stages = Self::new(tools, batch, Asker::Event, deadline);
        units.into_iter().for_each(|unit| stages.come(unit));
        stages
    }

    /// Of the events of a unit that may have ended an invocation before: it asks nobody.
    pub(crate) fn of_suspect(
        tools: Tools,
        batch: Arc<Batch>,
        unit: Turn,
        deadline: Deadline,
    ) -> Self {
        let stages = Self::of_events(tools, batch, vec![unit], deadline);
        Self { asker: Asker::Suspect, ..stages }
    }

    /// Of asks, whose units come until nobody can send any more; their questions come together
    /// for jobs where they are `gathering`.
    pub(crate) fn of_asks(
        tools: Tools,
        incoming: mpsc::Receiver<Turn>,
        gathering: Option<Arc<Gathering>>,
        deadline: Deadline,
    ) -> Self {
        let stages = Self::new(tools, Arc::default(), Asker::Ask, deadline);
        Self { incoming: Some(incoming), gathering, ..stages }
    }

    fn new(tools: Tools, batch: Arc<Batch>, asker: Asker, deadline: Deadline) -> Self {
        Self {
            tools,
            batch,
            deadline,
            asker,
            gathering: None,
            waiting: VecDeque::new(),
            incoming: None,
            reads: JoinSet::new(),
            questions: HashMap::new(),
            asked: JoinSet::new(),
            asking: HashMap::new(),
            counts: Arc::default(),
            ready: VecDeque::new(),
            writes: JoinSet::new(),
            writing: HashMap::new(),
            open: HashMap::new(),
            held_bytes: 0,
        }
    }

    /// A unit is to be brought to its outcome.
    fn come(&mut self, unit: Turn) {
        self.open.insert(unit.id, OpenUnit { input: unit.input(), held_bytes: 0 });
        self.waiting.push_back(unit);
    }

    /// Brings every unit to its outcome, which `done` is told; says what answers took.
    pub(crate) async fn run(mut self, mut done: impl FnMut(Done)) -> Counts {
        let deadline = self.deadline;
        deadline.before_the_answer(self.work(&mut done)).await;
        // What is still under way is cut off.
        self.writes.abort_all();
        self.reads.abort_all();
        self.asked.shutdown().await;
        let mut open: Vec<(usize, OpenUnit)> = self.open.drain().collect();
        open.sort_unstable_by_key(|(unit, _)| *unit);
        for (unit, OpenUnit { input, .. }) in open {
            let outcome = Outcome::returned(unit, input.events(), OUT_OF_TIME);
            done(ended_of(&input, outcome));
        }
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }

    async fn work(&mut self, done: &mut impl FnMut(Done)) {
        loop {
            self.read_more();
            self.write_more();
            tokio::select! {
                // In order, so that a run can be repeated.
                biased;
                Some(end) = self.asked.join_next_with_id() => {
                    let (id, conclusion) = ended(end);
                    if let Some(hash) = self.asking.remove(&id) {
                        self.answered(&hash, conclusion.unwrap_or_else(panicked));
                    }
                }
                Some(end) = self.writes.join_next_with_id() => {
                    let (id, end) = ended(end);
                    let unit = self.writing.remove(&id);
                    match end {
                        Some(End::Over(outcome)) => self.over(outcome, done),
                        Some(End::Asks(draft)) => self.ask_all(vec![*draft], HashMap::new()),
                        None => self.give_up(unit, done).await,
                    }
                }
                Some(reading) = self.reads.join_next() => self.read(joined(reading), done),
                Some(unit) = next(&mut self.incoming), if self.waiting.len() < UNITS_OF_A_READ => {
                    self.come(unit);
                    self.come_together();
                }
                else => return,
            }
        }
    }

    /// What came in the same moment is read together.
    fn come_together(&mut self) {
        while self.waiting.len() < UNITS_OF_A_READ
            && let Some(Ok(unit)) = self.incoming.as_mut().map(mpsc::Receiver::try_recv)
        {
            self.come(unit);
        }
    }

    /// Reads the next units, if there is room for them and time.
    fn read_more(&mut self) {
        while self.reads.len() < MAX_READS
            && self.held_bytes < MAX_HELD_BYTES
            && self.ready.len() < MAX_READY
            && !self.waiting.is_empty()
            && !self.deadline.is_over()
        {
            let some = self.waiting.len().min(UNITS_OF_A_READ);
            let turns: Vec<Turn> = self.waiting.drain(..some).collect();
            let (reader, deadline) = (self.tools.writer.reader.clone(), self.deadline);
            let batch = Arc::clone(&self.batch);
            self.reads.spawn(async move {
                let units = turns.into_iter().map(|turn| turn.unit(&batch)).collect();
                reader.decide(units, deadline).await
            });
        }
    }

    fn read(&mut self, reading: Reading, done: &mut impl FnMut(Done)) {
        match reading {
            Ok(Decisions { steps, known, items_read }) => {
                self.count(metrics::ITEMS_READ, items_read);
                let drafts = steps.into_iter().map(|(unit, step)| Draft::new(unit, step));
                let (over, rest): (Vec<_>, Vec<_>) =
                    drafts.partition(|draft| draft.step.intent == Intent::Nothing);
                rest.iter().for_each(|draft| self.hold(draft));
                over.into_iter().for_each(|draft| self.over(draft.unchanged(), done));
                self.ask_all(rest, known);
            }
            Err((units, error)) => {
                let reason = causes::told(&error);
                for unit in units {
                    let outcome = Outcome::returned(unit.id, unit.events(), &reason);
                    self.over(outcome, done);
                }
            }
        }
    }

    /// Asks what drafts ask, equal questions once; what asks nothing is ready to be written.
    fn ask_all(&mut self, drafts: Vec<Draft>, mut known: HashMap<String, Entry>) {
        let mut new = Vec::new();
        for draft in drafts {
            let Some(question) = draft.step.question().cloned() else {
                self.ready.push_back(draft);
                continue;
            };
            let hash: Arc<str> = question.hash.as_str().into();
            let campaign = Arc::clone(&draft.unit.campaign);
            let asking = self.questions.entry(Arc::clone(&hash)).or_insert_with(|| {
                new.push(hash);
                OpenQuestion { question: question.clone(), campaign, drafts: Vec::new() }
            });
            asking.drafts.push(draft);
        }
        for hash in new {
            let known = known.remove(&*hash);
            self.ask(hash, known);
        }
    }

    /// Asks a question in a task of its own.
    fn ask(&mut self, hash: Arc<str>, known: Option<Entry>) {
        let Some(asking) = self.questions.get_mut(&hash) else { return };
        asking.insist();
        let (question, campaign) = (asking.question.clone(), Arc::clone(&asking.campaign));
        let (answers, deadline) = (Arc::clone(&self.tools.answers), self.deadline);
        let (asker, standing) = (self.asker, Arc::clone(&self.tools.writer.standing));
        let (all, gathering) = (Arc::clone(&self.counts), self.gathering.clone());
        let mut tally = Tally { campaign: Arc::clone(&campaign), own: Counts::default(), all };
        let task = self.asked.spawn(async move {
            let counts = &mut tally.own;
            if standing.is_paused(&campaign.campaign.name) {
                return answers.paused();
            }
            if let Some(gathering) = gathering {
                return gathering.join(&answers, &campaign, &question, known).await;
            }
            let asked = (&question, asker);
            answers.answer(&campaign, asked, known, deadline, counts).await
        });
        self.asking.insert(task.id(), hash);
    }

    /// Whoever asked has an answer; who wants what was given up to be tried again asks anew.
    fn answered(&mut self, hash: &str, conclusion: Conclusion) {
        let Some(asked) = self.questions.remove(hash) else { return };
        let OpenQuestion { question, drafts, .. } = asked;
        let answer = SharedAnswer::new(&question, conclusion);
        let is_given_up = matches!(*answer.conclusion, Conclusion::GivenUp { .. });
        let (mut again, mut is_first) = (Vec::new(), true);
        for mut draft in drafts {
            let wants_more = draft.step.question().is_some_and(|own| {
                own.retry_given_up_before_ms > question.retry_given_up_before_ms
            });
            if is_given_up && wants_more {
                again.push(draft);
                continue;
            }
            draft.answer = Some(answer.clone());
            draft.is_first = std::mem::take(&mut is_first);
            self.ready.push_back(draft);
        }
        self.ask_all(again, HashMap::new());
    }

    /// Writes what is ready, as far as there is room for writes.
    fn write_more(&mut self) {
        while self.writes.len() < MAX_WRITES
            && let Some(draft) = self.ready.pop_front()
        {
            let (writer, batch) = (self.tools.writer.clone(), Arc::clone(&self.batch));
            let deadline = self.deadline;
            let unit = draft.unit.id;
            let write = async move { writer.conclude(draft, &batch, deadline).await };
            self.writing.insert(self.writes.spawn(write).id(), unit);
        }
    }

    fn count(&self, name: &'static str, n: u64) {
        if n > 0 {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(name, n);
        }
    }

    /// A draft is in memory until its unit is over.
    fn hold(&mut self, draft: &Draft) {
        if let Some(open) = self.open.get_mut(&draft.unit.id) {
            open.held_bytes = draft.size_bytes();
            self.held_bytes += open.held_bytes;
        }
    }

    /// A unit whose write panicked is given up: it would again.
    async fn give_up(&mut self, unit: Option<usize>, done: &mut impl FnMut(Done)) {
        let Some(id) = unit else { return };
        let Some(open) = self.open.get(&id) else { return };
        let mut counts = Counts::default();
        let letter = open.input.letter(&self.batch, (PANICKED, "while it was concluded"));
        let name = open.input.name(&self.batch, PANICKED);
        let letters = &self.tools.writer.letters;
        let is_buried = letters.bury_once(&name, &letter, &mut counts).await;
        let events = open.input.events();
        let outcome = match is_buried {
            true => Outcome { counts, ..Outcome::given_up(id, events) },
            false => Outcome::returned(id, events, NO_LETTER),
        };
        self.over(outcome, done);
    }

    fn over(&mut self, outcome: Outcome, done: &mut impl FnMut(Done)) {
        if let Some(OpenUnit { input, held_bytes }) = self.open.remove(&outcome.unit) {
            self.held_bytes -= held_bytes;
            done(ended_of(&input, outcome));
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let own = std::mem::take(&mut self.own).of(&self.campaign.campaign.name);
        self.all.lock().unwrap_or_else(PoisonError::into_inner).merge(&own);
    }
}

impl OpenQuestion {
    /// Asks as the most insistent of those who ask: what was given up before any of them
    /// was sent again is tried again.
    fn insist(&mut self) {
        let own = self.drafts.iter().filter_map(|draft| draft.step.question());
        let latest = own.map(|question| question.retry_given_up_before_ms).max();
        self.question.retry_given_up_before_ms = latest.unwrap_or_default();
    }
}

/// An outcome, counted for the campaign that it is of.
fn ended_of(input: &UnitInput, mut outcome: Outcome) -> Done {
    if let Fated::Ask(fate) = outcome.fated {
        outcome.counts.merge(&fate.counts());
    }
    outcome.counts = outcome.counts.of(&input.key.campaign);
    (input.places(), outcome)
}

/// The next of the units that come; none once nobody sends any more.
async fn next(incoming: &mut Option<mpsc::Receiver<Turn>>) -> Option<Turn> {
    incoming.as_mut()?.recv().await
}

/// What came of a question whose task panicked; its place is in the log.
fn panicked() -> Conclusion {
    let (reason, detail) = (PANICKED.to_owned(), "while it was answered".to_owned());
    Conclusion::GivenUp { reason, detail, attempts: 0 }
}

/// Which task ended, and what it came to; nothing if it panicked.
fn ended<T>(ended: Result<(task::Id, T), JoinError>) -> (task::Id, Option<T>) {
    match ended {
        Ok((id, ended)) => (id, Some(ended)),
        Err(error) => (error.id(), None),
    }
}

/// What a task came to that only waits for others; if it panicked, the invocation does.
fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("tasks are cut off only where nobody waits for them"),
        },
    }
}
