//! The table of catalogs, as those who read it and those who write it see it.
//!
//! - [`DynamoDb`] — the table on DynamoDB.
//! - [`Memory`] — the same in memory: of a folder's files, and for simulations.
//!
//! Guarantees: an item that a newer import wrote is never overwritten by an older one, and one
//! that a replacement of the whole left out is gone from the moment on at which the replacement
//! ends, though it is removed later.

mod dynamodb;
mod memory;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use contract::catalog::ItemKey;
use program::aws::CallError;

pub use self::dynamodb::{DynamoDb, HEAD_LIFE};
pub use self::memory::Memory;
use crate::Item;

/// Where items are read.
#[async_trait]
pub trait CatalogTable: Send + Sync + std::fmt::Debug {
    /// What there is of these items, each key once: `None` of one that is in no catalog.
    async fn items(
        &self,
        keys: &[ItemKey],
    ) -> Result<Vec<(ItemKey, Option<Arc<Item>>)>, TableError>;
}

/// Where imports write.
#[async_trait]
pub trait ImportTable: Send + Sync + std::fmt::Debug {
    /// What is known of a catalog, or `None` before its first import has ended.
    async fn head(&self, catalog: &str) -> Result<Option<Head>, TableError>;

    /// Puts an item's JSON text, unless a newer import than the one of this number wrote it.
    async fn put(&self, key: &ItemKey, json: String, import: u64) -> Result<PutResult, TableError>;

    /// Ends an import: from now on its items are seen. Nothing happens if a newer import has
    /// replaced the whole catalog meanwhile.
    async fn close(&self, catalog: &str, end: &ImportEnd) -> Result<PutResult, TableError>;

    /// Removes items that are gone since the import of this number replaced the whole, as many
    /// as one page of the table has.
    async fn sweep(
        &self,
        catalog: &str,
        since: u64,
        from: SweepPlace,
    ) -> Result<SweptPage, TableError>;
}

/// What is known of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of the import that replaced the whole; items of older ones are gone. Zero if none
    /// did.
    pub since: u64,
    /// Number of the import that ended last.
    pub import: u64,
    /// Names of the columns.
    pub columns: BTreeSet<String>,
    /// Items of the file that replaced the whole.
    pub items: u64,
    /// Items that were put one by one since then; some may have been there already.
    pub puts: u64,
    /// When the last import ended, in UNIX milliseconds.
    pub imported_at_ms: u64,
    /// What the last import was read from.
    pub source: String,
}

/// What an import says when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportEnd {
    /// Its number.
    pub import: u64,
    /// Whether it replaces the whole catalog.
    pub is_whole: bool,
    /// Names of the file's columns.
    pub columns: BTreeSet<String>,
    /// Number of the file's items.
    pub items: u64,
    /// When it ends, in UNIX milliseconds.
    pub at_ms: u64,
    /// What was read, for a person.
    pub source: String,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// It is there.
    Done,
    /// Something newer was there, and is there still.
    Newer,
}

/// Where in the table to go on to sweep.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SweepPlace(pub(crate) Option<String>);

impl SweepPlace {
    /// Where every sweep begins.
    pub fn beginning() -> Self {
        Self(None)
    }
}

/// What one page of the table came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptPage {
    /// Items that were removed.
    pub removed: u64,
    /// Where to go on, if there is more.
    pub next: Option<SweepPlace>,
}

/// Why the table could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A call failed.
    #[error("{attempted}")]
    Call {
        /// What was being attempted.
        attempted: &'static str,
        /// What it failed with.
        #[source]
        cause: CallError,
    },
    /// DynamoDB gave none of these keys any more, as often as it was asked.
    #[error("items were not read: {0} attempts left some unprocessed")]
    Unprocessed(usize),
}

impl TableError {
    /// Tells whether the same may succeed later: the table was busy or out of reach, and did not
    /// refuse what it was asked.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unprocessed(_) => true,
            Self::Call { cause: CallError::Refused(code), .. } => PASSING.contains(&code.as_str()),
            Self::Call { cause: CallError::NotBuilt, .. } => false,
            Self::Call { .. } => true,
        }
    }
}

/// What DynamoDB says when it is busy or in trouble of its own.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
const PASSING: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionConflictException",
];
