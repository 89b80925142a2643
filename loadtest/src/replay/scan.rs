//! Reads the files before they are replayed: how many events, from when to when, and
//! which users are followed.
//!
//! The users with the smallest hashes are kept, so that memory is bounded, and the same
//! files and seed choose the same users.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context as _;
use apache_avro::types::Value;
use apache_avro::{Reader, Schema};
use indicatif::ProgressBar;

use crate::random::hashed;
use crate::trigger::Trigger;
use currents::input::InputFile;

/// What record names of Currents start with.
const RECORD_NAME_PREFIX: &str = "dataexport.S3.inner.";

/// The event that takes a user's content away.
const DELETION: &str = "users.UserDeleteRequest";

/// Most ids of a user's events that are told apart; more count as different.
const MAX_IDS: usize = 1_000;

/// A file, and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScannedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Key that it gets in the bucket.
    pub key: String,
    /// Bytes in it.
    pub bytes: u64,
    /// Events that can be read.
    pub events: u64,
    /// Time of its latest event, in UNIX seconds: Currents writes a file after it.
    pub last_time: i64,
}

/// A user who may be followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Files with events of this user that ask for content.
    pub files: BTreeSet<usize>,
    /// Different events that ask for content.
    pub ids: HashSet<String>,
    /// Events that stand in the files more than once.
    pub repeats: u64,
    /// Whether a file asks for this user to be deleted.
    pub is_deleted: bool,
}

/// What is in the files.
#[derive(Debug, Default)]
pub struct Scan {
    /// The files, in the order they were given.
    pub files: Vec<ScannedFile>,
    /// Files that cannot be read to their end.
    pub damaged: u64,
    /// Events that ask for content.
    pub triggers: u64,
    /// Users who may be followed, by hash.
    candidates: BTreeMap<(u64, String), Candidate>,
    limit: usize,
    seed: u64,
}

impl Scan {
    /// Reads all files; keeps at most `limit` users.
    pub fn read(
        files: &[InputFile],
        trigger: &Trigger,
        limit: usize,
        seed: u64,
        bar: &ProgressBar,
    ) -> anyhow::Result<Self> {
        let mut scan = Self { limit, seed, ..Self::default() };
        for file in files {
            scan.read_file(file, trigger)?;
            bar.inc(1);
        }
        Ok(scan)
    }

    /// Events in all files.
    pub fn events(&self) -> u64 {
        self.files.iter().map(|file| file.events).sum()
    }

    /// Bytes in all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Users who must have content in the end, in an order that the seed decides.
    pub fn followable(&self) -> impl Iterator<Item = (&str, &Candidate)> {
        let all = self.candidates.iter().map(|((_, user_id), user)| (user_id.as_str(), user));
        all.filter(|(_, user)| !user.is_deleted && !user.files.is_empty())
    }

    fn read_file(&mut self, file: &InputFile, trigger: &Trigger) -> anyhow::Result<()> {
        let failed = || format!("cannot read {}", file.path.display());
        let opened = File::open(&file.path).with_context(failed)?;
        let bytes = opened.metadata().with_context(failed)?.len();
        let (path, key) = (file.path.clone(), file.key.clone());
        let mut scanned = ScannedFile { path, key, bytes, events: 0, last_time: i64::MIN };
        match Reader::new(BufReader::new(opened)) {
            Ok(reader) => self.read_events(reader, trigger, &mut scanned),
            Err(_) => self.damaged += 1,
        }
        self.files.push(scanned);
        Ok(())
    }

    fn read_events(
        &mut self,
        reader: Reader<'_, BufReader<File>>,
        trigger: &Trigger,
        scanned: &mut ScannedFile,
    ) {
        let event_type = event_type(reader.writer_schema());
        let (triggers, deletes) = (event_type == trigger.event_type, event_type == DELETION);
        for event in reader {
            let Ok(Value::Record(fields)) = event else {
                self.damaged += 1;
                return;
            };
            scanned.events += 1;
            if let Some(time) = field(&fields, "time").and_then(number) {
                scanned.last_time = scanned.last_time.max(time);
            }
            let asks = triggers && matches(trigger, &fields);
            self.triggers += u64::from(asks);
            if asks || deletes {
                let Some(user_id) = field(&fields, "user_id").and_then(text) else { continue };
                let id = field(&fields, "id").and_then(text).unwrap_or_default();
                self.see(user_id, id, deletes);
            }
        }
    }

    fn see(&mut self, user_id: &str, event_id: &str, deletes: bool) {
        let key = (hashed(user_id, self.seed), user_id.to_owned());
        let is_full = self.candidates.len() >= self.limit;
        if is_full && self.candidates.last_key_value().is_none_or(|(last, _)| key > *last) {
            return;
        }
        let file = self.files.len();
        let user = self.candidates.entry(key).or_default();
        if deletes {
            user.is_deleted = true;
        } else {
            user.files.insert(file);
            let is_new = user.ids.len() >= MAX_IDS || user.ids.insert(event_id.to_owned());
            user.repeats += u64::from(!is_new);
        }
        if self.candidates.len() > self.limit {
            self.candidates.pop_last();
        }
    }
}

fn event_type(schema: &Schema) -> String {
    let name = schema.name().map(|name| name.fullname(None).to_string()).unwrap_or_default();
    name.strip_prefix(RECORD_NAME_PREFIX).map_or(name.clone(), str::to_owned)
}

fn matches(trigger: &Trigger, fields: &[(String, Value)]) -> bool {
    trigger.field.as_ref().is_none_or(|(name, expected)| {
        field(fields, name).and_then(text).is_some_and(|value| value == expected)
    })
}

fn field<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let value = fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)?;
    match value {
        Value::Union(_, inner) => Some(inner),
        value => Some(value),
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(i64::from(*number)),
        Value::Long(number) => Some(*number),
        _ => None,
    }
}
