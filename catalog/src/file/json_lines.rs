//! Files with one JSON object a line, for values that are more than texts.
//!
//! `id` is a text or a whole number. Values keep their types; null means that the item has no
//! such value, as in Braze, whose catalogs have no null.

use std::io::{self, BufRead as _, BufReader, Read};

use contract::catalog::{is_id, is_name};
use serde_json::Value;

use super::{
    ID, MAX_COLUMNS, MAX_ELEMENTS, MAX_NESTING, MAX_ROW_BYTES, NAME, Place, Row, is_too_large,
    too_large,
};
use crate::Item;
use crate::fault::Faults;

/// What Windows' programs begin a file of UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The rows of a file with one JSON object a line.
#[derive(Debug)]
pub struct JsonLinesRows<R: Read> {
    file: BufReader<R>,
    place: Place,
    line: Vec<u8>,
    has_ended: bool,
}

impl<R: Read> JsonLinesRows<R> {
    /// Reads `file`, which begins at `place`.
    pub(super) fn new(file: R, place: Place) -> Self {
        Self { file: BufReader::new(file), place, line: Vec::new(), has_ended: false }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn next(&mut self, faults: &mut Faults) -> io::Result<Option<Row>> {
        while !self.has_ended && !faults.is_full() {
            self.line.clear();
            let at = self.place.offset_bytes;
            let mut limited = self.file.by_ref().take(MAX_ROW_BYTES as u64);
            let n = limited.read_until(b'\n', &mut self.line)?;
            self.place.offset_bytes += n as u64;
            self.place.lines += u64::from(n > 0);
            if n == 0 {
                break;
            }
            if n == MAX_ROW_BYTES && !self.line.ends_with(b"\n") {
                let reason = format!(
                    "is longer than {} MiB: one object a line, and no list of them",
                    MAX_ROW_BYTES >> 20
                );
                faults.push(self.place.lines, None, reason);
                break;
            }
            let text = self.line.as_slice();
            let text =
                if at == 0 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
            let text = text.trim_ascii_end();
            if text.is_empty() {
                continue;
            }
            if let Some(row) = row(text, self.place.lines, faults) {
                self.place.items += 1;
                return Ok(Some(row));
            }
        }
        self.has_ended = true;
        Ok(None)
    }
}

fn row(text: &[u8], line: u64, faults: &mut Faults) -> Option<Row> {
    let item = match serde_json::from_slice(text) {
        Ok(Value::Object(item)) => item,
        Ok(_) => {
            faults.push(line, None, "is no object: write one {\"id\": ...} a line");
            return None;
        }
        Err(error) => {
            let reason = format!(
                "is no JSON from character {} on: write one {{\"id\": ...}} a line",
                error.column()
            );
            faults.push(line, None, reason);
            return None;
        }
    };
    let item: Item = item.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let before = faults.told().len();
    check(&item, line, faults);
    let id = match item.get("id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => Some(id.to_string()),
        Some(_) => None,
        None => {
            faults.push(line, Some("id"), "is not there: every item has an id");
            return None;
        }
    };
    let Some(id) = id.filter(|id| is_id(id)) else {
        faults.push(line, Some("id"), ID);
        return None;
    };
    if is_too_large(&item, text.len()) {
        faults.push(line, None, too_large());
    }
    (faults.told().len() == before).then_some(Row { id, item, line })
}

fn check(item: &Item, line: u64, faults: &mut Faults) {
    if item.len() > MAX_COLUMNS {
        let reason = format!("has {} columns: a catalog has {MAX_COLUMNS} at most", item.len());
        faults.push(line, None, reason);
    }
    for (name, value) in item {
        if !is_name(name) {
            faults.push(line, None, NAME);
        }
        if let Err(reason) = check_value(value, 0) {
            faults.push(line, is_name(name).then_some(name), reason);
        }
    }
}

fn check_value(value: &Value, depth: usize) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(format!("is nested more than {MAX_NESTING} times: make it flatter"));
    }
    match value {
        Value::Array(values) if values.len() > MAX_ELEMENTS => {
            Err(format!("has a list of {}: {MAX_ELEMENTS} is the most", values.len()))
        }
        Value::Array(values) => values.iter().try_for_each(|each| check_value(each, depth + 1)),
        Value::Object(map) => map.values().try_for_each(|each| check_value(each, depth + 1)),
        _ => Ok(()),
    }
}
