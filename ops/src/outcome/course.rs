//! A user's events one after another, with what waits between them.

use std::sync::Arc;

use campaign::condition::{Condition, NotEvaluated};
use campaign::{CompiledCampaign, Past, Replace};
use contract::metrics::Fate;
use contract::user_record::Event;
use processor::deletion::DELETIONS;
use processor::eligibility::{Action, Candidate, Rules, State, WrittenFor, decide};

use super::{Outcome, Seen};

/// What the trigger's `when` is called.
const CONDITION: &str = "the condition";

/// What became of a user's events so far.
pub(super) struct Course<'c> {
    campaign: &'c Arc<CompiledCampaign>,
    rules: Rules,
    state: State,
    seen: Vec<Seen>,
    waiting: Option<Waiting>,
    /// Place of the event whose content is served.
    served: Option<usize>,
    ended: Option<Note>,
    retracted: Option<Note>,
}

/// An event whose content waits for its time.
struct Waiting {
    place: usize,
    due: i64,
    trigger: Past,
    history: Vec<Past>,
}

/// The latest event that ends or retracts.
struct Note {
    time: i64,
    id: String,
}

impl<'c> Course<'c> {
    /// Of a user of whom nothing is known.
    pub(super) fn of(campaign: &'c Arc<CompiledCampaign>) -> Self {
        let rules = Rules::of(&campaign.campaign.config);
        let (state, seen) = (State::default(), Vec::new());
        let (waiting, served, ended, retracted) = (None, None, None, None);
        Self { campaign, rules, state, seen, waiting, served, ended, retracted }
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, event_type: &str, event: &Event) {
        if self.waiting.as_ref().is_some_and(|waiting| waiting.due <= event.time) {
            self.write_what_waits();
        }
        let (past, cut) = Past::of(event_type, event, &self.campaign.campaign.config.fields);
        let place = self.seen.len();
        self.seen.push(Seen {
            id: event.id.clone(),
            event_type: event_type.to_owned(),
            time: event.time,
            outcome: Outcome::OtherType,
            cut,
            asks_at: None,
        });
        let outcome = if DELETIONS.contains(&event_type) {
            self.delete(event.time)
        } else {
            match self.campaign.is_triggered_by(event_type, event) {
                Ok(true) => match self.campaign.lacks(&past).as_slice() {
                    [] => self.trigger(place, past),
                    lacks => Outcome::Lacks(lacks.iter().map(|&field| field.to_owned()).collect()),
                },
                met => self.note(event_type, event, met),
            }
        };
        self.seen[place].outcome = outcome;
    }

    /// Everything, once what waits has had its time.
    pub(super) fn end(mut self) -> Vec<Seen> {
        self.write_what_waits();
        self.seen
    }

    fn delete(&mut self, at: i64) -> Outcome {
        self.state = State { deleted_at: Some(at), ..State::default() };
        self.served = None;
        let deleted = self.waiting.take().map(|waiting| waiting.place);
        if let Some(place) = deleted {
            self.seen[place].outcome = Outcome::Skipped(Fate::Deleted);
        }
        Outcome::Deletes
    }

    /// An event that triggers the campaign, decided as the table's state says.
    fn trigger(&mut self, place: usize, past: Past) -> Outcome {
        let config = &self.campaign.campaign.config;
        let candidates = [Candidate { event: past, redriven_at_ms: None }];
        let decision = decide(&candidates, &self.state, self.rules);
        let [Candidate { event, .. }] = candidates;
        let fate = decision.fates[0];
        let (history, cool_at) = match decision.action {
            Action::Generate { history, .. } => (history, event.time),
            Action::Remember { history } => {
                let cool_at =
                    self.state.written_for.as_ref().map(|written| {
                        written.event_time + i64::from(config.cooldown_hours) * 3_600
                    });
                self.state.history.clone_from(&history);
                match cool_at {
                    Some(at) if fate == Fate::Cooldown && config.replace == Replace::Newest => {
                        (history, at)
                    }
                    _ => return Outcome::Skipped(fate),
                }
            }
            Action::Nothing => return Outcome::Skipped(fate),
        };
        self.state.history.clone_from(&history);
        let after = config
            .trigger
            .after
            .map_or(0, |after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
        let due = event.time.saturating_add(after).max(cool_at);
        if let Some(before) = self.waiting.take() {
            self.seen[before.place].outcome = Outcome::Superseded(event.id.clone());
        }
        let is_since = |note: &&Note| note.time >= event.time;
        let excluded = self.ended.as_ref().filter(|_| after > 0).filter(is_since);
        if let Some(note) = excluded.or(self.retracted.as_ref().filter(is_since)) {
            return Outcome::Ended(note.id.clone());
        }
        let outcome = Outcome::Asks(history.clone());
        self.waiting = Some(Waiting { place, due, trigger: event, history });
        if due > self.seen[place].time {
            self.seen[place].asks_at = Some(due);
        } else {
            self.write_what_waits();
        }
        outcome
    }

    /// Content is written for what waits.
    fn write_what_waits(&mut self) {
        let Some(Waiting { place, trigger, history, .. }) = self.waiting.take() else { return };
        self.state.written_for = Some(WrittenFor {
            event_id: trigger.id,
            event_time: trigger.time,
            oldest_event_time: history.first().map_or(trigger.time, |oldest| oldest.time),
        });
        self.served = Some(place);
    }

    /// An event that does not trigger the campaign.
    fn note(
        &mut self,
        event_type: &str,
        event: &Event,
        met: Result<bool, NotEvaluated>,
    ) -> Outcome {
        let campaign = self.campaign;
        let (ends, retracts) =
            (campaign.ends(event_type, event), campaign.retracts(event_type, event));
        let note = || Some(Note { time: event.time, id: event.id.clone() });
        if matches!(ends, Ok(true)) {
            self.ended = note();
            let is_delayed = campaign.campaign.config.trigger.after.is_some();
            self.end_what_waits(is_delayed, &event.id);
        }
        if matches!(retracts, Ok(true)) {
            self.retracted = note();
            self.end_what_waits(true, &event.id);
            if let Some(place) = self.served.take() {
                self.seen[place].outcome = Outcome::Retracted(event.id.clone());
            }
        }
        if matches!(ends, Ok(true)) || matches!(retracts, Ok(true)) {
            let (ends, retracts) = (matches!(ends, Ok(true)), matches!(retracts, Ok(true)));
            return Outcome::TakesBack { ends, retracts };
        }
        let conditions = [
            (CONDITION, campaign.condition.as_ref(), met),
            ("unless", campaign.unless.as_ref(), ends),
            ("retract_when", campaign.retract_when.as_ref(), retracts),
        ];
        let types = &campaign.campaign.config.trigger.event_types;
        let looks_at = |name: &str, condition: &Condition| match condition.event_types() {
            _ if name == CONDITION => types.contains(event_type),
            Some(named) => named.contains(event_type),
            // What is met by any event would be told of each.
            None => false,
        };
        let mut told = Vec::new();
        for (name, condition, met) in conditions {
            let Some(condition) = condition.filter(|condition| looks_at(name, condition)) else {
                continue;
            };
            let seen = condition.explain(event_type, event).join("; ");
            match met {
                Ok(_) => told.push(format!("does not meet {name}: {seen}")),
                Err(error) if name == CONDITION => told.push(format!("{error}: {seen}")),
                Err(error) => told.push(format!("{name}: {error}: {seen}")),
            }
        }
        if told.is_empty() { Outcome::OtherType } else { Outcome::NotMet(told) }
    }

    fn end_what_waits(&mut self, is_ended: bool, by: &str) {
        if let Some(waiting) = self.waiting.take_if(|_| is_ended) {
            self.seen[waiting.place].outcome = Outcome::Ended(by.to_owned());
        }
    }
}
