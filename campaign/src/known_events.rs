//! What a campaign names of events, held against the events that are known.
//!
//! A name that no event has is no fault of a campaign as such: Braze adds event types and
//! fields, and a file of one's own can hold any. So no function looks at it; a person who
//! checks campaigns is told.

use std::collections::{BTreeMap, BTreeSet};

use dialect::did_you_mean;

use crate::condition::Condition;
use crate::config;
use crate::fault::Fault;
use crate::folder::Draft;

/// What every event has beside its fields, by these names.
const OF_EVERY_EVENT: [&str; 3] = ["id", "time", "type"];

/// The type of events that Braze's customers name.
const CUSTOM_EVENT: &str = "users.behaviors.CustomEvent";

/// The field whose text is JSON, so that more fields are inside it.
const PROPERTIES: &str = "properties";

/// The types of fields, as Avro names them, that are true or false.
const FLAG: &str = "boolean";

/// The fields of an event type, each with its type as Avro names it.
pub type Fields = BTreeMap<String, String>;

/// The event types that are known.
#[derive(Debug, Clone, Default)]
pub struct KnownEvents {
    /// Their fields, by event type.
    pub types: BTreeMap<String, Fields>,
    /// Whether a name that is not known is a fault.
    pub must_be: bool,
}

impl KnownEvents {
    /// Everything that a campaign names and no event has, with what was meant.
    pub(crate) fn unknown_to(&self, draft: &Draft) -> Vec<Fault> {
        let path = draft.folder.join("campaign.toml");
        let mut faults = Vec::new();
        let names = draft.named.event_types.iter().map(|(line, name)| (*line, name));
        let of_campaign = self.fields_of(names, &mut |line, reason| {
            faults.push(Fault::of_events(&path, line, reason));
        });
        if let Some(of_campaign) = &of_campaign {
            for (line, field) in draft.named.fields.iter().flatten() {
                if let Some(wrong) = wrong_field(field, of_campaign, "of the trigger") {
                    faults.push(Fault::of_events(&path, *line, format!("fields: {wrong}")));
                }
            }
        }
        for (setting, expression) in draft.named.conditions() {
            let Ok(condition) = Condition::compile(setting, expression) else { continue };
            let mut blame = |line: usize, reason: String| {
                faults.push(Fault::of_events(&path, line, format!("{setting}: {reason}")));
            };
            let named = condition.event_types().into_iter().flatten();
            let named = self.fields_of(named.map(|name| (expression.line, name)), &mut blame);
            let (types, whose) = match (setting, condition.event_types()) {
                (config::WHEN, _) => (of_campaign.clone(), "of the trigger"),
                (_, Some(_)) => (named, "of the types that it names"),
                (_, None) => (Some(self.types.values().collect()), "of Currents"),
            };
            // An event type that is not known may have any field.
            let Some(types) = types.filter(|types| !types.is_empty()) else { continue };
            for wrong in wrong_in_condition(&condition, &types, whose) {
                blame(expression.line, wrong);
            }
        }
        faults
    }

    /// The fields of event types; `None` if one of the types is not known, which is told.
    fn fields_of<'n>(
        &self,
        names: impl Iterator<Item = (usize, &'n String)>,
        blame: &mut impl FnMut(usize, String),
    ) -> Option<Vec<&Fields>> {
        let mut found = Some(Vec::new());
        for (line, name) in names {
            let fields = self.types.get(name);
            // What is no name at all is told with the settings.
            if fields.is_none() && !name.is_empty() && !name.contains(char::is_whitespace) {
                let meant = self.meant_by(name);
                blame(line, format!("no event type of Currents is called \"{name}\"{meant}"));
            }
            found = found.zip(fields).map(|(mut found, fields)| {
                found.push(fields);
                found
            });
        }
        found.filter(|found| !found.is_empty())
    }

    /// What was meant by a name that no event type has.
    fn meant_by(&self, name: &str) -> String {
        if name.contains('*') {
            return ": each type is written by its name".to_owned();
        }
        let known = || self.types.keys().map(String::as_str);
        if let Some(same) = known().find(|known| last_letters(known) == last_letters(name)) {
            return format!(": did you mean {same}?");
        }
        match did_you_mean(name, known()) {
            // The name of a custom event is none of its type.
            meant if meant.is_empty() && !name.contains('.') => format!(
                ": the type of custom events is {CUSTOM_EVENT}, and their name stands in when, event.name == \"{name}\""
            ),
            meant => meant,
        }
    }
}

/// The letters of the last part of a name, by which a type is known that is written otherwise.
fn last_letters(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// What is wrong with a field that none of the event types has.
fn wrong_field(path: &str, types: &[&Fields], whose: &str) -> Option<String> {
    let (first, inner) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    if OF_EVERY_EVENT.contains(&first) && inner.is_none() {
        return None;
    }
    let found: Vec<&String> = types.iter().filter_map(|fields| fields.get(first)).collect();
    if found.is_empty() {
        let known: BTreeSet<&str> =
            types.iter().flat_map(|fields| fields.keys()).map(String::as_str).collect();
        // What a campaign means by a name of its own is mostly a property of its own.
        let own = known.contains(PROPERTIES).then(|| format!("{PROPERTIES}.{path}"));
        let meant = did_you_mean(first, known);
        let meant = match (meant.is_empty(), own) {
            (true, Some(own)) => format!(": did you mean {own}?"),
            _ => meant,
        };
        return Some(format!("no event {whose} has \"{first}\"{meant}"));
    }
    let is_flat = first != PROPERTIES && !found.iter().any(|kind| kind.starts_with("array"));
    inner.filter(|_| is_flat).map(|inner| {
        format!("\"{first}\" is a {} and holds no \"{inner}\": write \"{first}\"", found[0])
    })
}

fn wrong_in_condition(condition: &Condition, types: &[&Fields], whose: &str) -> Vec<String> {
    let unknown = condition.fields().iter().filter_map(|field| wrong_field(field, types, whose));
    let mut wrong: Vec<String> = unknown.collect();
    for field in condition.truths() {
        let mut kinds = types.iter().filter_map(|fields| fields.get(field));
        let kind = kinds.next();
        if let Some(kind) = kind.filter(|kind| *kind != FLAG && field != PROPERTIES)
            && !kinds.any(|kind| kind == FLAG)
        {
            wrong.push(format!(
                "event.{field} is a {kind} and never true or false: compare it with something"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::tests::draft;
    use crate::config::Expression;

    #[test]
    fn an_event_type_that_nobody_knows_is_told_with_the_one_that_was_meant() {
        let types = ["users.behaviors.CustomEvent", "users.behaviors.Purchase"];
        let types = types.map(|name| (name.to_owned(), Fields::new()));
        let known = KnownEvents { types: types.into(), must_be: true };

        for (name, expected) in [
            ("users.behaviors.CustomEvnt", ": did you mean users.behaviors.CustomEvent?"),
            ("Users.Behaviors.customevent", ": did you mean users.behaviors.CustomEvent?"),
            ("custom_event", ": did you mean users.behaviors.CustomEvent?"),
            ("Purchase", ": did you mean users.behaviors.Purchase?"),
            ("event_type=users.behaviors.Purchase", ": did you mean users.behaviors.Purchase?"),
            ("users.behaviors.*", ": each type is written by its name"),
            (
                "cart_updated",
                ": the type of custom events is users.behaviors.CustomEvent, and their name \
                 stands in when, event.name == \"cart_updated\"",
            ),
            ("ours.shop.Cart", ""),
        ] {
            assert_eq!(known.meant_by(name), expected, "{name}");
        }
    }

    /// What is said of a campaign with these conditions.
    fn told(unless: &str, retract_when: &str) -> Vec<String> {
        let fields = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), "string".to_owned())).collect()
        };
        let types = [
            ("users.behaviors.CustomEvent", fields(&["name", "properties"])),
            ("users.behaviors.Purchase", fields(&["product_id", "price"])),
            ("users.messages.email.Open", fields(&["campaign_name"])),
        ];
        let types = types.map(|(name, fields)| (name.to_owned(), fields));
        let known = KnownEvents { types: types.into(), must_be: true };
        let mut draft = draft();
        let expression = |text: &str| Some(Expression { text: text.to_owned(), line: 7 });
        draft.named.unless = expression(unless);
        draft.named.retract_when = expression(retract_when);
        known.unknown_to(&draft).into_iter().map(|fault| fault.reason).collect()
    }

    #[test]
    fn what_ends_or_retracts_is_held_against_the_events_that_it_names() {
        let purchase = "event.type == 'users.behaviors.Purchase'";
        assert_eq!(told(purchase, &format!("{purchase} && event.price > '5'")), [""; 0]);
        assert_eq!(told("event.campaign_name == 'a'", "event.name == 'b'"), [""; 0]);

        for (unless, expected) in [
            (
                "event.type == 'users.behaviors.Purchse'",
                "unless: no event type of Currents is called \"users.behaviors.Purchse\": did you mean users.behaviors.Purchase?",
            ),
            (
                "event.type == 'purchase'",
                "unless: no event type of Currents is called \"purchase\": did you mean users.behaviors.Purchase?",
            ),
            (
                &format!("{purchase} && event.prise > '5'"),
                "unless: no event of the types that it names has \"prise\": did you mean price?",
            ),
            (
                &format!("{purchase} && event.name == 'checkout'"),
                "unless: no event of the types that it names has \"name\"",
            ),
            (
                "event.nme == 'checkout'",
                "unless: no event of Currents has \"nme\": did you mean name?",
            ),
        ] {
            assert_eq!(told(unless, purchase), [expected], "{unless}");
        }
    }
}
