//! Brings a checked file into the table.
//!
//! ```text
//! rows (a thread) -> chunks -> puts, some chunks at a time -> end -> sweep
//! ```
//!
//! Each put holds only where no newer import wrote, so an import that was interrupted is simply
//! run again, or goes on at the place that it tells. Nothing is seen of a replacement of the
//! whole being over before it is: then what it left out is gone at once, and swept afterwards.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::catalog::ItemKey;
use futures::StreamExt as _;
use futures::stream::{self, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::check::Checked;
use crate::fault::Faults;
use crate::file::{Place, Row, Rows};
use crate::table::{Head, ImportEnd, ImportTable, PutResult, SweepPlace, TableError};

/// Items of a chunk.
const CHUNK_ITEMS: usize = 32;

/// Bytes of a chunk after which no more items join it: of items of the usual size it has all.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Chunks at a time, each of whose items are put at the same time: 128 puts of some
/// milliseconds are more than a new table takes in a second (4,000 write units).
const CONCURRENT_CHUNKS: usize = 4;

/// Chunks read ahead of the puts.
const CHUNKS_AHEAD: usize = 2;

/// Attempts at an item while the table is busy.
const MAX_ATTEMPTS: usize = 12;

/// Waits between them, together about forty seconds: a table that grows with its load takes
/// longer only from a sudden start, and the SDK tries each some times by itself.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .with_max_times(MAX_ATTEMPTS - 1)
    .with_jitter();

/// An import of one file into one catalog.
#[derive(Debug, Clone)]
pub struct Import {
    /// Where it writes.
    pub table: Arc<dyn ImportTable>,
    /// Name of the catalog.
    pub catalog: String,
    /// Its number; see [`import_number`]. Newer ones are greater.
    pub number: u64,
    /// Whether it replaces the whole catalog.
    pub is_whole: bool,
    /// What is read, for a person.
    pub source: String,
}

/// What there is to do for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All of it.
    Wanted,
    /// Nothing: it has ended before.
    Done,
    /// Nothing: a newer import replaced the whole catalog.
    Superseded,
}

/// How far an import got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The place in the file up to which everything is written.
    pub place: Place,
    /// Items of newer imports that it met, and left as they are.
    pub newer: u64,
}

/// Why an import stopped before its end. It can go on at the place that it got to.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// There is no time for the rest.
    #[error("out of time")]
    OutOfTime,
    /// The file could not be read.
    #[error("file was not read")]
    Read(#[source] io::Error),
    /// The file is not as it was when it was checked.
    #[error("file changed since it was checked: {0}")]
    Changed(Faults),
    /// The table did not take all of it.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Some rows, and the place behind them.
type Chunk = (Vec<Row>, Place);

/// The number of an import of what came at `modified_ms` (UNIX milliseconds) under some name
/// with some content: S3 tells the time in seconds, and of two files of the same second all
/// instances must agree which is newer.
pub fn import_number(modified_ms: u64, name: &str, content: &str) -> u64 {
    let hash = crc32fast::hash(format!("{name}\0{content}").as_bytes());
    let ms = if modified_ms.is_multiple_of(1_000) { hash % 1_000 } else { 0 };
    modified_ms + u64::from(ms)
}

impl Import {
    /// Tells what there is to do.
    pub async fn standing(&self) -> Result<Standing, TableError> {
        let head = self.table.head(&self.catalog).await?;
        Ok(match head {
            Some(Head { import, .. }) if import == self.number => Standing::Done,
            Some(Head { since, .. }) if since > self.number => Standing::Superseded,
            _ => Standing::Wanted,
        })
    }

    /// Writes the rest of a file, `rows`, of which `begun` was written before.
    ///
    /// Tells `told` after every chunk how far it is, and stops at `until`.
    pub async fn write(
        &self,
        rows: Rows<impl io::Read + Send + 'static>,
        begun: Progress,
        until: Option<Instant>,
        mut told: impl FnMut(Progress),
    ) -> Result<Progress, (Progress, Stopped)> {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let reading = tokio::task::spawn_blocking(move || read(rows, &sender));
        let chunks = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let puts = chunks.map(|(rows, place)| {
            let putting = tokio::spawn(self.clone().put_all(rows));
            // What is in the air is dropped where the time is over.
            let putting = AbortOnDropHandle::new(putting);
            async move { (putting.await, place) }
        });
        let mut puts = std::pin::pin!(puts.buffered(CONCURRENT_CHUNKS));
        let mut reached = begun;
        loop {
            let next = match until {
                Some(until) => timeout_at(until, puts.next()).await,
                None => Ok(puts.next().await),
            };
            match next {
                Ok(Some((Ok(Ok(newer)), place))) => {
                    reached = Progress { place, newer: reached.newer + newer };
                    told(reached);
                }
                Ok(Some((Ok(Err(error)), _))) => return Err((reached, error.into())),
                Ok(Some((Err(panicked), _))) => {
                    return Err((reached, Stopped::Read(io::Error::other(panicked))));
                }
                Ok(None) => break,
                Err(_) => return Err((reached, Stopped::OutOfTime)),
            }
        }
        match reading.await {
            Ok(Ok(faults)) if faults.is_empty() => Ok(reached),
            Ok(Ok(faults)) => Err((reached, Stopped::Changed(faults))),
            Ok(Err(error)) => Err((reached, Stopped::Read(error))),
            Err(panicked) => Err((reached, Stopped::Read(io::Error::other(panicked)))),
        }
    }

    /// Ends it: from now on what it wrote is what the catalog holds.
    pub async fn end(&self, checked: &Checked, at_ms: u64) -> Result<PutResult, TableError> {
        let end = ImportEnd {
            import: self.number,
            is_whole: self.is_whole,
            columns: checked.columns.clone(),
            items: checked.items,
            at_ms,
            source: self.source.clone(),
        };
        patiently(|| self.table.close(&self.catalog, &end)).await
    }

    /// Removes what is gone since this import replaced the whole, and tells after every page how
    /// many items that were. Where `until` comes first, it tells where to go on.
    pub async fn sweep(
        &self,
        mut from: SweepPlace,
        until: Option<Instant>,
        mut told: impl FnMut(u64),
    ) -> Result<Option<SweepPlace>, TableError> {
        let mut removed = 0;
        loop {
            let page = patiently(|| self.table.sweep(&self.catalog, self.number, from.clone()));
            let page = match until {
                Some(until) => match timeout_at(until, page).await {
                    Ok(page) => page?,
                    Err(_) => return Ok(Some(from)),
                },
                None => page.await?,
            };
            removed += page.removed;
            told(removed);
            match page.next {
                Some(next) => from = next,
                None => return Ok(None),
            }
        }
    }

    /// Puts some items, and tells how many were newer already.
    async fn put_all(self, rows: Vec<Row>) -> Result<u64, TableError> {
        let puts = rows.into_iter().map(|row| self.put(row));
        let results = stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(CHUNK_ITEMS);
        let newer = results.try_fold(0, |newer, result| async move {
            Ok(newer + u64::from(result == PutResult::Newer))
        });
        newer.await
    }

    async fn put(&self, row: Row) -> Result<PutResult, TableError> {
        let key = ItemKey { catalog: self.catalog.clone(), id: row.id };
        let json = serde_json::Value::Object(row.item).to_string();
        patiently(|| self.table.put(&key, json.clone(), self.number)).await
    }
}

/// Tries again while the table is busy.
async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, TableError>
where
    F: Future<Output = Result<T, TableError>>,
{
    let mut waits = BACKOFF.build();
    loop {
        let error = match attempt().await {
            Err(error) if error.is_passing() => error,
            result => return result,
        };
        match waits.next() {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(error),
        }
    }
}

/// Sends the rows in chunks until there are none or nobody wants them, and tells what is wrong
/// with them, though it was not when they were checked.
fn read(mut rows: Rows<impl io::Read>, chunks: &mpsc::Sender<Chunk>) -> io::Result<Faults> {
    let mut faults = Faults::default();
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    let mut begun = rows.place().offset_bytes;
    while let Some(row) = rows.next(&mut faults)? {
        if !faults.is_empty() {
            break;
        }
        let place = rows.place();
        bytes += place.offset_bytes.saturating_sub(begun);
        begun = place.offset_bytes;
        chunk.push(row);
        if chunk.len() >= CHUNK_ITEMS || bytes >= CHUNK_BYTES as u64 {
            if chunks.blocking_send((std::mem::take(&mut chunk), place)).is_err() {
                return Ok(faults);
            }
            bytes = 0;
        }
    }
    if !chunk.is_empty() && faults.is_empty() {
        let _ = chunks.blocking_send((chunk, rows.place()));
    }
    Ok(faults)
}
