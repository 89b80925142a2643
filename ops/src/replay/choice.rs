//! Which files are let be read again, and what they come to.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::outcome::moment;

/// How the folder of an event type begins in the keys of Currents.
const TYPE_FOLDER: &str = "event_type=";

/// A file in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) key: String,
    pub(super) bytes: u64,
    /// When it came.
    pub(super) at: OffsetDateTime,
    /// Whether it must be restored before anybody can read it.
    pub(super) is_archived: bool,
}

impl File {
    /// The event type of its folder; what lies in none, such as the files of catalogs, is no file
    /// of Currents.
    fn event_type(&self) -> Option<&str> {
        self.key.split('/').find_map(|folder| folder.strip_prefix(TYPE_FOLDER))
    }
}

/// Which files are wanted.
#[derive(Debug)]
pub(super) struct Choice {
    /// Those that came then or later, in UNIX seconds ...
    pub(super) from: i64,
    /// ... and before this.
    pub(super) to: i64,
    /// Of these event types; of all where none is named.
    pub(super) types: Vec<String>,
}

impl Choice {
    /// Whether a file is wanted.
    pub(super) fn takes(&self, file: &File) -> bool {
        self.is_of(file) && !file.is_archived
    }

    /// Whether a file is of the time and of a type that are wanted.
    fn is_of(&self, file: &File) -> bool {
        let is_wanted = |event_type: &str| {
            self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type)
        };
        (self.from..self.to).contains(&file.at.unix_timestamp())
            && file.event_type().is_some_and(is_wanted)
    }
}

/// What the wanted files come to.
#[derive(Debug)]
pub(super) struct Survey<'c> {
    choice: &'c Choice,
    looked_at: u64,
    archived: u64,
    by_type: BTreeMap<String, Sum>,
    /// Times of the first and the last of them, in UNIX seconds.
    span: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Sum {
    files: u64,
    bytes: u64,
}

impl<'c> Survey<'c> {
    pub(super) fn new(choice: &'c Choice) -> Self {
        // A type of which there is nothing is told too: it may be mistyped.
        let by_type = choice.types.iter().map(|wanted| (wanted.clone(), Sum::default()));
        Self { choice, looked_at: 0, archived: 0, by_type: by_type.collect(), span: None }
    }

    pub(super) fn take(&mut self, file: &File) {
        self.looked_at += 1;
        self.archived += u64::from(file.is_archived && self.choice.is_of(file));
        let wanted = file.event_type().filter(|_| self.choice.takes(file));
        let Some(event_type) = wanted else { return };
        let sum = self.by_type.entry(event_type.to_owned()).or_default();
        sum.files += 1;
        sum.bytes += file.bytes;
        let at = file.at.unix_timestamp();
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Files that were looked at, wanted or not.
    pub(super) fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The same for a program.
    pub(super) fn to_json(&self) -> Value {
        let span = self.span.map(|(first, last)| [moment(first), moment(last)]);
        json!({ "looked_at": self.looked_at, "archived": self.archived, "by_type": self.by_type, "came": span })
    }

    /// Whether no file is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.span.is_none()
    }
}

impl fmt::Display for Survey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.by_type.values().fold(Sum::default(), |all, sum| Sum {
            files: all.files + sum.files,
            bytes: all.bytes + sum.bytes,
        });
        write!(f, "Of {} files {} are wanted: {} bytes", self.looked_at, all.files, all.bytes)?;
        if let Some((first, last)) = self.span {
            write!(f, ", that came from {} to {}", moment(first), moment(last))?;
        }
        write!(f, ".")?;
        if self.archived > 0 {
            write!(f, "\n  {} more are archived: restore them in S3 first", self.archived)?;
        }
        for (event_type, Sum { files, bytes }) in &self.by_type {
            write!(f, "\n  {event_type}: {files} files, {bytes} bytes")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, at: i64) -> File {
        let at = OffsetDateTime::from_unix_timestamp(at).expect("is a time");
        File { key: key.to_owned(), bytes: 10, at, is_archived: false }
    }

    #[test]
    fn files_are_chosen_by_when_they_came_and_by_the_folder_of_their_type() {
        let types = vec!["users.behaviors.CustomEvent".to_owned()];
        let choice = Choice { from: 100, to: 200, types };
        let custom = "x/event_type=users.behaviors.CustomEvent/date=1/f.avro";

        assert!(choice.takes(&file(custom, 100)) && choice.takes(&file(custom, 199)));
        assert!(!choice.takes(&file(custom, 99)) && !choice.takes(&file(custom, 200)));
        for other in [
            "x/event_type=users.behaviors.CustomEventOfAnother/f.avro",
            "x/event_type=users.behaviors.Purchase/f.avro",
            "x/users.behaviors.CustomEvent/f.avro",
        ] {
            assert!(!choice.takes(&file(other, 150)), "{other}");
        }
        let archived = File { is_archived: true, ..file(custom, 150) };
        assert!(!choice.takes(&archived));
        let mut survey = Survey::new(&choice);
        survey.take(&archived);
        assert!(survey.is_empty() && survey.to_string().contains("1 more are archived: restore"));
        let all = Choice { types: Vec::new(), ..choice };
        assert!(all.takes(&file("event_type=any.Type/f.avro", 150)));
        assert!(!all.takes(&file("catalogs/shows/shows.csv", 150)), "is none of Currents");
    }

    #[test]
    fn a_survey_tells_of_each_type_and_of_those_without_files() {
        let types = ["a.A", "a.B"].map(str::to_owned).to_vec();
        let choice = Choice { from: 0, to: 1_800_000_000, types };
        let mut survey = Survey::new(&choice);
        assert!(survey.is_empty());
        for (key, at) in [("event_type=a.A/2", 1_795_564_900), ("event_type=a.A/1", 1_795_564_800)]
        {
            survey.take(&file(key, at));
        }
        survey.take(&file("event_type=a.C/1", 1));

        assert!(!survey.is_empty());
        assert_eq!(
            survey.to_string(),
            "Of 3 files 2 are wanted: 20 bytes, that came from 2026-11-25T00:00:00Z to \
             2026-11-25T00:01:40Z.\n  a.A: 2 files, 20 bytes\n  a.B: 0 files, 0 bytes"
        );
    }
}
