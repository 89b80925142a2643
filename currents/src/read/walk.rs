//! One walk through a record: each value copied into JSON, or passed by.
//!
//! Nulls are dropped, as are floating-point numbers that JSON cannot hold (NaN,
//! infinities); inside an array they are `null`. Bytes and fixed become strings of
//! the code points 0 to 255, logical types what is beneath them.

use std::str;

use crate::read::cursor::{Cursor, Malformed};
use crate::read::json;
use crate::read::layout::{Field, Layout, Node, NodeId};

/// Deepest nesting of values.
pub const MAX_DEPTH: usize = 32;

/// Most items without a single byte (arrays of nulls, empty records) of a container:
/// a few bytes can claim any number of them.
pub const MAX_EMPTY_ITEMS: u64 = 1_000_000;

/// One walk through a record.
pub(crate) struct Walk<'p> {
    pub(crate) layout: &'p Layout,
    pub(crate) empty_items: u64,
    pub(crate) out: &'p mut Vec<u8>,
    /// Length of `out` that is not passed ...
    pub(crate) limit: usize,
    /// ... and whether it would have been: then nothing more is written.
    pub(crate) is_full: bool,
    /// Whether something in a text of JSON could not be read as it was written.
    pub(crate) is_mended: bool,
}

impl<'p> Walk<'p> {
    fn node(&self, id: NodeId) -> &'p Node {
        &self.layout.nodes[id]
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
    pub(crate) fn text<'a>(
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
    pub(crate) fn integer(
        &mut self,
        cursor: &mut Cursor<'_>,
        id: NodeId,
    ) -> Result<Option<i64>, Malformed> {
        let id = self.chosen(cursor, id)?;
        match self.node(id) {
            Node::Int => Ok(Some(cursor.int()?.into())),
            Node::Long => cursor.long().map(Some),
            _ => self.skip(cursor, id, MAX_DEPTH).map(|()| None),
        }
    }

    pub(crate) fn properties(
        &mut self,
        cursor: &mut Cursor<'_>,
        field: &Field,
    ) -> Result<(), Malformed> {
        let id = self.chosen(cursor, field.node)?;
        let Node::Text = self.node(id) else {
            return self.chosen_field(cursor, field, id, MAX_DEPTH);
        };
        let text = cursor.counted()?;
        if !self.is_full(text.len()) {
            field.name.write(self.out);
            self.is_mended |= json::write_embedded(text, self.out);
            self.out.push(b',');
        }
        Ok(())
    }

    /// Writes a field and a comma, or nothing if it is null.
    #[inline]
    pub(crate) fn field(
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
    pub(crate) fn skip(
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
    pub(crate) fn close(&mut self, start: usize, end: u8) {
        if self.out.len() > start && self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.out.push(end);
    }
}

fn deeper(levels: usize) -> Result<usize, Malformed> {
    levels.checked_sub(1).ok_or(Malformed::Depth)
}

pub(crate) fn count_empty(empty_items: &mut u64) -> Result<(), Malformed> {
    *empty_items += 1;
    (*empty_items <= MAX_EMPTY_ITEMS).then_some(()).ok_or(Malformed::Empty)
}
