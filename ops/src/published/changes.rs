//! What differs between two versions, in lines that a person reads before saying yes.

use std::collections::BTreeSet;

use registry::files::Files;

/// Lines of a file that are shown at most: who changed more reads the files.
const MAX_LINES: usize = 40;

/// What differs, file by file.
pub(super) fn changes(before: &Files, after: &Files) -> String {
    let paths: BTreeSet<&str> = before.texts().chain(after.texts()).map(|(path, _)| path).collect();
    let told: Vec<String> = paths
        .into_iter()
        .filter_map(|path| match (before.text(path), after.text(path)) {
            (None, _) => Some(format!("  {path} is new")),
            (_, None) => Some(format!("  {path} is gone")),
            (Some(old), Some(new)) if old != new => Some(format!("  {path}\n{}", lines(old, new))),
            _ => None,
        })
        .collect();
    if told.is_empty() { "  nothing differs".to_owned() } else { told.join("\n") }
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
