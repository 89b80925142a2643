//! What becomes of a user's events in a campaign, decided by the very code that production
//! uses, as if the events came one after another in the order of their times. Events that
//! come together are one there, and the newest of them asks.

mod course;

use std::collections::BTreeMap;
use std::sync::Arc;

use campaign::config::wait;
use campaign::{CompiledCampaign, Config, OverBudget, Past, Replace};
use contract::metrics::Fate;
use contract::user_record::UserRecord;
use course::Course;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What becomes of one event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The campaign does not look at events of this type.
    OtherType,
    /// It meets no condition of the campaign; for each that looks at its type why not, and
    /// what it saw.
    NotMet(Vec<String>),
    /// It ends what waits, or takes content out of service.
    TakesBack {
        /// By `unless`.
        ends: bool,
        /// By `retract_when`.
        retracts: bool,
    },
    /// The prompt needs fields that it lacks.
    Lacks(Vec<String>),
    /// It deletes the user: content and history go.
    Deletes,
    /// It would ask, and the model is not asked, for this reason: what it leads to is not there.
    Ungrounded(String),
    /// It asks for content, which is written from this history.
    Asks(Vec<Past>),
    /// An event of this id took its place before its time had come.
    Superseded(String),
    /// An event of this id ended it before its time had come.
    Ended(String),
    /// It got content, which an event of this id took out of service.
    Retracted(String),
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
    /// When it asks, in UNIX seconds, if that is later than the event.
    pub(crate) asks_at: Option<i64>,
    /// Fields that are too large to be remembered whole.
    pub(crate) cut: u64,
}

/// Says why a history leads to no prompt, if it leads to none.
pub(crate) type LackOf<'l> = &'l dyn Fn(&[Past]) -> Option<String>;

/// What becomes of all events in a campaign, by user, wherever they lead to.
pub(crate) fn by_user<'r>(
    campaign: &Arc<CompiledCampaign>,
    records: &'r [UserRecord],
) -> BTreeMap<&'r str, Vec<Seen>> {
    let mut of_users: BTreeMap<&str, Vec<&UserRecord>> = BTreeMap::new();
    for record in records {
        of_users.entry(&record.user_id).or_default().push(record);
    }
    let seen =
        of_users.into_iter().map(|(user, own)| (user, of_records(campaign, &own, &|_| None)));
    seen.collect()
}

/// What becomes of all events of a user in a campaign.
pub(crate) fn of_user(
    campaign: &Arc<CompiledCampaign>,
    records: &[UserRecord],
    user_id: &str,
    lack_of: LackOf<'_>,
) -> Vec<Seen> {
    let own: Vec<&UserRecord> = records.iter().filter(|record| record.user_id == user_id).collect();
    of_records(campaign, &own, lack_of)
}

fn of_records(
    campaign: &Arc<CompiledCampaign>,
    own: &[&UserRecord],
    lack_of: LackOf<'_>,
) -> Vec<Seen> {
    let mut events: Vec<_> = own
        .iter()
        .flat_map(|record| record.events.iter().map(|event| (record.event_type.as_str(), event)))
        .collect();
    events.sort_by(|(_, a), (_, b)| (a.time, &a.id).cmp(&(b.time, &b.id)));
    let mut course = Course::of(campaign, lack_of);
    for (event_type, event) in events {
        course.take(event_type, event);
    }
    course.end()
}

/// What a campaign says of when it asks, and of what ends that, a line each.
pub(crate) fn timing(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(after) = config.trigger.after {
        let unless = config.trigger.unless.as_ref();
        let unless = unless.map(|unless| format!(", unless {}", unless.text.trim()));
        lines.push(format!(
            "asks {} after the newest such event{}",
            wait::written(after),
            unless.unwrap_or_default()
        ));
    }
    if config.replace == Replace::Newest {
        lines.push(format!(
            "within cooldown_hours = {} the newest event waits, and gets its content then",
            config.cooldown_hours
        ));
    }
    if let Some(retract_when) = &config.retract_when {
        lines.push(format!("takes older content out of service on {}", retract_when.text.trim()));
    }
    if config.over_budget == OverBudget::Wait {
        lines.push("what is over the budget of the day waits for the next".to_owned());
    }
    lines
}

impl Seen {
    /// Why the event asks for content, or why not.
    pub(crate) fn reason(&self, campaign: &CompiledCampaign) -> String {
        let config = &campaign.campaign.config;
        match &self.outcome {
            Outcome::OtherType => "is of a type that the campaign does not look at".to_owned(),
            Outcome::NotMet(why) => why.join("; "),
            Outcome::TakesBack { ends, retracts } => match (ends, retracts) {
                (true, true) => "ends what waits and retracts what is older (unless, retract_when)",
                (true, false) => "ends what waits (unless)",
                (false, _) => "retracts what is older (retract_when)",
            }
            .to_owned(),
            Outcome::Lacks(fields) => {
                format!("is skipped, as the prompt needs what it lacks: {}", fields.join(", "))
            }
            Outcome::Ungrounded(why) => format!("is remembered and not asked for: {why}"),
            Outcome::Deletes => "deletes the user: content and history go".to_owned(),
            Outcome::Asks(_) => match self.asks_at {
                Some(at) => format!("asks for content at {}", moment(at)),
                None => "asks for content".to_owned(),
            },
            Outcome::Superseded(by) => format!("waits until {by} takes its place"),
            Outcome::Ended(by) => format!("asks for nothing, as {by} ends it"),
            Outcome::Retracted(by) => format!("gets content, until {by} retracts it"),
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
