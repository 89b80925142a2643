//! What a running `local` tells and takes, beside the api: its figures and its faults.
//!
//! - [`Metrics`], at [`METRICS`] — the figures of the run as they are now.
//! - [`Faults`], at [`FAULTS`] — what goes wrong on purpose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Reason};
use crate::metrics::Distribution;

/// Where the figures are (GET).
pub const METRICS: &str = "/local/metrics";

/// Where the faults are (GET, PUT).
pub const FAULTS: &str = "/local/faults";

/// In the folder that a run keeps: the dead letters, one a line.
pub const DEAD_LETTERS_FILE: &str = "dead-letters.jsonl";

/// In that folder: dead letters that the next run sends again.
pub const SET_ASIDE_FILE: &str = "dead-letters.redriving.jsonl";

/// In that folder: dead letters that were sent again.
pub const REDRIVEN_FILE: &str = "dead-letters.redriven.jsonl";

/// In that folder: what a person asks for, a [`ByHand`] a line; the next run puts it on its
/// queues.
pub const BY_HAND_FILE: &str = "asks.by-hand.jsonl";

/// In that folder, while a run uses it: where its tables are, as [`Endpoints`].
pub const ENDPOINTS_FILE: &str = "endpoints.json";

/// In that folder: locked while a program uses it.
pub const LOCK_FILE: &str = "lock";

/// Where a run keeps what it stores, for programs of the same machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Address of its DynamoDB.
    pub dynamodb: String,
    /// Name of the content table there.
    pub content_table: String,
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByHand {
    /// Content of one user.
    One {
        /// The ask.
        ask: Ask,
        /// Only if their newest event is not older, in UNIX seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_since: Option<i64>,
    },
    /// Content of every user of whom something is remembered for a campaign.
    Everybody {
        /// The ask, without a user.
        ask: Ask,
        /// Only users whose newest event is not older, in UNIX seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen_since: Option<i64>,
    },
}

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// How long it has been running.
    pub uptime_ms: u64,
    /// Objects on their way.
    pub objects: Objects,
    /// Stream records on their way.
    pub records: Records,
    /// Events in records that are done with.
    pub events_done: u64,
    /// Counters, by the names of [`metrics`](crate::metrics).
    pub counts: BTreeMap<String, u64>,
    /// The same of each campaign, of what is counted for each.
    #[serde(default)]
    pub by_campaign: BTreeMap<String, BTreeMap<String, u64>>,
    /// How long things took, by those names.
    #[serde(default)]
    pub times_ms: BTreeMap<String, Times>,
    /// What went in and came out nowhere.
    pub lost: u64,
    /// Whether nothing is under way.
    pub drained: bool,
    /// What waits.
    pub backlog: Backlog,
    /// What AWS would charge, in US dollars, by the lines of a bill.
    #[serde(default)]
    pub usd: BTreeMap<String, f64>,
    /// Asks on their queues.
    #[serde(default)]
    pub asks: Asks,
    /// What it is waited for, in words, where nothing has moved for some seconds.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// From an object's appearance to its readable content.
    pub freshness_ms: Times,
    /// The model's quota, where it is known.
    pub quota: Option<Quota>,
    /// The stand-in for the model, where there is one.
    pub stand_in: Option<StandIn>,
    /// What goes wrong on purpose.
    #[serde(default)]
    pub faults: FaultFigures,
}

impl Metrics {
    /// A counter; one that was never touched is zero.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// What was counted since `start`; gauges stay as they are.
    #[must_use]
    pub fn since(&self, start: &Self) -> Self {
        let without = |now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let less = |name| before.get(name).copied().unwrap_or_default();
            now.iter().map(|(name, n)| (name.clone(), n.saturating_sub(less(name)))).collect()
        };
        let refused = start.stand_in.unwrap_or_default().throttled;
        let usd = self.usd.iter().map(|(name, usd)| {
            (name.clone(), usd - start.usd.get(name).copied().unwrap_or_default())
        });
        Self {
            counts: without(&self.counts, &start.counts),
            objects: Objects {
                uploaded: self.objects.uploaded.saturating_sub(start.objects.uploaded),
                ..self.objects
            },
            records: Records {
                done: self.records.done.saturating_sub(start.records.done),
                ..self.records
            },
            events_done: self.events_done.saturating_sub(start.events_done),
            asks: Asks {
                sent: self.asks.sent.saturating_sub(start.asks.sent),
                removed: self.asks.removed.saturating_sub(start.asks.removed),
                unheard: self.asks.unheard.saturating_sub(start.asks.unheard),
                ..self.asks.clone()
            },
            lost: self.lost.saturating_sub(start.lost),
            usd: usd.collect(),
            stand_in: self.stand_in.map(|stand_in| StandIn {
                throttled: stand_in.throttled.saturating_sub(refused),
                ..stand_in
            }),
            faults: FaultFigures {
                on: self.faults.on,
                injected: without(&self.faults.injected, &start.faults.injected),
                chances: without(&self.faults.chances, &start.faults.chances),
            },
            ..self.clone()
        }
    }
}

/// Objects on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// Uploaded.
    pub uploaded: u64,
    /// Notified of: also for the rest of large ones.
    pub notified: u64,
    /// Notifications that were handled to their end.
    pub done: u64,
}

/// Stream records on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Taken off the stream.
    pub taken: u64,
    /// Processed, or given up with a dead letter.
    pub done: u64,
}

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Objects.
    pub objects: u64,
    /// Stream records.
    pub records: u64,
    /// Asks, those included whose time has not come.
    #[serde(default)]
    pub asks: u64,
}

/// Asks on their queues.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asks {
    /// Messages that the queues took; an ask that moves to another queue is one more.
    pub sent: u64,
    /// Messages that were removed from them.
    pub removed: u64,
    /// Those of the removed that nobody said why: whoever did was dropped before.
    pub unheard: u64,
    /// Messages that somebody took and neither removed nor put back yet.
    pub in_flight: u64,
    /// Who waits, by campaign and reason.
    pub waiting: Vec<WaitingAsks>,
}

/// Asks of one campaign that wait for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingAsks {
    /// Name of the campaign.
    pub campaign: String,
    /// Why they wait.
    pub reason: Reason,
    /// What they wait for, for a person.
    pub waits_for: String,
    /// How many.
    pub asks: u64,
    /// Those of them that wait for no time any more.
    pub due: u64,
    /// When the next of the others is due, in UNIX seconds.
    pub next_due_secs: Option<u64>,
}

/// How long something took so far, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// Half took no longer.
    pub p50: u64,
    /// 99 in a hundred took no longer.
    pub p99: u64,
    /// None took longer.
    pub max: u64,
}

impl From<&Distribution> for Times {
    fn from(times: &Distribution) -> Self {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|of| times.quantile(of));
        Self { count: times.count(), p50, p99, max }
    }
}

/// A quota, and its use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Tokens a minute.
    pub tokens_per_minute: u64,
    /// Tokens of the last minute.
    pub used_last_minute: u64,
}

/// What the stand-in for the model counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandIn {
    /// Calls.
    pub calls: u64,
    /// Answers.
    pub answers: u64,
    /// Calls that it refused, because they were above the quota.
    pub throttled: u64,
}

/// What goes wrong, and how often it did. Empty where faults cannot be switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultFigures {
    /// What goes wrong now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Faults>,
    /// How often each kind could have struck so far: calls that came while it was on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub chances: BTreeMap<String, u64>,
    /// How often each kind struck so far.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub injected: BTreeMap<String, u64>,
}

/// What goes wrong, each every so-manieth time; 0 for never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Calls of Bedrock that are refused for reasons of quota, before they reach it.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_throttle_every: u64,
    /// Calls of Bedrock whose answer is lost: they are charged all the same.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_timeout_every: u64,
    /// Calls of Bedrock that end with its own error.
    #[serde(skip_serializing_if = "is_zero")]
    pub bedrock_error_every: u64,
    /// Reads and writes of the stream that are refused for its throughput.
    #[serde(skip_serializing_if = "is_zero")]
    pub kinesis_throttle_every: u64,
    /// Calls of DynamoDB that end with its own error; of every other the answer is lost.
    #[serde(skip_serializing_if = "is_zero")]
    pub dynamodb_error_every: u64,
    /// Invocations of the processor that are dropped on their way; their batch comes again.
    #[serde(skip_serializing_if = "is_zero")]
    pub kill_every: u64,
    /// How far the processor's clock is ahead.
    #[serde(skip_serializing_if = "is_on_time")]
    pub clock_skew_secs: i64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_on_time(secs: &i64) -> bool {
    *secs == 0
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bedrock refuses calls for reasons of quota.
    BedrockThrottle,
    /// Answers of Bedrock are lost.
    BedrockTimeout,
    /// Bedrock fails.
    BedrockError,
    /// The stream refuses reads and writes.
    KinesisThrottle,
    /// DynamoDB fails.
    DynamodbError,
    /// Invocations of the processor end before they are done.
    Kill,
    /// The processor's clock is wrong.
    ClockSkew,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::BedrockThrottle,
        Self::BedrockTimeout,
        Self::BedrockError,
        Self::KinesisThrottle,
        Self::DynamodbError,
        Self::Kill,
        Self::ClockSkew,
    ];

    /// Its name, also where it is counted how often it struck.
    pub fn name(self) -> &'static str {
        match self {
            Self::BedrockThrottle => "bedrock_throttle",
            Self::BedrockTimeout => "bedrock_timeout",
            Self::BedrockError => "bedrock_error",
            Self::KinesisThrottle => "kinesis_throttle",
            Self::DynamodbError => "dynamodb_error",
            Self::Kill => "kill",
            Self::ClockSkew => "clock_skew",
        }
    }

    /// Whether it strikes at times, and so is counted; a clock is wrong all the time.
    pub fn is_counted(self) -> bool {
        self != Self::ClockSkew
    }

    /// Only this, every `strength`th time, or by so many seconds.
    pub fn alone(self, strength: i64) -> Faults {
        let (mut faults, every) = (Faults::default(), u64::try_from(strength).unwrap_or_default());
        match self {
            Self::BedrockThrottle => faults.bedrock_throttle_every = every,
            Self::BedrockTimeout => faults.bedrock_timeout_every = every,
            Self::BedrockError => faults.bedrock_error_every = every,
            Self::KinesisThrottle => faults.kinesis_throttle_every = every,
            Self::DynamodbError => faults.dynamodb_error_every = every,
            Self::Kill => faults.kill_every = every,
            Self::ClockSkew => faults.clock_skew_secs = strength,
        }
        faults
    }

    /// Every so-manieth time that it strikes; 0 for never.
    pub fn every(self, faults: &Faults) -> u64 {
        match self {
            Self::BedrockThrottle => faults.bedrock_throttle_every,
            Self::BedrockTimeout => faults.bedrock_timeout_every,
            Self::BedrockError => faults.bedrock_error_every,
            Self::KinesisThrottle => faults.kinesis_throttle_every,
            Self::DynamodbError => faults.dynamodb_error_every,
            Self::Kill => faults.kill_every,
            Self::ClockSkew => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_does_not_exist_is_refused() {
        let error = serde_json::from_str::<Faults>(r#"{"bedrock_every":3}"#).expect_err("no fault");

        assert!(error.to_string().contains("bedrock_throttle_every"), "{error}");
    }

    #[test]
    fn a_fault_alone_switches_its_own_field_on_and_nothing_else() {
        for kind in Kind::ALL {
            let faults = serde_json::to_value(kind.alone(3)).expect("is JSON");
            let faults = faults.as_object().expect("is an object");

            assert_eq!(faults.len(), 1);
            let (name, strength) = faults.iter().next().expect("has one");
            assert!(name.starts_with(kind.name()), "{name}");
            assert_eq!(strength.as_i64(), Some(3));
        }
        assert_eq!(serde_json::to_string(&Faults::default()).expect("is JSON"), "{}");
    }
}
