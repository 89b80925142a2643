//! A user's history: the latest events that trigger a campaign, in an order that does not
//! depend on how they came.

use std::collections::HashSet;

use campaign::Past;

/// Adds fresh events to a history, drops what happened at or before `deleted_at`, and
/// keeps the latest `most`, oldest first.
pub fn merged<'a>(
    history: &'a [Past],
    fresh: impl Iterator<Item = &'a Past>,
    deleted_at: Option<i64>,
    most: usize,
) -> Vec<Past> {
    let mut all: Vec<&Past> = history.iter().chain(fresh).collect();
    all.retain(|past| deleted_at.is_none_or(|deleted_at| past.time > deleted_at));
    let mut ids = HashSet::with_capacity(all.len());
    all.retain(|past| ids.insert(past.id.as_str()));
    all.sort_by(|a, b| a.order().cmp(&b.order()));
    let dropped = all.len().saturating_sub(most);
    all.into_iter().skip(dropped).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn past(time: i64, id: &str) -> Past {
        Past { id: id.to_owned(), time, event_type: "t".to_owned(), fields: Map::new() }
    }

    #[test]
    fn the_latest_are_kept_in_order_and_none_twice() {
        let history = [past(1, "a"), past(3, "c"), past(5, "e")];
        let fresh = [past(4, "d"), past(3, "c"), past(5, "b")];
        let ids = |deleted_at, most| -> String {
            let merged = merged(&history, fresh.iter(), deleted_at, most);
            merged.into_iter().map(|past| past.id).collect()
        };

        assert_eq!(ids(None, 9), "acdbe");
        assert_eq!(ids(None, 3), "dbe");
        assert_eq!(ids(Some(3), 9), "dbe");
    }
}
