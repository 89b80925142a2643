//! What becomes of a user's events in a campaign, decided by the very code that production
//! uses, as if the events came one after another in the order of their times. Events that
//! come together are one there, and the newest of them asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use campaign::{CompiledCampaign, Past};
use contract::metrics::Fate;
use contract::user_record::UserRecord;
use processor::deletion::DELETIONS;
use processor::eligibility::{Action, Candidate, Parking, Role, Rules, State, WrittenFor, decide};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What becomes of one event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The campaign does not look at events of this type.
    OtherType,
    /// The condition is not met; what it saw.
    NotMet(Vec<String>),
    /// The condition cannot be evaluated; why, and what it saw.
    NotEvaluated(String, Vec<String>),
    /// The prompt needs fields that it lacks.
    Lacks(Vec<String>),
    /// It deletes the user: content and history go.
    Deletes,
    /// It asks for content, which is written from this history.
    Asks(Vec<Past>),
    /// It is remembered at most, for a reason that the processor counts.
    Skipped(Fate),
}

/// One event and what becomes of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) time: i64,
    pub(crate) outcome: Outcome,
    /// Fields that are too large to be remembered whole.
    pub(crate) cut: u64,
}

/// What becomes of all events in a campaign, by user.
pub(crate) fn by_user<'r>(
    campaign: &Arc<CompiledCampaign>,
    records: &'r [UserRecord],
) -> BTreeMap<&'r str, Vec<Seen>> {
    let mut of_users: BTreeMap<&str, Vec<&UserRecord>> = BTreeMap::new();
    for record in records {
        of_users.entry(&record.user_id).or_default().push(record);
    }
    let seen = of_users.into_iter().map(|(user, own)| (user, of_records(campaign, &own)));
    seen.collect()
}

/// What becomes of all events of a user in a campaign.
pub(crate) fn of_user(
    campaign: &Arc<CompiledCampaign>,
    records: &[UserRecord],
    user_id: &str,
) -> Vec<Seen> {
    let own: Vec<&UserRecord> = records.iter().filter(|record| record.user_id == user_id).collect();
    of_records(campaign, &own)
}

fn of_records(campaign: &Arc<CompiledCampaign>, own: &[&UserRecord]) -> Vec<Seen> {
    let mut events: Vec<_> = own
        .iter()
        .flat_map(|record| record.events.iter().map(|event| (record.event_type.as_str(), event)))
        .collect();
    events.sort_by(|(_, a), (_, b)| (a.time, &a.id).cmp(&(b.time, &b.id)));
    let rules = Rules::of(&campaign.campaign.config);
    let mut state = State::default();
    let seen = events.into_iter().map(|(event_type, event)| {
        let (past, cut) = Past::of(event_type, event, &campaign.campaign.config.fields);
        let seen = || campaign.condition.as_ref().map(|when| when.explain(event_type, event));
        let is_of_type = campaign.campaign.config.trigger.event_types.contains(event_type);
        let is_deletion = DELETIONS.contains(&event_type);
        if is_deletion {
            state = State { deleted_at: Some(event.time), ..State::default() };
        }
        let outcome = match campaign.is_triggered_by(event_type, event) {
            _ if is_deletion => Outcome::Deletes,
            _ if !is_of_type => Outcome::OtherType,
            Ok(false) => Outcome::NotMet(seen().unwrap_or_default()),
            Err(error) => Outcome::NotEvaluated(error.to_string(), seen().unwrap_or_default()),
            Ok(true) => match campaign.lacks(&past).as_slice() {
                [] => decided(past, &mut state, rules),
                lacks => Outcome::Lacks(lacks.iter().map(|&field| field.to_owned()).collect()),
            },
        };
        let (id, event_type) = (event.id.clone(), event_type.to_owned());
        Seen { id, event_type, time: event.time, outcome, cut }
    });
    seen.collect()
}

/// Decides about one event, and remembers what the table would.
fn decided(past: Past, state: &mut State, rules: Rules) -> Outcome {
    let now = past.time;
    let candidates = [Candidate { event: past, role: Role::TRIGGER, redriven_at_ms: None }];
    let decision = decide(&candidates, state, rules, now);
    let [Candidate { event, .. }] = &candidates;
    match decision.action {
        Action::Generate(memory) | Action::Park(Parking { memory, .. }) => {
            let oldest = memory.history.first();
            state.written_for = Some(WrittenFor {
                event_id: event.id.clone(),
                event_time: event.time,
                oldest_event_time: oldest.map_or(event.time, |oldest| oldest.time),
                generated_at: event.time,
            });
            state.memory.clone_from(&memory);
            Outcome::Asks(memory.history)
        }
        Action::Remember(memory) => {
            state.memory = memory;
            Outcome::Skipped(decision.fates[0])
        }
        Action::Nothing => Outcome::Skipped(decision.fates[0]),
    }
}

impl Seen {
    /// Why the event asks for content, or why not.
    pub(crate) fn reason(&self, campaign: &CompiledCampaign) -> String {
        let config = &campaign.campaign.config;
        match &self.outcome {
            Outcome::OtherType => "is of a type that the campaign does not look at".to_owned(),
            Outcome::NotMet(seen) => format!("does not meet the condition: {}", seen.join("; ")),
            Outcome::NotEvaluated(why, seen) => format!("{why}: {}", seen.join("; ")),
            Outcome::Lacks(fields) => {
                format!("is skipped, as the prompt needs what it lacks: {}", fields.join(", "))
            }
            Outcome::Deletes => "deletes the user: content and history go".to_owned(),
            Outcome::Asks(_) => "asks for content".to_owned(),
            Outcome::Skipped(Fate::Cooldown) => format!(
                "is remembered only, within cooldown_hours = {} after the event before that asked",
                config.cooldown_hours
            ),
            Outcome::Skipped(Fate::Duplicate) => "is known already: its id was there".to_owned(),
            Outcome::Skipped(fate) => format!(
                "is skipped ({})",
                fate.metric().trim_start_matches("events_skipped_").replace('_', " ")
            ),
        }
    }

    /// The event for a person: its time, id and type.
    pub(crate) fn named(&self) -> String {
        format!("{} {} ({})", moment(self.time), self.id, self.event_type)
    }
}

/// A time in UNIX seconds, as people read it.
pub(crate) fn moment(time: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(time).ok();
    let text = moment.and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("second {time}"))
}
