//! An ask: a wish for content of one user and campaign that could not be fulfilled at once.
//!
//! It is the body of one message on a queue of asks. It holds no event: the history in the
//! content table does, and whoever takes an ask up decides from what is stored then.
//!
//! Asks that wait for a time are on the queue `later`. Those whose time has come are on the
//! queue of their model and of their campaign's [`Class`], so that no model waits behind
//! another one's quota, and nothing of a higher priority behind what is lower. Those that are to
//! be asked in a job gather on the queue `jobs` first.
//!
//! Guarantees: what another version wrote beside what this one knows, a reason among it, goes
//! on with the ask when it is sent anew.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics;

/// Version written by this build.
pub const VERSION: u32 = 1;

/// Longest that SQS hides a new message (AWS limit).
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// The field of an ask that says why it waits.
const REASON: &str = "reason";

/// In [`Ask::job`]: it gathered, and there was no job for it.
pub const NO_JOB: &str = "none";

/// Stands for every model that has no queues of its own name.
pub const EVERY_OTHER: &str = "*";

/// One message on a queue of asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Version of this shape; see [`VERSION`].
    pub v: u32,
    /// The Braze id of the user.
    pub user_id: String,
    /// Name of the campaign.
    pub campaign: String,
    /// Why it waits.
    #[serde(default, skip_serializing_if = "Reason::is_unknown")]
    pub reason: Reason,
    /// Where the event came in that asked first, as its user record said it; empty where it did
    /// not. A newer one that came meanwhile is asked for all the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// When the object of its event appeared, or when somebody asked by hand, in UNIX
    /// milliseconds.
    pub first_seen_ms: u64,
    /// How often it was taken up and came to nothing.
    #[serde(default)]
    pub attempts: u32,
    /// Before when it is of no use to take it up, in UNIX milliseconds.
    #[serde(default)]
    pub not_before_ms: u64,
    /// Content that was written before this is to be written anew, in UNIX milliseconds; 0
    /// for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub regenerate_before_ms: u64,
    /// What was given up before this is to be tried again, in UNIX milliseconds; 0 for nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_given_up_before_ms: u64,
    /// The job that asks what it asks, once it gathered, or [`NO_JOB`]; empty before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub job: String,
    /// Commit of the build that put it on its queue; empty where that is unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
    /// Number of the publication of campaigns under which it did; 0 before the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub publication: u64,
    /// What another version wrote that this one does not know, by its names.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

/// Why an ask waits.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The model's quota of tokens or requests is promised to others.
    Quota,
    /// The model's quota of the day is used up.
    DayQuota,
    /// The campaign has spent its budget of the day, and waits for the next.
    Budget,
    /// The account may not call the campaign's model now.
    Halted,
    /// The model's service does not answer.
    Outage,
    /// Somebody else asks the same.
    Lease,
    /// The campaign asks some time after the event.
    Due,
    /// A person asked.
    Operator,
    /// The campaign is paused.
    Paused,
    /// It is asked together with others, in a job.
    Job,
    /// For a reason of another version; [`Ask::unknown`] has its name.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What comes before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Of a priority above 0: served first.
    High,
    /// Of priority 0.
    Normal,
    /// Of a priority below 0.
    Low,
}

/// Which queue of asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Of those that wait for a time.
    Later,
    /// Of those whose time has come.
    Ready {
        /// Model or inference profile that is to write.
        model_id: String,
        /// Of their campaign's priority.
        class: Class,
    },
    /// Of those that are to be asked in a job.
    Jobs,
}

/// Addresses of the queues of asks.
///
/// As text it is a JSON object: `{"later": "https://...", "ready": {"model": {"high":
/// "https://...", "normal": "https://...", "low": "https://..."}}}`; the model `*` stands for
/// every other. `jobs` is the address beside them, if there is one. Whoever knows less than is named there goes by what it knows: a person's `ops` is
/// not always of the version that was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueUrls {
    /// Of those that wait for a time.
    pub later: String,
    /// Of those whose time has come, by model.
    pub ready: BTreeMap<String, ReadyUrls>,
    /// Of those that are to be asked in a job; a deployment of before has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<String>,
}

/// Addresses of a model's queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyUrls {
    /// Of campaigns of a priority above 0.
    pub high: String,
    /// Of campaigns of priority 0.
    pub normal: String,
    /// Of campaigns of a priority below 0.
    pub low: String,
}

/// Why bytes are not an ask.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not JSON, or not of this shape.
    #[error("ask does not parse")]
    Malformed(#[source] serde_json::Error),
    /// Written by a build that this one does not understand.
    #[error("ask has version {0}, this build reads version {VERSION}")]
    Version(u32),
}

impl Ask {
    /// One that is sent for the first time, and of use at once.
    pub const fn new(
        user_id: String,
        campaign: String,
        reason: Reason,
        first_seen_ms: u64,
    ) -> Self {
        Self {
            v: VERSION,
            user_id,
            campaign,
            reason,
            origin: String::new(),
            first_seen_ms,
            attempts: 0,
            not_before_ms: 0,
            regenerate_before_ms: 0,
            retry_given_up_before_ms: 0,
            job: String::new(),
            build: String::new(),
            publication: 0,
            unknown: BTreeMap::new(),
        }
    }

    /// That of a person.
    pub const fn by_hand(user_id: String, campaign: String, now_ms: u64) -> Self {
        Self::new(user_id, campaign, Reason::Operator, now_ms)
    }

    /// One that was given up, asked anew: as if it were the first time, and as if nobody had
    /// given its question up.
    #[must_use]
    pub fn again(self, now_ms: u64) -> Self {
        let (regenerate_before_ms, origin) = (self.regenerate_before_ms, self.origin);
        let mut unknown = self.unknown;
        unknown.remove(REASON);
        let by_hand = Self::by_hand(self.user_id, self.campaign, now_ms);
        let retry_given_up_before_ms = now_ms;
        Self { regenerate_before_ms, retry_given_up_before_ms, origin, unknown, ..by_hand }
    }

    /// Encodes the ask for its queue.
    pub fn encode(&self) -> String {
        #[expect(clippy::expect_used, reason = "strings and numbers only")]
        serde_json::to_string(self).expect("an ask is always JSON")
    }

    /// The same for another reason, and what it says of it.
    #[must_use]
    pub fn waiting_for(mut self, reason: Reason) -> Self {
        // That of another version is over with it.
        self.unknown.remove(REASON);
        Self { reason, ..self }
    }

    /// Decodes an ask from its queue.
    pub fn decode(body: &str) -> Result<Self, Undecodable> {
        let mut ask: Self = serde_json::from_str(body).map_err(Undecodable::Malformed)?;
        if ask.v != VERSION {
            return Err(Undecodable::Version(ask.v));
        }
        if ask.reason.is_unknown() {
            let whole: BTreeMap<String, Value> =
                serde_json::from_str(body).map_err(Undecodable::Malformed)?;
            ask.unknown.extend(whole.into_iter().filter(|(name, _)| name == REASON));
        }
        Ok(ask)
    }
}

impl Reason {
    /// Every reason that this version has.
    pub const ALL: [Self; 10] = [
        Self::Quota,
        Self::DayQuota,
        Self::Budget,
        Self::Halted,
        Self::Outage,
        Self::Lease,
        Self::Due,
        Self::Operator,
        Self::Paused,
        Self::Job,
    ];

    /// Whether another version has it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }

    /// What is waited for, for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Quota => "the model's quota",
            Self::DayQuota => "the model's quota of the next day",
            Self::Budget => "the campaign's budget of the next day",
            Self::Halted => "access to the model",
            Self::Outage => "the model's service",
            Self::Lease => "somebody who asks the same",
            Self::Due => "its time",
            Self::Operator => "its turn",
            Self::Paused => "its campaign to go on",
            Self::Job => "the job that asks it at half the price",
            Self::Unknown => "what another version knows",
        }
    }

    /// Name of the counter of those that wait for it; whoever asks by hand counts himself.
    pub const fn metric(self) -> Option<&'static str> {
        Some(match self {
            Self::Quota => metrics::PARKED_FOR_QUOTA,
            Self::DayQuota => metrics::PARKED_FOR_DAY_QUOTA,
            Self::Budget => metrics::PARKED_FOR_BUDGET,
            Self::Halted => metrics::PARKED_FOR_HALT,
            Self::Outage => metrics::PARKED_FOR_OUTAGE,
            Self::Lease => metrics::PARKED_FOR_LEASE,
            Self::Due => metrics::PARKED_FOR_TIME,
            Self::Paused => metrics::PARKED_FOR_PAUSE,
            Self::Job => metrics::PARKED_FOR_JOB,
            // Whoever parks has a reason of this version.
            Self::Operator | Self::Unknown => return None,
        })
    }
}

impl Class {
    /// Every class, the one that is served first first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Of a campaign's priority.
    pub const fn of(priority: i32) -> Self {
        match priority {
            1.. => Self::High,
            0 => Self::Normal,
            _ => Self::Low,
        }
    }

    /// Its name, as it stands in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl QueueUrls {
    /// The models that have queues of their own.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.ready.keys().map(String::as_str).filter(|model| *model != EVERY_OTHER)
    }

    /// The address of a queue, if there is one for its model.
    pub fn url(&self, queue: &Queue) -> Option<&str> {
        let (model_id, class) = match queue {
            Queue::Later => return Some(&self.later),
            Queue::Jobs => return self.jobs.as_deref(),
            Queue::Ready { model_id, class } => (model_id, class),
        };
        let urls = self.ready.get(model_id).or_else(|| self.ready.get(EVERY_OTHER))?;
        Some(match class {
            Class::High => &urls.high,
            Class::Normal => &urls.normal,
            Class::Low => &urls.low,
        })
    }
}

impl FromStr for QueueUrls {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask {
            v: VERSION,
            user_id: "5f0000000000000000000001".to_owned(),
            campaign: "new-episode".to_owned(),
            reason: Reason::DayQuota,
            origin: "currents/a.avro#3".to_owned(),
            first_seen_ms: 1_760_000_000_000,
            attempts: 2,
            not_before_ms: 1_760_054_400_000,
            regenerate_before_ms: 0,
            retry_given_up_before_ms: 0,
            job: String::new(),
            build: "0123456789ab".to_owned(),
            publication: 3,
            unknown: BTreeMap::new(),
        }
    }

    #[test]
    fn an_ask_of_a_build_that_did_not_say_so_is_read() {
        let mut older: serde_json::Value = serde_json::from_str(&ask().encode()).expect("is JSON");
        let fields = older.as_object_mut().expect("is an object");
        fields.retain(|name, _| !["build", "origin", "publication"].contains(&name.as_str()));

        let (build, origin) = (String::new(), String::new());
        let expected = Ask { build, origin, publication: 0, ..ask() };
        assert_eq!(Ask::decode(&older.to_string()).expect("decodes"), expected);
    }

    #[test]
    fn the_message_is_that_of_the_golden_file() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../golden/ask.json")).expect("is JSON");

        let written: serde_json::Value = serde_json::from_str(&ask().encode()).expect("is JSON");

        assert_eq!(written, golden);
        assert_eq!(Ask::decode(&golden.to_string()).expect("decodes"), ask());
    }

    #[test]
    fn one_that_was_given_up_begins_anew() {
        let again = ask().again(1_770_000_000_000);

        assert_eq!((again.attempts, again.not_before_ms, again.reason), (0, 0, Reason::Operator));
        // What it waited for before is no reason to give it up at once.
        assert_eq!(again.first_seen_ms, 1_770_000_000_000);
        assert_eq!(again.retry_given_up_before_ms, 1_770_000_000_000);
        let place = |ask: Ask| (ask.user_id, ask.campaign, ask.origin);
        assert_eq!(place(again), place(ask()));
    }

    #[test]
    fn an_ask_of_another_version_is_refused() {
        let body = ask().encode().replace("\"v\":1", "\"v\":2");

        let refused = Ask::decode(&body).expect_err("is of another version");

        assert_eq!(refused.to_string(), "ask has version 2, this build reads version 1");
        assert!(Ask::decode("{}").is_err());
    }

    #[test]
    fn every_model_has_its_queues_or_those_of_every_other() {
        let text = r#"{"later": "l", "ready": {"a": {"high": "ah", "normal": "an", "low": "al"},
            "*": {"high": "h", "normal": "n", "low": "w"}}}"#;
        let urls: QueueUrls = text.parse().expect("parses");
        let url = |model_id: &str, priority| {
            let model_id = model_id.to_owned();
            let queue = Queue::Ready { model_id, class: Class::of(priority) };
            urls.url(&queue).map(str::to_owned)
        };

        assert_eq!(url("a", 7).as_deref(), Some("ah"));
        assert_eq!(url("b", 0).as_deref(), Some("n"));
        assert_eq!(url("b", -1).as_deref(), Some("w"));
        assert_eq!(urls.url(&Queue::Later), Some("l"));
    }
}
