//! One object, from the bucket to the stream.
//!
//! Fetching, decoding and putting overlap: a task fetches, a thread decodes, and this
//! puts what was decoded. An object is done when Kinesis has acknowledged all of it;
//! one that takes longer than an invocation is continued by another.

use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};

use contract::dead_letter::{DeadLetter, Input};
use contract::metrics::{self, Counts};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::container::{Position, ReadError};
use crate::decode::{Decoder, Origin, Receiver, Source, Stopped};
use crate::grouping::Group;
use crate::handler::{Ingest, IngestError};
use crate::object::{self, Fetched, OpenError};
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
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        if !object.key.ends_with(".avro") {
            counts.add(metrics::OBJECTS_IGNORED, 1);
            return Ok(());
        }
        let opened = timeout_at(deadline, object::open(&self.s3, object)).await;
        let source = match opened.map_err(|_| IngestError::OutOfTime)? {
            Ok(source) => source,
            Err(OpenError::Gone) => {
                counts.add(metrics::OBJECTS_GONE, 1);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut reached = object.from;
        let mut events = 0;
        let (groups, mut decoded) = mpsc::channel(GROUPS_AHEAD);
        let decoding = decode_on_a_thread(self.decoder.clone(), source, object, groups);
        loop {
            let next = timeout_at(deadline, decoded.recv()).await;
            let put = match next {
                Ok(None) => break,
                Ok(Some((group, resume))) => {
                    events += group.events;
                    let put = timeout_at(deadline, self.put(group, deadline, counts)).await;
                    put.unwrap_or(Err(Unfinished::OutOfTime)).map(|()| reached = resume)
                }
                Err(_) => Err(Unfinished::OutOfTime),
            };
            match put {
                Ok(()) => {}
                Err(Unfinished::Failed(error)) => return Err(error),
                Err(Unfinished::OutOfTime) => return self.leave(object, reached, counts).await,
            }
        }
        // The channel is closed, so the thread has ended or is about to.
        let stopped = match decoding.await {
            Ok(Ok(Ok(()))) => {
                counts.add(metrics::OBJECTS_READ, 1);
                return Ok(());
            }
            Ok(Ok(Err(Stopped { error: error @ ReadError::Transport(_), .. }))) => {
                return Err(IngestError::Read(error));
            }
            Ok(Ok(Err(stopped))) => (described(&stopped), stopped.at),
            // What hostile bytes make a library do is damage, and nothing worse.
            Ok(Err(_)) | Err(_) => ("the reader failed, see the log".to_owned(), reached),
        };
        self.give_up_rest(object, stopped, events, counts).await
    }

    async fn put(
        &self,
        group: Group,
        deadline: Instant,
        counts: &mut Counts,
    ) -> Result<(), Unfinished> {
        let mut put = Put::default();
        let done = self.stream.put(group.records, deadline, &mut put).await;
        counts.add(metrics::STREAM_RECORDS, put.records);
        counts.add(metrics::STREAM_BYTES, put.bytes);
        counts.add(metrics::ENTRIES_RESENT, put.resent);
        done.map_err(|error| match error.is_out_of_time() {
            true => Unfinished::OutOfTime,
            false => Unfinished::Failed(error.into()),
        })?;
        for letter in &group.too_large {
            self.give_up(letter, counts).await.map_err(Unfinished::Failed)?;
        }
        counts.add(metrics::EVENTS_TOO_LARGE, group.too_large.len() as u64);
        counts.add(metrics::USER_RECORDS, group.user_records);
        counts.add(metrics::EVENTS_READ, group.events);
        counts.add(metrics::EVENTS_WITHOUT_USER, group.without_user);
        counts.add(metrics::EVENTS_USER_ID_TOO_LONG, group.user_id_too_long);
        counts.add(metrics::EVENTS_MENDED, group.mended);
        Ok(())
    }

    /// Leaves the rest of an object to another invocation, if this one got anywhere.
    async fn leave(
        &self,
        object: &ObjectRef,
        reached: Position,
        counts: &mut Counts,
    ) -> Result<(), IngestError> {
        let Some(continuations) = &self.continuations else { return Err(IngestError::OutOfTime) };
        // Without progress, going on would never end; the queue gives up some day.
        if reached.offset_bytes <= object.from.offset_bytes {
            return Err(IngestError::OutOfTime);
        }
        continuations.send(Continuation::new(object, reached).encode()).await?;
        counts.add(metrics::OBJECTS_CONTINUED, 1);
        Ok(())
    }

    async fn give_up_rest(
        &self,
        object: &ObjectRef,
        (detail, at): (String, Position),
        events_delivered: u64,
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
        self.give_up(&DeadLetter::new("damaged_object", detail, rest), counts).await?;
        counts.add(metrics::OBJECTS_DAMAGED, 1);
        Ok(())
    }
}

type Ended = std::thread::Result<Result<(), Stopped>>;

fn decode_on_a_thread(
    decoder: Decoder,
    source: Source<Fetched>,
    object: &ObjectRef,
    groups: mpsc::Sender<Decoded>,
) -> tokio::task::JoinHandle<Ended> {
    let origin = Origin { key: object.key.clone(), uploaded_at_ms: object.uploaded_at_ms };
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
fn described(stopped: &Stopped) -> String {
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
