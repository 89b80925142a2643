//! One record of a container as one event in JSON, copied without a value in between.
//!
//! Guarantees: what is written is an [`Event`](contract::user_record::Event), an event
//! takes bounded memory whatever its bytes say, and hidden fields are never copied.

use contract::attributes::CUSTOM_ATTRIBUTES;
use contract::event_id;
use contract::wanted::Wanted;
use serde_json::{Map, Value};

use crate::read::cursor::{Cursor, Malformed};
use crate::read::json;
use crate::read::layout::{Layout, Role};
use crate::read::walk::{MAX_DEPTH, Walk, count_empty};

/// Largest event, in bytes of JSON. Braze exports none above 900 KB, and a stream
/// record, which must hold at least one, takes 1 MiB.
pub const MAX_EVENT_BYTES: usize = 1_000_000;

/// How far ahead of its upload an event may lie, in seconds. A device's clock can be
/// years ahead, and such an event would beat every later one until its content expires.
pub const MAX_AHEAD_SECS: i64 = 3_600;

/// What stands in for what an event of an unknown type may lack.
#[derive(Debug, Clone)]
pub(crate) struct Fallback {
    /// Key of the object: with the position it names the event.
    pub(crate) key: String,
    /// When the object appeared, in UNIX seconds: the time of an event without one.
    pub(crate) time: i64,
}

/// What is to be known of an event beside its JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The Braze id; empty where the event names no user.
    pub(crate) user_id: &'a str,
    /// Its own id; empty where it has none, and the fallback stands in the JSON.
    pub(crate) id: &'a str,
    pub(crate) time: i64,
    /// Whether it is larger than [`MAX_EVENT_BYTES`]; its JSON is cut then.
    pub(crate) is_too_large: bool,
    /// Whether something in its properties could not be read as it was written.
    pub(crate) is_mended: bool,
}

/// Writes events.
pub(crate) struct Projector {
    pub(crate) layout: Layout,
    fallback: Fallback,
    wanted: Wanted,
    empty_items: u64,
}

impl Projector {
    pub(crate) fn new(layout: Layout, fallback: Fallback, wanted: Wanted) -> Self {
        Self { layout, fallback, wanted, empty_items: 0 }
    }

    /// Reads the record at `cursor`, the container's `position`th, and appends its JSON.
    pub(crate) fn event<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        position: u64,
        out: &mut Vec<u8>,
    ) -> Result<Head<'a>, Malformed> {
        let before = cursor.remaining();
        let limit = out.len() + MAX_EVENT_BYTES;
        let mut walk = Walk {
            layout: &self.layout,
            empty_items: self.empty_items,
            out,
            limit,
            is_full: false,
            is_mended: false,
        };
        let (mut user_id, mut id, mut time) = (None, None, None);
        walk.out.extend_from_slice(b"{\"fields\":{");
        let start = walk.out.len();
        for (role, field) in &self.layout.fields {
            match role {
                Role::UserId => user_id = walk.text(cursor, field.node)?,
                Role::EventId => id = walk.text(cursor, field.node)?,
                Role::Time => time = walk.integer(cursor, field.node)?,
                Role::Hidden => walk.skip(cursor, field.node, MAX_DEPTH)?,
                Role::Properties => walk.properties(cursor, field)?,
                Role::Passed => walk.field(cursor, field, MAX_DEPTH)?,
                Role::CustomAttributes => {
                    let from = walk.out.len();
                    walk.properties(cursor, field)?;
                    keep_custom(&self.wanted, from, walk.out);
                }
            }
        }
        walk.close(start, b'}');
        let (is_full, is_mended) = (walk.is_full, walk.is_mended);
        self.empty_items = walk.empty_items;
        if cursor.remaining() == before {
            count_empty(&mut self.empty_items)?;
        }
        let id = id.filter(|id| !id.is_empty());
        let latest = self.fallback.time.saturating_add(MAX_AHEAD_SECS);
        let time = time.unwrap_or(self.fallback.time).min(latest);
        out.extend_from_slice(b",\"id\":");
        match id {
            Some(id) => json::write_text(event_id::kept(id).as_bytes(), out),
            None => json::write_text(self.fallback_id(position).as_bytes(), out),
        }
        out.extend_from_slice(b",\"time\":");
        json::write_integer(time, out);
        out.push(b'}');
        Ok(Head {
            user_id: user_id.unwrap_or_default(),
            id: id.unwrap_or_default(),
            time,
            is_too_large: is_full || out.len() > limit,
            is_mended,
        })
    }

    /// The id of the `position`th event where it has none itself.
    pub(crate) fn fallback_id(&self, position: u64) -> String {
        let id = format!("{}#{position}", self.fallback.key);
        event_id::kept(&id).into_owned()
    }
}

/// Leaves those of the custom attributes that are wanted, of a field and a comma that stand at
/// the end of `out` from `from` on; what is no object says nothing of any attribute.
fn keep_custom(wanted: &Wanted, from: usize, out: &mut Vec<u8>) {
    let written = out.split_off(from);
    let value = written.iter().position(|byte| *byte == b':').map(|colon| &written[colon + 1..]);
    let value = value.and_then(|value| value.strip_suffix(b","));
    let custom = value.and_then(|value| serde_json::from_slice::<Map<String, Value>>(value).ok());
    let Some(mut custom) = custom else { return };
    wanted.keep_custom(&mut custom);
    json::write_text(CUSTOM_ATTRIBUTES.as_bytes(), out);
    out.push(b':');
    out.extend_from_slice(Value::Object(custom).to_string().as_bytes());
    out.push(b',');
}
