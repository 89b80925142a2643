//! The events that a person names: a Currents file, or one event a line as JSON.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use contract::event_id;
use contract::user_record::{Event, UserRecord, VERSION, is_user_id};
use currents::read::container::{DEFAULT_MAX_BLOCK_BYTES, Position};
use currents::read::{Envelope, Origin, Reader, Source, Taker};
use serde_json::{Map, Value};

/// First bytes of every Avro object container file.
const AVRO_MAGIC: &[u8] = b"Obj\x01";

pub(crate) fn read(path: &Path, wanted: BTreeSet<String>) -> anyhow::Result<Vec<UserRecord>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.starts_with(AVRO_MAGIC) {
        return read_container(path, &bytes, wanted);
    }
    let text = String::from_utf8(bytes).ok();
    let text =
        text.with_context(|| format!("{} is neither an Avro file nor JSON lines", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| {
            let place = || format!("{}:{}", path.display(), n + 1);
            read_line(line).with_context(place)
        })
        .collect()
}

/// One event as JSON: the fields of Currents, and its type as `event_type`.
fn read_line(line: &str) -> anyhow::Result<UserRecord> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(line).context("is not an event as a JSON object")?;
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(anyhow::anyhow!("the event needs a text \"{name}\"")),
    };
    let (event_type, user_id, id) = (text("event_type")?, text("user_id")?, text("id")?);
    // Currents has them as a text, which ingest parses.
    if let Some(Value::String(text)) = fields.get("properties") {
        let properties = currents::read::embedded(text);
        fields.insert("properties".to_owned(), properties);
    }
    let time = fields.remove("time").and_then(|time| time.as_i64());
    let time = time.context("the event needs a \"time\" in UNIX seconds")?;
    let event = Event { id: event_id::kept(&id).into_owned(), time, fields };
    let v = VERSION;
    let uploaded_at_ms = 0;
    Ok(UserRecord {
        v,
        user_id,
        event_type,
        uploaded_at_ms,
        redriven_at_ms: None,
        events: vec![event],
    })
}

fn read_container(
    path: &Path,
    bytes: &[u8],
    wanted: BTreeSet<String>,
) -> anyhow::Result<Vec<UserRecord>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uploaded_at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let origin = Origin { key: path.display().to_string(), uploaded_at_ms };
    let mut all = All { uploaded_at_ms, ..All::default() };
    let reader = Reader { wanted, max_block_bytes: DEFAULT_MAX_BLOCK_BYTES };
    let read = reader.read(Source::Whole(bytes), &origin, &mut all);
    read.with_context(|| format!("reading {}", path.display()))?;
    Ok(all.records)
}

/// Keeps every event that has a user.
#[derive(Default)]
struct All {
    event_type: String,
    uploaded_at_ms: u64,
    json: Vec<u8>,
    records: Vec<UserRecord>,
}

impl Taker for All {
    fn begin(&mut self, event_type: &str) {
        event_type.clone_into(&mut self.event_type);
    }

    fn json(&mut self) -> &mut Vec<u8> {
        self.json.clear();
        &mut self.json
    }

    fn take(&mut self, taken: Envelope<'_>, _: Position) -> ControlFlow<()> {
        let event = serde_json::from_slice(&self.json[taken.start..]);
        if let (true, None, Ok(event)) = (is_user_id(taken.user_id), taken.too_large, event) {
            let (v, user_id) = (VERSION, taken.user_id.to_owned());
            let (event_type, uploaded_at_ms) = (self.event_type.clone(), self.uploaded_at_ms);
            let events = vec![event];
            let redriven_at_ms = None;
            self.records.push(UserRecord {
                v,
                user_id,
                event_type,
                uploaded_at_ms,
                redriven_at_ms,
                events,
            });
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, _: Position) {}
}
