//! One record of a container as one event in JSON, copied without a value in between.
//!
//! Nulls are dropped, as are floating-point numbers that JSON cannot hold (NaN,
//! infinities); inside an array they are `null`. Bytes and fixed become strings of
//! the code points 0 to 255, logical types what is beneath them.
//!
//! Guarantees: what is written is an [`Event`](contract::user_record::Event), an event
//! takes bounded memory whatever its bytes say, and hidden fields are never copied.

use std::str;

use crate::cursor::{Cursor, Malformed};
use crate::json;
use crate::plan::{Field, Node, NodeId, Plan, Role};

/// Largest event, in bytes of JSON. Braze exports none above 900 KB, and a stream
/// record, which must hold at least one, takes 1 MiB.
pub const MAX_EVENT_BYTES: usize = 1_000_000;

/// Longest event id that is kept, in bytes; Currents' are UUIDs.
pub(crate) const MAX_EVENT_ID_BYTES: usize = 128;

/// How far ahead of its upload an event may lie, in seconds. A device's clock can be
/// years ahead, and such an event would beat every later one until its content expires.
pub const MAX_AHEAD_SECS: i64 = 3_600;

/// Deepest nesting of values.
pub const MAX_DEPTH: usize = 32;

/// Most items without a single byte (arrays of nulls, empty records) of a container:
/// a few bytes can claim any number of them.
pub const MAX_EMPTY_ITEMS: u64 = 1_000_000;

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
}

/// Writes events.
pub(crate) struct Projector {
    pub(crate) plan: Plan,
    fallback: Fallback,
    empty_items: u64,
}

impl Projector {
    pub(crate) fn new(plan: Plan, fallback: Fallback) -> Self {
        Self { plan, fallback, empty_items: 0 }
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
        let mut walk =
            Walk { plan: &self.plan, empty_items: self.empty_items, out, limit, is_full: false };
        let (mut user_id, mut id, mut time) = (None, None, None);
        walk.out.extend_from_slice(b"{\"fields\":{");
        let start = walk.out.len();
        for (role, field) in &self.plan.fields {
            match role {
                Role::UserId => user_id = walk.text(cursor, field.node)?,
                Role::EventId => id = walk.text(cursor, field.node)?,
                Role::Time => time = walk.integer(cursor, field.node)?,
                Role::Hidden => walk.skip(cursor, field.node, MAX_DEPTH)?,
                Role::Properties => walk.properties(cursor, field)?,
                Role::Passed => walk.field(cursor, field, MAX_DEPTH)?,
            }
        }
        walk.close(start, b'}');
        let is_full = walk.is_full;
        self.empty_items = walk.empty_items;
        if cursor.remaining() == before {
            count_empty(&mut self.empty_items)?;
        }
        let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_EVENT_ID_BYTES);
        let latest = self.fallback.time.saturating_add(MAX_AHEAD_SECS);
        let time = time.unwrap_or(self.fallback.time).min(latest);
        out.extend_from_slice(b",\"id\":");
        match id {
            Some(id) => json::write_text(id.as_bytes(), out),
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
        })
    }

    /// The id of the `position`th event where it has none itself.
    pub(crate) fn fallback_id(&self, position: u64) -> String {
        format!("{}#{position}", self.fallback.key)
    }
}

/// One walk through a record.
struct Walk<'p> {
    plan: &'p Plan,
    empty_items: u64,
    out: &'p mut Vec<u8>,
    /// Length of `out` that is not passed ...
    limit: usize,
    /// ... and whether it would have been: then nothing more is written.
    is_full: bool,
}

impl<'p> Walk<'p> {
    fn node(&self, id: NodeId) -> &'p Node {
        &self.plan.nodes[id]
    }

    /// Passes unions and returns the type that the value has.
    #[inline]
    fn chosen(&self, cursor: &mut Cursor<'_>, mut id: NodeId) -> Result<NodeId, Malformed> {
        // A union holds no union directly, so this ends.
        while let Node::Union(branches) = self.node(id) {
            id = branches[cursor.choice(branches.len())?];
        }
        Ok(id)
    }

    /// Reads a string; `None` for anything else, and for what is not UTF-8.
    fn text<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        id: NodeId,
    ) -> Result<Option<&'a str>, Malformed> {
        let id = self.chosen(cursor, id)?;
        match self.node(id) {
            Node::Text => Ok(str::from_utf8(cursor.counted()?).ok()),
            _ => self.skip(cursor, id, MAX_DEPTH).map(|()| None),
        }
    }

    /// Reads an integer; `None` for anything else.
    fn integer(&mut self, cursor: &mut Cursor<'_>, id: NodeId) -> Result<Option<i64>, Malformed> {
        let id = self.chosen(cursor, id)?;
        match self.node(id) {
            Node::Int => Ok(Some(cursor.int()?.into())),
            Node::Long => cursor.long().map(Some),
            _ => self.skip(cursor, id, MAX_DEPTH).map(|()| None),
        }
    }

    fn properties(&mut self, cursor: &mut Cursor<'_>, field: &Field) -> Result<(), Malformed> {
        let id = self.chosen(cursor, field.node)?;
        let Node::Text = self.node(id) else {
            return self.chosen_field(cursor, field, id, MAX_DEPTH);
        };
        let text = cursor.counted()?;
        if !self.is_full(text.len()) {
            field.name.write(self.out);
            json::write_embedded(text, self.out);
            self.out.push(b',');
        }
        Ok(())
    }

    /// Writes a field and a comma, or nothing if it is null.
    #[inline]
    fn field(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: &Field,
        levels: usize,
    ) -> Result<(), Malformed> {
        let id = self.chosen(cursor, field.node)?;
        self.chosen_field(cursor, field, id, levels)
    }

    #[inline]
    fn chosen_field(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: &Field,
        id: NodeId,
        levels: usize,
    ) -> Result<(), Malformed> {
        if matches!(self.node(id), Node::Null) {
            return Ok(());
        }
        let start = self.out.len();
        field.name.write(self.out);
        if self.value(cursor, id, levels)? {
            self.out.push(b',');
        } else {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// Writes a value; `false` if JSON has none for it.
    fn value(
        &mut self,
        cursor: &mut Cursor<'_>,
        id: NodeId,
        levels: usize,
    ) -> Result<bool, Malformed> {
        let id = self.chosen(cursor, id)?;
        if self.is_full(0) {
            self.skip(cursor, id, levels)?;
            return Ok(false);
        }
        match self.node(id) {
            Node::Null | Node::Union(_) => return Ok(false),
            Node::Boolean => {
                let text: &[u8] = if cursor.boolean()? { b"true" } else { b"false" };
                self.out.extend_from_slice(text);
            }
            Node::Int => json::write_integer(cursor.int()?.into(), self.out),
            Node::Long => json::write_integer(cursor.long()?, self.out),
            Node::Float => {
                return Ok(json::write_float(f32::from_le_bytes(cursor.array()?), self.out));
            }
            Node::Double => {
                return Ok(json::write_float(f64::from_le_bytes(cursor.array()?), self.out));
            }
            Node::Text => {
                let text = cursor.counted()?;
                if self.is_full(text.len()) {
                    return Ok(false);
                }
                json::write_text(text, self.out);
            }
            Node::Bytes => {
                let bytes = cursor.counted()?;
                return Ok(self.bytes(bytes));
            }
            Node::Fixed(length) => {
                let bytes = cursor.bytes(*length)?;
                return Ok(self.bytes(bytes));
            }
            Node::Enum(symbols) => {
                self.out.extend_from_slice(&symbols[cursor.choice(symbols.len())?]);
            }
            Node::Array(item) => self.array(cursor, *item, deeper(levels)?)?,
            Node::Map(value) => self.map(cursor, *value, deeper(levels)?)?,
            Node::Record(fields) => {
                let levels = deeper(levels)?;
                self.out.push(b'{');
                let start = self.out.len();
                for field in fields {
                    self.field(cursor, field, levels)?;
                }
                self.close(start, b'}');
            }
        }
        Ok(true)
    }

    fn bytes(&mut self, bytes: &[u8]) -> bool {
        let fits = !self.is_full(bytes.len());
        if fits {
            json::write_bytes(bytes, self.out);
        }
        fits
    }

    fn array(
        &mut self,
        cursor: &mut Cursor<'_>,
        item: NodeId,
        levels: usize,
    ) -> Result<(), Malformed> {
        self.out.push(b'[');
        let start = self.out.len();
        self.items(cursor, |walk, cursor| {
            let is_written = walk.value(cursor, item, levels)?;
            if !walk.is_full(0) {
                walk.out.extend_from_slice(if is_written { b"," } else { b"null," });
            }
            Ok(())
        })?;
        self.close(start, b']');
        Ok(())
    }

    fn map(
        &mut self,
        cursor: &mut Cursor<'_>,
        value: NodeId,
        levels: usize,
    ) -> Result<(), Malformed> {
        self.out.push(b'{');
        let start = self.out.len();
        self.items(cursor, |walk, cursor| {
            let name = cursor.counted()?;
            let before = walk.out.len();
            if walk.is_full(name.len()) {
                return walk.skip(cursor, value, levels);
            }
            json::write_text(name, walk.out);
            walk.out.push(b':');
            if walk.value(cursor, value, levels)? {
                walk.out.push(b',');
            } else {
                walk.out.truncate(before);
            }
            Ok(())
        })?;
        self.close(start, b'}');
        Ok(())
    }

    /// Calls `item` for each item of an array or a map.
    fn items<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        mut item: impl FnMut(&mut Self, &mut Cursor<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        loop {
            let count = cursor.items()?;
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                let before = cursor.remaining();
                item(self, cursor)?;
                if cursor.remaining() == before {
                    count_empty(&mut self.empty_items)?;
                }
            }
        }
    }

    /// Passes a value without copying anything of it.
    fn skip(
        &mut self,
        cursor: &mut Cursor<'_>,
        id: NodeId,
        levels: usize,
    ) -> Result<(), Malformed> {
        let id = self.chosen(cursor, id)?;
        match self.node(id) {
            Node::Null | Node::Union(_) => Ok(()),
            Node::Boolean => cursor.boolean().map(drop),
            Node::Int => cursor.int().map(drop),
            Node::Long => cursor.long().map(drop),
            Node::Float => cursor.bytes(4).map(drop),
            Node::Double => cursor.bytes(8).map(drop),
            Node::Text | Node::Bytes => cursor.counted().map(drop),
            Node::Fixed(length) => cursor.bytes(*length).map(drop),
            Node::Enum(symbols) => cursor.choice(symbols.len()).map(drop),
            Node::Array(item) => {
                let levels = deeper(levels)?;
                self.items(cursor, |walk, cursor| walk.skip(cursor, *item, levels))
            }
            Node::Map(value) => {
                let levels = deeper(levels)?;
                self.items(cursor, |walk, cursor| {
                    cursor.counted()?;
                    walk.skip(cursor, *value, levels)
                })
            }
            Node::Record(fields) => {
                let levels = deeper(levels)?;
                fields.iter().try_for_each(|field| self.skip(cursor, field.node, levels))
            }
        }
    }

    /// Tells whether the event has no room for `more` bytes, now or earlier.
    #[inline]
    fn is_full(&mut self, more: usize) -> bool {
        self.is_full |= self.out.len() + more > self.limit;
        self.is_full
    }

    /// Ends an object or an array that began at `start`, with a comma after each item.
    fn close(&mut self, start: usize, end: u8) {
        if self.out.len() > start && self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.out.push(end);
    }
}

fn deeper(levels: usize) -> Result<usize, Malformed> {
    levels.checked_sub(1).ok_or(Malformed::Depth)
}

fn count_empty(empty_items: &mut u64) -> Result<(), Malformed> {
    *empty_items += 1;
    (*empty_items <= MAX_EMPTY_ITEMS).then_some(()).ok_or(Malformed::Empty)
}
