//! Conditions that can be met and are seldom meant.

use super::Look;
use crate::condition::Condition;
use crate::config;

/// What is said of a campaign's conditions, with their lines.
pub(super) fn odd(look: &Look<'_>) -> Vec<(Option<usize>, String)> {
    let config = &look.campaign.config;
    let mut said = Vec::new();
    for (setting, condition) in look.conditions {
        let Some(condition) = condition else { continue };
        let expression = match *setting {
            config::WHEN => &config.trigger.when,
            config::UNLESS => &config.trigger.unless,
            _ => &config.retract_when,
        };
        let line = expression.as_ref().map(|expression| expression.line);
        let mut reasons = alone(condition);
        match *setting {
            config::WHEN => {
                reasons.extend(slips(look, condition));
                reasons.extend(other_types(look, condition));
            }
            _ => reasons.extend(any_type(condition)),
        }
        reasons.extend(condition.numbers_as_texts());
        said.extend(reasons.into_iter().map(|reason| (line, format!("{setting}: {reason}"))));
    }
    said
}

/// Fields by themselves.
fn alone(condition: &Condition) -> Vec<String> {
    let alone = condition.truths().iter().map(|path| {
        format!(
            "event.{path} by itself is met only where it is true, not by a number or a text: compare it, e.g. event.{path} == true"
        )
    });
    alone.collect()
}

/// Fields that are spelt almost as those that the prompt may see.
fn slips(look: &Look<'_>, condition: &Condition) -> Vec<String> {
    let fields = &look.campaign.config.fields;
    let slips = condition.paths().iter().filter_map(|path| {
        let (parent, name) = path.rsplit_once('.')?;
        let inside = |field: &'_ String| {
            field.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'))
        };
        let beside = fields.iter().filter(|field| inside(field));
        let beside = beside.filter_map(|field| field[parent.len() + 1..].split('.').next());
        let known: Vec<&str> = beside.collect();
        let meant =
            dialect::misspelt(name, known.iter().copied()).filter(|_| !known.contains(&name))?;
        Some(format!("event.{path} is not among fields: did you mean event.{parent}.{meant}?"))
    });
    slips.collect()
}

/// A trigger whose condition names none of its event types.
fn other_types(look: &Look<'_>, condition: &Condition) -> Option<String> {
    let triggering = &look.campaign.config.trigger.event_types;
    let named = condition.event_types().filter(|named| named.is_disjoint(triggering))?;
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    Some(format!("is never met, as {} is not among event_types: add it there", named.join(", ")))
}

/// What is met by events of any type, such as the mails that a user opens.
fn any_type(condition: &Condition) -> Option<String> {
    condition.event_types().is_none().then(|| {
        "names no event type, so it is held against every event of the user, such as a mail that they open: begin with event.type == \"...\" &&"
            .to_owned()
    })
}
