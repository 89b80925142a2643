//! One object, from the bucket to the stream.
//!
//! Fetching, decoding and putting overlap: a task fetches, a thread decodes, and this
//! puts what was decoded. An object is done when Kinesis has acknowledged all of it;
//! one that takes longer than an invocation is continued by another.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use currents::read::container::{Position, ReadError};
use currents::read::{Interruption, Origin, Source};
use tokio::sync::mpsc;
use tokio::time::timeout_at;

use crate::catalogs::CatalogKey;
use crate::deadline::Deadline;
use crate::decode::{Decoder, Receiver};
use crate::grouping::Group;
use crate::handler::{Ingest, IngestError};
use crate::object::{self, ObjectBytes, OpenError, OpenObject};
use crate::queue::NotQueued;
use crate::stream::Put;
use crate::trigger::{Continuation, ObjectRef};

/// Groups decoded ahead of the puts: one being put, one waiting.
const GROUPS_AHEAD: usize = 1;

/// A group and the place after it.
type Decoded = (Group, Position);

/// Why the object is not done.
enum Unfinished {
    /// There is no time for the rest.
    OutOfTime,
    /// Another reason, for which it must come again.
    Failed(IngestError),
}

impl Ingest {
    /// Puts one object's user records on the stream.
    pub(crate) async fn deliver(
        &self,
        object: &ObjectRef,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        if let Some(key) = CatalogKey::of(&object.key) {
            return self.import(object, &key, deadline, counts).await;
        }
        if !object.key.ends_with(".avro") {
            counts.add(metrics::OBJECTS_IGNORED, 1);
            return Ok(());
        }
        if let Some(outdated) = self.outdated {
            return Err(IngestError::Outdated(outdated));
        }
        let mut object = object.clone();
        let source = match self.open(&mut object, deadline, counts).await {
            Ok(source) => source,
            Err(IngestError::Open(OpenError::Gone)) => {
                counts.add(metrics::OBJECTS_GONE, 1);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.deliver_opened(&object, source, deadline, counts).await
    }

    /// Opens an object, and notes in it which content that is and when it came. One that was
    /// replaced since its reading began is read from its beginning: its new content is
    /// another file, or the same one that was uploaded again.
    async fn open(
        &self,
        object: &mut ObjectRef,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<Source<ObjectBytes>, IngestError> {
        loop {
            let opened = timeout_at(deadline.work, object::open(&self.s3, object)).await;
            match opened.map_err(|_| IngestError::OutOfTime)? {
                Ok(OpenObject { source, etag, modified_at_ms }) => {
                    object.etag = etag.or(object.etag.take());
                    object.uploaded_at_ms = object.uploaded_at_ms.or(modified_at_ms);
                    return Ok(source);
                }
                // From the beginning any content will do, so this comes once.
                Err(OpenError::Replaced) if object.from != Position::default() => {
                    counts.add(metrics::OBJECTS_REPLACED, 1);
                    object.from = Position::default();
                    (object.etag, object.uploaded_at_ms) = (None, None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn deliver_opened(
        &self,
        object: &ObjectRef,
        source: Source<ObjectBytes>,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let mut reached = object.from;
        let mut events = 0;
        let (groups, mut decoded) = mpsc::channel(GROUPS_AHEAD);
        let decoding = decode_on_a_thread(self.decoder.clone(), source, object, groups);
        loop {
            let put = match timeout_at(deadline.work, decoded.recv()).await {
                Ok(None) => break,
                Ok(Some((group, resume))) => {
                    events += group.events;
                    self.put(group, deadline, counts).await.map(|()| reached = resume)
                }
                Err(_) => Err(Unfinished::OutOfTime),
            };
            match put {
                Ok(()) => {}
                Err(Unfinished::Failed(error)) => return Err(error),
                Err(Unfinished::OutOfTime) => {
                    let error = IngestError::OutOfTime;
                    return self.leave(object, reached, error, deadline, counts).await;
                }
            }
        }
        // The channel is closed, so the thread has ended or is about to.
        let stopped = match decoding.await {
            Ok(Ok(Ok(()))) => {
                counts.add(metrics::OBJECTS_READ, 1);
                return Ok(());
            }
            Ok(Ok(Err(Interruption { error: error @ ReadError::Transport(_), .. }))) => {
                let error = IngestError::Read(error);
                return self.leave(object, reached, error, deadline, counts).await;
            }
            Ok(Ok(Err(stopped))) => (described(&stopped), stopped.at),
            // What hostile bytes make a library do is damage, and nothing worse.
            Ok(Err(_)) | Err(_) => ("the reader failed, see the log".to_owned(), reached),
        };
        self.give_up_rest(object, stopped, events, deadline, counts).await
    }

    async fn put(
        &self,
        group: Group,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), Unfinished> {
        let mut put = Put::default();
        let done = self.stream.put(group.records, deadline.work, &mut put).await;
        counts.add(metrics::STREAM_RECORDS, put.records);
        counts.add(metrics::STREAM_BYTES, put.bytes);
        counts.add(metrics::ENTRIES_RESENT, put.resent);
        done.map_err(|error| match error.is_out_of_time() {
            true => Unfinished::OutOfTime,
            false => Unfinished::Failed(error.into()),
        })?;
        for letter in &group.too_large {
            let given_up = self.give_up(letter, deadline.work, counts).await;
            given_up.map_err(|error| match error {
                NotQueued::OutOfTime => Unfinished::OutOfTime,
                error @ NotQueued::Refused(_) => Unfinished::Failed(error.into()),
            })?;
        }
        counts.add(metrics::EVENTS_TOO_LARGE, group.too_large.len() as u64);
        counts.add(metrics::USER_RECORDS, group.user_records);
        counts.add(metrics::EVENTS_READ, group.events);
        counts.add(metrics::EVENTS_UNWANTED, group.unwanted);
        counts.add(metrics::EVENTS_WITHOUT_USER, group.without_user);
        counts.add(metrics::EVENTS_USER_ID_TOO_LONG, group.user_id_too_long);
        counts.add(metrics::EVENTS_MENDED, group.mended);
        Ok(())
    }

    /// Leaves the rest of an object to another invocation, if this one got anywhere; else
    /// the object fails with `error`, and comes again when the queue says.
    async fn leave(
        &self,
        object: &ObjectRef,
        reached: Position,
        error: IngestError,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let Some(continuations) = &self.continuations else { return Err(error) };
        // Without progress, going on would never end; the queue gives up some day.
        if reached.offset_bytes <= object.from.offset_bytes {
            return Err(error);
        }
        let rest = Continuation::new(object, reached).encode();
        continuations.send_before(rest, deadline.end).await?;
        counts.add(metrics::OBJECTS_CONTINUED, 1);
        Ok(())
    }

    async fn give_up_rest(
        &self,
        object: &ObjectRef,
        (detail, at): (String, Position),
        events_delivered: u64,
        deadline: Deadline,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let rest = Input::Object {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            offset_bytes: at.offset_bytes,
            block: at.block,
            events_delivered: object.from.records + events_delivered,
        };
        let letter = DeadLetter::new("damaged_object", detail, rest);
        self.give_up(&letter, deadline.end, counts).await?;
        counts.add(metrics::OBJECTS_DAMAGED, 1);
        Ok(())
    }
}

type Ended = std::thread::Result<Result<(), Interruption>>;

fn decode_on_a_thread(
    decoder: Decoder,
    source: Source<ObjectBytes>,
    object: &ObjectRef,
    groups: mpsc::Sender<Decoded>,
) -> tokio::task::JoinHandle<Ended> {
    let uploaded_at_ms = object.uploaded_at_ms.unwrap_or_default();
    let origin = Origin { key: object.key.clone(), uploaded_at_ms };
    tokio::task::spawn_blocking(move || {
        let decode = || decoder.decode(source, &origin, &mut Sending(groups));
        panic::catch_unwind(AssertUnwindSafe(decode))
    })
}

/// Sends groups to whoever puts them.
struct Sending(mpsc::Sender<Decoded>);

impl Receiver for Sending {
    fn take(&mut self, group: Group, resume: Position) -> ControlFlow<()> {
        match self.0.blocking_send((group, resume)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn is_waiting(&self) -> bool {
        !self.0.is_closed()
    }
}

/// The fault with all its causes, for the dead letter.
fn described(stopped: &Interruption) -> String {
    let mut text = stopped.to_string();
    let mut cause = std::error::Error::source(&stopped.error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
