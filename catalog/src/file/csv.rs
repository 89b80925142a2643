//! CSV files as Braze takes and exports them.
//!
//! The first column is `id`. Values stay texts, as they stand there: `19.90` and `007` keep
//! their zeros. An empty cell means that the item has no such value.

use std::collections::BTreeSet;
use std::io::{self, Read};

use contract::catalog::{is_id, is_name};
use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::Value;

use super::limited::{Limit, Limited};
use super::{
    ID, MAX_COLUMNS, MAX_ROW_BYTES, MAX_VALUE_CHARS, NAME, Place, Row, is_too_large, too_large,
};
use crate::Item;
use crate::fault::Faults;

/// Bytes read ahead.
const AHEAD: usize = 64 * 1024;

/// The rows of a CSV file.
#[derive(Debug)]
pub struct CsvRows<R: Read> {
    reader: Reader<Limited<R>>,
    limit: Limit,
    columns: Vec<String>,
    /// Where the reader began.
    begun: Place,
    items: u64,
    record: ByteRecord,
    /// Line of the last row, if its last value has more than one line.
    open: Option<u64>,
    has_ended: bool,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header.
    pub(super) fn begin(file: R, faults: &mut Faults) -> io::Result<Self> {
        let mut rows = Self::new(file, Place::default(), Vec::new());
        match rows.read(faults)? {
            Some(line) => rows.columns = header(&rows.record, line, faults),
            None if faults.is_empty() => {
                faults.push(1, None, "the file is empty: its first line names the columns");
            }
            None => {}
        }
        rows.has_ended = !faults.is_empty();
        Ok(rows)
    }

    /// Goes on at `place` with `rest`.
    pub(super) fn resume(self, rest: R, place: Place) -> Self {
        let resumed = Self::new(rest, place, self.columns);
        resumed.limit.ends_lines_as(&self.limit);
        Self { has_ended: self.has_ended, ..resumed }
    }

    fn new(file: R, begun: Place, columns: Vec<String>) -> Self {
        let limit = Limit::default();
        // Rows of other lengths are faults, which are told with all others.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(AHEAD)
            .from_reader(limit.before(file));
        let (items, record) = (begun.items, ByteRecord::new());
        Self { reader, limit, columns, begun, items, record, open: None, has_ended: false }
    }

    /// Names of the columns, in their order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn place(&self) -> Place {
        let position = self.reader.position();
        Place {
            offset_bytes: self.begun.offset_bytes + position.byte(),
            lines: self.begun.lines + position.line() - 1,
            items: self.items,
        }
    }

    pub(super) fn next(&mut self, faults: &mut Faults) -> io::Result<Option<Row>> {
        while !self.has_ended && !faults.is_full() {
            let Some(line) = self.read(faults)? else { break };
            if let Some(row) = row(&self.record, &self.columns, line, faults) {
                self.items += 1;
                return Ok(Some(row));
            }
        }
        self.has_ended = true;
        Ok(None)
    }

    /// Reads the next record, and tells in which line it begins.
    fn read(&mut self, faults: &mut Faults) -> io::Result<Option<u64>> {
        let before = self.place().lines + 1;
        let allowed = self.reader.position().byte() + (MAX_ROW_BYTES + AHEAD) as u64;
        self.limit.allow(allowed);
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {
                let position = self.reader.position();
                let feeds = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count();
                let feeds = feeds as u64 + u64::from(self.limit.has_fed(position.byte()));
                let line = self.begun.lines + position.line().saturating_sub(feeds).max(1);
                let last = self.record.iter().next_back();
                self.open = last.filter(|value| value.contains(&b'\n')).map(|_| line);
                Ok(Some(line))
            }
            Ok(false) => {
                // A mark that is never closed makes one value of all rows behind it, and no
                // error.
                if let Some(line) = self.open.filter(|_| self.limit.quotes_are_odd()) {
                    // The last line feed is one of the value's, and ended no row.
                    let fed = self.limit.has_fed(self.reader.position().byte());
                    let line = line + u64::from(fed);
                    let reason = "a quotation mark is not closed up to the end of the file";
                    faults.push(line, None, reason);
                }
                Ok(None)
            }
            Err(_) if self.limit.was_exceeded() => {
                let reason = format!(
                    "is longer than {} MiB: most likely a quotation mark is not closed",
                    MAX_ROW_BYTES >> 20
                );
                faults.push(before, None, reason);
                self.has_ended = true;
                Ok(None)
            }
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(error) => error,
                other => io::Error::other(format!("{other:?}")),
            }),
        }
    }
}

fn header(record: &ByteRecord, line: u64, faults: &mut Faults) -> Vec<String> {
    let raw = record.as_slice();
    if raw.starts_with(&[0xFF, 0xFE]) || raw.starts_with(&[0xFE, 0xFF]) {
        faults.push(line, None, "the file is UTF-16: save it as CSV UTF-8");
        return Vec::new();
    }
    if raw.to_ascii_lowercase().starts_with(b"sep=") {
        let reason = "is for spreadsheets, and Braze takes none such: remove this line";
        faults.push(line, None, reason);
        return Vec::new();
    }
    if record.len() == 1 {
        let others = [(b';', "semicolons"), (b'\t', "tabs"), (b'|', "bars")];
        if let Some((_, what)) = others.iter().find(|(byte, _)| raw.contains(byte)) {
            let reason =
                format!("the columns are separated by {what}: Braze takes commas, as this");
            faults.push(line, None, reason);
            return Vec::new();
        }
    }
    if record.len() > MAX_COLUMNS {
        let reason = format!("has {} columns: a catalog has {MAX_COLUMNS} at most", record.len());
        faults.push(line, None, reason);
        return Vec::new();
    }
    if record.get(0) != Some(b"id") {
        let reason = "the first column must be called id, in small letters";
        faults.push(line, Some("1"), reason);
    }
    let mut seen = BTreeSet::new();
    let mut columns = Vec::with_capacity(record.len());
    for (n, name) in (1..).zip(record) {
        match std::str::from_utf8(name).ok().filter(|name| is_name(name)) {
            None => faults.push(line, Some(&n.to_string()), NAME),
            Some(name) if !seen.insert(name) => {
                faults.push(line, Some(name), "stands there twice: rename one of the two");
            }
            Some(name) => columns.push(name.to_owned()),
        }
    }
    columns
}

fn row(record: &ByteRecord, columns: &[String], line: u64, faults: &mut Faults) -> Option<Row> {
    if record.len() != columns.len() {
        let reason = format!(
            "has {} values, and the header {} columns: values with commas, quotation marks or \
             new lines stand between quotation marks",
            record.len(),
            columns.len()
        );
        faults.push(line, None, reason);
        return None;
    }
    let mut item = Item::new();
    let mut is_right = true;
    for (name, value) in columns.iter().zip(record) {
        let value = match std::str::from_utf8(value) {
            Ok(value) => value,
            Err(_) => {
                faults.push(line, Some(name), "is no UTF-8: save the file as CSV UTF-8");
                is_right = false;
                continue;
            }
        };
        if value.len() > MAX_VALUE_CHARS && value.chars().count() > MAX_VALUE_CHARS {
            let reason = format!("is longer than {MAX_VALUE_CHARS} characters: shorten it");
            faults.push(line, Some(name), reason);
            is_right = false;
        } else if !value.is_empty() {
            item.insert(name.clone(), Value::String(value.to_owned()));
        }
    }
    let id = match item.get("id").and_then(Value::as_str) {
        Some(id) if is_id(id) => id.to_owned(),
        Some(_) => {
            faults.push(line, Some("id"), ID);
            return None;
        }
        None => {
            // One that is no UTF-8 has been told already.
            if is_right {
                faults.push(line, Some("id"), "is empty: every item has an id");
            }
            return None;
        }
    };
    if is_too_large(&item, record.as_slice().len()) {
        faults.push(line, None, too_large());
        return None;
    }
    is_right.then_some(Row { id, item, line })
}
