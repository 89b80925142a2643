//! Decides what a user's events ask for: content, to be remembered, or nothing.
//!
//! Pure: everything it looks at is passed in. What it decides does not depend on the
//! order in which events arrive, only on what was stored when it was asked:
//!
//! 1. What happened at or before a deletion is `deleted`.
//! 2. What is remembered already, or twice in the batch, is a `duplicate`.
//! 3. If something newer than all of the rest is known, they are `stale`.
//! 4. If the stored content's event is too close before the newest, they are in
//!    `cooldown`.
//! 5. Otherwise the newest asks for content, and the others are `coalesced` into it.

use std::collections::HashSet;

use campaign::{Config, Past};
use contract::metrics::Fate;

use crate::history::merged;

/// What the table holds for a user and campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Revision of the item, if there is one.
    pub revision: Option<u64>,
    /// The event that the stored content was written for, if there is content.
    pub written_for: Option<WrittenFor>,
    /// The user's latest events, oldest first.
    pub history: Vec<Past>,
    /// When the user was deleted, in UNIX seconds, if they were.
    pub deleted_at: Option<i64>,
    /// The item cannot be read: what is in it is not known.
    pub is_foreign: bool,
}

/// The event that content was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFor {
    /// Its id.
    pub event_id: String,
    /// Its time, in UNIX seconds.
    pub event_time: i64,
    /// Time of the oldest event that the prompt showed, in UNIX seconds.
    pub oldest_event_time: i64,
}

/// What a campaign says about eligibility.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Most events that are remembered.
    pub history: usize,
    /// Time between two events of a user that get content, in seconds.
    pub cooldown_secs: i64,
}

impl Rules {
    /// What a campaign says.
    pub fn of(config: &Config) -> Self {
        Self { history: config.history, cooldown_secs: i64::from(config.cooldown_hours) * 3_600 }
    }
}

/// An event of the batch that triggers the campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The event, as it would be remembered.
    pub event: Past,
    /// When somebody sent it again after it had been given up, in UNIX milliseconds: that
    /// it is remembered is no reason to skip it.
    pub redriven_at_ms: Option<u64>,
}

/// What to do about a user's events, and why.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// What becomes of each candidate, provided that the action succeeds.
    pub fates: Vec<Fate>,
    /// What to do.
    pub action: Action,
}

/// What to do about a user's events.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Nothing: all of it is known.
    Nothing,
    /// Only remember.
    Remember {
        /// The new history.
        history: Vec<Past>,
    },
    /// Generate content.
    Generate {
        /// Place of the event that asks for it among the candidates.
        trigger: usize,
        /// The new history, which is what the prompt shows; the event is its last.
        history: Vec<Past>,
    },
}

/// Decides about all of a user's events in a batch that trigger a campaign.
pub fn decide(candidates: &[Candidate], state: &State, rules: Rules) -> Decision {
    let mut fates: Vec<Fate> = first_fates(candidates, state);
    let is_fresh = |fates: &[Fate], place: usize| fates[place] == Fate::Coalesced;
    let fresh = || {
        let places = candidates.iter().enumerate();
        places.filter(|(place, _)| is_fresh(&fates, *place)).map(|(_, fresh)| &fresh.event)
    };
    let Some(newest) = fresh().max_by(|a, b| a.order().cmp(&b.order())) else {
        return Decision { fates, action: Action::Nothing };
    };
    let history = merged(&state.history, fresh(), state.deleted_at, rules.history);
    let is_last = history.last().is_some_and(|last| last.id == newest.id);
    let refused = match &state.written_for {
        _ if !is_last => Some(Fate::Stale),
        Some(written) if (written.event_time, written.event_id.as_str()) >= newest.order() => {
            Some(Fate::Stale)
        }
        Some(written) if newest.time < written.event_time + rules.cooldown_secs => {
            Some(Fate::Cooldown)
        }
        _ => None,
    };
    if let Some(reason) = refused {
        for fate in fates.iter_mut().filter(|fate| **fate == Fate::Coalesced) {
            *fate = reason;
        }
        let is_known = history == state.history;
        let action = if is_known { Action::Nothing } else { Action::Remember { history } };
        return Decision { fates, action };
    }
    let trigger = candidates
        .iter()
        .enumerate()
        .position(|(place, each)| is_fresh(&fates, place) && each.event.id == newest.id)
        .unwrap_or_default();
    fates[trigger] = Fate::Stored;
    Decision { fates, action: Action::Generate { trigger, history } }
}

/// What can be said of each event by itself; the rest is taken for coalesced.
fn first_fates(candidates: &[Candidate], state: &State) -> Vec<Fate> {
    let remembered: HashSet<&str> = state.history.iter().map(|past| past.id.as_str()).collect();
    let mut seen = HashSet::with_capacity(candidates.len());
    let fates = candidates.iter().map(|Candidate { event, redriven_at_ms }| {
        let has_content =
            state.written_for.as_ref().is_some_and(|written| written.event_id == event.id);
        if state.deleted_at.is_some_and(|deleted_at| event.time <= deleted_at) {
            Fate::Deleted
        } else if has_content
            || (remembered.contains(event.id.as_str()) && redriven_at_ms.is_none())
            || !seen.insert(event.id.as_str())
        {
            Fate::Duplicate
        } else {
            Fate::Coalesced
        }
    });
    fates.collect()
}

/// Tells whether nothing of an item goes back to what happened at or before a deletion.
pub fn survives(state: &State, deleted_at: i64) -> bool {
    !state.is_foreign
        && state.history.iter().all(|past| past.time > deleted_at)
        && state.written_for.as_ref().is_none_or(|written| {
            written.oldest_event_time > deleted_at && written.event_time > deleted_at
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { history: 3, cooldown_secs: 0 };

    fn past(time: i64, id: &str) -> Past {
        let fields = serde_json::Map::new();
        Past { id: id.to_owned(), time, event_type: "t".to_owned(), fields }
    }

    fn candidates(events: &[(i64, &str)]) -> Vec<Candidate> {
        let candidate =
            |(time, id): &(i64, &str)| Candidate { event: past(*time, id), redriven_at_ms: None };
        events.iter().map(candidate).collect()
    }

    fn stored(event: (i64, &str), history: &[(i64, &str)]) -> State {
        State {
            revision: Some(1),
            written_for: Some(WrittenFor {
                event_id: event.1.to_owned(),
                event_time: event.0,
                oldest_event_time: event.0,
            }),
            history: history.iter().map(|(time, id)| past(*time, id)).collect(),
            deleted_at: None,
            is_foreign: false,
        }
    }

    fn ids(action: &Action) -> String {
        match action {
            Action::Nothing => "nothing".to_owned(),
            Action::Remember { history } => {
                format!(
                    "remember {}",
                    history.iter().map(|past| past.id.as_str()).collect::<String>()
                )
            }
            Action::Generate { trigger, history } => format!(
                "generate {trigger} {}",
                history.iter().map(|past| past.id.as_str()).collect::<String>()
            ),
        }
    }

    fn decided(events: &[(i64, &str)], state: &State, rules: Rules) -> (Vec<Fate>, String) {
        let decision = decide(&candidates(events), state, rules);
        (decision.fates, ids(&decision.action))
    }

    #[test]
    fn the_newest_event_asks_for_content_and_the_others_are_its_context() {
        let (fates, action) = decided(&[(1, "a"), (2, "b"), (2, "b")], &State::default(), RULES);

        assert_eq!(fates, [Fate::Coalesced, Fate::Stored, Fate::Duplicate]);
        assert_eq!(action, "generate 1 ab");
    }

    #[test]
    fn of_two_events_in_one_second_exactly_one_is_newer() {
        let of_b = stored((5, "b"), &[(5, "b")]);
        let of_a = stored((5, "a"), &[(5, "a")]);

        assert_eq!(decided(&[(5, "a")], &of_b, RULES), (vec![Fate::Stale], "remember ab".into()));
        assert_eq!(
            decided(&[(5, "b")], &of_a, RULES),
            (vec![Fate::Stored], "generate 0 ab".into())
        );
    }

    #[test]
    fn what_is_known_changes_nothing() {
        let state = stored((5, "c"), &[(3, "a"), (4, "b"), (5, "c")]);

        let known = decided(&[(3, "a"), (5, "c")], &state, RULES);
        let too_old = decided(&[(2, "x")], &state, RULES);

        assert_eq!(known, (vec![Fate::Duplicate, Fate::Duplicate], "nothing".into()));
        assert_eq!(too_old, (vec![Fate::Stale], "nothing".into()));
    }

    #[test]
    fn an_older_event_is_remembered_and_never_answered() {
        let state = stored((5, "c"), &[(5, "c")]);
        // A newer event was skipped (for the budget, say): nothing older is answered.
        let mut skipped = State { written_for: None, ..state.clone() };
        skipped.revision = None;

        assert_eq!(decided(&[(4, "b")], &state, RULES), (vec![Fate::Stale], "remember bc".into()));
        assert_eq!(
            decided(&[(4, "b")], &skipped, RULES),
            (vec![Fate::Stale], "remember bc".into())
        );
    }

    #[test]
    fn within_the_cooldown_events_are_only_remembered() {
        let state = stored((100, "a"), &[(100, "a")]);
        let rules = Rules { cooldown_secs: 60, ..RULES };

        assert_eq!(
            decided(&[(159, "b")], &state, rules),
            (vec![Fate::Cooldown], "remember ab".into())
        );
        assert_eq!(decided(&[(160, "b")], &state, rules).0, [Fate::Stored]);
    }

    #[test]
    fn a_deletion_beats_what_is_not_newer_and_is_forgotten_by_nobody() {
        let state = State { deleted_at: Some(10), ..State::default() };

        let (fates, action) = decided(&[(9, "a"), (10, "b"), (11, "c")], &state, RULES);

        assert_eq!(fates, [Fate::Deleted, Fate::Deleted, Fate::Stored]);
        assert_eq!(action, "generate 2 c");
    }

    #[test]
    fn an_event_that_was_given_up_can_be_sent_again_until_it_has_content() {
        let mut given_up = stored((1, "a"), &[(1, "a"), (2, "b")]);
        let again = [Candidate { event: past(2, "b"), redriven_at_ms: Some(1) }];

        assert_eq!(ids(&decide(&again, &given_up, RULES).action), "generate 0 ab");
        given_up.written_for = stored((2, "b"), &[]).written_for;
        assert_eq!(decide(&again, &given_up, RULES).fates, [Fate::Duplicate]);
    }

    #[test]
    fn an_item_survives_a_deletion_only_if_nothing_in_it_is_older() {
        let mut state = stored((5, "c"), &[(4, "b"), (5, "c")]);

        assert!(survives(&state, 3));
        assert!(!survives(&state, 4));
        state.history.clear();
        assert!(survives(&state, 4));
        assert!(!survives(&state, 5));
    }
}
