//! What of event, attributes and items a campaign may look at beside its prompt: what it lists.

use crate::config::{Named, paths};
use crate::reference::{Reference, Root, Step};

/// What an event has beside its fields.
const OF_EVERY_EVENT: [&str; 3] = ["id", "time", "type"];

/// What is wrong with a place below event, attributes or items, and what would be right.
pub(crate) fn wrong(place: &Reference, named: &Named) -> Option<String> {
    match place.root {
        Root::Answer => None,
        Root::Event => {
            let path = place.names().join(".");
            // What is wrong with the list itself is told there.
            let fields = named.paths()?;
            let is_seen = |field: &String| paths::holds(field, &path) || paths::holds(&path, field);
            let is_known = OF_EVERY_EVENT.contains(&path.as_str()) || fields.iter().any(is_seen);
            (!is_known).then(|| not_listed(place, &path, "fields", fields.iter()))
        }
        Root::Attributes => {
            let name = place.attribute()?;
            let attributes = &named.attributes;
            let is_known = attributes.contains(&name);
            (!is_known).then(|| not_listed(place, &name, "attributes", attributes.iter()))
        }
        Root::Items => match place.steps.first() {
            Some(Step::Name(name)) => {
                Some(format!("{place}: items is a list: write items[0].{name}"))
            }
            _ => None,
        },
    }
}

fn not_listed<'k>(
    place: &Reference,
    name: &str,
    list: &str,
    known: impl Iterator<Item = &'k String>,
) -> String {
    let remedy = match dialect::did_you_mean(name, known.map(String::as_str)) {
        meant if meant.is_empty() => ": add it there".to_owned(),
        meant => meant,
    };
    format!("{place}: \"{name}\" is not among {list}{remedy}")
}
