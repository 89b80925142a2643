//! Seeded runs of a whole system under faults, each checked against the invariants.
//!
//! A run has a few users on two shards, several instances, deliveries that overlap and
//! repeat, events out of order, deletions, poison, slow and failing calls, and crashes
//! at any of them. At some point the faults end, and everything must come to its end.
//!
//! `make simulate SEEDS=n` for long runs; `SEED=s SEEDS=1` repeats one. The story, its
//! delivery and the checks stay in one file, because each check leans on how the story
//! was made.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract::aggregation;
use contract::dead_letter::Input;
use contract::metrics::{self, Counts};
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
use processor::simulated::memory::{Item, Tables};

/// Runs of `make test`.
const SEEDS: u64 = 400;

/// What no decoder takes.
const POISON: &[u8] = b"poison";

/// Time at which the stories of the runs begin, in UNIX seconds.
const STORY_BEGINS: i64 = 1_000_000;

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
}

#[derive(Debug, Clone)]
struct Record {
    data: Vec<u8>,
    poison: usize,
    deletions: Vec<(String, i64)>,
}

fn user_id(user: usize) -> String {
    format!("user-{user}")
}

impl Run {
    fn new(seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let world = World::new();
        world.model.take(Duration::from_millis(rng.random_range(100..3_000)));
        let users = rng.random_range(1..=4);
        let mut story = Vec::new();
        for n in 0..rng.random_range(4..=25) {
            let event_type = ["watched", "watched", "watched", "bought", "other"];
            let shows = ["a", "b", "c", "a", "b", "c", "a", "b", FORBIDDEN, AWKWARD];
            let time = STORY_BEGINS + rng.random_range(0..20) * 600;
            let show = shows[rng.random_range(0..shows.len())];
            story.push(Told {
                user: rng.random_range(0..users),
                event_type: event_type[rng.random_range(0..event_type.len())],
                event: event(&format!("e{n}"), time, show),
            });
        }
        for user in 0..users {
            if rng.random_bool(0.3) {
                let time = STORY_BEGINS + rng.random_range(0..24) * 600;
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
        Self { seed, world, story, shards, faults }
    }

    async fn play(self) -> Result<Seen, String> {
        let mut all = Seen { runs: 1, ..Seen::default() };
        let drives = self.shards.iter().enumerate().map(|(shard, records)| {
            let rng = StdRng::seed_from_u64(self.seed ^ (shard as u64 + 1) << 32);
            let first = self.shards[..shard].iter().map(Vec::len).sum();
            let (seen, deleted) = (Seen::default(), Vec::new());
            Drive { run: &self, records, first, rng, seen, deleted }.drive()
        });
        for driven in futures::future::join_all(drives).await {
            all.add(&driven?);
        }
        self.check_content()?;
        self.check_calls(all.faults + all.crashes)?;
        self.check_letters()?;
        self.check_repeat().await?;
        all.deletions = self.world.memory.tables().tombstones.len() as u64;
        all.letters = self.world.letters().len() as u64;
        all.generations = self.world.model.calls();
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

    /// A user's events that trigger a campaign, oldest first.
    fn triggers(&self, user: usize, campaign: &str) -> Vec<&Event> {
        let of_type = |told: &&Told| {
            told.event_type == "watched" || (campaign == "slow" && told.event_type == "bought")
        };
        let told = self.story.iter().filter(|told| told.user == user).filter(of_type);
        let mut events: Vec<&Event> = told.map(|told| &told.event).collect();
        events.sort_by_key(|event| (event.time, event.id.clone()));
        events
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
        if format!("{:?}", tables.items).contains(SECRET) {
            return Err("a field that no campaign asks for is stored".to_owned());
        }
        for user in self.users() {
            check_deleted(&tables, &user_id(user), self.deleted_at(user))?;
            for (campaign, most) in [("plain", 3), ("slow", 2)] {
                let triggers = self.triggers(user, campaign);
                let key = Key { user_id: user_id(user), campaign: campaign.to_owned() };
                let item = tables.items.get(&key);
                // What was written together with older events may have gone with them.
                let oldest = triggers.first().map(|event| event.time);
                if self.deleted_at(user).is_none_or(|at| oldest.is_some_and(|time| time > at)) {
                    self.check_item(&key, item, &triggers, most)?;
                }
            }
        }
        Ok(())
    }

    /// The item of a user whose events a deletion does not cover, after everything was
    /// processed.
    fn check_item(
        &self,
        key: &Key,
        item: Option<&Item>,
        triggers: &[&Event],
        most: usize,
    ) -> Result<(), String> {
        let Some(newest) = triggers.last() else {
            return if item.is_none() { Ok(()) } else { Err(format!("{key:?} from nothing")) };
        };
        let item = item.ok_or_else(|| format!("{key:?} is lost"))?;
        let remembered: Vec<&str> =
            item.memory.history.iter().map(|past| past.id.as_str()).collect();
        let latest = &triggers[triggers.len().saturating_sub(most)..];
        let latest: Vec<&str> = latest.iter().map(|event| event.id.as_str()).collect();
        if remembered != latest {
            return Err(format!("{key:?} remembers {remembered:?} instead of {latest:?}"));
        }
        let written_for = item.content.as_ref().map(|(content, _)| content.event_id.as_str());
        let is_given_up = |id: &str| {
            self.world.letters().iter().any(|letter| {
                matches!(&letter.input, Input::Unit { campaign, event_id, .. }
                    if *campaign == key.campaign && event_id == id)
            })
        };
        let is_right = match written_for {
            Some(id) if id == newest.id => true,
            // One content an hour: which of them depends on their order.
            Some(id) if key.campaign == "slow" => triggers.iter().any(|event| event.id == id),
            _ => is_given_up(&newest.id) || (key.campaign == "slow" && written_for.is_some()),
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("{key:?} is written for {written_for:?} instead of {}", newest.id))
        }
    }

    /// One generation for each prompt, but for those that a fault cut off.
    fn check_calls(&self, faults: u64) -> Result<(), String> {
        let asked = self.world.model.asked.lock().expect("whole").clone();
        let repeated: BTreeMap<_, _> = asked.iter().filter(|(_, calls)| **calls > 1).collect();
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
                Input::Unit { event_id, .. } => {
                    let told = self.story.iter().find(|told| told.event.id == *event_id);
                    letter.reason == "guardrail_intervened"
                        && told.is_some_and(|told| told.event.fields["show"] == FORBIDDEN)
                }
                _ => false,
            };
            if !is_right {
                return Err(format!("{letter:?} is wrong"));
            }
        }
        Ok(())
    }

    /// A repeat of everything changes nothing and costs no generation.
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
        if comparable() != before {
            return Err("a repeat changed something".to_owned());
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
        let oldest = item.memory.history.iter().map(|past| past.time).chain(oldest).min();
        if oldest.is_some_and(|oldest| oldest <= deleted_at) {
            return Err(format!("{key:?} outlived the deletion at {deleted_at}"));
        }
    }
    Ok(())
}

/// A user record's bytes, and the deletion that it holds.
type Member = (Vec<u8>, Option<(String, i64)>);

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
        members[shard].push((record.encode(), deletion));
        if rng.random_bool(0.02) {
            members[shard].push((POISON.to_vec(), None));
        }
    }
    let pack = |mut members: Vec<Member>, rng: &mut StdRng| {
        let mut records = Vec::new();
        while !members.is_empty() {
            let rest = members.split_off(rng.random_range(1..=3).min(members.len()));
            let deletions = members.iter().filter_map(|(_, deletion)| deletion.clone()).collect();
            let poison = members.iter().filter(|(data, _)| data == POISON).count();
            let data = match members.as_slice() {
                [(data, _)] => data.clone(),
                many => {
                    let many: Vec<aggregation::Member> = many
                        .iter()
                        .map(|(data, _)| aggregation::Member {
                            partition_key: "p".to_owned(),
                            explicit_hash_key: None,
                            data: data.clone().into(),
                        })
                        .collect();
                    aggregation::encode(&many)
                }
            };
            records.push(Record { data, poison, deletions });
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
    /// Deletions that were acknowledged.
    deleted: Vec<(String, i64)>,
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
            let is_calm = without_progress > PATIENCE;
            let report = if self.rng.random_bool(0.1) {
                // The service may believe that an invocation is over when it is not.
                let (one, other) = (self.gate(is_calm), self.gate(is_calm));
                let first = self.invoke(places.clone(), &one);
                let second = self.invoke(places.clone(), &other);
                let (report, _) = futures::future::join(first, second).await;
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
            for record in &self.records[position..position + done] {
                self.deleted.extend(record.deletions.clone());
            }
            self.check_deletions()?;
            position += done;
            without_progress = if done > 0 { 0 } else { without_progress + 1 };
            self.seen.repeats += u64::from(done < batch);
            sleep(Duration::from_millis(self.rng.random_range(0..2_000))).await;
        }
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
        tokio::select! {
            biased;
            report = instance.handle(delivery(records), world.deadline()) => Some(report),
            () = gate.crashed.notified() => None,
            () = sleep(FUNCTION_TIMEOUT) => None,
        }
    }

    /// Checks the books of an invocation and tells how many of its records are done.
    fn check(&mut self, report: &Report, position: usize, batch: usize) -> Result<usize, String> {
        let counts: &Counts = &report.counts;
        if counts.fates() != counts.get(metrics::EVENTS_RECEIVED) {
            return Err(format!("an event has no fate: {}", counts.to_json()));
        }
        self.seen.poison += counts.get(metrics::POISON_RECORDS);
        let failures = &report.response.batch_item_failures;
        self.seen.returned += failures.len() as u64;
        let numbers = failures.iter().filter_map(|failure| failure.item_identifier.as_ref());
        let lowest = numbers.filter_map(|number| number.parse::<usize>().ok()).min();
        Ok(lowest.map_or(batch, |lowest| lowest - self.first - position))
    }

    fn check_deletions(&self) -> Result<(), String> {
        let tables = self.run.world.memory.tables();
        for (user_id, deleted_at) in &self.deleted {
            check_deleted(&tables, user_id, Some(*deleted_at))?;
        }
        Ok(())
    }
}
