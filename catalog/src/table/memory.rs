//! The table of catalogs in memory: of a folder's files, and for simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use contract::catalog::ItemKey;

use super::{
    CatalogTable, Head, ImportEnd, ImportTable, PutResult, SweepPlace, SweptPage, TableError,
};
use crate::Item;

/// Items that one page of a sweep looks at.
const PAGE: usize = 1_000;

/// The table of catalogs in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Each item with the number of its import.
    items: BTreeMap<ItemKey, (u64, Arc<Item>)>,
    heads: BTreeMap<String, Head>,
    /// Calls of [`CatalogTable::items`].
    reads: u64,
}

impl Memory {
    /// Puts an item of a catalog, which is there if it was not.
    pub fn insert(&self, catalog: &str, id: &str, item: Item) {
        let mut kept = self.kept();
        let head = kept.heads.entry(catalog.to_owned()).or_insert_with(|| Head {
            since: 0,
            import: 0,
            columns: BTreeSet::new(),
            items: 0,
            puts: 0,
            imported_at_ms: 0,
            source: String::new(),
        });
        head.puts += 1;
        head.columns.extend(item.keys().cloned());
        let since = head.since;
        let key = ItemKey { catalog: catalog.to_owned(), id: id.to_owned() };
        kept.items.insert(key, (since, Arc::new(item)));
    }

    /// Takes an item of a catalog out, if it is there.
    pub fn remove(&self, catalog: &str, id: &str) {
        let key = ItemKey { catalog: catalog.to_owned(), id: id.to_owned() };
        self.kept().items.remove(&key);
    }

    /// The catalogs, each with what is known of it.
    pub fn heads(&self) -> BTreeMap<String, Head> {
        self.kept().heads.clone()
    }

    /// How often items were asked for.
    pub fn reads(&self) -> u64 {
        self.kept().reads
    }

    /// Number of items that are stored, those that are gone and not yet swept among them.
    pub fn stored(&self) -> usize {
        self.kept().items.len()
    }

    /// What each of these items holds, if it is there.
    pub fn find(&self, keys: &[ItemKey]) -> Vec<(ItemKey, Option<Arc<Item>>)> {
        let mut kept = self.kept();
        kept.reads += 1;
        let find = |key: &ItemKey| {
            let since = kept.heads.get(&key.catalog)?.since;
            let (import, item) = kept.items.get(key)?;
            (*import >= since).then(|| Arc::clone(item))
        };
        keys.iter().map(|key| (key.clone(), find(key))).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What is kept is whole after every statement that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CatalogTable for Memory {
    async fn items(
        &self,
        keys: &[ItemKey],
    ) -> Result<Vec<(ItemKey, Option<Arc<Item>>)>, TableError> {
        Ok(self.find(keys))
    }
}

#[async_trait]
impl ImportTable for Memory {
    async fn head(&self, catalog: &str) -> Result<Option<Head>, TableError> {
        Ok(self.kept().heads.get(catalog).cloned())
    }

    async fn put(&self, key: &ItemKey, json: String, import: u64) -> Result<PutResult, TableError> {
        let item = serde_json::from_str(&json).map_err(|_| TableError::Call {
            attempted: "item was not put",
            cause: program::aws::CallError::NotBuilt,
        })?;
        let mut kept = self.kept();
        if kept.items.get(key).is_some_and(|(of, _)| *of > import) {
            return Ok(PutResult::Newer);
        }
        kept.items.insert(key.clone(), (import, Arc::new(item)));
        Ok(PutResult::Done)
    }

    async fn close(&self, catalog: &str, end: &ImportEnd) -> Result<PutResult, TableError> {
        let mut kept = self.kept();
        let before = kept.heads.get(catalog);
        if before.is_some_and(|head| head.since > end.import) {
            return Ok(PutResult::Newer);
        }
        let mut head = Head {
            since: end.import,
            import: end.import,
            columns: end.columns.clone(),
            items: end.items,
            puts: 0,
            imported_at_ms: end.at_ms,
            source: end.source.clone(),
        };
        if !end.is_whole {
            let before = before.cloned();
            head.since = before.as_ref().map_or(0, |before| before.since);
            head.items = before.as_ref().map_or(0, |before| before.items);
            head.puts = before.as_ref().map_or(0, |before| before.puts) + end.items;
            head.columns.extend(before.into_iter().flat_map(|before| before.columns));
        }
        kept.heads.insert(catalog.to_owned(), head);
        Ok(PutResult::Done)
    }

    async fn sweep(
        &self,
        catalog: &str,
        since: u64,
        from: SweepPlace,
    ) -> Result<SweptPage, TableError> {
        let mut kept = self.kept();
        let start = ItemKey { catalog: catalog.to_owned(), id: from.0.unwrap_or_default() };
        let page: Vec<(ItemKey, bool)> = kept
            .items
            .range(start..)
            .take_while(|(key, _)| key.catalog == catalog)
            .take(PAGE + 1)
            .map(|(key, (import, _))| (key.clone(), *import < since))
            .collect();
        let next = page.get(PAGE).map(|(key, _)| SweepPlace(Some(key.id.clone())));
        let mut removed = 0;
        for (key, is_gone) in page.into_iter().take(PAGE) {
            if is_gone {
                kept.items.remove(&key);
                removed += 1;
            }
        }
        Ok(SweptPage { removed, next })
    }
}
