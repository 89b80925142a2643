//! The table of catalogs on DynamoDB: how items are read.
//!
//! A hundred keys are one BatchGetItem, eventually consistent: half the price, and an item that
//! is a second late is no matter beside the minutes for which it is kept. The heads of catalogs,
//! which say what is gone, are read along and kept for [`HEAD_LIFE`].

mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::catalog::{
    CATALOGS, IMPORT, ITEM, ItemKey, KEY, LIST_KEY, SINCE, head_key, item_key,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use program::aws::CallError;

use super::{CatalogTable, TableError};
use crate::Item;

/// How long a head is taken for what it was: so long a reader may see what a replacement left
/// out.
pub const HEAD_LIFE: Duration = Duration::from_secs(60);

/// Most keys of one BatchGetItem (AWS limit). Items that exceed 16 MB together come as
/// unprocessed keys.
const MAX_KEYS: usize = 100;

/// BatchGetItems at a time.
const CONCURRENT_READS: usize = 4;

/// Attempts at the keys that DynamoDB left unprocessed; those that come without a single item
/// count, for a hundred large ones come in several answers.
const MAX_READ_ATTEMPTS: usize = 6;

/// Waits before unprocessed keys are asked for again.
const READ_BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_millis(300))
    .with_max_times(MAX_READ_ATTEMPTS - 1);

/// Most heads that are kept: many more than anybody has catalogs.
const MAX_HEADS: usize = 1_000;

type Attributes = HashMap<String, AttributeValue>;

/// The table of catalogs on DynamoDB. Clones share what they know of heads.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
    head_life: Duration,
    heads: Arc<Mutex<HashMap<String, KeptHead>>>,
}

#[derive(Debug, Clone, Copy)]
struct KeptHead {
    /// Items of imports before this one are gone; all are if there is no head.
    since: Option<u64>,
    read_at_ms: u64,
}

impl DynamoDb {
    /// Works on the table `table`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, head_life: HEAD_LIFE, heads: Arc::default() }
    }

    /// The same, which reads heads along with every read of items.
    #[must_use]
    pub fn without_kept_heads(self) -> Self {
        Self { head_life: Duration::ZERO, ..self }
    }

    /// Names of the catalogs of which an import has ended.
    pub async fn catalogs(&self) -> Result<BTreeSet<String>, TableError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .key(KEY, AttributeValue::S(LIST_KEY.to_owned()));
        let found = get.send().await.map_err(|error| failed("catalogs were not listed", &error))?;
        let names = found.item().and_then(|item| item.get(CATALOGS)?.as_ss().ok());
        Ok(names.into_iter().flatten().cloned().collect())
    }

    /// The heads that are fresh at `now_ms`, of these catalogs.
    fn known_heads<'k>(
        &self,
        catalogs: &BTreeSet<&'k str>,
        now_ms: u64,
    ) -> BTreeMap<&'k str, Option<u64>> {
        let heads = self.heads();
        let life = u64::try_from(self.head_life.as_millis()).unwrap_or(u64::MAX);
        let fresh = |name: &&'k str| {
            let head = heads.get(*name)?;
            // By the clock on the wall: the machine's own stands still with the function.
            let age = now_ms.checked_sub(head.read_at_ms)?;
            (age < life).then_some((*name, head.since))
        };
        catalogs.iter().filter_map(fresh).collect()
    }

    fn keep_head(&self, catalog: &str, since: Option<u64>, now_ms: u64) {
        let mut heads = self.heads();
        if heads.len() >= MAX_HEADS {
            heads.clear();
        }
        heads.insert(catalog.to_owned(), KeptHead { since, read_at_ms: now_ms });
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<String, KeptHead>> {
        // A map of numbers is whole whoever panicked.
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<Attributes>, TableError> {
        let attempted = "items were not read";
        let keys = keys.iter().map(|key| HashMap::from([key_of(key)])).collect();
        let mut wanted = KeysAndAttributes::builder()
            .consistent_read(false)
            .projection_expression("#key, #item, #import, #since")
            .expression_attribute_names("#key", KEY)
            .expression_attribute_names("#item", ITEM)
            .expression_attribute_names("#import", IMPORT)
            .expression_attribute_names("#since", SINCE)
            .set_keys(Some(keys))
            .build()
            .map_err(|_| TableError::Call { attempted, cause: CallError::NotBuilt })?;
        let mut found = Vec::new();
        let mut waits = READ_BACKOFF.build();
        loop {
            let request = self.client.batch_get_item().request_items(&self.table, wanted);
            let mut answer = request.send().await.map_err(|error| failed(attempted, &error))?;
            let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
            let before = found.len();
            found.extend(items.into_iter().flatten());
            let rest = answer.unprocessed_keys.as_mut().and_then(|keys| keys.remove(&self.table));
            let Some(rest) = rest.filter(|rest| !rest.keys().is_empty()) else { return Ok(found) };
            wanted = rest;
            if found.len() > before {
                // As much as one answer holds came: that is no trouble of the table's.
                waits = READ_BACKOFF.build();
                continue;
            }
            match waits.next() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(TableError::Unprocessed(MAX_READ_ATTEMPTS)),
            }
        }
    }
}

#[async_trait]
impl CatalogTable for DynamoDb {
    async fn items(
        &self,
        keys: &[ItemKey],
    ) -> Result<Vec<(ItemKey, Option<Arc<Item>>)>, TableError> {
        let now_ms = now_ms();
        // Twice the same key in a request would be refused.
        let keys: BTreeSet<&ItemKey> = keys.iter().collect();
        let catalogs: BTreeSet<&str> = keys.iter().map(|key| key.catalog.as_str()).collect();
        let mut heads = self.known_heads(&catalogs, now_ms);
        let unknown: Vec<&str> =
            catalogs.into_iter().filter(|name| !heads.contains_key(name)).collect();
        let wanted: Vec<String> = keys
            .iter()
            .map(|key| item_key(&key.catalog, &key.id))
            .chain(unknown.iter().map(|name| head_key(name)))
            .collect();
        let reads: Vec<_> = wanted.chunks(MAX_KEYS).map(|keys| self.load(keys)).collect();
        let found: Vec<Vec<Attributes>> =
            stream::iter(reads).buffer_unordered(CONCURRENT_READS).try_collect().await?;
        let mut found: HashMap<String, Attributes> = found
            .into_iter()
            .flatten()
            .filter_map(|item| Some((text(&item, KEY)?, item)))
            .collect();
        for name in unknown {
            let head = found.get(&head_key(name));
            let since = head.map(|head| number(head, SINCE).unwrap_or_default());
            self.keep_head(name, since, now_ms);
            heads.insert(name, since);
        }
        let mut item = |key: &ItemKey| {
            let since = heads.get(key.catalog.as_str()).copied().flatten()?;
            let mut stored = found.remove(&item_key(&key.catalog, &key.id))?;
            let is_there = number(&stored, IMPORT)? >= since;
            let json = stored.remove(ITEM).filter(|_| is_there)?;
            let read = json.as_s().ok().and_then(|json| serde_json::from_str(json).ok());
            if read.is_none() {
                // Not of this program's making; the other items are none the worse.
                tracing::warn!(catalog = key.catalog, "an item of the table is no JSON object");
            }
            read.map(Arc::new)
        };
        Ok(keys.iter().map(|key| ((*key).clone(), item(key))).collect())
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn key_of(key: &str) -> (String, AttributeValue) {
    (KEY.to_owned(), AttributeValue::S(key.to_owned()))
}

fn text(item: &Attributes, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

fn number(item: &Attributes, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn failed<E: ProvideErrorMetadata>(
    attempted: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> TableError {
    TableError::Call { attempted, cause: CallError::from(error) }
}
