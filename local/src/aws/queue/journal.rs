//! What keeps asks from one run to the next: a file to which each change is appended.
//!
//! A change stands in the file before it is acknowledged, so a process that is killed loses
//! none; [`Journal::ticket`] is for those who wait for the disk as well, so that a machine
//! may fail. A last line without an end was never acknowledged, and is passed over. At its
//! opening, and when it has become long, the file is written anew with what is left.
//!
//! What had been received is visible to the next run at once: who received it is gone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Name of the file.
const FILE: &str = "asks.jsonl";

/// Name of the file while it is written anew.
const NEW_FILE: &str = "asks.jsonl.new";

/// How much longer than twice what it last came to the file becomes before it is written
/// anew: so that this is seldom, and costs less than the appending did.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Put(#[serde(borrow)] Put<'a>),
    /// These were received once more.
    Taken(Cow<'a, [u64]>),
    /// These were deleted.
    Gone(Cow<'a, [u64]>),
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Put<'a> {
    pub(super) id: u64,
    /// Name of its queue.
    #[serde(borrow)]
    pub(super) queue: Cow<'a, str>,
    pub(super) sent_ms: u64,
    pub(super) visible_ms: u64,
    pub(super) receives: u32,
    #[serde(borrow)]
    pub(super) body: Cow<'a, str>,
}

impl Put<'_> {
    fn into_owned(self) -> Put<'static> {
        Put {
            id: self.id,
            queue: Cow::Owned(self.queue.into_owned()),
            sent_ms: self.sent_ms,
            visible_ms: self.visible_ms,
            receives: self.receives,
            body: Cow::Owned(self.body.into_owned()),
        }
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    file: Arc<File>,
    /// Its length.
    bytes: u64,
    /// Its length when it was last written anew.
    base_bytes: u64,
    /// All bytes ever appended by this run.
    appended_bytes: u64,
}

/// What is to be on the disk: see [`Journal::ticket`].
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) file: Arc<File>,
    /// How far it holds what was appended.
    pub(super) appended_bytes: u64,
}

impl Journal {
    /// Opens the journal in `folder`, and returns what an earlier run left, oldest first.
    pub(super) fn open(folder: &Path) -> anyhow::Result<(Self, Vec<Put<'static>>)> {
        let path = folder.join(FILE);
        let left = read(&path).with_context(|| format!("reading {}", path.display()))?;
        let (file, bytes) = write_anew(folder, left.values().cloned())
            .with_context(|| format!("writing {}", path.display()))?;
        let folder = folder.to_owned();
        let journal =
            Self { folder, file: Arc::new(file), bytes, base_bytes: bytes, appended_bytes: 0 };
        Ok((journal, left.into_values().collect()))
    }

    pub(super) fn put<'a>(&mut self, messages: impl Iterator<Item = Put<'a>>) -> io::Result<()> {
        self.append(messages.map(Line::Put))
    }

    pub(super) fn taken(&mut self, ids: &[u64]) -> io::Result<()> {
        self.append([Line::Taken(Cow::Borrowed(ids))].into_iter())
    }

    pub(super) fn gone(&mut self, ids: &[u64]) -> io::Result<()> {
        self.append([Line::Gone(Cow::Borrowed(ids))].into_iter())
    }

    /// For whoever waits until all that stands in the file now is on the disk.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket { file: Arc::clone(&self.file), appended_bytes: self.appended_bytes }
    }

    /// Whether much of it speaks of what is no longer there.
    pub(super) fn is_long(&self) -> bool {
        self.bytes > 2 * self.base_bytes + SLACK_BYTES
    }

    /// Writes it anew with what there is.
    pub(super) fn shorten<'a>(&mut self, left: impl Iterator<Item = Put<'a>>) -> io::Result<()> {
        let (file, bytes) = write_anew(&self.folder, left)?;
        self.file = Arc::new(file);
        (self.bytes, self.base_bytes) = (bytes, bytes);
        Ok(())
    }

    fn append<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> io::Result<()> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let written = (&*self.file).write_all(&text);
        if written.is_err() {
            // Half a line would spoil the next one.
            self.file.set_len(self.bytes)?;
        }
        written?;
        self.bytes += text.len() as u64;
        self.appended_bytes += text.len() as u64;
        Ok(())
    }
}

/// Reads what is left, by id.
fn read(path: &Path) -> anyhow::Result<BTreeMap<u64, Put<'static>>> {
    let mut left = BTreeMap::new();
    let mut reader = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(left),
        Err(error) => return Err(error.into()),
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let line = serde_json::from_slice(&line).with_context(|| format!("line {number}"))?;
        match line {
            Line::Put(put) => drop(left.insert(put.id, put.into_owned())),
            Line::Taken(ids) => {
                for id in ids.iter() {
                    if let Some(put) = left.get_mut(id) {
                        put.receives = put.receives.saturating_add(1);
                        put.visible_ms = put.sent_ms;
                    }
                }
            }
            Line::Gone(ids) => ids.iter().for_each(|id| drop(left.remove(id))),
        }
    }
    Ok(left)
}

/// Writes the file anew, and returns it for appending, with its length.
fn write_anew<'a>(
    folder: &Path,
    messages: impl Iterator<Item = Put<'a>>,
) -> io::Result<(File, u64)> {
    let (path, new_path) = (folder.join(FILE), folder.join(NEW_FILE));
    let mut writer = BufWriter::new(File::create(&new_path)?);
    for put in messages {
        serde_json::to_writer(&mut writer, &Line::Put(put))?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    writer.get_ref().sync_data()?;
    drop(writer);
    fs::rename(&new_path, &path)?;
    File::open(folder)?.sync_data()?;
    let file = fs::OpenOptions::new().append(true).open(&path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(id: u64, body: &str) -> Put<'_> {
        let queue = Cow::Borrowed("later");
        Put { id, queue, sent_ms: 10, visible_ms: 20, receives: 0, body: Cow::Borrowed(body) }
    }

    #[test]
    fn another_run_finds_what_was_not_deleted() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut journal, left) = Journal::open(folder.path()).expect("opens");
        assert_eq!(left, []);
        journal.put([put(1, "a"), put(2, "b\n\"c\""), put(3, "d")].into_iter()).expect("writes");
        journal.taken(&[2, 3]).expect("writes");
        journal.gone(&[1, 3]).expect("writes");
        drop(journal);

        let (_, left) = Journal::open(folder.path()).expect("opens");

        assert_eq!(left, [Put { receives: 1, visible_ms: 10, ..put(2, "b\n\"c\"") }]);
    }

    #[test]
    fn a_torn_last_line_costs_itself_only() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut journal, _) = Journal::open(folder.path()).expect("opens");
        journal.put([put(1, "a")].into_iter()).expect("writes");
        drop(journal);
        let path = folder.path().join(FILE);
        let whole = fs::read(&path).expect("is there");
        let torn = [&whole[..], &whole[..whole.len() - 1]].concat();
        fs::write(&path, torn).expect("writes");

        let (mut journal, left) = Journal::open(folder.path()).expect("opens");
        assert_eq!(left, [put(1, "a")]);
        journal.put([put(2, "b")].into_iter()).expect("writes");
        drop(journal);

        let (_, left) = Journal::open(folder.path()).expect("opens");
        assert_eq!(left, [put(1, "a"), put(2, "b")]);
    }

    #[test]
    fn a_damaged_line_is_said_and_not_passed_over() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join(FILE), "{\"put\":1}\n").expect("writes");

        let error = Journal::open(folder.path()).expect_err("is damaged");

        assert!(format!("{error:#}").contains("asks.jsonl: line 1"), "{error:#}");
    }

    #[test]
    fn a_journal_that_became_long_is_written_anew_with_what_there_is() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (mut journal, _) = Journal::open(folder.path()).expect("opens");
        let body = "x".repeat(1_000_000);
        for id in 0..20 {
            journal.put([put(id, &body)].into_iter()).expect("writes");
        }
        assert!(journal.is_long());

        journal.shorten([put(7, "left")].into_iter()).expect("writes");
        journal.put([put(8, "more")].into_iter()).expect("writes");
        assert!(!journal.is_long());
        drop(journal);

        assert!(fs::metadata(folder.path().join(FILE)).expect("is there").len() < 1_000);
        let (_, left) = Journal::open(folder.path()).expect("opens");
        assert_eq!(left, [put(7, "left"), put(8, "more")]);
    }
}
