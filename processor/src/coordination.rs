//! What the instances agree on: whose turn it is to ask the model, what it answered,
//! and what a campaign has spent.
//!
//! An answer is kept under the hash of everything that decides it. Before the model is
//! asked, an instance takes a lease on the hash; the others wait for its answer. A lease
//! is short and extended while its owner lives, so one that crashed blocks nobody for long.
//!
//! - [`dynamodb`] — the table on DynamoDB.

pub mod dynamodb;
mod unshared;

use std::collections::HashMap;
use std::fmt::Debug;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::model::Usage;
use crate::store::TableError;

pub use dynamodb::SharedTable;
pub use unshared::Unshared;

/// What the instances agree on.
#[async_trait]
pub trait Coordination: Debug + Send + Sync {
    /// Reads what is known of many prompts, perhaps a moment late; what ended before
    /// `now` (UNIX seconds) is not, though DynamoDB may not have removed it yet.
    async fn answers(
        &self,
        hashes: &[String],
        now: i64,
    ) -> Result<HashMap<String, Entry>, TableError>;

    /// Takes the lease on a prompt, unless it is answered, given up, or leased to
    /// somebody else. It counts as one failed call until it is released: its owner may
    /// never come back.
    async fn lease(&self, hash: &str, lease: &Lease) -> Result<LeaseReply, TableError>;

    /// Extends a lease; `false` if it is not its owner's any more.
    async fn extend(&self, hash: &str, lease: &Lease) -> Result<bool, TableError>;

    /// Keeps what came of a prompt until `expires_at` (UNIX seconds).
    async fn finish(&self, hash: &str, outcome: &Entry, expires_at: i64) -> Result<(), TableError>;

    /// Gives a lease back without an answer. What came to nothing so far is remembered until
    /// `expires_at` (UNIX seconds).
    async fn release(
        &self,
        hash: &str,
        owner: &str,
        failed: &Failures,
        expires_at: i64,
    ) -> Result<(), TableError>;

    /// Adds to what a budget has spent, if that stays within its limit; never twice for the
    /// same `name`, which is nobody else's.
    async fn spend(
        &self,
        budget: &BudgetOfDay,
        amount: u64,
        name: &str,
    ) -> Result<Spending, TableError>;

    /// Corrects what a budget has spent.
    async fn correct(&self, budget: &BudgetOfDay, by: i64) -> Result<(), TableError>;

    /// Until when notices stand that somebody gave, in UNIX milliseconds, by their names.
    async fn notices(&self, names: &[String]) -> Result<HashMap<String, u64>, TableError>;

    /// Gives notice of something to all instances until a time (UNIX milliseconds); tells
    /// whether it is news, which it is if none stood at `now_ms`.
    async fn give_notice(&self, name: &str, now_ms: u64, until_ms: u64)
    -> Result<bool, TableError>;

    /// Notes that something begins that may not live to end, until `expires_at` (UNIX
    /// seconds); tells how often it began before and never ended.
    async fn begin(&self, name: &str, expires_at: i64) -> Result<u32, TableError>;

    /// Notes that it ended.
    async fn end(&self, name: &str) -> Result<(), TableError>;

    /// Tells whether [`Coordination::mark`] was called for a name.
    async fn is_marked(&self, name: &str) -> Result<bool, TableError>;

    /// Remembers a name until `expires_at` (UNIX seconds).
    async fn mark(&self, name: &str, expires_at: i64) -> Result<(), TableError>;
}

/// What is known of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// Somebody is asking the model.
    Leased {
        /// When the lease ends, in UNIX milliseconds.
        until_ms: u64,
        /// The job that asks it, if one does.
        job: Option<String>,
    },
    /// The model answered, and the answer is content.
    Answered {
        /// The content.
        data: Map<String, Value>,
        /// What it took.
        usage: Usage,
    },
    /// The answer could not be used, or there was none.
    GivenUp {
        /// Short name of the reason.
        reason: String,
        /// What was wrong.
        detail: String,
        /// Calls that were made.
        attempts: u32,
        /// When that was, in UNIX milliseconds.
        at_ms: u64,
    },
}

/// What stands before a job's id where it owns a lease.
const JOB_OWNER: &str = "job#";

/// The owner of a job's leases.
pub(crate) fn owner_of_job(job: &str) -> String {
    format!("{JOB_OWNER}{job}")
}

/// The job that an owner is, if it is one.
pub(crate) fn job_of_owner(owner: &str) -> Option<String> {
    owner.strip_prefix(JOB_OWNER).map(str::to_owned)
}

/// Asks for a lease.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Who asks.
    pub owner: String,
    /// The time now, in UNIX milliseconds.
    pub now_ms: u64,
    /// When it ends, in UNIX milliseconds.
    pub until_ms: u64,
    /// Before when a prompt must have been given up to be tried again, in UNIX
    /// milliseconds; 0 for never.
    pub retry_given_up_before_ms: u64,
}

/// What became of a request for a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseReply {
    /// It is the caller's turn; this came to nothing in earlier ones.
    Ours(Failures),
    /// It is not; this is known.
    Taken(Entry),
}

/// Calls for a prompt that came to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many; one that took all the time it had counts as several.
    pub calls: u32,
    /// Why the last of them did, as far as that was noted.
    pub last: String,
}

/// A campaign's budget of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetOfDay {
    /// Name of the campaign.
    pub campaign: String,
    /// Days since 1970-01-01 (UTC).
    pub day: i64,
    /// What may be spent, in tokens or millionths of a dollar.
    pub limit: u64,
}

/// What became of spending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// It is within the limit, and noted.
    Granted,
    /// It would go beyond the limit; nothing is noted.
    Refused,
}
