//! Keeps items that are wanted again and again, and that there are none.
//!
//! What is said of an item is never older than [`ITEM_LIFE`], and that there is none never
//! older than [`ABSENCE_LIFE`], so that a new item shows soon. The table's own reader adds up
//! to a minute for what a replacement of a whole catalog left out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contract::catalog::ItemKey;
use moka::sync::Cache as Moka;
use serde_json::Value;

use crate::Item;
use crate::table::{CatalogTable, TableError};

/// How long an item is taken for what it was.
pub const ITEM_LIFE: Duration = Duration::from_secs(5 * 60);

/// How long an item that was not there is taken not to be there.
pub const ABSENCE_LIFE: Duration = Duration::from_secs(60);

/// Bytes of items that are kept, unless somebody says otherwise: some tens of thousands of 2 KB,
/// small beside the memory of any function.
pub const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What an entry, or a value within an item, takes beside its text, about.
const ENTRY_BYTES: usize = 64;

/// Items of the table, of which the latest are kept.
#[derive(Debug, Clone)]
pub struct CachedItems {
    table: Arc<dyn CatalogTable>,
    kept: Moka<ItemKey, Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    item: Option<Arc<Item>>,
    read_at_ms: u64,
}

/// What was found, and where.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// What there is of each item that was asked for, once.
    pub items: Vec<(ItemKey, Option<Arc<Item>>)>,
    /// How many of them were read from the table.
    pub read: u64,
    /// How many of them were kept.
    pub kept: u64,
}

impl CachedItems {
    /// Keeps up to `max_bytes` of what `table` holds, about.
    pub fn new(table: Arc<dyn CatalogTable>, max_bytes: u64) -> Self {
        let kept = Moka::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &ItemKey, kept: &Kept| {
                let item = kept.item.as_deref().map_or(0, size_of_item);
                let bytes = 2 * ENTRY_BYTES + key.catalog.len() + key.id.len() + item;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .time_to_live(ITEM_LIFE)
            .build();
        Self { table, kept }
    }

    /// What there is of these items at `now_ms` (UNIX milliseconds).
    pub async fn find(
        &self,
        keys: impl IntoIterator<Item = ItemKey>,
        now_ms: u64,
    ) -> Result<Found, TableError> {
        let keys: BTreeSet<ItemKey> = keys.into_iter().collect();
        let mut found = Found::default();
        let mut unknown = Vec::new();
        for key in keys {
            match self.kept.get(&key).filter(|kept| kept.is_fresh(now_ms)) {
                Some(kept) => found.items.push((key, kept.item)),
                None => unknown.push(key),
            }
        }
        found.kept = found.items.len() as u64;
        found.read = unknown.len() as u64;
        if unknown.is_empty() {
            return Ok(found);
        }
        for (key, item) in self.table.items(&unknown).await? {
            self.kept.insert(key.clone(), Kept { item: item.clone(), read_at_ms: now_ms });
            found.items.push((key, item));
        }
        Ok(found)
    }
}

impl Kept {
    fn is_fresh(&self, now_ms: u64) -> bool {
        let life = if self.item.is_some() { ITEM_LIFE } else { ABSENCE_LIFE };
        // By the clock on the wall: the cache's own stands still with the function. One that was
        // set back says nothing about the age.
        let age = now_ms.checked_sub(self.read_at_ms);
        age.is_some_and(|age| u128::from(age) < life.as_millis())
    }
}

fn size_of_item(item: &Item) -> usize {
    item.iter().map(|(name, value)| ENTRY_BYTES + name.len() + size_of(value)).sum()
}

fn size_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| ENTRY_BYTES + size_of(value)).sum(),
        Value::Object(map) => size_of_item(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::Memory;

    fn key(id: &str) -> ItemKey {
        ItemKey { catalog: "episodes".to_owned(), id: id.to_owned() }
    }

    fn item(title: &str) -> Item {
        json!({ "title": title }).as_object().expect("is an object").clone()
    }

    fn set_up(max_bytes: u64) -> (Memory, CachedItems) {
        let table = Memory::default();
        table.insert("episodes", "e-1", item("Pilot"));
        (table.clone(), CachedItems::new(Arc::new(table), max_bytes))
    }

    async fn title(cache: &CachedItems, id: &str, now_ms: u64) -> Option<String> {
        let found = cache.find([key(id)], now_ms).await.expect("is read");
        let item = found.items.into_iter().next().expect("is answered").1?;
        item["title"].as_str().map(str::to_owned)
    }

    #[tokio::test]
    async fn an_item_is_read_once_in_five_minutes() {
        let (table, cache) = set_up(1 << 20);
        let life = 5 * 60 * 1_000;
        assert_eq!(title(&cache, "e-1", 1_000).await.as_deref(), Some("Pilot"));

        table.insert("episodes", "e-1", item("Changed"));

        assert_eq!(title(&cache, "e-1", 1_000 + life - 1).await.as_deref(), Some("Pilot"));
        assert_eq!(title(&cache, "e-1", 1_000 + life).await.as_deref(), Some("Changed"));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_keeps_nothing() {
        let (table, cache) = set_up(1 << 20);
        title(&cache, "e-1", 1_000).await;
        table.insert("episodes", "e-1", item("Changed"));

        assert_eq!(title(&cache, "e-1", 999).await.as_deref(), Some("Changed"));
    }

    #[tokio::test]
    async fn an_item_that_was_not_there_is_looked_for_again_after_a_minute() {
        let (table, cache) = set_up(1 << 20);
        assert_eq!(title(&cache, "e-2", 1_000).await, None);

        table.insert("episodes", "e-2", item("Second"));

        assert_eq!(title(&cache, "e-2", 60_999).await, None);
        assert_eq!(title(&cache, "e-2", 61_000).await.as_deref(), Some("Second"));
    }

    #[tokio::test]
    async fn what_was_kept_and_what_was_read_are_counted_each_key_once() {
        let (table, cache) = set_up(1 << 20);
        title(&cache, "e-1", 0).await;

        let keys = ["e-1", "e-2", "e-2", "e-3"].map(key);
        let found = cache.find(keys, 0).await.expect("is read");

        assert_eq!((found.kept, found.read, found.items.len()), (1, 2, 3));
        assert_eq!(table.reads(), 2);
        let again = cache.find([key("e-3")], 0).await.expect("is kept");
        assert_eq!((again.kept, again.read, table.reads()), (1, 0, 2));
    }

    #[tokio::test]
    async fn no_more_is_kept_than_fits() {
        let (table, cache) = set_up(20_000);
        for n in 0..200 {
            table.insert("episodes", &n.to_string(), item(&"a".repeat(1_000)));
            title(&cache, &n.to_string(), 0).await;
        }
        cache.kept.run_pending_tasks();

        assert!(cache.kept.weighted_size() <= 20_000);
        assert!(cache.kept.entry_count() > 0);
    }
}
