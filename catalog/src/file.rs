//! Files of catalogs, read row by row with bounded memory.
//!
//! - [`csv`] — as Braze takes and exports them: every value is a text, as it stands there.
//! - [`json_lines`] — one object a line: values keep their types, and can be lists and objects.
//!
//! Guarantees: a row that is read keeps all the limits below; whatever is wrong is told with its
//! line, and the rows behind it are looked at too. Memory is bounded by the largest row.

pub mod csv;
pub mod json_lines;
mod limited;

use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::csv::CsvRows;
use self::json_lines::JsonLinesRows;
use crate::Item;
use crate::fault::Faults;

/// Most columns of a catalog (Braze's limit).
pub const MAX_COLUMNS: usize = 1_000;

/// Longest value of a CSV file, in characters (Braze's limit).
pub const MAX_VALUE_CHARS: usize = 5_000;

/// Most elements of a list (Braze's limit).
pub const MAX_ELEMENTS: usize = 100;

/// Deepest lists and objects within each other: many more than a template walks.
pub const MAX_NESTING: usize = 16;

/// Largest item, as JSON: what one item of DynamoDB takes (400 KB) with room for its names.
pub const MAX_ITEM_BYTES: usize = 384 * 1024;

/// Largest row of a file: an item with every character escaped, and then some. So a quotation
/// mark without its partner does not take the rest of the file into memory.
pub const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    /// By the ending of a file's name: `.csv`, or `.jsonl`.
    pub fn of(name: &str) -> Option<Self> {
        let ending = Path::new(name).extension()?.to_str()?;
        if ending.eq_ignore_ascii_case("csv") {
            return Some(Self::Csv);
        }
        ending.eq_ignore_ascii_case("jsonl").then_some(Self::JsonLines)
    }
}

/// A place between two rows of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Bytes before it; zero is the beginning of the file.
    pub offset_bytes: u64,
    /// Lines before it.
    pub lines: u64,
    /// Items before it.
    pub items: u64,
}

/// One item of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its columns, `id` among them.
    pub item: Item,
    /// Line in which it begins, from 1.
    pub line: u64,
}

/// The rows of a file.
#[derive(Debug)]
pub enum Rows<R: Read> {
    /// Of comma-separated values.
    Csv(Box<CsvRows<R>>),
    /// Of JSON objects.
    JsonLines(JsonLinesRows<R>),
}

impl<R: Read> Rows<R> {
    /// Begins to read a file. What is wrong with its header is among `faults`, and there are no
    /// rows then.
    pub fn begin(format: Format, file: R, faults: &mut Faults) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(CsvRows::begin(file, faults)?)),
            Format::JsonLines => Self::JsonLines(JsonLinesRows::new(file, Place::default())),
        })
    }

    /// Goes on at `place` with `rest`, which begins there; `file` begins at its beginning, for
    /// the header.
    pub fn resume(
        format: Format,
        file: R,
        rest: R,
        place: Place,
        faults: &mut Faults,
    ) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(CsvRows::begin(file, faults)?.resume(rest, place))),
            Format::JsonLines => Self::JsonLines(JsonLinesRows::new(rest, place)),
        })
    }

    /// The next row that is in order; those that are not are among `faults`. None come after the
    /// last fault that is told.
    pub fn next(&mut self, faults: &mut Faults) -> io::Result<Option<Row>> {
        match self {
            Self::Csv(rows) => rows.next(faults),
            Self::JsonLines(rows) => rows.next(faults),
        }
    }

    /// The place behind the last row that was read.
    pub fn place(&self) -> Place {
        match self {
            Self::Csv(rows) => rows.place(),
            Self::JsonLines(rows) => rows.place(),
        }
    }
}

/// Whether an item is larger than the table takes.
fn is_too_large(item: &Item, row_bytes: usize) -> bool {
    // No byte of a row becomes more than six of JSON, and few rows are large.
    row_bytes > MAX_ITEM_BYTES / 16
        && serde_json::to_string(item).map_or(usize::MAX, |json| json.len()) > MAX_ITEM_BYTES
}

/// Says of an item that it is too large.
fn too_large() -> String {
    format!("is more than {} KiB as JSON: leave something out", MAX_ITEM_BYTES / 1024)
}

/// What an id must be.
const ID: &str = "an id has letters without accents, digits, \"-\" and \"_\" only, 250 at most: \
                  change it";

/// What a column's name must be.
const NAME: &str = "a column's name has letters without accents, digits, \"-\" and \"_\" only, \
                    250 at most: rename it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_ends_with() {
        assert_eq!(Format::of("catalogs/shows/all.csv"), Some(Format::Csv));
        assert_eq!(Format::of("ALL.CSV"), Some(Format::Csv));
        assert_eq!(Format::of("a.jsonl"), Some(Format::JsonLines));
        for other in ["a.json", "csv", "a.csv.gz", "a"] {
            assert_eq!(Format::of(other), None, "{other}");
        }
    }
}
