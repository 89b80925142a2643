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
            // A newer event announced another that comes when it is of use.
            if others_until_ms >= parking.not_before_ms && others_until_ms > ask.not_before_ms {
                return over(AskFate::Superseded);
            }
            let action = Action::Park(Parking { is_announced: false, ..parking });
            AskDecision { fate: AskFate::ParkedAgain, outcome: AskOutcome::Goes(action) }
        }
    }
}
