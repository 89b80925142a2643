//! What makes a file no JSON, in words, with what would be right; and what is JSON and
//! nothing that anybody means: a name that stands twice in an object.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::folder::Found;
use crate::lines::line_at;

/// Curly quotes, which word processors write.
const CURLY: [char; 6] = ['“', '”', '„', '‘', '’', '‚'];

/// Values of other languages, and how JSON has them.
const ELSEWHERE: [(&str, &str); 7] = [
    ("True", "true"),
    ("False", "false"),
    ("None", "null"),
    ("undefined", "null"),
    ("NaN", "null"),
    ("Infinity", "null"),
    ("nil", "null"),
];

/// What the parser says where something else stands than it wants, and not within a text.
const OF_PLACES: [&str; 8] = [
    "expected `,`",
    "expected `:`",
    "expected ident",
    "expected value",
    "invalid number",
    "key must be",
    "trailing characters",
    "trailing comma",
];

/// What is wrong with a text that is no JSON object.
pub(crate) fn wrong(text: &str, error: &serde_json::Error) -> Found {
    let line = error.line().max(1);
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    if error.is_data() {
        let what = if text.trim_start().starts_with('[') { "a list" } else { "a value" };
        return (Some(line), format!("is {what}: write a JSON object, {{\"name\": value}}"));
    }
    if said.starts_with("control character") {
        // The parser has counted the line end already.
        let line = if error.column() == 0 { line - 1 } else { line };
        return (Some(line.max(1)), in_words(said));
    }
    let mut from = place(text, line, error.column());
    if said == "expected ident" {
        // The parser stops within a word.
        from = text[..from].trim_end_matches(char::is_alphanumeric).len();
    }
    if OF_PLACES.iter().any(|of_place| said.starts_with(of_place))
        && let Some((back, reason)) = of_place(text, from, said)
    {
        return (Some(line - back.min(line - 1)), reason);
    }
    (Some(line), in_words(said))
}

/// The place in a text that a line and a column name, both from 1.
fn place(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default()
}

/// What is wrong where the parser stopped, and how many lines before that it is.
fn of_place(text: &str, from: usize, said: &str) -> Option<(usize, String)> {
    let rest = &text[from..];
    let before = text[..from].trim_end();
    let lines_back = text[before.len()..from].matches('\n').count();
    let next = rest.chars().next();
    // The parser stops behind the first character of a comment.
    if rest.starts_with("//") || rest.starts_with("/*") || before.ends_with("//") {
        let reason = "JSON has no comments: remove it, or write a \"$comment\" into the schema";
        return Some((0, reason.to_owned()));
    }
    if matches!(next, Some('}' | ']')) && before.ends_with(',') {
        let reason = format!("has a comma in front of {}: remove it", next.unwrap_or('}'));
        return Some((lines_back, reason));
    }
    match next? {
        c if CURLY.contains(&c) => {
            Some((0, format!("has a curly quote {c}: write a straight one, \"")))
        }
        '\'' => Some((0, "has a single quote: write double ones, \"...\"".to_owned())),
        '.' | '+' => Some((0, "a number begins with a digit: write 0.5".to_owned())),
        c if c.is_alphabetic() || c == '_' => Some((0, bare_word(rest, said))),
        '"' if before.ends_with(['"', '}', ']', 'e', 'l'])
            || before.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            Some((lines_back, "has no comma behind this entry: write one".to_owned()))
        }
        _ => None,
    }
}

/// What is wrong with a word without quotes.
fn bare_word(rest: &str, said: &str) -> String {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let word = &rest[..end];
    match ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == word) {
        Some((_, right)) => format!("{word} is no value: write {right}"),
        None if said.starts_with("key must be") => {
            format!("a name stands in double quotes: write \"{word}\"")
        }
        None => format!("a text stands in double quotes: write \"{word}...\""),
    }
}

/// What the parser says, in words of its own.
fn in_words(said: &str) -> String {
    match said {
        said if said.starts_with("EOF while parsing a string") => {
            "ends within a text: a \" is missing".to_owned()
        }
        said if said.starts_with("EOF") => "ends too early: a } or ] is missing".to_owned(),
        "trailing characters" => "goes on behind its last }: remove what follows".to_owned(),
        "invalid escape" => "\\ begins an escape: write \\\\ for a backslash".to_owned(),
        said if said.starts_with("control character") => {
            "a text has a line end or a tab in it: write \\n or \\t".to_owned()
        }
        "expected `:`" => "a name has no : behind it: write \"name\": value".to_owned(),
        said => format!("is not a JSON object: {said}"),
    }
}

/// Names that stand twice in one object, each with the line of the later one; the parser keeps
/// that one and says nothing.
pub(crate) fn repeated(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    if let Ok(root) = serde_json::from_str::<&RawValue>(text) {
        find_repeated(text, root, &mut found);
    }
    found
}

fn find_repeated(text: &str, value: &RawValue, found: &mut Vec<Found>) {
    if value.get().starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        values.into_iter().for_each(|value| find_repeated(text, value, found));
    } else if let Ok(Entries(entries)) = serde_json::from_str(value.get()) {
        let mut names = BTreeSet::new();
        for (name, value) in &entries {
            if !names.insert(name.as_ref()) {
                let offset = value.get().as_ptr().addr() - text.as_ptr().addr();
                let reason = format!("\"{name}\" stands twice in one object: remove one");
                found.push((Some(line_at(text, offset)), reason));
            }
            find_repeated(text, value, found);
        }
    }
}

/// The entries of an object as they are written, also those whose name was there before.
struct Entries<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Deserialize<'t> for Entries<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'t> Visitor<'t> for All {
            type Value = Entries<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    entries.push((Cow::Owned(name), value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn told(text: &str) -> String {
        let error = serde_json::from_str::<Map<String, Value>>(text).expect_err(text);
        let (line, reason) = wrong(text, &error);
        format!("{}: {reason}", line.expect("has a line"))
    }

    #[test]
    fn what_is_no_json_is_told_with_its_line_and_what_would_be_right() {
        for (text, expected) in [
            ("{\n\"a\": 1, // why\n\"b\": 2 }", "2: JSON has no comments"),
            ("{\n// why\n\"a\": 1 }", "2: JSON has no comments"),
            ("{ \"a\": 1 /* why */ }", "1: JSON has no comments"),
            ("// why\n{}", "1: JSON has no comments"),
            ("{ \"a\": 1, }", "1: has a comma in front of }: remove it"),
            ("{ \"a\": 1,\n}", "1: has a comma in front of }: remove it"),
            ("{ \"a\": [1, 2,] }", "1: has a comma in front of ]: remove it"),
            ("{ “a”: 1 }", "1: has a curly quote “: write a straight one"),
            ("{ \"a\": “b” }", "1: has a curly quote “: write a straight one"),
            ("{ 'a': 1 }", "1: has a single quote: write double ones"),
            ("{ \"a\": 'b' }", "1: has a single quote: write double ones"),
            ("{ a: 1 }", "1: a name stands in double quotes: write \"a\""),
            ("{ \"a\": hello }", "1: a text stands in double quotes: write \"hello...\""),
            ("{ \"a\": True }", "1: True is no value: write true"),
            ("{ \"a\": None }", "1: None is no value: write null"),
            ("{ \"a\": nil }", "1: nil is no value: write null"),
            ("{} // why", "1: JSON has no comments"),
            ("{ \"a\": .5 }", "1: a number begins with a digit: write 0.5"),
            ("{ \"a\": 1\n\"b\": 2 }", "1: has no comma behind this entry: write one"),
            ("{ \"a\": \"b\"\n\n\"c\": 2 }", "1: has no comma behind this entry: write one"),
            ("{ \"a\": { \"b\": 1 }", "1: ends too early: a } or ] is missing"),
            ("{ \"a\": \"b }", "1: ends within a text: a \" is missing"),
            ("{ \"a\": \"b\nc\" }", "1: a text has a line end or a tab in it: write \\n or \\t"),
            ("{ \"a\": \"\\d\" }", "1: \\ begins an escape: write \\\\ for a backslash"),
            ("{ \"a\" 1 }", "1: a name has no : behind it: write \"name\": value"),
            ("{} {}", "1: goes on behind its last }: remove what follows"),
            ("[1]", "1: is a list: write a JSON object"),
            ("7", "1: is a value: write a JSON object"),
        ] {
            let told = told(text);
            assert!(told.starts_with(expected), "{text}: {told}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_in_an_object_is_told() {
        let text = "{\n\"a\": 1,\n\"b\": [{ \"c\": 1,\n\"c\": 2 }],\n\"a\": { \"a\": 1 }\n}";

        let told: Vec<String> =
            repeated(text).into_iter().map(|(line, reason)| format!("{line:?} {reason}")).collect();

        assert_eq!(
            told,
            [
                "Some(4) \"c\" stands twice in one object: remove one",
                "Some(5) \"a\" stands twice in one object: remove one",
            ]
        );
        assert_eq!(repeated("{ \"a\": { \"a\": [{ \"a\": 1 }, { \"a\": 1 }] } }"), []);
    }
}
