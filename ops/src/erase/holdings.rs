//! What the content table has of a user.

use std::collections::HashSet;
use std::fmt;

use anyhow::Context as _;
use processor::eligibility::survives;
use processor::store::{ContentTable as _, DynamoDb, Key, OfUser};
use serde::Serialize;

use crate::outcome::moment;

/// All that is stored of a user.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    of_user: OfUser,
    /// When they were deleted, in UNIX seconds, if they were.
    pub(super) deleted_at: Option<i64>,
}

/// How much of it there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Items of campaigns, with content or with what is remembered for some.
    pub(super) items: usize,
    /// Those of them with content.
    pub(super) contents: usize,
    /// Events that are remembered.
    pub(super) events: usize,
    /// Attributes.
    pub(super) attributes: usize,
    /// Prompts that were kept with their answers.
    pub(super) prompts: usize,
}

impl Holdings {
    /// Reads all of a user, consistently.
    pub(super) async fn read(table: &DynamoDb, user_id: &str) -> anyhow::Result<Self> {
        const FAILED: &str = "reading the content table";
        let of_user = table.of_user(user_id).await.context(FAILED)?;
        let profiles = table.profiles(&[user_id.to_owned()]).await.context(FAILED)?;
        let deleted_at = profiles.get(user_id).and_then(|profile| profile.deleted_at);
        Ok(Self { of_user, deleted_at })
    }

    /// Whether nothing is known of the user, not even that they were deleted.
    pub(super) fn is_empty(&self) -> bool {
        self.deleted_at.is_none() && self.all() == Counts::default()
    }

    /// All of it.
    pub(super) fn all(&self) -> Counts {
        self.counts(|_| true, |_| true, |_| true)
    }

    /// What goes back to what happened at or before a deletion.
    pub(super) fn up_to(&self, deleted_at: i64) -> Counts {
        let items = &self.of_user.items;
        let newer = items.iter().filter(|(_, state)| survives(state, deleted_at));
        let newer: HashSet<&Key> = newer.map(|(key, _)| key).collect();
        self.counts(
            |key| !newer.contains(key),
            |time| time <= deleted_at,
            |(key, oldest)| *oldest <= deleted_at || !newer.contains(key),
        )
    }

    /// What is of later events only, and stays: a new user's.
    pub(super) fn behind(&self, deleted_at: i64) -> Counts {
        let (all, gone) = (self.all(), self.up_to(deleted_at));
        Counts {
            items: all.items - gone.items,
            contents: all.contents - gone.contents,
            events: all.events - gone.events,
            attributes: all.attributes - gone.attributes,
            prompts: all.prompts - gone.prompts,
        }
    }

    /// Whether a deletion is noted, and done.
    pub(super) fn is_gone(&self, deleted_at: i64) -> bool {
        self.deleted_at.is_some_and(|at| at >= deleted_at)
            && self.up_to(deleted_at) == Counts::default()
    }

    fn counts(
        &self,
        item: impl Fn(&Key) -> bool,
        attribute: impl Fn(i64) -> bool,
        prompt: impl Fn(&(Key, i64)) -> bool,
    ) -> Counts {
        let items = || self.of_user.items.iter().filter(|(key, _)| item(key));
        Counts {
            items: items().count(),
            contents: items().filter(|(_, state)| state.written_for.is_some()).count(),
            events: items().map(|(_, state)| state.memory.history.len()).sum(),
            attributes: self
                .of_user
                .profile
                .known
                .values()
                .filter(|known| attribute(known.time))
                .count(),
            prompts: self.of_user.asked.iter().filter(|asked| prompt(asked)).count(),
        }
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.all())?;
        match self.deleted_at {
            Some(at) => write!(f, "; they were deleted at {}", moment(at)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, contents, events, attributes, prompts } = self;
        if *self == Self::default() {
            return f.write_str("nothing");
        }
        write!(
            f,
            "items of campaigns: {items}, contents: {contents}, remembered events: {events}, \
             attributes: {attributes}, prompts: {prompts}"
        )
    }
}

#[cfg(test)]
mod tests {
    use processor::attributes::{Known, Profile};
    use processor::eligibility::{State, WrittenFor};

    use super::*;

    fn holdings(deleted_at: Option<i64>) -> Holdings {
        let key = |campaign: &str| Key { user_id: "u".to_owned(), campaign: campaign.to_owned() };
        let state = |at: i64| State {
            written_for: Some(WrittenFor {
                event_id: "e".to_owned(),
                event_time: at,
                oldest_event_time: at,
                generated_at: at,
            }),
            ..State::default()
        };
        let known = |time| Known { value: 1.into(), time, event_id: "e".to_owned() };
        let known = [("a".to_owned(), known(5)), ("b".to_owned(), known(20))].into();
        let of_user = OfUser {
            items: vec![(key("old"), state(5)), (key("new"), state(20))],
            profile: Profile { known, ..Profile::default() },
            asked: vec![(key("old"), 20), (key("new"), 20)],
            unknown: Vec::new(),
        };
        Holdings { of_user, deleted_at }
    }

    #[test]
    fn what_is_newer_than_a_deletion_is_not_of_it() {
        let holdings = holdings(Some(10));

        let all = Counts { items: 2, contents: 2, events: 0, attributes: 2, prompts: 2 };
        assert_eq!(holdings.all(), all);
        let old = Counts { items: 1, contents: 1, events: 0, attributes: 1, prompts: 1 };
        assert_eq!(holdings.up_to(10), old);
        assert_eq!(holdings.behind(10), old, "as much is newer");
        assert!(!holdings.is_gone(10));
        assert!(holdings.is_gone(4));
    }

    #[test]
    fn a_user_without_a_tombstone_is_not_gone() {
        assert!(!Holdings::default().is_gone(10));
        assert!(!Holdings { deleted_at: Some(9), ..Holdings::default() }.is_gone(10));
        assert!(Holdings { deleted_at: Some(10), ..Holdings::default() }.is_gone(10));
    }
}
