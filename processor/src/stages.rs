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
//! Guarantees: a bounded number of units is in memory and of writes under way; every unit
//! comes to one outcome, also where time runs out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use campaign::Compiled;
use contract::metrics::Counts;
use program::causes;
use tokio::task::{JoinError, JoinSet};

use crate::answers::{Answers, Conclusion, Question, SharedAnswer};
use crate::batch::Batch;
use crate::conclude::{Draft, End, Outcome, Writer};
use crate::coordination::Entry;
use crate::deadline::{Deadline, OUT_OF_TIME};
use crate::decide::{Decided, Intent, Reader, Unit};
use crate::store::TableError;

/// Units that are read and decided about at once: five BatchGetItems, and the tombstones.
const UNITS_OF_A_READ: usize = 500;

/// Units that are under way: so much of a batch is in memory beside the batch itself, a
/// history of 25 events of 8 KiB each at most. More are read when half of them are done.
const MAX_UNITS: usize = 2 * UNITS_OF_A_READ;

/// Writes of the content table at a time.
const MAX_WRITES: usize = 64;

/// What the stages work with.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) answers: Arc<Answers>,
    pub(crate) writer: Writer,
}

/// What becomes of units that were read together.
type Reading = Result<Decided, (Vec<Unit>, TableError)>;

/// The stages of one invocation, while they run.
pub(crate) struct Stages {
    tools: Tools,
    batch: Arc<Batch>,
    deadline: Deadline,
    /// Units that are not read yet, in the order of their turns.
    waiting: VecDeque<Unit>,
    reads: JoinSet<Reading>,
    questions: HashMap<Arc<str>, Asking>,
    asked: JoinSet<Answered>,
    /// What is to be written as soon as a write ends.
    ready: VecDeque<Draft>,
    writes: JoinSet<End>,
    /// Places of the events of all units that have come to nothing yet.
    open: HashMap<usize, Vec<usize>>,
    /// Units between their reading and their outcome.
    under_way: usize,
}

/// A question that is being asked.
struct Asking {
    question: Question,
    campaign: Arc<Compiled>,
    /// Who waits for it.
    drafts: Vec<Draft>,
}

/// A question that was answered.
struct Answered {
    hash: Arc<str>,
    conclusion: Conclusion,
    counts: Counts,
}

/// An outcome, and the places of the events that it is about.
pub(crate) type Done = (Vec<usize>, Outcome);

impl Stages {
    /// Begins with units in the order of their turns.
    pub(crate) fn new(
        tools: Tools,
        batch: Arc<Batch>,
        units: Vec<Unit>,
        deadline: Deadline,
    ) -> Self {
        let open = units.iter().map(|unit| (unit.id, unit.places.clone())).collect();
        Self {
            tools,
            batch,
            deadline,
            waiting: units.into(),
            reads: JoinSet::new(),
            questions: HashMap::new(),
            asked: JoinSet::new(),
            ready: VecDeque::new(),
            writes: JoinSet::new(),
            open,
            under_way: 0,
        }
    }

    /// Brings every unit to its outcome, which `done` is told.
    pub(crate) async fn run(mut self, mut done: impl FnMut(Done)) {
        let deadline = self.deadline;
        let whole = deadline.before_the_answer(self.work(&mut done)).await;
        if whole.is_none() || !self.open.is_empty() {
            // What is still under way is cut off with its tasks.
            let mut open: Vec<(usize, Vec<usize>)> = self.open.drain().collect();
            open.sort_unstable();
            for (unit, places) in open {
                let outcome = Outcome::returned(unit, places.len(), OUT_OF_TIME);
                done((places, outcome));
            }
        }
    }

    async fn work(&mut self, done: &mut impl FnMut(Done)) {
        loop {
            self.read_more();
            self.write_more();
            tokio::select! {
                // In order, so that a run can be repeated.
                biased;
                Some(answered) = self.asked.join_next() => self.answered(joined(answered)),
                Some(end) = self.writes.join_next() => match joined(end) {
                    End::Over(outcome) => self.over(outcome, done),
                    End::Asks(draft) => self.ask_all(vec![*draft], HashMap::new()),
                },
                Some(reading) = self.reads.join_next() => self.read(joined(reading), done),
                else => return,
            }
        }
    }

    /// Reads the next units, if there is room for them and time.
    fn read_more(&mut self) {
        while self.under_way + UNITS_OF_A_READ <= MAX_UNITS
            && !self.waiting.is_empty()
            && !self.deadline.is_over()
        {
            let some = self.waiting.len().min(UNITS_OF_A_READ);
            let units: Vec<Unit> = self.waiting.drain(..some).collect();
            self.under_way += units.len();
            let (reader, deadline) = (self.tools.writer.reader.clone(), self.deadline);
            self.reads.spawn(async move { Reader::decide(&reader, units, deadline).await });
        }
    }

    fn read(&mut self, reading: Reading, done: &mut impl FnMut(Done)) {
        match reading {
            Ok(Decided { steps, known }) => {
                let drafts = steps.into_iter().map(|(unit, step)| Draft::new(unit, step));
                let (over, rest): (Vec<_>, Vec<_>) =
                    drafts.partition(|draft| draft.step.intent == Intent::Nothing);
                over.into_iter().for_each(|draft| self.over(draft.unchanged(), done));
                self.ask_all(rest, known);
            }
            Err((units, error)) => {
                let reason = causes::told(&error);
                for unit in units {
                    let outcome = Outcome::returned(unit.id, unit.places.len(), &reason);
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
                Asking { question: question.clone(), campaign, drafts: Vec::new() }
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
        self.asked.spawn(async move {
            let mut counts = Counts::default();
            let conclusion =
                answers.answer(&campaign, &question, known, deadline, &mut counts).await;
            Answered { hash, conclusion, counts }
        });
    }

    /// Whoever asked has an answer; who wants what was given up to be tried again asks anew.
    fn answered(&mut self, answered: Answered) {
        let Answered { hash, conclusion, counts } = answered;
        let Some(Asking { question, drafts, .. }) = self.questions.remove(&hash) else { return };
        let answer = SharedAnswer::new(&question, conclusion);
        let is_given_up = matches!(*answer.conclusion, Conclusion::GivenUp { .. });
        // What the answer took is counted with the first that it is for.
        let mut counts = Some(counts);
        let mut again = Vec::new();
        for mut draft in drafts {
            let wants_more = draft.step.question().is_some_and(|own| {
                own.retry_given_up_before_ms > question.retry_given_up_before_ms
            });
            if is_given_up && wants_more {
                again.push(draft);
                continue;
            }
            draft.answer = Some(answer.clone());
            if let Some(counts) = counts.take() {
                draft.is_first = true;
                draft.counts.merge(&counts);
            }
            self.ready.push_back(draft);
        }
        if let (Some(counts), Some(draft)) = (counts, again.first_mut()) {
            draft.counts.merge(&counts);
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
            self.writes.spawn(async move { writer.conclude(draft, &batch, deadline).await });
        }
    }

    fn over(&mut self, outcome: Outcome, done: &mut impl FnMut(Done)) {
        self.under_way -= 1;
        if let Some(places) = self.open.remove(&outcome.unit) {
            done((places, outcome));
        }
    }
}

impl Asking {
    /// Asks as the most insistent of those who ask: what was given up before any of them
    /// was sent again is tried again.
    fn insist(&mut self) {
        let own = self.drafts.iter().filter_map(|draft| draft.step.question());
        let latest = own.map(|question| question.retry_given_up_before_ms).max();
        self.question.retry_given_up_before_ms = latest.unwrap_or_default();
    }
}

/// What a task came to. A task that panicked ends the invocation, as work in it would.
fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("tasks are cut off only where nobody waits for them"),
        },
    }
}
