//! Looks at a whole file before anything of it is written.
//!
//! Ids are unique: what was seen of them is kept as a hash of eight bytes with its line, so a
//! million take some 36 MiB. Hashes of two ids are equal once in many millions of such files;
//! such a file is refused, and goes through when it is tried again, for the hash has a new seed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::io::{self, Read};

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

use crate::fault::Faults;
use crate::file::{Format, MAX_COLUMNS, Rows};

/// Most items of a file: twice the million that it is built for, so that their hashes fit beside
/// everything else into the smallest function.
pub const MAX_ITEMS: usize = 2_000_000;

/// What a file that is in order holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Names of the columns.
    pub columns: BTreeSet<String>,
    /// Number of items.
    pub items: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It could not be read.
    #[error("file was not read")]
    Read(#[from] io::Error),
    /// Something in it is wrong.
    #[error("{0}")]
    Faulty(Faults),
}

/// Checks a file from its beginning to its end.
pub fn check(format: Format, file: impl Read) -> Result<Checked, CheckError> {
    let mut faults = Faults::default();
    let mut rows = Rows::begin(format, file, &mut faults)?;
    let mut checked = Checked { columns: BTreeSet::new(), items: 0, bytes: 0 };
    if let Rows::Csv(rows) = &rows {
        checked.columns.extend(rows.columns().iter().cloned());
    }
    let hash = foldhash::quality::RandomState::default();
    let mut seen: HashMap<u64, u32, FixedState> = HashMap::default();
    while let Some(row) = rows.next(&mut faults)? {
        match seen.entry(hash.hash_one(&row.id)) {
            Entry::Occupied(first) => {
                let line = first.get();
                let reason = format!("stands in line {line} already: ids are unique");
                faults.push(row.line, Some("id"), reason);
            }
            Entry::Vacant(place) => {
                place.insert(u32::try_from(row.line).unwrap_or(u32::MAX));
            }
        }
        if format == Format::JsonLines && checked.columns.len() <= MAX_COLUMNS {
            for name in row.item.keys() {
                if !checked.columns.contains(name) {
                    checked.columns.insert(name.clone());
                }
            }
            if checked.columns.len() > MAX_COLUMNS {
                let reason = format!("is the column after {MAX_COLUMNS}, all lines together");
                faults.push(row.line, None, reason);
            }
        }
        checked.items += 1;
        if checked.items > MAX_ITEMS as u64 {
            let reason = format!("is the item after {MAX_ITEMS}: make two catalogs of it");
            faults.push(row.line, None, reason);
            break;
        }
    }
    checked.bytes = rows.place().offset_bytes;
    if checked.items == 0 && faults.is_empty() {
        faults.push(1, None, "the file has no items: nothing would be left of the catalog");
    }
    if faults.is_empty() { Ok(checked) } else { Err(CheckError::Faulty(faults)) }
}
