//! Decides what an ask comes to when its turn has come.

use contract::ask::Ask;
use contract::metrics::AskFate;

use super::{Action, Memory, Parking, Rules, State, Wish, wish};
use crate::history::merged;

/// What to do about an ask, and why.
#[derive(Debug, PartialEq)]
pub struct AskDecision {
    /// What becomes of it, provided that the action succeeds.
    pub fate: AskFate,
    /// What to do.
    pub outcome: AskOutcome,
}

/// What to do about an ask.
#[derive(Debug, PartialEq)]
pub enum AskOutcome {
    /// It is over; what is remembered stays as it is.
    Over,
    /// As with events.
    Goes(Action),
}

/// Decides about an ask; `now` in UNIX seconds. `rules` are those of its campaign.
pub fn decide_ask(ask: &Ask, state: &State, rules: Rules, now: i64) -> AskDecision {
    let over = |fate| AskDecision { fate, outcome: AskOutcome::Over };
    let none = std::iter::empty();
    let history = merged(&state.memory.history, none, state.deleted_at, rules.history);
    let memory = Memory { history, ..state.memory.clone() };
    let Some(newest) = memory.history.last() else { return over(AskFate::Deleted) };
    let is_to_be_anew = state.written_for.as_ref().is_some_and(|written| {
        let written_ms = u64::try_from(written.generated_at).unwrap_or_default() * 1_000;
        written_ms < ask.regenerate_before_ms
    });
    let generate = |memory| AskDecision {
        fate: AskFate::Stored,
        outcome: AskOutcome::Goes(Action::Generate(memory)),
    };
    match wish(newest, &memory, state, rules, now) {
        // Content that was written for the newest event is written anew, in its place.
        Wish::Answered | Wish::Cooldown if is_to_be_anew => generate(memory),
        Wish::Answered => over(AskFate::Answered),
        Wish::Unless => over(AskFate::Unless),
        Wish::Cooldown => over(AskFate::Cooldown),
        Wish::Content => generate(memory),
        Wish::Later(due) => {
            let parking = Parking::until(due, memory, state, now);
            let others_until_ms = state.parked_until_ms.unwrap_or_default();
            // A newer event announced another that comes when it is of use. What stands for an ask
            // of no named time may be this one.
            if others_until_ms == parking.not_before_ms && others_until_ms > ask.not_before_ms {
                return over(AskFate::Superseded);
            }
            let action = Action::Park(Parking { is_announced: false, ..parking });
            AskDecision { fate: AskFate::ParkedAgain, outcome: AskOutcome::Goes(action) }
        }
    }
}

#[cfg(test)]
mod tests {
    use campaign::Past;

    use super::super::WrittenFor;
    use super::*;

    const RULES: Rules =
        Rules { history: 3, cooldown_secs: 60, replaces: false, after_secs: 0, pace_secs: 0 };

    fn ask() -> Ask {
        let body = include_str!("../../../contract/golden/ask.json");
        Ask { not_before_ms: 100_000, ..Ask::decode(body).expect("is one") }
    }

    fn state(times: &[i64], written_for: Option<i64>) -> State {
        let id = |time: i64| format!("e{time}");
        let past = |time: &i64| Past {
            id: id(*time),
            time: *time,
            event_type: "t".to_owned(),
            fields: serde_json::Map::new(),
        };
        let memory = Memory { history: times.iter().map(past).collect(), ..Memory::default() };
        let written_for = written_for.map(|time| WrittenFor {
            event_id: id(time),
            event_time: time,
            oldest_event_time: time,
            generated_at: time,
        });
        State { memory, written_for, revision: Some(1), ..State::default() }
    }

    fn fate(ask: &Ask, state: &State, rules: Rules) -> AskFate {
        decide_ask(ask, state, rules, 1_000).fate
    }

    #[test]
    fn an_ask_decides_by_what_is_remembered_and_stored_now() {
        let ask = ask();

        assert_eq!(fate(&ask, &State::default(), RULES), AskFate::Deleted);
        assert_eq!(fate(&ask, &state(&[100, 200], None), RULES), AskFate::Stored);
        assert_eq!(fate(&ask, &state(&[100, 200], Some(100)), RULES), AskFate::Stored);
        assert_eq!(fate(&ask, &state(&[100, 159], Some(100)), RULES), AskFate::Cooldown);
        assert_eq!(fate(&ask, &state(&[100, 200], Some(200)), RULES), AskFate::Answered);
        let deleted = State { deleted_at: Some(200), ..state(&[100, 200], None) };
        assert_eq!(fate(&ask, &deleted, RULES), AskFate::Deleted);
        let mut bought = state(&[100], None);
        bought.memory.unless_at = Some(150);
        assert_eq!(fate(&ask, &bought, Rules { after_secs: 5, ..RULES }), AskFate::Unless);
    }

    #[test]
    fn what_was_written_before_is_written_anew_where_that_is_asked() {
        let anew = |before_secs: u64| Ask { regenerate_before_ms: before_secs * 1_000, ..ask() };

        assert_eq!(fate(&anew(201), &state(&[200], Some(200)), RULES), AskFate::Stored);
        assert_eq!(fate(&anew(200), &state(&[200], Some(200)), RULES), AskFate::Answered);
        assert_eq!(fate(&anew(201), &state(&[200, 210], Some(200)), RULES), AskFate::Stored);
    }

    #[test]
    fn an_ask_that_a_newer_event_moved_waits_on_unless_another_was_announced() {
        let rules = Rules { after_secs: 500, ..RULES };
        let moved = state(&[100, 900], None);

        let waits = decide_ask(&ask(), &moved, rules, 1_000);
        let AskOutcome::Goes(Action::Park(parking)) = waits.outcome else { panic!("waits") };
        assert_eq!((parking.not_before_ms, parking.is_announced), (1_400_000, false));
        let announced = State { parked_until_ms: Some(1_400_000), ..moved.clone() };
        assert_eq!(fate(&ask(), &announced, rules), AskFate::Superseded);
        let stands_for_itself = State { parked_until_ms: Some(3_700_001), ..moved.clone() };
        assert_eq!(fate(&ask(), &stands_for_itself, rules), AskFate::ParkedAgain);
        let itself = Ask { not_before_ms: 1_400_000, ..ask() };
        assert_eq!(fate(&itself, &announced, rules), AskFate::ParkedAgain);
    }
}
