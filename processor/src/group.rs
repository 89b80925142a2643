//! Units of one wave by what they ask: equal questions are asked once.

use std::collections::HashMap;

use crate::answers::Question;
use crate::batch::Batch;
use crate::coordination::Entry;
use crate::eligibility::{Action, State};
use crate::store::Key;
use crate::unit::{Step, Unit};

/// Units that ask the same, or one that asks nothing.
pub(crate) struct Group {
    /// What they ask.
    pub(crate) question: Option<Question>,
    /// What is known of it.
    pub(crate) known: Option<Entry>,
    /// Who asks.
    pub(crate) units: Vec<(Unit, Step)>,
}

impl Group {
    fn join(&mut self, question: Option<Question>) {
        match (&mut self.question, question) {
            (Some(asked), Some(again)) => {
                let before = &mut asked.retry_given_up_before_ms;
                *before = again.retry_given_up_before_ms.max(*before);
            }
            (asked, question) => *asked = question,
        }
    }
}

/// Decides about each unit; those that are to do nothing get their fates in `batch`.
pub(crate) fn collect(
    units: Vec<Unit>,
    mut states: HashMap<Key, State>,
    batch: &mut Batch,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_hash: HashMap<String, usize> = HashMap::new();
    for unit in units {
        let mut step = unit.step(&states.remove(&unit.key).unwrap_or_default());
        if step.decision.action == Action::Nothing {
            for (place, fate) in unit.places.iter().zip(&step.decision.fates) {
                batch.decide(*place, *fate);
            }
            continue;
        }
        let question = match step.question.take() {
            Some(Ok(question)) => Some(question),
            other => {
                step.question = other;
                None
            }
        };
        let group = match &question {
            Some(question) => *by_hash.entry(question.hash.clone()).or_insert_with(|| groups.len()),
            None => groups.len(),
        };
        if group == groups.len() {
            groups.push(Group { question: None, known: None, units: Vec::new() });
        }
        groups[group].join(question);
        groups[group].units.push((unit, step));
    }
    groups
}
