//! Who was deleted, and when: a file that outlives the table.
//!
//! The tombstones themselves are the list: every deletion that was done has one, whoever asked
//! for it and by whatever door, for as long as it has to hold. A list of those that were sent
//! would lack Braze's own. It is written beside its place and moved there when it is whole, and
//! nobody but its owner may read it.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use contract::user_record::is_user_id;
use serde_json::json;
use tokio::time::{Duration, Instant, sleep_until};

use super::deletion::Deletion;
use super::writing;
use crate::output::{answer, say};
use crate::progress::Progress;

/// Shortest time from one page of the table to the next: a page is a megabyte, and somebody
/// else needs the table meanwhile.
const PAGE_INTERVAL: Duration = Duration::from_millis(100);

/// Who may read the file: its owner.
const MODE: u32 = 0o600;

/// Writes everybody whom the content table has a tombstone of.
pub(super) async fn write(client: &Client, table: &str, file: &Path) -> anyhow::Result<ExitCode> {
    // One that was taken before a restore has those whom this one would lack.
    ensure!(!file.exists(), "{} exists: name another, and keep both", file.display());
    let unfinished = unfinished(file);
    let failed = || writing(&unfinished);
    let mut options = OpenOptions::new();
    let open = options.write(true).create(true).truncate(true).mode(MODE).open(&unfinished);
    let open = open.with_context(failed)?;
    // One that was left there may be open to others.
    open.set_permissions(fs::Permissions::from_mode(MODE)).with_context(failed)?;
    let mut lines = BufWriter::new(open);
    let (listed, unreadable) = scan(client, table, &mut lines).await?;
    let open = lines.into_inner().map_err(std::io::IntoInnerError::into_error);
    open.and_then(|open| open.sync_all()).with_context(failed)?;
    fs::rename(&unfinished, file).with_context(|| writing(file))?;
    say(format_args!(
        "{} lists {listed} deletions with users' ids: keep it beside the backups, and from others.",
        file.display()
    ));
    answer(json!({ "done": unreadable == 0, "listed": listed, "left_out": unreadable }));
    if unreadable > 0 {
        say(format_args!("{unreadable} more have no time that can be read, and are left out."));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the tombstones of the whole table; says how many, and how many cannot be read.
async fn scan(client: &Client, table: &str, lines: &mut impl Write) -> anyhow::Result<(u64, u64)> {
    let (mut listed, mut unreadable, mut progress) = (0, 0, Progress::default());
    let mut pages = client
        .scan()
        .table_name(table)
        .filter_expression("#item = :tombstone")
        .projection_expression("#user, #at")
        .expression_attribute_names("#item", content::ITEM)
        .expression_attribute_names("#user", content::USER_ID)
        .expression_attribute_names("#at", content::DELETED_AT)
        .expression_attribute_values(":tombstone", AttributeValue::S(content::TOMBSTONE.to_owned()))
        .into_paginator()
        .send();
    let mut next = Instant::now();
    loop {
        sleep_until(next).await;
        next = Instant::now() + PAGE_INTERVAL;
        let Some(page) = pages.next().await else { return Ok((listed, unreadable)) };
        for item in page.context("reading the content table")?.items() {
            let user_id = item.get(content::USER_ID).and_then(|id| id.as_s().ok());
            let at = item.get(content::DELETED_AT).and_then(|at| at.as_n().ok()?.parse().ok());
            let Some((user_id, at)) = user_id.zip(at) else {
                unreadable += 1;
                continue;
            };
            let line = serde_json::to_string(&Deletion { user_id: user_id.clone(), at })?;
            writeln!(lines, "{line}").context("writing the list")?;
            listed += 1;
        }
        progress.tell("deletions found:", listed);
    }
}

/// Reads a list; a line that is none of it refuses all, because a deletion must not be missed.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Deletion>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(
        text.is_empty() || text.ends_with('\n'),
        "{} is cut: its last line has no end",
        file.display()
    );
    let lines = text.lines().enumerate();
    let deletions = lines.map(|(n, line)| match serde_json::from_str::<Deletion>(line) {
        Ok(deletion) if is_user_id(&deletion.user_id) => Ok(deletion),
        _ => bail!("{}:{}: is no line of a list of deletions", file.display(), n + 1),
    });
    deletions.collect()
}

/// Where a list is written until it is whole.
fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_not_whole_is_refused_by_line() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("deletions.jsonl");
        let read = |text: &str| {
            fs::write(&file, text).expect("is written");
            read(&file)
        };
        let line = "{\"user_id\":\"a \\\"b\\\"\",\"deleted_at\":7}\n";

        let user_id = "a \"b\"".to_owned();
        assert_eq!(read(line).expect("is whole"), [Deletion { user_id, at: 7 }]);
        assert_eq!(read("").expect("is whole"), []);
        for (text, expected) in [
            (line.trim_end().to_owned(), "is cut"),
            (format!("{line}{{}}\n"), "deletions.jsonl:2: is no line"),
            (format!("{line}\n{line}"), "deletions.jsonl:2: is no line"),
            (line.replace("a ", &"x".repeat(200)), "deletions.jsonl:1: is no line"),
        ] {
            let told = format!("{:#}", read(&text).expect_err("is refused"));
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_list_is_written_beside_its_place() {
        assert_eq!(unfinished(Path::new("a/b.jsonl")), Path::new("a/b.jsonl.unfinished"));
    }
}
