//! Keeps content of users who are asked for again and again.
//!
//! Braze asks two to three times per recipient. What was read is served again for a number
//! of seconds, and so may be content that was deleted, replaced or retracted meanwhile: **never longer
//! than those seconds**. That there is nothing for a user is not kept, so new content shows
//! at once.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moka::sync::Cache as Moka;

use crate::table::StoredContent;

/// Most bytes of content that are kept: small beside the memory of any function.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What an entry takes beside its texts, about.
const ENTRY_BYTES: usize = 256;

/// Content of an instance's latest users.
#[derive(Debug)]
pub struct Cache {
    entries: Moka<String, Entry>,
    ttl_secs: i64,
}

#[derive(Debug, Clone)]
struct Entry {
    stored: Arc<StoredContent>,
    /// When it was read, in UNIX seconds.
    read_at: i64,
}

impl Cache {
    /// Keeps content for `ttl_secs`; nothing at all if that is zero.
    pub fn new(ttl_secs: u32) -> Option<Self> {
        let ttl = Duration::from_secs(u64::from(ttl_secs));
        let entries = Moka::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|key: &String, entry: &Entry| {
                let bytes = ENTRY_BYTES + key.len() + size_of(&entry.stored.data);
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .time_to_live(ttl);
        (ttl_secs > 0).then(|| Self { entries: entries.build(), ttl_secs: i64::from(ttl_secs) })
    }

    /// What was read of this user and campaign, unless it is too old at `now` (UNIX seconds),
    /// or does not stand any more.
    pub fn get(&self, user_id: &str, campaign: &str, now: i64) -> Option<Arc<StoredContent>> {
        let entry = self.entries.get(&key(user_id, campaign))?;
        // By the clock on the wall: the cache's own stands still with the function.
        let age = now - entry.read_at;
        let is_fresh = (0..self.ttl_secs).contains(&age);
        (is_fresh && entry.stored.stands(now)).then_some(entry.stored)
    }

    /// Keeps what was read at `now`, if it stands.
    pub fn put(&self, user_id: &str, campaign: &str, stored: &Arc<StoredContent>, now: i64) {
        if !stored.stands(now) {
            return;
        }
        let entry = Entry { stored: Arc::clone(stored), read_at: now };
        self.entries.insert(key(user_id, campaign), entry);
    }
}

/// Names hold no `#`, so no two keys are alike.
fn key(user_id: &str, campaign: &str) -> String {
    format!("{campaign}#{user_id}")
}

fn size_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::L(values) => values.iter().map(|v| size_of(v) + ENTRY_BYTES).sum(),
        AttributeValue::M(map) => {
            map.iter().map(|(name, v)| name.len() + size_of(v) + ENTRY_BYTES).sum()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Arc<StoredContent> {
        Arc::new(StoredContent {
            data: AttributeValue::S("text".to_owned()),
            expires_at: 1_000,
            publication: 0,
            prompt_hash: String::new(),
            generated_at: 0,
        })
    }

    #[test]
    fn content_is_kept_for_its_seconds_and_not_one_longer() {
        let cache = Cache::new(10).expect("keeps something");
        cache.put("a", "offer", &stored(), 100);

        assert!(cache.get("a", "offer", 109).is_some());
        assert!(cache.get("a", "offer", 110).is_none());
        // A clock that was set back says nothing about the age.
        assert!(cache.get("a", "offer", 99).is_none());
    }

    #[test]
    fn content_is_kept_for_its_own_user_and_campaign_only() {
        let cache = Cache::new(10).expect("keeps something");
        cache.put("a", "offer", &stored(), 100);

        assert!(cache.get("b", "offer", 100).is_none());
        assert!(cache.get("a", "other", 100).is_none());
    }

    #[test]
    fn content_that_stands_no_longer_is_not_kept() {
        let cache = Cache::new(10).expect("keeps something");
        cache.put("late", "offer", &stored(), 995);
        cache.put("expired", "offer", &stored(), 1_000);

        assert!(cache.get("late", "offer", 999).is_some());
        assert!(cache.get("late", "offer", 1_000).is_none());
        assert!(!cache.entries.contains_key(&key("expired", "offer")));
    }

    #[test]
    fn zero_seconds_keep_nothing() {
        assert!(Cache::new(0).is_none());
    }
}
