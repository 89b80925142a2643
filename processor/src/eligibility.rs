//! Decides whether an event asks for a generation, and if not, why.
//!
//! Pure: everything it looks at is passed in.

use contract::metrics::Fate;
use contract::user_record::Event;

/// What the table holds for a user and campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Content that was written for an event.
    Content {
        /// Time of the event, in UNIX seconds.
        event_time: i64,
        /// Id of the event.
        event_id: String,
    },
    /// A deletion in the content's place.
    Tombstone {
        /// When the user was deleted, in UNIX seconds.
        deleted_at: i64,
    },
}

/// Decides about the newest triggering event of a user.
///
/// `None` means: generate. Events are ordered by time, and by id within the same
/// second, so that two instances that see them in different orders agree.
pub fn reason_to_skip(event: &Event, stored: Option<&Stored>) -> Option<Fate> {
    match stored? {
        Stored::Tombstone { deleted_at } => (*deleted_at >= event.time).then_some(Fate::Deleted),
        Stored::Content { event_id, .. } if *event_id == event.id => Some(Fate::Duplicate),
        Stored::Content { event_time, event_id } => {
            ((*event_time, event_id) > (event.time, &event.id)).then_some(Fate::Stale)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: i64, id: &str) -> Event {
        Event { id: id.to_owned(), time, fields: serde_json::Map::new() }
    }

    fn content(event_time: i64, event_id: &str) -> Stored {
        Stored::Content { event_time, event_id: event_id.to_owned() }
    }

    #[test]
    fn every_case_has_its_reason() {
        let now = event(100, "m");

        assert_eq!(reason_to_skip(&now, None), None);
        assert_eq!(reason_to_skip(&now, Some(&content(99, "z"))), None);
        assert_eq!(reason_to_skip(&now, Some(&content(100, "m"))), Some(Fate::Duplicate));
        assert_eq!(reason_to_skip(&now, Some(&content(101, "a"))), Some(Fate::Stale));
        assert_eq!(
            reason_to_skip(&now, Some(&Stored::Tombstone { deleted_at: 100 })),
            Some(Fate::Deleted)
        );
        assert_eq!(reason_to_skip(&now, Some(&Stored::Tombstone { deleted_at: 99 })), None);
    }

    #[test]
    fn of_two_events_in_one_second_exactly_one_is_newer() {
        let (a, b) = (event(100, "a"), event(100, "b"));

        assert_eq!(reason_to_skip(&b, Some(&content(100, "a"))), None);
        assert_eq!(reason_to_skip(&a, Some(&content(100, "b"))), Some(Fate::Stale));
    }
}
