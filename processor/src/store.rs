//! The content table.
//!
//! One item per user and campaign holds the content and the history that it was written from,
//! one per user what Braze knows of them, and one per user and campaign, where the campaign
//! keeps that, what the model was asked and answered. Every write names the revision that its
//! writer saw, so that of two writers one looks again; a creation checks the user's tombstone
//! in the same transaction. A deletion writes the tombstone first and then removes what is there, or
//! gives it another revision where all of it is newer: whatever is created afterwards
//! sees the tombstone, and whoever would write to what was there before must look again.
//!
//! - [`dynamodb`] — the table on DynamoDB.

pub mod dynamodb;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use async_trait::async_trait;
use program::aws::CallError;
use serde_json::{Map, Value};

use crate::attributes::{Known, Profile};
use crate::eligibility::{Memory, State};

pub use dynamodb::{DynamoDb, Form, plain_item};

/// How long a deletion refuses older events, in seconds: SDK events can be days
/// late, and a replay of old files must not bring a user back.
pub const TOMBSTONE_SECS: i64 = 400 * DAY_SECS;

/// How long an ask waits at most beyond its time, in seconds: a person must have looked by then.
pub(crate) const MAX_WAIT_SECS: i64 = 14 * DAY_SECS;

/// Seconds in a day.
pub const DAY_SECS: i64 = 24 * 3_600;

/// Reads and writes content.
#[async_trait]
pub trait ContentTable: Debug + Send + Sync {
    /// Reads what is stored under many keys, with their users' tombstones; every key has
    /// a state, an empty one if nothing is there.
    ///
    /// Consistently, because a repeat that reads too early would pay for a second
    /// generation.
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError>;

    /// Writes an item, if its revision is still `seen`; creates it, if `seen` is none, no
    /// item is there, and the user was not deleted at or after its oldest event.
    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError>;

    /// Notes that a user was deleted, unless a later deletion is noted already.
    async fn entomb(
        &self,
        user_id: &str,
        deleted_at: i64,
        expires_at: i64,
    ) -> Result<(), TableError>;

    /// What is known of users, with their tombstones; consistently.
    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError>;

    /// Writes what is known of a user, if its revision is still `seen`; creates it, if `seen` is
    /// none, nothing is there, and the user was not deleted at or after its oldest event.
    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError>;

    /// Removes what is known of a user, if its revision is still `seen`.
    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError>;

    /// All that is stored of a user, whatever campaigns exist now.
    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError>;

    /// Removes what the model was asked and answered for a user's content.
    async fn remove_asked(&self, key: &Key) -> Result<(), TableError>;

    /// Removes a user's item that only another version knows, unless it says that all of it
    /// happened after `deleted_at` (UNIX seconds).
    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError>;

    /// Removes an item, if its revision is still `seen`.
    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError>;

    /// Gives an item another revision, if it is still `seen`, so that whoever read it
    /// before must look again.
    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError>;
}

/// All that is stored of a user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfUser {
    /// Each campaign's content and history.
    pub items: Vec<(Key, State)>,
    /// What Braze knows of the user; its tombstone is not looked at.
    pub profile: Profile,
    /// Campaigns for which it is kept what the model was asked, each with the time of the oldest
    /// event that this tells anything of, in UNIX seconds.
    pub asked: Vec<(Key, i64)>,
    /// Sort keys of items that only another version knows.
    pub unknown: Vec<String>,
}

/// What is written of a user's attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileWrite {
    /// The new revision.
    pub revision: u64,
    /// The attributes by their names.
    pub known: BTreeMap<String, Known>,
    /// When the item may be removed, in UNIX seconds.
    pub expires_at: i64,
}

/// What the model was asked and answered, for a person to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Id of the event that the content was written for.
    pub event_id: String,
    /// The rendered prompt.
    pub prompt: String,
    /// The answer, as it was checked and made safe.
    pub answer: Map<String, Value>,
    /// Until when it is kept, in UNIX seconds.
    pub expires_at: i64,
}

/// Place of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The Braze id of the user.
    pub user_id: String,
    /// Name of the campaign.
    pub campaign: String,
}

/// What an item of the compact form holds packed beside its history, by the names that it has in a
/// plain one.
pub type Packed = Map<String, Value>;

/// What is written to an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The new revision.
    pub revision: u64,
    /// What is remembered; of notes that it does not have, those that are there stay.
    pub memory: Memory,
    /// The new content; without it, what is there stays.
    pub content: Option<Content>,
    /// What the model was asked for it, if that is kept.
    pub asked: Option<Asked>,
    /// What the item holds packed, as it was read: it stays, unless content takes its place.
    pub packed: Packed,
    /// Language in which the user gets fallback content, where an event says it.
    pub language: Option<String>,
    /// What becomes of an ask that waits; content ends it.
    pub ask: WaitingAsk,
    /// When the item may be removed, in UNIX seconds; content that stays is served no longer
    /// for that.
    pub expires_at: i64,
    /// Whether content is there that stays.
    pub keeps_content: bool,
    /// Whether an ask waits already, for which the item lives on as it does.
    pub is_announced: bool,
}

/// What a write says of the ask that waits for the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingAsk {
    /// What was known of it stays.
    Unchanged,
    /// One waits until then, in UNIX milliseconds.
    Until(u64),
    /// It is over.
    Over,
}

/// Content with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// What Braze will show.
    pub data: Map<String, Value>,
    /// Id of the event that it was written for.
    pub event_id: String,
    /// Time of that event, in UNIX seconds.
    pub event_time: i64,
    /// Time of the event that told the oldest of the attributes that its prompt could show, in
    /// UNIX seconds, if there are any.
    pub oldest_attribute_time: Option<i64>,
    /// Model that wrote it.
    pub model_id: String,
    /// Hash of what the model was asked.
    pub prompt_hash: String,
    /// Input tokens that the service counted.
    pub input_tokens: u64,
    /// Output tokens that the service counted.
    pub output_tokens: u64,
    /// Where the event came in that asked; empty where that is not known.
    pub origin: String,
    /// Now, in UNIX seconds.
    pub generated_at: i64,
    /// Number of the publication of campaigns; 0 before the first.
    pub publication: u64,
    /// Version of the campaigns.
    pub campaigns_version: String,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteResult {
    /// It is done.
    Done,
    /// Somebody else was there since: look again.
    Conflict,
}

impl WaitingAsk {
    /// When an item may be removed that would live until then (UNIX seconds) by itself: what
    /// waits must not end before its turn.
    pub fn expires_at(self, lives_until: i64) -> i64 {
        match self {
            Self::Until(until_ms) => {
                let until = i64::try_from(until_ms / 1_000).unwrap_or(i64::MAX);
                lives_until.max(until.saturating_add(MAX_WAIT_SECS))
            }
            Self::Unchanged | Self::Over => lives_until,
        }
    }
}

/// DynamoDB did not do it.
#[derive(Debug, thiserror::Error)]
#[error("{attempted}")]
pub struct TableError {
    /// What was not done.
    pub attempted: &'static str,
    /// Why.
    #[source]
    pub cause: Cause,
    /// Every repeat would fail alike: DynamoDB finds the item itself wrong.
    pub is_final: bool,
}

/// Why DynamoDB did not do it, without anything of the item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// DynamoDB left some of the keys out every time.
    #[error("keys were left unprocessed {0} times")]
    Unprocessed(usize),
    /// What should be stored is no JSON.
    #[error("it is no JSON")]
    NotJson,
    /// Something else, in words.
    #[error("{0}")]
    Other(&'static str),
}

impl TableError {
    /// A failure that may pass.
    pub fn passing(attempted: &'static str, cause: impl Into<Cause>) -> Self {
        Self { attempted, cause: cause.into(), is_final: false }
    }
}

impl Write {
    /// Time of the oldest event that the item would hold anything of, in UNIX seconds.
    pub fn oldest_event_time(&self) -> i64 {
        let Memory { history, unless_at, retracted_at, paced_until: _ } = &self.memory;
        let history = history.iter().map(|past| past.time);
        let notes = [*unless_at, *retracted_at].into_iter().flatten();
        let content = self.content.iter().flat_map(|content| {
            [Some(content.event_time), content.oldest_attribute_time].into_iter().flatten()
        });
        history.chain(notes).chain(content).min().unwrap_or(0)
    }

    /// Whether the item must live on beyond the content that stays in it.
    fn outlives_content(&self) -> bool {
        self.keeps_content && matches!(self.ask, WaitingAsk::Until(_))
    }

    /// The revision after `seen`. It begins at the time of day, so that an item that was
    /// removed and created again is not taken for the one before.
    pub fn revision_after(seen: Option<u64>, now_ms: u64) -> u64 {
        seen.map_or(0, |seen| seen + 1).max(now_ms)
    }
}
