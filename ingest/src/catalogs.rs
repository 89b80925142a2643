//! Catalogs' files in the bucket: `catalogs/NAME/FILE` takes the place of the whole catalog,
//! `catalogs/NAME/partial/FILE` adds to it.
//!
//! ```text
//! object -> checked as a whole -> written -> ended -> what is gone is swept
//! ```
//!
//! A file that is not in order changes nothing and is a dead letter. What an invocation has no
//! time for is left to the next, from the writing on; a check begins anew. When the object was
//! put into the bucket decides which of two is newer, whatever the order in which they come.

mod key;

use std::io::{self, Read};
use std::sync::Arc;

use catalog::check::{CheckError, Checked, check};
use catalog::fault::Faults;
use catalog::file::{Format, Rows};
use catalog::import::{Import, Progress, Standing, Stopped, import_number};
use catalog::table::{PutResult, SweepPlace};
use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use currents::read::container::ReadError;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

pub(crate) use self::key::CatalogKey;
use crate::deadline::Deadline;
use crate::handler::{Ingest, IngestError};
use crate::object::{Answer, ObjectBytes, OpenError, fetch};
use crate::trigger::{Continuation, ObjectRef};

/// Largest file: as large as Braze takes one, and read twice in less time than an invocation has.
const MAX_BYTES: u64 = 2 << 30;

/// Where in an import another invocation goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportPlace {
    /// Number of the import.
    number: u64,
    /// What the file holds, of which nothing is wrong.
    checked: Checked,
    /// What there is to do.
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Write the rest, of which so much is written.
    Write(Progress),
    /// Remove what is gone, from here on.
    Sweep(SweepPlace),
}

/// What became of writing a file.
enum Written {
    /// All of it is there, and seen.
    Ended,
    /// A newer file took the place of the whole catalog meanwhile.
    Outdated,
    /// It is not what was checked.
    Changed(Faults),
    /// It is written up to here.
    Stopped(Progress, IngestError),
}

impl Ingest {
    /// Imports a catalog's file.
    pub(crate) async fn import(
        &self,
        object: &ObjectRef,
        key: &CatalogKey<'_>,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        // A console makes folders of empty objects.
        if key.file.is_empty() {
            counts.add(metrics::OBJECTS_IGNORED, 1);
            return Ok(());
        }
        let format = match key.format() {
            Ok(format) => format,
            Err(reason) => return self.refuse(object, reason.to_owned(), deadline, counts).await,
        };
        let imported = self.import_file(object, key, format, deadline, counts).await;
        match imported {
            Err(IngestError::Open(OpenError::Gone)) => {
                counts.add(metrics::OBJECTS_GONE, 1);
                Ok(())
            }
            // What took its place has a notification of its own.
            Err(IngestError::Open(OpenError::Replaced)) => {
                counts.add(metrics::OBJECTS_REPLACED, 1);
                Ok(())
            }
            other => other,
        }
    }

    async fn import_file(
        &self,
        object: &ObjectRef,
        key: &CatalogKey<'_>,
        format: Format,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let mut object = object.clone();
        let place = match object.catalog.take() {
            Some(place) => *place,
            None => match self.look(&mut object, key, format, deadline, counts).await? {
                Some(place) => place,
                None => return Ok(()),
            },
        };
        let import = self.import_of(key, &object, place.number);
        let ImportPlace { number, checked, step } = place;
        let (sweep, wrote) = match step {
            Step::Sweep(from) => (from, false),
            Step::Write(begun) => {
                let file = (&object, format, &checked);
                match self.write_and_end(&import, file, begun, deadline, counts).await? {
                    Written::Ended if key.is_whole => (SweepPlace::beginning(), true),
                    Written::Ended => return Ok(()),
                    Written::Outdated => {
                        counts.add(metrics::CATALOGS_OUTDATED, 1);
                        return Ok(());
                    }
                    Written::Changed(faults) => {
                        return self.refuse(&object, faults.to_string(), deadline, counts).await;
                    }
                    Written::Stopped(reached, why) => {
                        let got_on = reached.place.items > begun.place.items;
                        let step = Step::Write(reached);
                        let rest = got_on.then_some(ImportPlace { number, checked, step });
                        return self.hand_on(&object, rest, why, deadline, counts).await;
                    }
                }
            }
        };
        let (rest, why) = match import.sweep(sweep.clone(), Some(deadline.work), |_| {}).await {
            Ok(None) => return Ok(()),
            Ok(Some(rest)) => (rest, IngestError::OutOfTime),
            Err(error) => (sweep.clone(), IngestError::Catalog(error)),
        };
        // What is gone is not seen, so the next invocation may take its time.
        let got_on = wrote || rest != sweep;
        let step = Step::Sweep(rest);
        let rest = got_on.then_some(ImportPlace { number, checked, step });
        self.hand_on(&object, rest, why, deadline, counts).await
    }

    async fn write_and_end(
        &self,
        import: &Import,
        (object, format, checked): (&ObjectRef, Format, &Checked),
        begun: Progress,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<Written, IngestError> {
        let written = self.write(object, import, format, begun, deadline).await?;
        let (reached, stopped) = match written {
            Ok(end) => (end, None),
            Err((reached, stopped)) => (reached, Some(stopped)),
        };
        counts.add(metrics::CATALOG_ITEMS, reached.place.items - begun.place.items);
        match stopped {
            None => {}
            Some(Stopped::Changed(faults)) => return Ok(Written::Changed(faults)),
            Some(stopped) => return Ok(Written::Stopped(reached, stopped.into())),
        }
        match self.end(import, checked, deadline).await {
            Ok(PutResult::Done) => {
                counts.add(metrics::OBJECTS_READ, 1);
                counts.add(metrics::CATALOGS_IMPORTED, 1);
                Ok(Written::Ended)
            }
            Ok(PutResult::Newer) => Ok(Written::Outdated),
            // What is written is not written again for want of its end.
            Err(why) => Ok(Written::Stopped(reached, why)),
        }
    }

    /// Checks the object, and notes in it which content that is.
    async fn look(
        &self,
        object: &mut ObjectRef,
        key: &CatalogKey<'_>,
        format: Format,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<Option<ImportPlace>, IngestError> {
        let Answer { bytes, etag, modified_at_ms } = self.open_at(object, 0, deadline).await?;
        object.etag = etag;
        let content = object.etag.as_deref().unwrap_or_default();
        let modified_at_ms = modified_at_ms.or(object.uploaded_at_ms).unwrap_or_default();
        let number = import_number(modified_at_ms, &object.key, content);
        let import = self.import_of(key, object, number);
        let standing = timeout_at(deadline.work, import.standing()).await;
        let standing = standing.map_err(|_| IngestError::OutOfTime)?;
        if standing.map_err(IngestError::Catalog)? != Standing::Wanted {
            counts.add(metrics::CATALOGS_OUTDATED, 1);
            return Ok(None);
        }
        let file = Bounded { bytes, left: MAX_BYTES, until: deadline.work };
        let checking = tokio::task::spawn_blocking(move || check(format, file));
        let checked = timeout_at(deadline.work, checking).await;
        let faults = match checked.map_err(|_| IngestError::OutOfTime)? {
            Ok(Ok(checked)) => {
                let step = Step::Write(Progress::default());
                return Ok(Some(ImportPlace { number, checked, step }));
            }
            Ok(Err(CheckError::Faulty(faults))) => faults.to_string(),
            Ok(Err(CheckError::Read(error))) => match error.kind() {
                io::ErrorKind::TimedOut => return Err(IngestError::OutOfTime),
                io::ErrorKind::FileTooLarge => {
                    format!("the file is larger than {} GiB: divide it", MAX_BYTES >> 30)
                }
                _ => return Err(IngestError::Read(ReadError::Transport(error))),
            },
            Err(_) => "the reader failed, see the log".to_owned(),
        };
        self.refuse(object, faults, deadline, counts).await?;
        Ok(None)
    }

    fn import_of(&self, key: &CatalogKey<'_>, object: &ObjectRef, number: u64) -> Import {
        Import {
            table: Arc::clone(&self.catalogs),
            catalog: key.name.to_owned(),
            number,
            is_whole: key.is_whole,
            source: object.key.clone(),
        }
    }

    async fn open_at(
        &self,
        object: &ObjectRef,
        offset_bytes: u64,
        deadline: Deadline,
    ) -> Result<Answer, IngestError> {
        let fetched = fetch(&self.s3, object, offset_bytes, object.etag.clone());
        let fetched = timeout_at(deadline.work, fetched).await;
        Ok(fetched.map_err(|_| IngestError::OutOfTime)??)
    }

    async fn write(
        &self,
        object: &ObjectRef,
        import: &Import,
        format: Format,
        begun: Progress,
        deadline: Deadline,
    ) -> Result<Result<Progress, (Progress, Stopped)>, IngestError> {
        let until = deadline.work;
        let bounded = |answer: Answer| Bounded { bytes: answer.bytes, left: MAX_BYTES, until };
        let file = bounded(self.open_at(object, 0, deadline).await?);
        let place = begun.place;
        let rest = match place.offset_bytes {
            0 => None,
            offset => Some(bounded(self.open_at(object, offset, deadline).await?)),
        };
        let rows = tokio::task::spawn_blocking(move || {
            let mut faults = Faults::default();
            let rows = match rest {
                None => Rows::begin(format, file, &mut faults),
                Some(rest) => Rows::resume(format, file, rest, place, &mut faults),
            };
            rows.map(|rows| (rows, faults))
        });
        let rows = rows.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
        let (rows, faults) = match rows {
            Ok(rows) => rows,
            Err(error) => return Ok(Err((begun, Stopped::Read(error)))),
        };
        if !faults.is_empty() {
            return Ok(Err((begun, Stopped::Changed(faults))));
        }
        Ok(import.write(rows, begun, Some(deadline.work), |_| {}).await)
    }

    async fn end(
        &self,
        import: &Import,
        checked: &Checked,
        deadline: Deadline,
    ) -> Result<PutResult, IngestError> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let ended = timeout_at(deadline.work, import.end(checked, now_ms)).await;
        ended.map_err(|_| IngestError::OutOfTime)?.map_err(IngestError::Catalog)
    }

    /// Leaves the rest to another invocation; where there is none to leave, because this one got
    /// nowhere, the object comes again when the queue says.
    async fn hand_on(
        &self,
        object: &ObjectRef,
        rest: Option<ImportPlace>,
        why: IngestError,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let (Some(continuations), Some(rest)) = (&self.continuations, rest) else {
            return Err(why);
        };
        let object = ObjectRef { catalog: Some(Box::new(rest)), ..object.clone() };
        let rest = Continuation::new(&object, object.from).encode();
        continuations.send_before(rest, deadline.end).await?;
        counts.add(metrics::OBJECTS_CONTINUED, 1);
        Ok(())
    }

    /// Gives a file up of which nothing was written.
    async fn refuse(
        &self,
        object: &ObjectRef,
        reason: String,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        tracing::warn!(key = object.key, reason, "a catalog's file is not in order");
        let input = Input::Object {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            offset_bytes: 0,
            block: 0,
            events_delivered: 0,
        };
        let letter = DeadLetter::new("damaged_catalog", reason, input);
        self.give_up(&letter, deadline.end, counts).await?;
        counts.add(metrics::OBJECTS_DAMAGED, 1);
        Ok(())
    }
}

impl From<Stopped> for IngestError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::OutOfTime => Self::OutOfTime,
            Stopped::Read(error) => Self::Read(ReadError::Transport(error)),
            Stopped::Changed(faults) => Self::Read(ReadError::Transport(io::Error::other(faults))),
            Stopped::Table(error) => Self::Catalog(error),
        }
    }
}

/// An object's bytes up to a size and a time, so that no thread reads on for nobody.
#[derive(Debug)]
struct Bounded {
    bytes: ObjectBytes,
    left: u64,
    until: Instant,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() >= self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let n = self.bytes.read(buffer)?;
        self.left = self.left.checked_sub(n as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(n)
    }
}
