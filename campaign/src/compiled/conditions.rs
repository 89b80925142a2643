//! The conditions of a campaign together.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::Condition;
use crate::config::{self, Expression, Named};

/// Compiles the conditions, by their names; `None` if one of them is wrong.
pub(super) fn compile(
    named: &Named,
    blame: &mut impl FnMut(&str, Option<usize>, String),
) -> Option<BTreeMap<&'static str, Condition>> {
    let mut conditions = BTreeMap::new();
    let mut wrong = Vec::new();
    for (setting, expression) in named.conditions() {
        match Condition::compile(setting, expression) {
            Ok(condition) => drop(conditions.insert(setting, condition)),
            Err(found) => wrong.extend(found),
        }
    }
    wrong.extend(never_told(named, &conditions));
    let is_right = wrong.is_empty();
    wrong.into_iter().for_each(|(line, reason)| blame("campaign.toml", Some(line), reason));
    is_right.then_some(conditions)
}

/// The conditions that only events meet which trigger the campaign, and so end and retract
/// nothing: each with its line, and what is said of it.
fn never_told(named: &Named, conditions: &BTreeMap<&str, Condition>) -> Vec<(usize, String)> {
    let triggering: BTreeSet<&str> = named.event_types.iter().map(|(_, name)| &**name).collect();
    let when = named.when.as_ref().map(|when| when.text.trim());
    let others = named.conditions().filter(|(setting, _)| *setting != config::WHEN);
    let triggers = |setting: &str, expression: &Expression| {
        let types = conditions.get(setting)?.event_types();
        let is_of_trigger = match (types, when) {
            (Some(types), None) => types.iter().all(|name| triggering.contains(name.as_str())),
            (_, Some(when)) => when == expression.text.trim(),
            (None, None) => false,
        };
        is_of_trigger.then_some(())
    };
    let never = others.filter(|(setting, expression)| triggers(setting, expression).is_some());
    let told = never.map(|(setting, expression)| {
        let reason = format!(
            "{setting}: every event that it is met by triggers the campaign, and what triggers it neither ends nor retracts: name other events, or narrow the trigger by when"
        );
        (expression.line, reason)
    });
    told.collect()
}
