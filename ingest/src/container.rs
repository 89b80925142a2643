//! Reads the events of an Avro object container file.
//!
//! Knows no event type: the type comes from the schema's record name, fields
//! pass through as JSON, and fields whose schema `doc` is marked `[PII]` are
//! dropped unless a campaign asks for them. Memory is bounded by one block.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read};
use std::rc::Rc;

use apache_avro::Schema;
use apache_avro::reader::{Reader, ReaderDeser};
use contract::user_record::Event;
use serde_json::Value;

use crate::value::Fields;

/// What every record name of Currents starts with.
const RECORD_NAME_PREFIX: &str = "dataexport.S3.inner.";

/// How Braze marks a field as personal.
const PERSONAL_MARK: &str = "[PII]";

/// Largest compressed block that is read, in bytes; Currents' own are far smaller.
const MAX_BLOCK_BYTES: usize = 64 * 1024 * 1024;

/// Most records without any field that are read; Currents files have 100,000 events at most.
const MAX_EMPTY_RECORDS: u64 = 1_000_000;

/// Longest event id that is kept, in bytes; Currents' are UUIDs.
const MAX_EVENT_ID_BYTES: usize = 128;

/// How far ahead of its upload an event may lie, in seconds. A device's clock can be
/// years ahead, and such an event would beat every later one until its content expires.
const MAX_AHEAD_SECS: i64 = 3_600;

/// Deepest nesting of `properties` that is parsed; deeper stays text, because readers of
/// the stream have a limit of their own.
const MAX_PROPERTIES_DEPTH: usize = 64;

/// An open container.
pub struct Container<R: Read> {
    event_type: String,
    hidden: HashSet<String>,
    records: ReaderDeser<'static, Observed<R>, Fields>,
    observations: Rc<Observations>,
    records_read: u64,
    empty_records: u64,
    fallback: Fallback,
}

/// What stands in for what an event of an unknown type may lack.
#[derive(Debug, Clone)]
pub struct Fallback {
    /// Key of the object: names the event type and, with the position, the event.
    pub key: String,
    /// When the object appeared, in UNIX seconds: the time of an event without one.
    pub time: i64,
}

/// One event, with the user it belongs to.
#[derive(Debug, PartialEq)]
pub struct UserEvent {
    /// The Braze id; `None` where the event names no user.
    pub user_id: Option<String>,
    /// The event.
    pub event: Event,
}

/// Why a container could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what they should be: reading again would end the same way.
    #[error("container is damaged after {offset_bytes} bytes and {records_read} records")]
    Damaged {
        /// Bytes read before the damage showed.
        offset_bytes: u64,
        /// Records decoded before it.
        records_read: u64,
        /// What the Avro reader said.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// It claims more records without a single field than any file of Currents has events.
    #[error("container holds more than {MAX_EMPTY_RECORDS} records without any field")]
    Empty,
    /// The schema does not describe records.
    #[error("container does not hold records")]
    NotRecords,
    /// The source of the bytes failed: reading again may help.
    #[error("container could not be read from its source")]
    Transport(#[source] io::Error),
}

impl<R: Read> Container<R> {
    /// Reads the header; `wanted` are the personal fields that may pass.
    pub fn open(
        source: R,
        wanted: &BTreeSet<String>,
        fallback: Fallback,
    ) -> Result<Self, ReadError> {
        // Process-wide in the crate; every caller sets the same value.
        apache_avro::util::max_allocation_bytes(MAX_BLOCK_BYTES);
        let observations = Rc::new(Observations::default());
        let observed = Observed { source, observations: Rc::clone(&observations) };
        let reader = Reader::new(observed).map_err(|error| observations.explain(error, 0))?;
        let Schema::Record(record) = reader.writer_schema() else {
            return Err(ReadError::NotRecords);
        };
        let full_name = record.name.fullname(None);
        let hidden = record
            .fields
            .iter()
            .filter(|field| field.doc.as_deref().is_some_and(|doc| doc.starts_with(PERSONAL_MARK)))
            .filter(|field| field.name != "user_id" && !wanted.contains(&field.name))
            .map(|field| field.name.clone())
            .collect();
        Ok(Self {
            event_type: event_type(&full_name, &fallback.key),
            hidden,
            records: reader.into_deser_iter(),
            observations,
            records_read: 0,
            empty_records: 0,
            fallback,
        })
    }

    /// The type of all events in this container.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    fn to_event(&self, Fields(mut fields): Fields) -> UserEvent {
        fields.retain(|name, _| !self.hidden.contains(name));
        let mut take_text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        let user_id = take_text("user_id");
        let id = take_text("id")
            .filter(|id| id.len() <= MAX_EVENT_ID_BYTES)
            .unwrap_or_else(|| format!("{}#{}", self.fallback.key, self.records_read));
        let time = fields.remove("time").and_then(|time| time.as_i64());
        if let Some(properties) = fields.get_mut("properties") {
            parse_in_place(properties);
        }
        let latest = self.fallback.time.saturating_add(MAX_AHEAD_SECS);
        let time = time.unwrap_or(self.fallback.time).min(latest);
        UserEvent { user_id, event: Event { id, time, fields } }
    }
}

impl<R: Read> Iterator for Container<R> {
    type Item = Result<UserEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let fields = match self.records.next()? {
            Ok(fields) => fields,
            Err(error) => return Some(Err(self.observations.explain(error, self.records_read))),
        };
        // Such a record takes no bytes, so a few bytes can claim any number of them.
        self.empty_records += u64::from(fields.0.is_empty());
        if self.empty_records > MAX_EMPTY_RECORDS {
            return Some(Err(ReadError::Empty));
        }
        let event = self.to_event(fields);
        self.records_read += 1;
        Some(Ok(event))
    }
}

/// Currents sends `properties` as a string that holds JSON; anything else stays a string.
fn parse_in_place(properties: &mut Value) {
    if let Some(parsed) = properties.as_str().and_then(|text| serde_json::from_str(text).ok())
        && is_shallow(&parsed, MAX_PROPERTIES_DEPTH)
    {
        *properties = parsed;
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(|v| is_shallow(v, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|v| is_shallow(v, levels - 1)),
        _ => true,
    }
}

fn event_type(full_name: &str, key: &str) -> String {
    let from_key = || key.split('/').find_map(|part| part.strip_prefix("event_type="));
    let from_name = full_name.strip_prefix(RECORD_NAME_PREFIX);
    from_name.or_else(from_key).unwrap_or(full_name).to_owned()
}

/// Counts the bytes that pass and remembers the source's own failures, which the
/// Avro reader does not tell apart from damage.
struct Observed<R> {
    source: R,
    observations: Rc<Observations>,
}

#[derive(Default)]
struct Observations {
    bytes_read: Cell<u64>,
    failure: RefCell<Option<io::Error>>,
}

impl<R: Read> Read for Observed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer) {
            Ok(n) => {
                self.observations.bytes_read.set(self.observations.bytes_read.get() + n as u64);
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.observations.failure.replace(Some(error));
                Err(kind.into())
            }
        }
    }
}

impl Observations {
    fn explain(&self, error: apache_avro::Error, records_read: u64) -> ReadError {
        match self.failure.take() {
            Some(failure) => ReadError::Transport(failure),
            None => ReadError::Damaged {
                offset_bytes: self.bytes_read.get(),
                records_read,
                source: Box::new(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_name_tells_the_event_type_and_the_key_stands_in_for_it() {
        let key = "a/event_type=users.X/date=2026-01-01-00/f.avro";

        assert_eq!(event_type("dataexport.S3.inner.users.behaviors.Y", key), "users.behaviors.Y");
        assert_eq!(event_type("Y", key), "users.X");
        assert_eq!(event_type("some.Y", "f.avro"), "some.Y");
    }

    #[test]
    fn properties_that_are_not_json_stay_text() {
        let mut properties = Value::from("{\"a\":1}");
        parse_in_place(&mut properties);
        assert_eq!(properties["a"], 1);

        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let mut too_deep = Value::from(deep.clone());
        parse_in_place(&mut too_deep);
        assert_eq!(too_deep, deep);

        let mut junk = Value::from("3f0e9a5c-not-json");
        parse_in_place(&mut junk);
        assert_eq!(junk, "3f0e9a5c-not-json");
    }

    #[test]
    fn a_source_that_fails_is_not_taken_for_damage() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let fallback = Fallback { key: String::new(), time: 0 };

        let error = Container::open(Failing, &BTreeSet::new(), fallback).err();

        assert!(matches!(error, Some(ReadError::Transport(_))));
    }
}
