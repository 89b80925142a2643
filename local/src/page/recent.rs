//! Who got content last: noted where content is written, since a table keeps no order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use processor::attributes::Profile;
use processor::eligibility::State;
use processor::store::{ContentTable, Key, OfUser, ProfileWrite, TableError, Write, WriteResult};

/// Most users that are remembered: as many as one BatchGetItem reads.
pub const MAX_RECENT: usize = 100;

/// Where content was written last, the latest first.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Key>>);

impl Recent {
    /// Notes that content was written.
    pub fn note(&self, key: &Key) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|known| known != key);
        keys.push_front(key.clone());
        keys.truncate(MAX_RECENT);
    }

    /// The latest first.
    pub fn keys(&self) -> Vec<Key> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().cloned().collect()
    }
}

/// A table that notes whose content was written.
#[derive(Debug)]
pub struct Noting<T> {
    /// The table itself.
    pub table: T,
    /// Where it is noted.
    pub recent: Arc<Recent>,
}

#[async_trait]
impl<T: ContentTable> ContentTable for Noting<T> {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        self.table.load(keys).await
    }

    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        let written = self.table.write(key, seen, write).await?;
        if written == WriteResult::Done && write.content.is_some() {
            self.recent.note(key);
        }
        Ok(written)
    }

    async fn entomb(&self, user_id: &str, at: i64, expires_at: i64) -> Result<(), TableError> {
        self.table.entomb(user_id, at, expires_at).await
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        self.table.profiles(users).await
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        self.table.write_profile(user_id, seen, write).await
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        self.table.remove_profile(user_id, seen).await
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        self.table.of_user(user_id).await
    }

    async fn remove_asked(&self, key: &Key) -> Result<(), TableError> {
        self.table.remove_asked(key).await
    }

    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError> {
        self.table.remove_unknown(user_id, sort_key, deleted_at).await
    }

    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError> {
        self.table.remove(key, seen).await
    }

    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError> {
        self.table.touch(key, seen, revision).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key { user_id: n.to_string(), campaign: "c".to_owned() }
    }

    #[test]
    fn the_latest_are_remembered_and_none_twice() {
        let recent = Recent::default();
        for n in (0..MAX_RECENT + 5).chain([50]) {
            recent.note(&key(n));
        }

        let keys = recent.keys();

        assert_eq!(keys.len(), MAX_RECENT);
        assert_eq!(keys[..2], [key(50), key(MAX_RECENT + 4)]);
        assert_eq!(keys.iter().filter(|known| **known == key(50)).count(), 1);
    }
}
