//! The users that a person names, in a file or on standard input: one Braze id a line, a
//! segment as Braze exports it (CSV), or what Braze's export API gives (JSON, one user a line).
//!
//! Guarantees: a line that names no user costs itself only and is told with its number; an
//! external id is never taken for a Braze id where the file says which it is. Every user comes
//! once, in the order of the file.

mod cells;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use cells::{Row, rows};
use serde_json::Value;

use crate::user_id::wrong_with;

/// Largest file of users: segments of some millions with all that Braze exports of a user.
const MAX_BYTES: u64 = 1 << 30;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Most lines that are told of.
const MAX_TOLD: usize = 10;

/// What Braze's files call the id that this system knows a user by.
const BRAZE_ID: [&str; 2] = ["braze_id", "appboy_id"];

/// What they call the id that somebody else gave the user.
const EXTERNAL_ID: [&str; 2] = ["external_id", "external_user_id"];

/// In Currents, and in tables made from it, the Braze id; in a segment's CSV, the external id.
const USER_ID: &str = "user_id";

/// Says that a file has no Braze ids.
const EXTERNAL_ONLY: &str = "holds external ids only, and content is kept by Braze id: export the \
                             segment with \"CSV Export User Data\", which has a column \"Braze \
                             ID\" (in that file user_id is the external id)";

/// Users of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Users {
    /// Their Braze ids, each once.
    pub(super) ids: Vec<String>,
    /// Lines that name no user, with what is wrong.
    pub(super) faults: Vec<Fault>,
    /// Lines that name somebody once more.
    pub(super) repeated: usize,
}

/// A line that names no user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its number, from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) what: &'static str,
}

/// Which cell of a row holds the Braze id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// The row is no heading: every row is an id.
    Absent,
    /// This one, by the heading.
    At(usize),
}

/// Reads the users of a file, and tells which lines name none.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<String>> {
    let is_piped = path.as_os_str() == STANDARD_INPUT;
    let name = if is_piped { "standard input".to_owned() } else { path.display().to_string() };
    let failed = || format!("cannot read {name}");
    let mut bytes = Vec::new();
    let read = match is_piped {
        true => std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)),
    };
    let read = read.with_context(failed)?;
    ensure!(read as u64 <= MAX_BYTES, "{name} is larger than {MAX_BYTES} bytes: split it");
    let users = parse(&bytes).with_context(|| name.clone())?;
    for Fault { line, what } in users.faults.iter().take(MAX_TOLD) {
        eprintln!("{name}:{line}: {what}: left out");
    }
    if users.faults.len() > MAX_TOLD {
        eprintln!("{name}: {} more lines name no user", users.faults.len() - MAX_TOLD);
    }
    if users.repeated > 0 {
        eprintln!("{name}: {} lines repeat a user, who is asked for once", users.repeated);
    }
    ensure!(!users.ids.is_empty(), "{name} names no user");
    Ok(users.ids)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Users> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x1f\x8b") {
        bail!("is packed: unpack it first");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        bail!("is UTF-16: save it as UTF-8");
    }
    let text = std::str::from_utf8(bytes).context("is not UTF-8")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['{', '[']) { of_json(text) } else { of_rows(text) }
}

/// Of one JSON object a line, or of a list of them.
fn of_json(text: &str) -> anyhow::Result<Users> {
    let mut users = Users::default();
    let mut seen = HashSet::new();
    let mut take = |line: usize, user: &Value| {
        let id = BRAZE_ID.iter().find_map(|name| user.get(name)?.as_str());
        match id {
            Some(id) => users.add(line, id, &mut seen),
            None => users.faults.push(Fault { line, what: "has no braze_id" }),
        }
    };
    // What Braze's users/export/ids answers.
    let export = serde_json::from_str::<Value>(text).ok();
    let export = export.and_then(|mut all| match all.get_mut("users").map(Value::take) {
        Some(Value::Array(users)) => Some(users),
        _ => None,
    });
    if let Some(users) = export {
        users.iter().enumerate().for_each(|(place, user)| take(place + 1, user));
    } else if text.trim_start().starts_with('[') {
        let list: Vec<Value> = serde_json::from_str(text).context("is no JSON list of users")?;
        list.iter().enumerate().for_each(|(place, user)| take(place + 1, user));
    } else {
        for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            // What is no JSON has no id.
            take(place + 1, &serde_json::from_str(line).unwrap_or_default());
        }
    }
    Ok(users)
}

fn of_rows(text: &str) -> anyhow::Result<Users> {
    let mut users = Users::default();
    let mut seen = HashSet::new();
    let mut rows = rows(text).filter(|row| row.cells.iter().any(|cell| !cell.trim().is_empty()));
    let Some(first) = rows.next() else { return Ok(users) };
    let head = Head::of(&first)?;
    let column = match head {
        Head::Absent => {
            users.add(first.line, &first.cells[0], &mut seen);
            0
        }
        Head::At(column) => column,
    };
    for row in rows {
        if row.is_open {
            let what = "opens a quote that nobody closes: everything from there on";
            users.faults.push(Fault { line: row.line, what });
            continue;
        }
        // Braze writes a segment into many files, which people put one behind the other.
        if head != Head::Absent && row.cells == first.cells {
            continue;
        }
        match row.cells.get(column) {
            Some(cell) => users.add(row.line, cell, &mut seen),
            None => users.faults.push(Fault { line: row.line, what: "has too few columns" }),
        }
    }
    Ok(users)
}

impl Users {
    fn add(&mut self, line: usize, cell: &str, seen: &mut HashSet<String>) {
        let id = cell.trim();
        match wrong_with(id) {
            Some(what) => self.faults.push(Fault { line, what }),
            None if seen.insert(id.to_owned()) => self.ids.push(id.to_owned()),
            None => self.repeated += 1,
        }
    }
}

impl Head {
    fn of(row: &Row) -> anyhow::Result<Self> {
        let names: Vec<String> = row
            .cells
            .iter()
            .map(|cell| cell.trim().to_ascii_lowercase().replace([' ', '-'], "_"))
            .collect();
        let at = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
        let (braze, external, user) = (at(&BRAZE_ID), at(&EXTERNAL_ID), at(&[USER_ID]));
        match (braze, user, external) {
            (Some(column), ..) => Ok(Self::At(column)),
            // Beside the external id, or alone, it is what Currents calls so.
            (None, Some(column), Some(_)) => Ok(Self::At(column)),
            (None, Some(column), None) if names.len() == 1 => Ok(Self::At(column)),
            (None, Some(_), None) | (None, None, Some(_)) => bail!(EXTERNAL_ONLY),
            (None, None, None) if names.len() == 1 => Ok(Self::Absent),
            (None, None, None) => bail!(
                "has {} columns and none is called braze_id: name the one with Braze's own ids so",
                names.len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::user_record::MAX_USER_ID_BYTES;

    use super::*;

    const ADA: &str = "5f0000000000000000000001";
    const BEA: &str = "5f0000000000000000000002";

    fn ids(text: &str) -> Vec<String> {
        parse(text.as_bytes()).expect("is a file of users").ids
    }

    fn fault(bytes: &[u8]) -> String {
        format!("{:#}", parse(bytes).expect_err("is refused"))
    }

    #[test]
    fn a_list_has_an_id_a_line_and_perhaps_a_heading() {
        for text in [
            format!("{ADA}\n{BEA}"),
            format!("user_id\r\n {ADA} \r\n\r\n{BEA}\r\n"),
            format!("\u{feff}Braze ID\n\"{ADA}\"\n{BEA}\n{ADA}\n"),
        ] {
            assert_eq!(ids(&text), [ADA, BEA], "{text}");
        }
    }

    #[test]
    fn a_segment_that_braze_exported_is_read_by_its_column_of_braze_ids() {
        // There user_id is the external id, and devices hold JSON with commas and lines.
        let export = format!(
            "user_id,email,devices,Braze ID,city\r\nada@shop,a@x,\"[{{\"\"model\"\":\"\"A,\n1\"\"}}]\",{ADA},\
             \"Bern, CH\"\r\n,,,{BEA},\r\n"
        );
        assert_eq!(ids(&export), [ADA, BEA]);
        let former = export.replace("Braze ID", "Appboy ID");
        assert_eq!(ids(&format!("{former}{former}")), [ADA, BEA], "one file behind the other");
        // As a spreadsheet saves it where numbers have a decimal comma.
        assert_eq!(ids(&format!("\u{feff}city;braze_id\r\nBern;{ADA}\r\n")), [ADA]);
        assert_eq!(ids(&format!("city\tbraze_id\nBern\t{ADA}\n")), [ADA]);
    }

    #[test]
    fn what_currents_calls_user_id_is_the_braze_id() {
        assert_eq!(ids(&format!("external_user_id,user_id\nada@shop,{ADA}\n")), [ADA]);
    }

    #[test]
    fn a_file_of_external_ids_is_refused() {
        for text in ["user_id,email\na,b\n", "external_id\na\n", "EXTERNAL_ID,x\na,b\n"] {
            assert!(fault(text.as_bytes()).starts_with("holds external ids only"), "{text}");
        }
        assert!(fault(b"a,b\nc,d\n").starts_with("has 2 columns and none is called braze_id"));
    }

    #[test]
    fn what_the_export_api_gives_is_read_by_its_field() {
        let lines = format!(
            "{{\"braze_id\":\"{ADA}\",\"external_id\":\"a\"}}\n{{\"external_id\":\"b\"}}\n\n{{cut"
        );
        let users = parse(lines.as_bytes()).expect("is a file of users");

        assert_eq!(users.ids, [ADA]);
        let numbers: Vec<usize> = users.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(numbers, [2, 4]);
        assert_eq!(ids(&format!("[{{\"braze_id\":\"{ADA}\"}}]")), [ADA]);
        let whole = format!("{{\"message\":\"success\",\n\"users\":[{{\"braze_id\":\"{ADA}\"}}]}}");
        assert_eq!(ids(&whole), [ADA]);
    }

    #[test]
    fn a_line_that_names_no_user_is_told_with_its_number_and_costs_itself_only() {
        let long = "x".repeat(MAX_USER_ID_BYTES + 1);
        let text = format!(
            "braze_id,city\n{ADA},\"B\nern\"\n{long},\n,Rom\n5.075E+23,\na b,\n{BEA},\"\n{BEA}"
        );
        let users = parse(text.as_bytes()).expect("is a file of users");

        assert_eq!(users.ids, [ADA]);
        let told: Vec<(usize, &str)> =
            users.faults.iter().map(|fault| (fault.line, fault.what)).collect();
        assert_eq!(
            told,
            [
                (4, "is longer than 128 bytes"),
                (5, "has no Braze id"),
                (6, "is a number that a spreadsheet rounded"),
                (7, "holds a blank"),
                (8, "opens a quote that nobody closes: everything from there on"),
            ]
        );
    }

    #[test]
    fn what_is_packed_or_of_another_encoding_is_said() {
        assert_eq!(fault(b"PK\x03\x04rest"), "is packed: unpack it first");
        assert_eq!(fault(b"\xff\xfeu\0"), "is UTF-16: save it as UTF-8");
        assert!(fault(b"caf\xe9").starts_with("is not UTF-8"));
        assert_eq!(parse(b"").expect("is empty"), Users::default());
    }
}
