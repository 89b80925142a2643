//! Seeded runs of a whole system under faults, each checked against the invariants.
//!
//! A run has a few users on two shards, several instances, deliveries that overlap and
//! repeat, events out of order, deletions, poison, slow and failing calls, and crashes
//! at any of them; quotas that are small or used up, a model that is denied or down, campaigns
//! that wait; and workers that take off what waits. At some point the faults end, and
//! everything must come to its end.
//!
//! `make simulate SEEDS=n` for long runs; `SEED=s SEEDS=1` repeats one. The story, its
//! delivery and the checks stay in one file, because each check leans on how the story
//! was made.
//!
//! - `setting` — what else differs from run to run.
//! - `works` — the workers.
//! - `reference` — what must stand in the end.
//! - `grounds` — what prompts speak of besides events, and what must stand of that.

mod grounds;
mod reference;
mod setting;
mod works;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::aggregation;
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, AskFate, Counts};
use contract::user_record::{Event, UserRecord};
use processor::handler::Report;
use processor::store::Key;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::sleep;

use crate::world::gate::{Faults, Gate};
use crate::world::model::{AWKWARD, FORBIDDEN};
use crate::world::{FUNCTION_TIMEOUT, SECRET, World, delivery, event, user_record};
use processor::simulated::memory::Tables;

/// Runs of `make test`.
const SEEDS: u64 = 400;

/// What no decoder takes.
const POISON: &[u8] = b"poison";

/// How long before the world the stories of the runs begin, in seconds: some of what campaigns
/// wait for is past when they are told, and some is not.
const STORY_BEGINS_BEFORE: i64 = 9_000;

/// How long an answer that was given up stands, in seconds.
const GIVEN_UP_SECS: u64 = 3_600;

/// Deliveries of one batch without progress after which the faults end.
const PATIENCE: u32 = 12;

/// Deliveries of one batch without progress, faults having ended, that are a stall.
const STALL: u32 = 60;

#[test]
fn every_run_keeps_the_invariants() {
    let number = |name: &str| -> Option<u64> {
        #[expect(clippy::disallowed_methods, reason = "a person says how long to simulate")]
        std::env::var(name).ok().and_then(|text| text.parse().ok())
    };
    let first = number("SEED").unwrap_or(0);
    let next = AtomicU64::new(first);
    let end = first + number("SEEDS").unwrap_or(SEEDS);
    let work = || {
        let mut all = Seen::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return all;
            }
            let ran = catch_unwind(AssertUnwindSafe(|| run(seed)));
            let ran = ran.unwrap_or_else(|_| Err("panicked".to_owned()));
            match ran {
                Ok(seen) => all.add(&seen),
                Err(wrong) => {
                    next.store(end, Ordering::SeqCst);
                    panic!("seed {seed}: {wrong}\nrepeat it: make simulate SEED={seed} SEEDS=1");
                }
            }
        }
    };
    let seen = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let mut all = Seen::default();
        for thread in threads {
            match thread.join() {
                Ok(seen) => all.add(&seen),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    println!("{seen:?}");
    if end - first >= SEEDS {
        assert!(seen.crashes > 0 && seen.repeats > 0 && seen.deletions > 0, "{seen:?}");
        assert!(seen.returned > 0 && seen.letters > 0 && seen.poison > 0, "{seen:?}");
        assert!(seen.works_cut_off > 0 && seen.parked > 0 && seen.asks_stored > 0, "{seen:?}");
        assert!(seen.asks_returned > 0 && seen.asks_parked_again > 0, "{seen:?}");
        assert!(seen.asks_moved > 0 && seen.asks_unless > 0 && seen.asks_deleted > 0, "{seen:?}");
        assert!(seen.halts > 0 && seen.days > 0, "{seen:?}");
        assert!(seen.attributes > 0 && seen.greeted > 0 && seen.titled > 0, "{seen:?}");
    }
}

/// What runs went through, to know that they are worth something.
#[derive(Debug, Default)]
struct Seen {
    runs: u64,
    invocations: u64,
    crashes: u64,
    faults: u64,
    repeats: u64,
    returned: u64,
    deletions: u64,
    letters: u64,
    poison: u64,
    generations: u64,
    /// Invocations of workers.
    works: u64,
    works_cut_off: u64,
    parked: u64,
    asks_stored: u64,
    asks_returned: u64,
    asks_parked_again: u64,
    asks_moved: u64,
    asks_unless: u64,
    asks_superseded: u64,
    asks_deleted: u64,
    halts: u64,
    /// Runs in which asks waited for another day.
    days: u64,
    /// Attributes that are kept.
    attributes: u64,
    /// Contents that speak of attributes.
    greeted: u64,
    /// Contents that speak of items.
    titled: u64,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.invocations += other.invocations;
        self.crashes += other.crashes;
        self.faults += other.faults;
        self.repeats += other.repeats;
        self.returned += other.returned;
        self.deletions += other.deletions;
        self.letters += other.letters;
        self.poison += other.poison;
        self.generations += other.generations;
        self.works += other.works;
        self.works_cut_off += other.works_cut_off;
        self.parked += other.parked;
        self.asks_stored += other.asks_stored;
        self.asks_returned += other.asks_returned;
        self.asks_parked_again += other.asks_parked_again;
        self.asks_moved += other.asks_moved;
        self.asks_unless += other.asks_unless;
        self.asks_superseded += other.asks_superseded;
        self.asks_deleted += other.asks_deleted;
        self.halts += other.halts;
        self.days += other.days;
        self.attributes += other.attributes;
        self.greeted += other.greeted;
        self.titled += other.titled;
    }
}

fn run(seed: u64) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("runtime is built");
    runtime.block_on(Run::new(seed).play())
}

/// One event of the story.
#[derive(Debug, Clone)]
struct Told {
    user: usize,
    event_type: &'static str,
    event: Event,
}

/// One run.
struct Run {
    seed: u64,
    world: World,
    story: Vec<Told>,
    /// Records of each shard, with the deletions in them.
    shards: Vec<Vec<Record>>,
    faults: Faults,
    /// Shards that were delivered.
    delivered: Cell<usize>,
    /// Deletions that were acknowledged.
    deleted: RefCell<Vec<(String, i64)>>,
    /// When events were acknowledged first, by their ids, in UNIX milliseconds.
    acked: RefCell<BTreeMap<String, u64>>,
    /// What contents were written for, as they were seen last.
    written: RefCell<BTreeMap<Key, (i64, String)>>,
    /// What was counted, but for invocations that were cut off.
    books: RefCell<Counts>,
}

#[derive(Debug, Clone)]
struct Record {
    data: Vec<u8>,
    poison: usize,
    deletions: Vec<(String, i64)>,
    /// Ids of its events.
    events: Vec<String>,
}

fn user_id(user: usize) -> String {
    format!("user-{user}")
}

impl Run {
    fn new(seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let world = setting::world(rng);
        let begins = i64::try_from(world.epoch_ms / 1_000).expect("is now") - STORY_BEGINS_BEFORE;
        let users = rng.random_range(1..=4);
        let mut story = Vec::new();
        for n in 0..rng.random_range(4..=25) {
            let event_type = ["watched", "watched", "watched", "bought", "other"];
            let shows = ["a", "b", "c", "a", "b", "c", "a", "b", FORBIDDEN, AWKWARD];
            let time = begins + rng.random_range(0..20) * 600;
            let show = shows[rng.random_range(0..shows.len())];
            story.push(Told {
                user: rng.random_range(0..users),
                event_type: event_type[rng.random_range(0..event_type.len())],
                event: event(&format!("e{n}"), time, show),
            });
        }
        for n in 0..rng.random_range(0..=8) {
            let time = begins + rng.random_range(0..24) * 600;
            story.push(grounds::update(n, rng.random_range(0..users), time, rng));
        }
        for user in 0..users {
            if rng.random_bool(0.3) {
                let time = begins + rng.random_range(0..24) * 600;
                let event_type = ["users.UserDeleteRequest", "users.UserOrphan"];
                story.push(Told {
                    user,
                    event_type: event_type[rng.random_range(0..2)],
                    event: Event { id: format!("d{user}"), time, fields: serde_json::Map::new() },
                });
            }
        }
        let shards = shards(&story, rng);
        let level = f64::from(rng.random_range(0..4_u8)) / 3.0;
        let faults = Faults { slow: 0.06 * level, failing: 0.04 * level, crash: 0.015 * level };
        Self {
            seed,
            world,
            story,
            shards,
            faults,
            delivered: Cell::default(),
            deleted: RefCell::default(),
            acked: RefCell::default(),
            written: RefCell::default(),
            books: RefCell::default(),
        }
    }

    async fn play(self) -> Result<Seen, String> {
        let mut all = Seen { runs: 1, ..Seen::default() };
        let drives = self.shards.iter().enumerate().map(|(shard, records)| {
            let rng = StdRng::seed_from_u64(self.seed ^ (shard as u64 + 1) << 32);
            let first = self.shards[..shard].iter().map(Vec::len).sum();
            Drive { run: &self, records, first, rng, seen: Seen::default() }.drive()
        });
        let works = works::Works::new(&self, StdRng::seed_from_u64(self.seed ^ 0x5eed)).drive();
        let drives = futures::future::try_join_all(drives);
        let (driven, worked) = futures::future::try_join(drives, works).await?;
        driven.iter().chain([&worked]).for_each(|seen| all.add(seen));
        self.check_content()?;
        self.check_attributes()?;
        self.check_books(&all)?;
        self.check_calls(all.faults + all.crashes)?;
        self.check_letters()?;
        self.check_repeat().await?;
        all.deletions = self.world.memory.tables().tombstones.len() as u64;
        all.letters = self.world.letters().len() as u64;
        all.generations = self.world.model.calls();
        let books = self.books.borrow();
        all.parked = books.get(metrics::ASKS_PARKED);
        all.asks_stored = books.get(AskFate::Stored.metric());
        all.asks_returned = books.get(AskFate::Returned.metric());
        all.asks_parked_again = books.get(AskFate::ParkedAgain.metric());
        all.asks_moved = books.get(metrics::ASKS_MOVED);
        all.asks_unless = books.get(AskFate::Unless.metric());
        all.asks_superseded = books.get(AskFate::Superseded.metric());
        all.asks_deleted = books.get(AskFate::Deleted.metric());
        all.halts = books.get(metrics::CAMPAIGNS_HALTED);
        self.see_grounds(&mut all);
        all.days = u64::from(self.world.clock().now_ms() > self.world.epoch_ms + 43_200_000);
        Ok(all)
    }

    fn tables(&self) -> Tables {
        self.world.memory.tables().clone()
    }

    fn deleted_at(&self, user: usize) -> Option<i64> {
        let deletions =
            self.story.iter().filter(|told| told.user == user && told.event.id.starts_with('d'));
        deletions.map(|told| told.event.time).max()
    }

    fn is_delivered(&self) -> bool {
        self.delivered.get() == self.shards.len()
    }

    /// The campaigns of this run.
    fn campaigns(&self) -> impl Iterator<Item = &'static reference::Told> {
        let are_there = |told: &&'static reference::Told| {
            self.world.campaigns.iter().any(|each| each.campaign.name == told.name)
        };
        reference::CAMPAIGNS.into_iter().filter(are_there)
    }

    fn users(&self) -> BTreeSet<usize> {
        self.story.iter().map(|told| told.user).collect()
    }

    /// Nothing is lost, and nothing older or deleted stands.
    fn check_content(&self) -> Result<(), String> {
        let tables = self.tables();
        if let Some(violation) = tables.violations.first() {
            return Err(format!("older over newer: {violation}"));
        }
        let stored = format!("{:?} {:?} {:?}", tables.items, tables.asked, tables.profiles);
        if stored.contains(SECRET) {
            return Err("a field that no campaign asks for is stored".to_owned());
        }
        for user in self.users() {
            check_deleted(&tables, &user_id(user), self.deleted_at(user))?;
            self.check_grounds(&tables, user, self.deleted_at(user))?;
            for campaign in self.campaigns() {
                let told = self.story.iter().filter(|told| told.user == user);
                let expected = campaign.expects(told.map(|told| (told.event_type, &told.event)));
                let key = Key { user_id: user_id(user), campaign: campaign.name.to_owned() };
                // What was written together with older events may have gone with them.
                let oldest = self.oldest_known(campaign, user, expected.oldest());
                if self.deleted_at(user).is_none_or(|at| oldest.is_some_and(|time| time > at)) {
                    let is_given_up = |id: &str| self.is_given_up(&key, id);
                    let item = tables.items.get(&key);
                    let checked = expected.check(item, &self.acked.borrow(), is_given_up);
                    checked.map_err(|wrong| format!("{key:?} {wrong}"))?;
                }
            }
        }
        Ok(())
    }

    /// Whether a dead letter says that there is no content for an event.
    fn is_given_up(&self, key: &Key, id: &str) -> bool {
        self.world.letters().iter().any(|letter| match &letter.input {
            Input::Unit { user_id, campaign, event_id, .. } => {
                (user_id, campaign, event_id.as_str()) == (&key.user_id, &key.campaign, id)
            }
            Input::Ask { ask, event_id, .. } => {
                (&ask.user_id, &ask.campaign) == (&key.user_id, &key.campaign)
                    && event_id.as_deref() == Some(id)
            }
            _ => false,
        })
    }

    /// Whatever must hold at any time, between invocations.
    fn check_now(&self) -> Result<(), String> {
        let tables = self.world.memory.tables();
        for (user_id, deleted_at) in self.deleted.borrow().iter() {
            check_deleted(&tables, user_id, Some(*deleted_at))?;
        }
        for user in self.users() {
            let of_user = user_id(user);
            let deleted = self.deleted.borrow();
            let deleted = deleted.iter().filter(|(id, _)| *id == of_user).map(|(_, at)| *at);
            self.check_grounds(&tables, user, deleted.max())?;
        }
        let mut written = self.written.borrow_mut();
        for (key, item) in &tables.items {
            let Some((content, _)) = &item.content else { continue };
            let now = (content.event_time, content.event_id.clone());
            let before = written.insert(key.clone(), now.clone()).filter(|before| *before != now);
            // After a deletion all begins anew.
            let Some(before) = before.filter(|_| !tables.tombstones.contains_key(&key.user_id))
            else {
                continue;
            };
            let follows = (content.event_time, now.1.as_str(), content.generated_at);
            let told = self.campaigns().find(|told| told.name == key.campaign);
            if !told.is_some_and(|told| told.may_follow((before.0, &before.1), follows)) {
                return Err(format!("{key:?}: {follows:?} follows too soon on {before:?}"));
            }
        }
        Ok(())
    }

    /// Every ask that was parked ended once.
    fn check_books(&self, seen: &Seen) -> Result<(), String> {
        let waiting = self.world.asks.asks();
        if !waiting.is_empty() {
            return Err(format!("asks wait in the end: {waiting:?}"));
        }
        let books = self.books.borrow();
        let (parked, over) = (books.get(metrics::ASKS_PARKED), books.asks_over());
        if seen.faults + seen.crashes == 0 && parked != over {
            return Err(format!("{parked} asks were parked, {over} are over"));
        }
        Ok(())
    }

    /// One generation for each prompt, but for those that a fault cut off.
    fn check_calls(&self, faults: u64) -> Result<(), String> {
        let asked = self.world.model.asked.lock().expect("whole").clone();
        // What was given up is asked again after a while. What was answered with no content is
        // asked anew where its correction got no turn.
        let hours = (self.world.clock().now_ms() - self.world.epoch_ms) / 1_000 / GIVEN_UP_SECS;
        let is_scarce = setting::is_scarce(&self.world);
        let is_allowed = |prompt: &str, calls: u64| {
            let ends_with = |show: &str| prompt.trim_end_matches(['.', '\n']).ends_with(show);
            calls <= 1
                || (hours > 0 && ends_with(&format!("{FORBIDDEN:?}")))
                || (is_scarce && ends_with(&format!("{AWKWARD:?}")))
        };
        let repeated: BTreeMap<_, _> =
            asked.iter().filter(|(prompt, calls)| !is_allowed(prompt, **calls)).collect();
        let extra: u64 = repeated.values().map(|calls| *calls - 1).sum();
        if extra > faults {
            return Err(format!("{extra} calls too many for {faults} faults: {repeated:?}"));
        }
        if asked.keys().any(|prompt| prompt.contains(SECRET)) {
            return Err("a field that no campaign asks for is in a prompt".to_owned());
        }
        Ok(())
    }

    /// What was given up deserved it, and poison has its letters.
    fn check_letters(&self) -> Result<(), String> {
        let poison: usize = self.shards.iter().flatten().map(|record| record.poison).sum();
        let letters = self.world.letters();
        let named = letters.iter().filter_map(|letter| match &letter.input {
            Input::StreamRecord { sequence_number, member, .. } => Some((sequence_number, member)),
            _ => None,
        });
        let named = named.collect::<BTreeSet<_>>().len();
        if named != poison {
            return Err(format!("{named} dead letters for {poison} poison records"));
        }
        for letter in self.world.letters() {
            let is_right = match &letter.input {
                Input::StreamRecord { .. } => letter.reason == "poison_record",
                Input::Unit { event_id, .. } => self.is_forbidden(&letter, event_id),
                Input::Ask { event_id: Some(event_id), .. } => self.is_forbidden(&letter, event_id),
                _ => false,
            };
            if !is_right {
                return Err(format!("{letter:?} is wrong"));
            }
        }
        Ok(())
    }

    fn is_forbidden(&self, letter: &DeadLetter, event_id: &str) -> bool {
        let told = self.story.iter().find(|told| told.event.id == event_id);
        let is_about = |show: &str| told.is_some_and(|told| told.event.fields["show"] == show);
        // Where the budget never pays for the correction of an answer, the prompt is given up.
        (letter.reason == "guardrail_intervened" && is_about(FORBIDDEN))
            || (letter.reason == "model_failed"
                && is_about(AWKWARD)
                && setting::is_scarce(&self.world))
    }

    /// A repeat of everything changes nothing, costs no generation, and leaves no ask.
    async fn check_repeat(&self) -> Result<(), String> {
        // What is newer than a deletion is gone with what was written from both.
        let is_mixed = |user: &usize| {
            let deleted_at = self.deleted_at(*user);
            let events = self.story.iter().filter(|told| told.user == *user);
            deleted_at.is_some_and(|at| events.clone().any(|told| told.event.time > at))
        };
        let mixed: BTreeSet<String> =
            self.users().into_iter().filter(is_mixed).map(user_id).collect();
        let comparable = || {
            let mut items = self.tables().items;
            items.retain(|key, _| !mixed.contains(&key.user_id));
            items
        };
        let (before, calls) = (comparable(), self.world.model.calls());
        let known = self.known_attributes();
        let letters = self.world.letters().len();
        let mut records: Vec<&Record> = self.shards.iter().flatten().collect();
        records.shuffle(&mut StdRng::seed_from_u64(self.seed));
        for records in records.chunks(7) {
            let numbered = records.iter().map(|record| {
                let shards = self.shards.iter().flatten();
                let place = shards.clone().position(|each| std::ptr::eq(each, *record));
                (place.unwrap_or_default(), &record.data)
            });
            let instance = self.world.instance(&Gate::open(), 1);
            let report = instance.handle(delivery(numbered), self.world.deadline()).await;
            if !report.response.batch_item_failures.is_empty() {
                return Err("a repeat goes back".to_owned());
            }
        }
        let after = comparable();
        if after != before {
            let changed = after.iter().filter(|(key, item)| before.get(key) != Some(item));
            let changed: Vec<_> = changed.collect();
            return Err(format!("a repeat changed something: {changed:?}"));
        }
        if self.known_attributes() != known {
            return Err("a repeat changed attributes".to_owned());
        }
        let mut asks = self.world.asks.asks();
        asks.retain(|(_, ask)| !mixed.contains(&ask.user_id));
        if !asks.is_empty() {
            return Err(format!("a repeat leaves asks: {asks:?}"));
        }
        if mixed.is_empty() && self.world.model.calls() != calls {
            return Err("a repeat cost a generation".to_owned());
        }
        // A crash between a poison record's letter and its mark may repeat the letter once.
        if mixed.is_empty() && self.world.letters().len() > letters + 1 {
            return Err("a repeat gave something up again".to_owned());
        }
        Ok(())
    }
}

/// Nothing of a user stands that goes back to before their deletion.
fn check_deleted(tables: &Tables, user_id: &str, deleted_at: Option<i64>) -> Result<(), String> {
    let Some(deleted_at) = deleted_at else { return Ok(()) };
    for (key, item) in tables.items.iter().filter(|(key, _)| key.user_id == user_id) {
        let oldest = item.content.iter().map(|(content, oldest)| content.event_time.min(*oldest));
        let notes = [item.memory.unless_at, item.memory.retracted_at].into_iter().flatten();
        let history = item.memory.history.iter().map(|past| past.time);
        let oldest = history.chain(oldest).chain(notes).min();
        if oldest.is_some_and(|oldest| oldest <= deleted_at) {
            return Err(format!("{key:?} outlived the deletion at {deleted_at}"));
        }
    }
    let asked = tables.asked.iter().filter(|(key, _)| key.user_id == user_id);
    if let Some((key, _)) = asked.clone().find(|(_, (_, oldest))| *oldest <= deleted_at) {
        return Err(format!("what was asked for {key:?} outlived the deletion at {deleted_at}"));
    }
    let known = tables.profiles.get(user_id).into_iter().flat_map(|profile| &profile.known);
    if let Some((name, _)) = known.clone().find(|(_, known)| known.time <= deleted_at) {
        return Err(format!("{name} of {user_id} outlived the deletion at {deleted_at}"));
    }
    Ok(())
}

/// A user record's bytes, the deletion that it holds, and its event's id.
type Member = (Vec<u8>, Option<(String, i64)>, Option<String>);

/// Puts a story on shards: mostly in order, packed, some of it twice, with poison.
fn shards(story: &[Told], rng: &mut StdRng) -> Vec<Vec<Record>> {
    let mut arriving: Vec<&Told> = story.iter().collect();
    let duplicates: Vec<&Told> = story.iter().filter(|_| rng.random_bool(0.15)).collect();
    arriving.extend(duplicates);
    if rng.random_bool(0.4) {
        arriving.shuffle(rng);
    } else {
        arriving.sort_by_cached_key(|told| told.event.time + rng.random_range(0..3_000));
    }
    let stray = if rng.random_bool(0.2) { 0.3 } else { 0.0 };
    let mut members: Vec<Vec<Member>> = vec![Vec::new(); 2];
    for told in arriving {
        let user_id = user_id(told.user);
        let record: UserRecord = user_record(&user_id, told.event_type, vec![told.event.clone()]);
        let deletion = told.event.id.starts_with('d').then_some((user_id, told.event.time));
        let shard = if rng.random_bool(stray) { rng.random_range(0..2) } else { told.user % 2 };
        let id = Some(told.event.id.clone());
        members[shard].push((record.encode(), deletion, id));
        if rng.random_bool(0.02) {
            members[shard].push((POISON.to_vec(), None, None));
        }
    }
    let pack = |mut members: Vec<Member>, rng: &mut StdRng| {
        let mut records = Vec::new();
        while !members.is_empty() {
            let rest = members.split_off(rng.random_range(1..=3).min(members.len()));
            let deletions =
                members.iter().filter_map(|(_, deletion, _)| deletion.clone()).collect();
            let events = members.iter().filter_map(|(.., id)| id.clone()).collect();
            let poison = members.iter().filter(|(data, ..)| data == POISON).count();
            let data = match members.as_slice() {
                [(data, ..)] => data.clone(),
                many => {
                    let many: Vec<aggregation::Member> = many
                        .iter()
                        .map(|(data, ..)| aggregation::Member {
                            partition_key: "p".to_owned(),
                            explicit_hash_key: None,
                            data: data.clone().into(),
                        })
                        .collect();
                    aggregation::encode(&many)
                }
            };
            records.push(Record { data, poison, deletions, events });
            members = rest;
        }
        records
    };
    members.into_iter().map(|members| pack(members, rng)).collect()
}

/// The delivery of one shard.
struct Drive<'a> {
    run: &'a Run,
    records: &'a [Record],
    /// Sequence number of its first record.
    first: usize,
    rng: StdRng,
    seen: Seen,
}

impl Drive<'_> {
    async fn drive(mut self) -> Result<Seen, String> {
        let (mut position, mut without_progress) = (0, 0);
        let mut most = 5;
        while position < self.records.len() {
            if without_progress > STALL {
                return Err(format!("record {position} does not get through"));
            }
            let batch = self.rng.random_range(1..=most).min(self.records.len() - position);
            let places = position..position + batch;
            grounds::change_items(&self.run.world, &mut self.rng);
            let is_calm = without_progress > PATIENCE;
            let report = if self.rng.random_bool(0.1) {
                // The service may believe that an invocation is over when it is not.
                let (one, other) = (self.gate(is_calm), self.gate(is_calm));
                let first = self.invoke(places.clone(), &one);
                let second = self.invoke(places.clone(), &other);
                let (report, other_report) = futures::future::join(first, second).await;
                let counts = other_report.map(|report| report.counts).unwrap_or_default();
                self.run.books.borrow_mut().merge(&counts);
                self.count(&one);
                self.count(&other);
                self.seen.repeats += 1;
                report
            } else {
                let gate = self.gate(is_calm);
                let report = self.invoke(places.clone(), &gate).await;
                self.count(&gate);
                report
            };
            let done = match report {
                Some(report) => self.check(&report, position, batch)?,
                None => {
                    self.seen.crashes += 1;
                    most = (most / 2).max(1);
                    0
                }
            };
            let now_ms = self.run.world.clock().now_ms();
            for record in &self.records[position..position + done] {
                self.run.deleted.borrow_mut().extend(record.deletions.clone());
                for id in &record.events {
                    self.run.acked.borrow_mut().entry(id.clone()).or_insert(now_ms);
                }
            }
            self.run.check_now()?;
            position += done;
            without_progress = if done > 0 { 0 } else { without_progress + 1 };
            self.seen.repeats += u64::from(done < batch);
            sleep(Duration::from_millis(self.rng.random_range(0..2_000))).await;
        }
        self.run.delivered.set(self.run.delivered.get() + 1);
        Ok(self.seen)
    }

    fn gate(&mut self, is_calm: bool) -> Gate {
        let faults = if is_calm { Faults::default() } else { self.run.faults };
        Gate::new(self.rng.random(), faults)
    }

    fn count(&mut self, gate: &Gate) {
        self.seen.invocations += 1;
        self.seen.faults += *gate.injected.lock().expect("whole");
    }

    /// One invocation; `None` if its process ended, or it took too long.
    async fn invoke(&self, places: std::ops::Range<usize>, gate: &Gate) -> Option<Report> {
        let world = &self.run.world;
        // No two instances have the same name.
        let instance = world.instance(gate, self.run.seed ^ gate.seed);
        let records = places.map(|place| (self.first + place, &self.records[place].data));
        let report = tokio::select! {
            biased;
            report = instance.handle(delivery(records), world.deadline()) => Some(report),
            () = gate.crashed.notified() => None,
            () = sleep(FUNCTION_TIMEOUT) => None,
        };
        if report.is_none() {
            world.blame_nobody();
        }
        report
    }

    /// Checks the books of an invocation and tells how many of its records are done.
    fn check(&mut self, report: &Report, position: usize, batch: usize) -> Result<usize, String> {
        let counts: &Counts = &report.counts;
        if counts.fates() != counts.get(metrics::EVENTS_RECEIVED) {
            return Err(format!("an event has no fate: {}", counts.to_json()));
        }
        self.run.books.borrow_mut().merge(counts);
        self.seen.poison += counts.get(metrics::POISON_RECORDS);
        let failures = &report.response.batch_item_failures;
        self.seen.returned += failures.len() as u64;
        let numbers = failures.iter().filter_map(|failure| failure.item_identifier.as_ref());
        let lowest = numbers.filter_map(|number| number.parse::<usize>().ok()).min();
        Ok(lowest.map_or(batch, |lowest| lowest - self.first - position))
    }
}
