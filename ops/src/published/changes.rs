//! What differs between two versions, in lines that a person reads before saying yes.

use std::collections::BTreeSet;
use std::fmt;

use registry::files::Files;
use serde::Serialize;

/// Lines of a file that are shown at most: who changed more reads the files.
const MAX_LINES: usize = 40;

/// What differs, by the file.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Changes(Vec<Change>);

/// What became of a file.
#[derive(Debug, Serialize)]
struct Change {
    path: String,
    what: What,
    /// Lines that differ, as `diff` shows them.
    #[serde(skip_serializing_if = "String::is_empty")]
    lines: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    New,
    Gone,
    Changed,
}

impl Changes {
    /// What differs, file by file.
    pub(super) fn between(before: &Files, after: &Files) -> Self {
        let paths: BTreeSet<&str> =
            before.texts().chain(after.texts()).map(|(path, _)| path).collect();
        let changes = paths.into_iter().filter_map(|path| {
            let (what, lines) = match (before.text(path), after.text(path)) {
                (None, _) => (What::New, String::new()),
                (_, None) => (What::Gone, String::new()),
                (Some(old), Some(new)) if old != new => (What::Changed, lines(old, new)),
                _ => return None,
            };
            Some(Change { path: path.to_owned(), what, lines })
        });
        Self(changes.collect())
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("  nothing differs");
        }
        for (n, Change { path, what, lines }) in self.0.iter().enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            match what {
                What::New => write!(f, "{end}  {path} is new")?,
                What::Gone => write!(f, "{end}  {path} is gone")?,
                What::Changed => write!(f, "{end}  {path}\n{lines}")?,
            }
        }
        Ok(())
    }
}

/// The lines between what is the same at the beginning and what is the same at the end.
fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let gone = old.iter().enumerate().map(|(n, line)| format!("    {} - {line}", same + n + 1));
    let come = new.iter().enumerate().map(|(n, line)| format!("    {} + {line}", same + n + 1));
    let mut all: Vec<String> = gone.chain(come).collect();
    let more = all.len().saturating_sub(MAX_LINES);
    if more > 0 {
        all.truncate(MAX_LINES);
        all.push(format!("    ... and {more} lines more"));
    }
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: &Files, after: &Files) -> String {
        Changes::between(before, after).to_string()
    }

    fn files(texts: &[(&str, &str)]) -> Files {
        let json: serde_json::Map<_, _> =
            texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())).collect();
        Files::from_json(serde_json::Value::Object(json).to_string().as_bytes()).expect("are files")
    }

    #[test]
    fn what_differs_is_told_by_file_and_line() {
        let before =
            files(&[("a/campaign.toml", "x = 1\nttl = 2\nz = 3"), ("b/prompt.liquid", "b")]);
        let after =
            files(&[("a/campaign.toml", "x = 1\nttl = 9\nz = 3"), ("c/prompt.liquid", "c")]);

        let told = changes(&before, &after);

        assert_eq!(
            told,
            "  a/campaign.toml\n    2 - ttl = 2\n    2 + ttl = 9\n  b/prompt.liquid is gone\n  \
             c/prompt.liquid is new"
        );
        assert_eq!(changes(&after, &after), "  nothing differs");
    }

    #[test]
    fn a_line_that_comes_or_goes_at_the_end_is_told() {
        let (one, two) = (files(&[("a/x.json", "1")]), files(&[("a/x.json", "1\n2")]));

        assert_eq!(changes(&one, &two), "  a/x.json\n    2 + 2");
        assert_eq!(changes(&two, &one), "  a/x.json\n    2 - 2");
    }

    #[test]
    fn a_file_that_changed_altogether_is_cut() {
        let long = |word: &str| (0..100).map(|n| format!("{word}{n}\n")).collect::<String>();

        let told =
            changes(&files(&[("a/x.json", &long("a"))]), &files(&[("a/x.json", &long("b"))]));

        assert_eq!(told.lines().count(), 1 + MAX_LINES + 1);
        assert!(told.ends_with("... and 160 lines more"), "{told}");
    }
}
