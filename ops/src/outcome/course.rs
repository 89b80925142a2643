//! A user's events one after another, with what waits between them.

use std::sync::Arc;

use campaign::condition::{Condition, NotEvaluated};
use campaign::{CompiledCampaign, Past};
use contract::ask::{Ask, Reason};
use contract::metrics::{AskFate, Fate};
use contract::user_record::Event;
use contract::wanted::DELETIONS;
use processor::eligibility::{
    Action, AskOutcome, Candidate, Memory, Role, Rules, State, WrittenFor, decide, decide_ask,
};

use super::{LackOf, Outcome, Seen};

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
    /// Id of the latest event that ends or retracts.
    noted: String,
    lack_of: LackOf<'c>,
}

/// An event whose content waits for its time.
#[derive(Clone, Copy)]
struct Waiting {
    place: usize,
    due_ms: u64,
}

/// What the campaign's conditions say of an event.
struct Met {
    triggers: Result<bool, NotEvaluated>,
    ends: Result<bool, NotEvaluated>,
    retracts: Result<bool, NotEvaluated>,
}

impl<'c> Course<'c> {
    /// Of a user of whom nothing is known.
    pub(super) fn of(campaign: &'c Arc<CompiledCampaign>, lack_of: LackOf<'c>) -> Self {
        Self {
            campaign,
            rules: Rules::of(&campaign.campaign.config),
            state: State::default(),
            seen: Vec::new(),
            waiting: None,
            served: None,
            noted: String::new(),
            lack_of,
        }
    }

    /// Takes the next event, at its own time.
    pub(super) fn take(&mut self, event_type: &str, event: &Event) {
        self.take_up_until(ms(event.time));
        let (past, cut) = Past::of(event_type, event, &self.campaign.campaign.config.fields);
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
            self.decide(event_type, event, past)
        };
        if let Some(seen) = self.seen.last_mut() {
            seen.outcome = outcome;
        }
    }

    /// Everything, once what waits has had its time.
    pub(super) fn end(mut self) -> Vec<Seen> {
        self.take_up_until(u64::MAX);
        self.seen
    }

    fn delete(&mut self, at: i64) -> Outcome {
        self.state = State { deleted_at: Some(at), ..State::default() };
        self.served = None;
        if let Some(waiting) = self.waiting.take() {
            self.seen[waiting.place].outcome = Outcome::Skipped(Fate::Deleted);
        }
        Outcome::Deletes
    }

    fn decide(&mut self, event_type: &str, event: &Event, past: Past) -> Outcome {
        let campaign = self.campaign;
        let met = Met {
            triggers: campaign.is_triggered_by(event_type, event),
            ends: campaign.ends(event_type, event),
            retracts: campaign.retracts(event_type, event),
        };
        let is_met = |met: &Result<bool, NotEvaluated>| matches!(met, Ok(true));
        let role = Role {
            triggers: is_met(&met.triggers),
            ends: is_met(&met.ends),
            retracts: is_met(&met.retracts),
        };
        if role.is_none() {
            return self.not_met(event_type, event, met);
        }
        let lacks: Vec<String> = campaign.lacks(&past).into_iter().map(str::to_owned).collect();
        if role.triggers && !lacks.is_empty() {
            return Outcome::Lacks(lacks);
        }
        let candidates = [Candidate { event: past, role, redriven_at_ms: None }];
        let decision = decide(&candidates, &self.state, self.rules, event.time);
        let fate = decision.fates[0];
        let place = self.seen.len() - 1;
        let outcome = match decision.action {
            Action::Nothing => Outcome::Skipped(fate),
            Action::Remember(memory) => {
                self.state.memory = memory;
                Outcome::Skipped(fate)
            }
            Action::Park(parking) if self.is_waiting(&event.id) => {
                self.state.memory = parking.memory;
                Outcome::Skipped(Fate::Duplicate)
            }
            Action::Park(parking) => {
                self.supersede(&event.id);
                let due_ms = parking.not_before_ms;
                self.waiting = Some(Waiting { place, due_ms });
                self.state.parked_until_ms = Some(due_ms);
                self.seen[place].asks_at = i64::try_from(due_ms / 1_000).ok();
                let history = parking.memory.history.clone();
                self.state.memory = parking.memory;
                Outcome::Asks(history)
            }
            Action::Generate(memory) => {
                self.supersede(&event.id);
                let history = memory.history.clone();
                match self.write(place, memory, event.time) {
                    Some(why) => Outcome::Ungrounded(why),
                    None => Outcome::Asks(history),
                }
            }
        };
        if role.ends || role.retracts {
            self.noted.clone_from(&event.id);
            self.note(role.retracts);
            return Outcome::TakesBack { ends: role.ends, retracts: role.retracts };
        }
        match outcome {
            Outcome::Skipped(Fate::Unless) => Outcome::Ended(self.noted.clone()),
            outcome => outcome,
        }
    }

    /// Lets what waits come up, if its time has come by then.
    fn take_up_until(&mut self, now_ms: u64) {
        while let Some(waiting) = self.waiting.take_if(|waiting| waiting.due_ms <= now_ms) {
            self.state.parked_until_ms = None;
            let now = i64::try_from(waiting.due_ms / 1_000).unwrap_or(i64::MAX);
            match decide_ask(&self.ask(waiting), &self.state, self.rules, now).outcome {
                AskOutcome::Goes(Action::Generate(memory)) => {
                    if let Some(why) = self.write(waiting.place, memory, now) {
                        self.seen[waiting.place].outcome = Outcome::Ungrounded(why);
                    }
                }
                AskOutcome::Goes(Action::Park(parking)) => {
                    self.waiting = Some(Waiting { due_ms: parking.not_before_ms, ..waiting });
                    self.seen[waiting.place].asks_at =
                        i64::try_from(parking.not_before_ms / 1_000).ok();
                }
                AskOutcome::Goes(Action::Remember(_) | Action::Nothing) | AskOutcome::Over => {}
            }
        }
    }

    /// Content is written for the newest event of what is remembered; or says why none can be.
    fn write(&mut self, place: usize, memory: Memory, now: i64) -> Option<String> {
        if let Some(why) = (self.lack_of)(&memory.history) {
            self.state.memory = memory;
            return Some(why);
        }
        if let Some(newest) = memory.history.last() {
            self.state.written_for = Some(WrittenFor {
                event_id: newest.id.clone(),
                event_time: newest.time,
                oldest_event_time: memory.history.first().map_or(newest.time, |each| each.time),
                generated_at: now,
            });
        }
        let paced_until = self.rules.paced_until(memory.paced_until, now);
        self.state.memory = Memory { paced_until, ..memory };
        self.served = Some(place);
        None
    }

    /// Ends what waits and takes back what is served, if the note that was just taken says so.
    fn note(&mut self, retracts: bool) {
        if let Some(waiting) = self.waiting {
            let due = i64::try_from(waiting.due_ms / 1_000).unwrap_or(i64::MAX);
            let decision = decide_ask(&self.ask(waiting), &self.state, self.rules, due);
            if decision.fate == AskFate::Unless {
                self.seen[waiting.place].outcome = Outcome::Ended(self.noted.clone());
                self.waiting = None;
            }
        }
        if let Some(place) = self.served.take_if(|_| retracts) {
            self.seen[place].outcome = Outcome::Retracted(self.noted.clone());
        }
    }

    fn supersede(&mut self, by: &str) {
        if let Some(waiting) = self.waiting.take() {
            self.seen[waiting.place].outcome = Outcome::Superseded(by.to_owned());
        }
    }

    fn is_waiting(&self, id: &str) -> bool {
        self.waiting.is_some_and(|waiting| self.seen[waiting.place].id == id)
    }

    /// The ask that waits. Whose it is decides nothing.
    fn ask(&self, waiting: Waiting) -> Ask {
        let campaign = self.campaign.campaign.name.clone();
        let ask = Ask::new(String::new(), campaign, Reason::Due, 0);
        Ask { not_before_ms: waiting.due_ms, ..ask }
    }

    /// Why an event meets no condition of the campaign.
    fn not_met(&self, event_type: &str, event: &Event, met: Met) -> Outcome {
        let campaign = self.campaign;
        let conditions = [
            (CONDITION, campaign.condition.as_ref(), met.triggers),
            ("unless", campaign.unless.as_ref(), met.ends),
            ("retract_when", campaign.retract_when.as_ref(), met.retracts),
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
}

/// A time in UNIX seconds, in milliseconds.
fn ms(secs: i64) -> u64 {
    u64::try_from(secs).unwrap_or_default().saturating_mul(1_000)
}
