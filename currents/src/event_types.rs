//! The names of all 94 Currents event types and of their fields, for who needs no schemas.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

/// The table of fields: event type, field, Avro type, nullable, default, personal. Taken from
/// Braze's public sample of Currents v10.
pub(crate) const FIELDS: &str = include_str!("../currents-fields.tsv");

/// All event types with their fields, each with its Avro type, such as `string` or
/// `array<string>`.
pub fn event_types() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut types: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in FIELDS.lines().skip(1) {
        let mut columns = line.split('\t').map(str::to_owned);
        if let (Some(event_type), Some(field), Some(kind)) =
            (columns.next(), columns.next(), columns.next())
        {
            types.entry(event_type).or_default().insert(field, kind);
        }
    }
    types
}

/// The personal fields, each with its event type before it.
static PERSONAL: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
    let personal = FIELDS.lines().filter_map(|line| line.strip_suffix("\tyes"));
    let names = personal.map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?))
    });
    names.flatten().collect()
});

/// Tells whether a field of an event type may be personal where no schema says so: one that the
/// table does not have is as a field of its name is elsewhere, and personal if there is none.
pub fn may_be_personal(event_type: &str, field: &str) -> bool {
    let of_names = |known: &(&str, &str)| known.1 == field;
    if ALL.contains(&(event_type, field)) {
        return is_personal(event_type, field);
    }
    !ALL.iter().any(of_names) || PERSONAL.iter().any(of_names)
}

/// All fields, each with its event type before it.
static ALL: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
    let names = FIELDS.lines().skip(1).map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?))
    });
    names.flatten().collect()
});

/// Tells whether Braze marks this field of this event type as personal.
pub(crate) fn is_personal(event_type: &str, field: &str) -> bool {
    PERSONAL.contains(&(event_type, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_event_types_are_there_with_their_fields() {
        let types = event_types();

        assert_eq!(types.len(), 94);
        assert_eq!(types["users.behaviors.CustomEvent"]["properties"], "string");
    }

    #[test]
    fn personal_fields_are_those_of_types_that_are_known() {
        assert!(is_personal("users.messages.email.Send", "email_address"));
        assert!(!is_personal("users.messages.email.Send", "send_id"));
        assert!(!is_personal("own.Event", "email_address"));
    }
}
