//! What came of a pull so far: a file of items, and beside it where to go on.
//!
//! The items are written first; what stands behind the length that is noted belongs to a page
//! that was not noted, and is cut off.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of what is noted.
const VERSION: u32 = 1;

/// How old a pull may be to be gone on with: the places in the catalog move with every change.
const MAX_AGE_MS: u64 = 24 * 60 * 60 * 1_000;

pub(super) struct State {
    noted: Noted,
    path: PathBuf,
    items_path: PathBuf,
    items: File,
    ids: HashSet<String>,
}

#[derive(Serialize, Deserialize)]
struct Noted {
    v: u32,
    url: String,
    begun_ms: u64,
    /// Path of the next page, until all have come.
    next: Option<String>,
    pages: u64,
    items: u64,
    bytes: u64,
}

impl State {
    /// Goes on with what came before, or begins.
    pub(super) fn open(folder: &Path, url: &str, name: &str, now_ms: u64) -> anyhow::Result<Self> {
        let failed = || format!("keeping what comes in {}", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        let (path, items_path) = paths(folder, name);
        let noted = match fs::read(&path) {
            Ok(noted) => serde_json::from_slice::<Noted>(&noted).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(failed),
        };
        let noted = noted.filter(|noted| noted.v == VERSION && items_path.is_file());
        if noted.as_ref().is_some_and(|noted| noted.url != url) {
            let path = path.display();
            bail!("{path} is of a pull from another address: delete it, or name that address");
        }
        let noted = noted.filter(|noted| now_ms.saturating_sub(noted.begun_ms) < MAX_AGE_MS);
        let noted = noted.unwrap_or_else(|| Noted {
            v: VERSION,
            url: url.to_owned(),
            begun_ms: now_ms,
            next: Some(format!("/catalogs/{name}/items")),
            pages: 0,
            items: 0,
            bytes: 0,
        });
        let items = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .append(true)
            .open(&items_path)
            .with_context(failed)?;
        items.set_len(noted.bytes).with_context(failed)?;
        let ids = BufReader::new(File::open(&items_path).with_context(failed)?).lines();
        let ids = ids.map(|line| {
            let item: Map<String, Value> = serde_json::from_str(&line.with_context(failed)?)?;
            id_of(&item)
        });
        let ids = ids.collect::<anyhow::Result<_>>()?;
        Ok(Self { noted, path, items_path, items, ids })
    }

    /// Path of the next page, if there is one.
    pub(super) fn next(&self) -> Option<&str> {
        self.noted.next.as_deref()
    }

    pub(super) fn pages(&self) -> u64 {
        self.noted.pages
    }

    pub(super) fn items(&self) -> u64 {
        self.noted.items
    }

    pub(super) fn file(&self) -> PathBuf {
        self.items_path.clone()
    }

    /// Keeps a page. An item that came before is the same one, which moved.
    pub(super) fn take(
        &mut self,
        items: Vec<Map<String, Value>>,
        next: Option<String>,
    ) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for item in items {
            if self.ids.insert(id_of(&item)?) {
                serde_json::to_writer(&mut lines, &item)?;
                lines.push(b'\n');
                self.noted.items += 1;
            }
        }
        let failed = || format!("writing {}", self.items_path.display());
        self.items.write_all(&lines).with_context(failed)?;
        self.items.sync_data().with_context(failed)?;
        self.noted.bytes += lines.len() as u64;
        self.noted.pages += 1;
        self.noted.next = next;
        let failed = || format!("writing {}", self.path.display());
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&self.noted)?).with_context(failed)?;
        fs::rename(new, &self.path).with_context(failed)
    }

    /// Removes what is kept of a pull.
    pub(super) fn remove(folder: &Path, name: &str) -> anyhow::Result<()> {
        let (path, items_path) = paths(folder, name);
        for path in [path, items_path] {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }
}

fn paths(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{name}.pull.json")), folder.join(format!("{name}.pull.jsonl")))
}

fn id_of(item: &Map<String, Value>) -> anyhow::Result<String> {
    match item.get("id") {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(id @ Value::Number(_)) => Ok(id.to_string()),
        _ => bail!("Braze sent an item without an id"),
    }
}
