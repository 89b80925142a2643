//! Both tables in memory, with DynamoDB's conditions.
//!
//! Notes what must never happen: older content over newer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::attributes::Profile;
use crate::coordination::{
    BudgetOfDay, Coordination, Entry, Failures, Lease, LeaseReply, Spending, job_of_owner,
};
use crate::eligibility::{Memory as Remembered, State, WrittenFor};
use crate::store::{
    Asked, Content, ContentTable, Key, OfUser, ProfileWrite, TableError, WaitingAsk, Write,
    WriteResult,
};
use async_trait::async_trait;

/// Most keys of one BatchGetItem, for counting calls.
const MAX_KEYS: usize = 100;

/// Both tables.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Tables>);

/// What the tables hold.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Tables {
    /// The content table's items.
    pub items: BTreeMap<Key, Item>,
    /// What is known of users.
    pub profiles: BTreeMap<String, Profile>,
    /// What the model was asked, where that is kept, and the time of the oldest event behind it.
    pub asked: BTreeMap<Key, (Asked, i64)>,
    /// The content table's tombstones.
    pub tombstones: BTreeMap<String, i64>,
    /// The coordination table's answers, with owner and end.
    pub answers: BTreeMap<String, (Entry, String, i64)>,
    /// Calls for prompts that came to nothing.
    pub failed: BTreeMap<String, Failures>,
    /// What budgets have spent.
    pub budgets: BTreeMap<(String, i64), i64>,
    /// Notices, with their ends.
    pub notices: BTreeMap<String, u64>,
    /// What began and did not end, and how often.
    pub begun: BTreeMap<String, u32>,
    /// What was marked.
    pub marks: BTreeMap<String, i64>,
    /// Calls of DynamoDB that this would have taken.
    pub calls: u64,
    /// Reads of what is known of prompts, which it would have taken.
    pub reads: u64,
    /// What must not have happened.
    pub violations: Vec<String>,
}

/// One item of the content table.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Counts the writes.
    pub revision: u64,
    /// What is remembered.
    pub memory: Remembered,
    /// Until when an ask waits, in UNIX milliseconds.
    pub parked_until_ms: Option<u64>,
    /// The content, and the time of the oldest event behind it.
    pub content: Option<(Content, i64)>,
}

impl Memory {
    /// The tables as they are now.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    fn state(&self, deleted_at: Option<i64>) -> State {
        let written_for = self.content.as_ref().map(|(content, oldest)| WrittenFor {
            event_id: content.event_id.clone(),
            event_time: content.event_time,
            oldest_event_time: *oldest,
            generated_at: content.generated_at,
        });
        let (revision, memory) = (Some(self.revision), self.memory.clone());
        let parked_until_ms = self.parked_until_ms;
        let item = State { revision, written_for, memory, parked_until_ms, ..State::default() };
        State { deleted_at, ..item }
    }
}

#[async_trait]
impl ContentTable for Memory {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        let mut tables = self.tables();
        tables.calls += (keys.len() * 2).div_ceil(MAX_KEYS) as u64;
        let state = |key: &Key| {
            let deleted_at = tables.tombstones.get(&key.user_id).copied();
            let empty = State { deleted_at, ..State::default() };
            tables.items.get(key).map_or(empty, |item| item.state(deleted_at))
        };
        Ok(keys.iter().map(|key| (key.clone(), state(key))).collect())
    }

    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let deleted_at = tables.tombstones.get(&key.user_id).copied();
        let there = tables.items.get(key).cloned();
        let is_met = match (seen, &there) {
            (None, None) => deleted_at.is_none_or(|at| at < write.oldest_event_time()),
            (Some(seen), Some(item)) => item.revision == seen,
            _ => false,
        };
        if !is_met {
            return Ok(WriteResult::Conflict);
        }
        let parked_before = there.as_ref().and_then(|item| item.parked_until_ms);
        let noted = there.as_ref().map(|item| item.memory.clone()).unwrap_or_default();
        let old = there.and_then(|item| item.content);
        if let (Some((old, _)), Some(new)) = (&old, &write.content)
            && (old.event_time, &old.event_id) > (new.event_time, &new.event_id)
        {
            let text = format!("{key:?}: {} over {}", new.event_id, old.event_id);
            tables.violations.push(text);
        }
        let new = write.content.clone().map(|content| (content, write.oldest_event_time()));
        let parked_until_ms = match write.ask {
            _ if new.is_some() => None,
            WaitingAsk::Unchanged => parked_before,
            WaitingAsk::Until(until_ms) => Some(until_ms),
            WaitingAsk::Over => None,
        };
        let (revision, mut memory) = (write.revision, write.memory.clone());
        if new.is_none() {
            memory.unless_at = memory.unless_at.or(noted.unless_at);
            memory.retracted_at = memory.retracted_at.or(noted.retracted_at);
            memory.paced_until = memory.paced_until.or(noted.paced_until);
        }
        if let Some(asked) = write.asked.as_ref().filter(|_| new.is_some()) {
            tables.asked.insert(key.clone(), (asked.clone(), write.oldest_event_time()));
        }
        let item = Item { revision, memory, parked_until_ms, content: new.or(old) };
        tables.items.insert(key.clone(), item);
        Ok(WriteResult::Done)
    }

    async fn entomb(&self, user_id: &str, at: i64, _expires_at: i64) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let deleted_at = tables.tombstones.entry(user_id.to_owned()).or_insert(at);
        *deleted_at = (*deleted_at).max(at);
        Ok(())
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        let mut tables = self.tables();
        tables.calls += (users.len() * 2).div_ceil(MAX_KEYS) as u64;
        let profile = |user: &String| {
            let deleted_at = tables.tombstones.get(user).copied();
            let known = tables.profiles.get(user).cloned().unwrap_or_default();
            (user.clone(), Profile { deleted_at, ..known })
        };
        Ok(users.iter().map(profile).collect())
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let deleted_at = tables.tombstones.get(user_id).copied();
        let (revision, known) = (Some(write.revision), write.known.clone());
        let new = Profile { revision, known, deleted_at: None };
        let is_met = match (seen, tables.profiles.get(user_id)) {
            (None, None) => deleted_at.is_none_or(|at| at < new.oldest_event_time()),
            (Some(seen), Some(there)) => there.revision == Some(seen),
            _ => false,
        };
        if !is_met {
            return Ok(WriteResult::Conflict);
        }
        tables.profiles.insert(user_id.to_owned(), new);
        Ok(WriteResult::Done)
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        match tables.profiles.get(user_id) {
            Some(profile) if profile.revision != Some(seen) => Ok(WriteResult::Conflict),
            _ => {
                tables.profiles.remove(user_id);
                Ok(WriteResult::Done)
            }
        }
    }

    async fn remove_asked(&self, key: &Key) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        tables.asked.remove(key);
        Ok(())
    }

    async fn remove_unknown(&self, _: &str, _: &str, _: i64) -> Result<(), TableError> {
        // Nobody of another version writes here.
        Ok(())
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let items = tables.items.iter().filter(|(key, _)| key.user_id == user_id);
        let items = items.map(|(key, item)| (key.clone(), item.state(None))).collect();
        let profile = tables.profiles.get(user_id).cloned().unwrap_or_default();
        let asked = tables.asked.iter().filter(|(key, _)| key.user_id == user_id);
        let asked = asked.map(|(key, (_, oldest))| (key.clone(), *oldest)).collect();
        Ok(OfUser { items, profile, asked, unknown: Vec::new() })
    }

    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        match tables.items.get(key) {
            Some(item) if item.revision != seen => Ok(WriteResult::Conflict),
            _ => {
                tables.items.remove(key);
                Ok(WriteResult::Done)
            }
        }
    }

    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        match tables.items.get_mut(key) {
            Some(item) if item.revision == seen => {
                item.revision = revision;
                Ok(WriteResult::Done)
            }
            _ => Ok(WriteResult::Conflict),
        }
    }
}

#[async_trait]
impl Coordination for Memory {
    async fn answers(
        &self,
        hashes: &[String],
        now: i64,
    ) -> Result<HashMap<String, Entry>, TableError> {
        let mut tables = self.tables();
        tables.calls += hashes.len().div_ceil(MAX_KEYS) as u64;
        tables.reads += hashes.len().div_ceil(MAX_KEYS) as u64;
        let known = hashes.iter().filter_map(|hash| {
            let (entry, _, expires_at) = tables.answers.get(hash)?;
            (*expires_at > now).then(|| (hash.clone(), entry.clone()))
        });
        Ok(known.collect())
    }

    async fn lease(&self, hash: &str, lease: &Lease) -> Result<LeaseReply, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let now = i64::try_from(lease.now_ms / 1_000).unwrap_or(i64::MAX);
        if let Some((entry, owner, expires_at)) = tables.answers.get(hash) {
            let is_free = *owner == lease.owner
                || match entry {
                    Entry::Leased { until_ms, .. } => *until_ms <= lease.now_ms,
                    Entry::Answered { .. } => false,
                    Entry::GivenUp { at_ms, .. } => *at_ms < lease.retry_given_up_before_ms,
                };
            if !is_free && *expires_at > now {
                return Ok(LeaseReply::Taken(entry.clone()));
            }
        }
        let entry = Entry::Leased { until_ms: lease.until_ms, job: job_of_owner(&lease.owner) };
        let expires_at = i64::try_from(lease.until_ms / 1_000).unwrap_or(i64::MAX) + 1_000_000;
        tables.answers.insert(hash.to_owned(), (entry, lease.owner.clone(), expires_at));
        let failed = tables.failed.entry(hash.to_owned()).or_default();
        let before = failed.clone();
        failed.calls += 1;
        Ok(LeaseReply::Ours(before))
    }

    async fn extend(&self, hash: &str, lease: &Lease) -> Result<bool, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let Some((entry, owner, _)) = tables.answers.get_mut(hash) else { return Ok(false) };
        let is_ours = *owner == lease.owner;
        if is_ours {
            *entry = Entry::Leased { until_ms: lease.until_ms, job: job_of_owner(&lease.owner) };
        }
        Ok(is_ours)
    }

    async fn finish(&self, hash: &str, outcome: &Entry, at: i64) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        if !matches!(tables.answers.get(hash), Some((Entry::Answered { .. }, ..))) {
            tables.answers.insert(hash.to_owned(), (outcome.clone(), String::new(), at));
            tables.failed.remove(hash);
        }
        Ok(())
    }

    async fn release(
        &self,
        hash: &str,
        owner: &str,
        failed: &Failures,
        expires_at: i64,
    ) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        if tables.answers.get(hash).is_none_or(|(_, owned_by, _)| owned_by != owner) {
            return Ok(());
        }
        if failed.calls == 0 {
            tables.answers.remove(hash);
            tables.failed.remove(hash);
        } else {
            let free = (Entry::Leased { until_ms: 0, job: None }, String::new(), expires_at);
            tables.answers.insert(hash.to_owned(), free);
            tables.failed.insert(hash.to_owned(), failed.clone());
        }
        Ok(())
    }

    async fn spend(
        &self,
        budget: &BudgetOfDay,
        amount: u64,
        _name: &str,
    ) -> Result<Spending, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        let limit = i64::try_from(budget.limit).unwrap_or(i64::MAX);
        let key = (budget.campaign.clone(), budget.day);
        let spent = tables.budgets.get(&key).copied().unwrap_or_default();
        if spent.saturating_add(amount) > limit {
            return Ok(Spending::Refused);
        }
        tables.budgets.insert(key, spent + amount);
        Ok(Spending::Granted)
    }

    async fn correct(&self, budget: &BudgetOfDay, by: i64) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        *tables.budgets.entry((budget.campaign.clone(), budget.day)).or_default() += by;
        Ok(())
    }

    async fn notices(&self, names: &[String]) -> Result<HashMap<String, u64>, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let notice = |name: &String| Some((name.clone(), *tables.notices.get(name)?));
        Ok(names.iter().filter_map(notice).collect())
    }

    async fn give_notice(
        &self,
        name: &str,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<bool, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let before = tables.notices.insert(name.to_owned(), until_ms);
        Ok(before.is_none_or(|before| before <= now_ms))
    }

    async fn begin(&self, name: &str, _: i64) -> Result<u32, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        let begun = tables.begun.entry(name.to_owned()).or_default();
        *begun += 1;
        Ok(*begun - 1)
    }

    async fn end(&self, name: &str) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        tables.begun.remove(name);
        Ok(())
    }

    async fn is_marked(&self, name: &str) -> Result<bool, TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        Ok(tables.marks.contains_key(name))
    }

    async fn mark(&self, name: &str, expires_at: i64) -> Result<(), TableError> {
        let mut tables = self.tables();
        tables.calls += 1;
        tables.marks.insert(name.to_owned(), expires_at);
        Ok(())
    }
}
