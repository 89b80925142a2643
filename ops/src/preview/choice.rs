//! Whose events a preview shows, and what to say where nothing asks for content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use campaign::{CompiledCampaign, Past};
use contract::user_record::UserRecord;

use crate::arguments::Preview;
use crate::outcome::{self, Outcome, Seen};
use crate::output::say;

/// A user of whom nothing is known.
pub(super) const UNKNOWN_USER: &str = "unknown-user";

/// Most users, and most events, that are told of.
const MAX_TOLD: usize = 10;

/// Whose events are shown.
pub(super) struct Choice {
    /// All users who have events.
    pub(super) users: usize,
    /// Those who are shown, with what becomes of their events.
    pub(super) shown: Vec<(String, Vec<Seen>)>,
}

/// The users whose events are shown, and what becomes of them: the one that was named, or
/// those who have the newest events that ask for content.
pub(super) fn choose(
    campaign: &Arc<CompiledCampaign>,
    (file, records): (&Path, &[UserRecord]),
    arguments: &Preview,
) -> anyhow::Result<Choice> {
    let mut of_all = outcome::by_user(campaign, records);
    let users = of_all.len();
    if of_all.is_empty() {
        bail!("{} holds no event of a user", file.display());
    }
    if let Some(user_id) = &arguments.user {
        let Some(seen) = of_all.remove(user_id.as_str()) else {
            let similar = similar_user(records, user_id);
            bail!("no event of user {user_id} in {}{similar}", file.display());
        };
        return Ok(Choice { users, shown: vec![(user_id.clone(), seen)] });
    }
    let newest = |seen: &[Seen]| asking(seen).map(|(trigger, _)| trigger.time);
    let mut asking: Vec<_> = of_all.iter().filter(|(_, seen)| newest(seen).is_some()).collect();
    if asking.is_empty() {
        bail!("{}", nobody_asks(campaign, &of_all, file));
    }
    asking.sort_by_key(|(_, seen)| std::cmp::Reverse(newest(seen)));
    let chosen = asking.into_iter().take(arguments.users.into());
    let shown = chosen.map(|(user_id, seen)| ((*user_id).to_owned(), seen.clone())).collect();
    Ok(Choice { users, shown })
}

/// The newest event that asks for content, and the history that it is written from.
pub(crate) fn asking(seen: &[Seen]) -> Option<(&Seen, &[Past])> {
    // Nothing is left of what was before a deletion.
    let kept = seen.iter().rev().take_while(|event| event.outcome != Outcome::Deletes);
    kept.into_iter().find_map(|event| match &event.outcome {
        Outcome::Asks(history) => Some((event, history.as_slice())),
        _ => None,
    })
}

/// Says whose events are shown, and what became of the events that do not ask.
pub(super) fn tell(
    campaign: &CompiledCampaign,
    users: usize,
    (user_id, seen): (&str, &[Seen]),
    (trigger, history): (&Seen, &[Past]),
) {
    let others = match users - 1 {
        0 => String::new(),
        n => format!(" ({n} other users in the file: --user picks one, --users shows several)"),
    };
    say(format_args!(
        "user {user_id}{others}, event {}: {} of at most {} events remembered",
        trigger.named(),
        history.len(),
        campaign.campaign.config.history
    ));
    if let Some(at) = trigger.asks_at {
        say(format_args!("it asks at {}, from what is remembered then", outcome::moment(at)));
    }
    for line in outcome::timing(&campaign.campaign.config) {
        say(line);
    }
    let told = |event: &&Seen| {
        event.cut > 0 || !matches!(event.outcome, Outcome::Asks(_) | Outcome::OtherType)
    };
    for event in seen.iter().filter(told).take(MAX_TOLD) {
        if event.cut > 0 {
            say(format_args!(
                "event {}: {} fields are too large to be remembered whole",
                event.id, event.cut
            ));
        }
        if !matches!(event.outcome, Outcome::Asks(_)) {
            say(format_args!("event {} {}", event.named(), event.reason(campaign)));
        }
    }
}

/// Why none of a user's events asks for content.
pub(super) fn nothing_asks(campaign: &CompiledCampaign, user_id: &str, seen: &[Seen]) -> String {
    let of_type = seen.iter().filter(|event| event.outcome != Outcome::OtherType);
    let reasons = reasons(campaign, of_type);
    if reasons.is_empty() {
        return format!("no event of user {user_id} {}", types(campaign, seen.iter()));
    }
    format!("none of the events of user {user_id} asks for content:{reasons}")
}

/// The first of some events, a line each, with what becomes of them.
fn reasons<'s>(campaign: &CompiledCampaign, seen: impl Iterator<Item = &'s Seen>) -> String {
    seen.take(MAX_TOLD)
        .map(|event| format!("\n  {} {}", event.named(), event.reason(campaign)))
        .collect()
}

fn nobody_asks(
    campaign: &CompiledCampaign,
    of_all: &BTreeMap<&str, Vec<Seen>>,
    file: &Path,
) -> String {
    let file = file.display();
    let all = || of_all.values().flatten();
    let mut of_type = all().filter(|event| event.outcome != Outcome::OtherType).peekable();
    if of_type.peek().is_none() {
        return format!("no event in {file} {}", types(campaign, all()));
    }
    if of_type.clone().all(|event| matches!(event.outcome, Outcome::Lacks(_))) {
        let required = Vec::from_iter(campaign.required.iter().map(String::as_str)).join(", ");
        return format!(
            "every event that triggers the campaign lacks what the prompt needs ({required}): say \
             required in campaign.toml, or give the prompt a default"
        );
    }
    format!("no event in {file} asks for content:{}", reasons(campaign, of_type))
}

/// The types that are there beside those that are wanted.
fn types<'s>(campaign: &CompiledCampaign, seen: impl Iterator<Item = &'s Seen>) -> String {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for event in seen {
        *found.entry(&event.event_type).or_default() += 1;
    }
    let found: Vec<String> = found.iter().map(|(name, n)| format!("{name} ({n})")).collect();
    let wanted = &campaign.campaign.config.trigger.event_types;
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    format!("triggers the campaign: it wants {}; there is {}", wanted.join(", "), found.join(", "))
}

/// Users that there are, where somebody named one that is not there.
pub(crate) fn similar_user(records: &[UserRecord], user_id: &str) -> String {
    let users: BTreeSet<&str> = records.iter().map(|record| record.user_id.as_str()).collect();
    let is_similar = |user: &&&str| user.eq_ignore_ascii_case(user_id.trim());
    if let Some(user) = users.iter().find(is_similar) {
        return format!(": did you mean {user}?");
    }
    let some: Vec<&str> = users.iter().take(MAX_TOLD).copied().collect();
    if some.is_empty() { String::new() } else { format!(": there is {}", some.join(", ")) }
}
