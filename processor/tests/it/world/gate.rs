//! Faults on every way out of the processor.
//!
//! Each call passes the gate before its effect and after it. There it may be slow, fail,
//! or meet the end of its process: a crash before the effect, or one after it, when the
//! caller never hears what it did.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use campaign::CompiledCampaign;
use catalog::table::{CatalogTable, Memory as Catalogs};
use contract::ask::{Ask, Queue};
use contract::catalog::ItemKey;
use contract::dead_letter::DeadLetter;
use processor::asks::{AskQueue, Delivery, QueueError};
use processor::attributes::Profile;
use processor::coordination::{
    BudgetOfDay, Coordination, Entry, Failures, Lease, LeaseReply, Spending,
};
use processor::dead_letters::{DeadLetterQueue, NotQueued};
use processor::eligibility::State;
use processor::model::{Answer, Correction, ModelError, TextModel};
use processor::store::{
    Cause, ContentTable, Key, OfUser, ProfileWrite, TableError, Write, WriteResult,
};
use program::aws::CallError;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Notify;
use tokio::time::sleep;

/// How often what goes wrong, per passage.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) slow: f64,
    pub(crate) failing: f64,
    pub(crate) crash: f64,
}

/// The way out of one instance.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// What its faults come from.
    pub(crate) seed: u64,
    chance: Arc<Mutex<StdRng>>,
    faults: Faults,
    /// Told when the instance's process ends.
    pub(crate) crashed: Arc<Notify>,
    /// Faults that were injected.
    pub(crate) injected: Arc<Mutex<u64>>,
    /// Whose turn it is, where every call waits for its own.
    turns: Option<(usize, Arc<Turns>)>,
}

/// Lets calls of several instances go one by one, in an order that somebody decides.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<usize, VecDeque<Arc<Notify>>>>);

impl Turns {
    /// Who waits for a turn.
    pub(crate) fn waiting(&self) -> Vec<usize> {
        self.0.lock().expect("whole").keys().copied().collect()
    }

    /// Lets somebody who waits do one call; several of one instance go in their order.
    pub(crate) fn give(&self, place: usize) {
        let mut waiting = self.0.lock().expect("whole");
        let Some(calls) = waiting.get_mut(&place) else { return };
        if let Some(first) = calls.pop_front() {
            first.notify_one();
        }
        if calls.is_empty() {
            waiting.remove(&place);
        }
    }

    async fn wait(&self, place: usize) {
        let turn = Arc::new(Notify::new());
        let call = Arc::clone(&turn);
        self.0.lock().expect("whole").entry(place).or_default().push_back(call);
        turn.notified().await;
    }
}

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Fault;

impl Gate {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            seed,
            chance: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            faults,
            crashed: Arc::default(),
            injected: Arc::default(),
            turns: None,
        }
    }

    /// Without faults; every call waits for its turn.
    pub(crate) fn taking_turns(place: usize, turns: Arc<Turns>) -> Self {
        Self { turns: Some((place, turns)), ..Self::open() }
    }

    /// Waits for a turn of the instance.
    pub(crate) async fn turn(&self) {
        if let Some((place, turns)) = &self.turns {
            turns.wait(*place).await;
        }
    }

    /// Whether nothing can go wrong.
    pub(crate) fn is_calm(&self) -> bool {
        let Faults { slow, failing, crash } = self.faults;
        slow + failing + crash == 0.0
    }

    /// Everything passes at once.
    pub(crate) fn open() -> Self {
        Self::new(0, Faults::default())
    }

    /// Puts the gate in front of something.
    pub(crate) fn over<T>(&self, inner: T) -> Gated<T> {
        Gated { gate: self.clone(), inner }
    }

    pub(crate) async fn pass(&self) -> Result<(), Fault> {
        let (wait, fails, crashes) = {
            let mut chance = self.chance.lock().expect("whole");
            let Faults { slow, failing, crash } = self.faults;
            let longest = if chance.random_bool(slow) { 4_000 } else { 20 };
            let wait = if self.is_calm() { 0 } else { chance.random_range(0..longest) };
            (wait, chance.random_bool(failing), chance.random_bool(crash))
        };
        if wait > 0 {
            sleep(Duration::from_millis(wait)).await;
        }
        *self.injected.lock().expect("whole") += u64::from(fails) + u64::from(crashes);
        if crashes {
            self.crashed.notify_one();
            pending::<()>().await;
        }
        if fails { Err(Fault) } else { Ok(()) }
    }
}

/// Something behind a gate.
#[derive(Debug)]
pub(crate) struct Gated<T> {
    gate: Gate,
    inner: T,
}

impl From<Fault> for TableError {
    fn from(_: Fault) -> Self {
        Self::passing("call", Cause::Other("injected"))
    }
}

impl From<Fault> for ModelError {
    /// After the model was asked, its reply can only be lost.
    fn from(_: Fault) -> Self {
        Self::Unavailable("injected".to_owned())
    }
}

impl Gate {
    /// What the service answers to a call that it does not pass on to the model.
    fn refusal(&self, _: Fault) -> ModelError {
        match self.chance.lock().expect("whole").random_range(0..3) {
            0 => ModelError::Throttled(None),
            1 => ModelError::Failed("injected".to_owned()),
            _ => ModelError::Unavailable("injected".to_owned()),
        }
    }
}

impl From<Fault> for NotQueued {
    fn from(_: Fault) -> Self {
        Self(CallError::Refused("injected".to_owned()))
    }
}

/// Passes the gate before and after a call.
macro_rules! gated {
    ($self:ident, $call:expr) => {{
        $self.gate.turn().await;
        $self.gate.pass().await?;
        let result = $call.await?;
        $self.gate.pass().await?;
        Ok(result)
    }};
}

#[async_trait]
impl<T: ContentTable> ContentTable for Gated<Arc<T>> {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        gated!(self, self.inner.load(keys))
    }

    async fn write(
        &self,
        key: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        if let (Some(content), "plain") = (&write.content, key.campaign.as_str()) {
            let heading = content.data["heading"].as_str().unwrap_or_default();
            // Its prompt names every event, and the model repeats its prompt.
            let told = heading.matches("- ").count();
            assert_eq!(told, write.memory.history.len(), "content of another history: {heading}");
        }
        gated!(self, self.inner.write(key, seen, write))
    }

    async fn entomb(&self, user_id: &str, at: i64, expires_at: i64) -> Result<(), TableError> {
        gated!(self, self.inner.entomb(user_id, at, expires_at))
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        gated!(self, self.inner.profiles(users))
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        gated!(self, self.inner.write_profile(user_id, seen, write))
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        gated!(self, self.inner.remove_profile(user_id, seen))
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        gated!(self, self.inner.of_user(user_id))
    }

    async fn remove_asked(&self, key: &Key) -> Result<(), TableError> {
        gated!(self, self.inner.remove_asked(key))
    }

    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError> {
        gated!(self, self.inner.remove_unknown(user_id, sort_key, deleted_at))
    }

    async fn remove(&self, key: &Key, seen: u64) -> Result<WriteResult, TableError> {
        gated!(self, self.inner.remove(key, seen))
    }

    async fn touch(&self, key: &Key, seen: u64, revision: u64) -> Result<WriteResult, TableError> {
        gated!(self, self.inner.touch(key, seen, revision))
    }
}

#[async_trait]
impl CatalogTable for Gated<Arc<Catalogs>> {
    async fn items(
        &self,
        keys: &[ItemKey],
    ) -> Result<Vec<(ItemKey, Option<Arc<catalog::Item>>)>, catalog::table::TableError> {
        let lost = |_: Fault| catalog::table::TableError::Unprocessed(1);
        self.gate.turn().await;
        self.gate.pass().await.map_err(lost)?;
        self.inner.items(keys).await
    }
}

#[async_trait]
impl<T: Coordination> Coordination for Gated<Arc<T>> {
    async fn answers(
        &self,
        hashes: &[String],
        now: i64,
    ) -> Result<HashMap<String, Entry>, TableError> {
        gated!(self, self.inner.answers(hashes, now))
    }

    async fn lease(&self, hash: &str, lease: &Lease) -> Result<LeaseReply, TableError> {
        gated!(self, self.inner.lease(hash, lease))
    }

    async fn finish(&self, hash: &str, outcome: &Entry, at: i64) -> Result<(), TableError> {
        gated!(self, self.inner.finish(hash, outcome, at))
    }

    async fn extend(&self, hash: &str, lease: &Lease) -> Result<bool, TableError> {
        gated!(self, self.inner.extend(hash, lease))
    }

    async fn release(
        &self,
        hash: &str,
        owner: &str,
        failed: &Failures,
        at: i64,
    ) -> Result<(), TableError> {
        gated!(self, self.inner.release(hash, owner, failed, at))
    }

    async fn spend(
        &self,
        budget: &BudgetOfDay,
        amount: u64,
        name: &str,
    ) -> Result<Spending, TableError> {
        gated!(self, self.inner.spend(budget, amount, name))
    }

    async fn correct(&self, budget: &BudgetOfDay, by: i64) -> Result<(), TableError> {
        gated!(self, self.inner.correct(budget, by))
    }

    async fn notices(&self, names: &[String]) -> Result<HashMap<String, u64>, TableError> {
        // No turn of its own: it decides nothing about what is stored.
        self.gate.pass().await?;
        Ok(self.inner.notices(names).await?)
    }

    async fn give_notice(&self, name: &str, now: u64, until: u64) -> Result<bool, TableError> {
        gated!(self, self.inner.give_notice(name, now, until))
    }

    async fn begin(&self, name: &str, expires_at: i64) -> Result<u32, TableError> {
        // No turn of its own: nobody else has to do with it.
        self.gate.pass().await?;
        self.inner.begin(name, expires_at).await
    }

    async fn end(&self, name: &str) -> Result<(), TableError> {
        self.gate.pass().await?;
        self.inner.end(name).await
    }

    async fn is_marked(&self, name: &str) -> Result<bool, TableError> {
        gated!(self, self.inner.is_marked(name))
    }

    async fn mark(&self, name: &str, expires_at: i64) -> Result<(), TableError> {
        gated!(self, self.inner.mark(name, expires_at))
    }
}

#[async_trait]
impl<T: TextModel> TextModel for Gated<Arc<T>> {
    async fn generate(
        &self,
        campaign: &CompiledCampaign,
        prompt: &str,
        correction: Option<&Correction>,
    ) -> Result<Answer, ModelError> {
        self.gate.turn().await;
        self.gate.pass().await.map_err(|fault| self.gate.refusal(fault))?;
        let answer = self.inner.generate(campaign, prompt, correction).await?;
        self.gate.pass().await?;
        Ok(answer)
    }
}

impl From<Fault> for QueueError {
    fn from(_: Fault) -> Self {
        Self { attempted: "call", cause: CallError::Refused("injected".to_owned()) }
    }
}

#[async_trait]
impl<T: AskQueue> AskQueue for Gated<Arc<T>> {
    async fn send(
        &self,
        queue: &Queue,
        asks: &[(Ask, Duration)],
    ) -> Result<Vec<usize>, QueueError> {
        gated!(self, self.inner.send(queue, asks))
    }

    async fn receive(&self, queue: &Queue, most: usize) -> Result<Vec<Delivery>, QueueError> {
        gated!(self, self.inner.receive(queue, most))
    }

    fn queues_beside(&self, models: &BTreeSet<&str>) -> Vec<Queue> {
        self.inner.queues_beside(models)
    }

    async fn delete(&self, queue: &Queue, receipts: &[String]) -> Result<(), QueueError> {
        gated!(self, self.inner.delete(queue, receipts))
    }
}

#[async_trait]
impl<T: DeadLetterQueue> DeadLetterQueue for Gated<T> {
    async fn send(&self, letter: &DeadLetter) -> Result<(), NotQueued> {
        gated!(self, self.inner.send(letter))
    }
}
