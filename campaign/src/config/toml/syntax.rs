//! What makes a file no TOML, in words, with what would be right: the parser's own words are
//! of grammars.

use ::toml::de::Error;

use super::number;
use crate::config::wait;
use crate::folder::Found;
use crate::lines::line_at;

/// Most lines that are told: in a file that is something else, all are wrong.
const MAX_FAULTS: usize = 20;

/// So many lines of YAML are a file of it.
const YAML_LINES: usize = 3;

/// What is said of the marks of a conflict.
const CONFLICT: &str = "has marks of a merge conflict: keep one side, and remove the marks";

/// What is said of a name that was there before.
const TWICE: &str = "stands twice";

/// The setting whose number has a unit.
const WAIT: &str = "after";

/// In the place of a text that stands in quotes.
const TEXT: char = '\u{1}';

/// Curly quotes, which word processors write.
const CURLY: [char; 8] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛'];

/// What is wrong with a file, once for each line.
pub(super) fn faults(text: &str, errors: Vec<Error>) -> Vec<Found> {
    if errors.is_empty() {
        return Vec::new();
    }
    if text.trim_start().starts_with('{') {
        let reason = "is JSON: write TOML, a setting a line, such as max_tokens = 400";
        return vec![(Some(1), reason.to_owned())];
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.iter().filter(|line| of_yaml(&Bare::of(line)).is_some()).count() >= YAML_LINES {
        let reason = "is YAML: write TOML, with = behind a name, and tables as [trigger]";
        return vec![(Some(1), reason.to_owned())];
    }
    let mut faults: Vec<Found> = Vec::new();
    for error in errors {
        let line = error.span().map(|span| line_at(text, span.start));
        let written = line.and_then(|line| lines.get(line - 1).copied()).unwrap_or_default();
        let reason = told(written, error.message());
        let is_told = faults.iter().any(|(at, said)| {
            *at == line
                || (*said == reason && reason == CONFLICT)
                || (said.contains(TWICE) && is_within(*at, line, &lines))
        });
        if faults.len() < MAX_FAULTS && !is_told {
            faults.push((line, reason));
        }
    }
    faults
}

/// Tells whether a line is within a table that stands twice, which `told` said.
fn is_within(told: Option<usize>, line: Option<usize>, lines: &[&str]) -> bool {
    let (Some(told), Some(line)) = (told, line) else { return false };
    let is_table = |line: &&str| line.trim_start().starts_with('[');
    told < line
        && lines.get(told - 1).is_some_and(is_table)
        && !lines.get(told..line).is_some_and(|between| between.iter().any(is_table))
}

/// What is wrong with a line.
fn told(line: &str, message: &str) -> String {
    let bare = Bare::of(line);
    let of_line =
        || of_marks(line, &bare).or_else(|| of_quotes(line, &bare)).or_else(|| of_value(&bare));
    let repeated = message.contains("duplicate key").then(|| repeated(line));
    repeated
        .or_else(of_line)
        .or_else(|| of_message(&bare, message))
        .unwrap_or_else(|| format!("is not TOML: {message}"))
}

/// A line without what stands in quotes, and without its comment.
struct Bare {
    text: String,
    /// The first quote.
    quote: Option<char>,
    /// A text is not closed.
    is_open: bool,
}

impl Bare {
    fn of(line: &str) -> Self {
        let mut bare = Self { text: String::new(), quote: None, is_open: false };
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '#' => break,
                '"' | '\'' => {
                    bare.quote.get_or_insert(c);
                    bare.text.push(TEXT);
                    bare.is_open = true;
                    while let Some(inside) = chars.next() {
                        match inside {
                            '\\' if c == '"' => drop(chars.next()),
                            _ if inside == c => {
                                bare.is_open = false;
                                break;
                            }
                            _ => {}
                        }
                    }
                }
                _ => bare.text.push(c),
            }
        }
        bare.text.truncate(bare.text.trim_end().len());
        bare
    }

    /// The name and the value, where there are both.
    fn setting(&self) -> Option<(&str, &str)> {
        let (name, value) = self.text.split_once('=')?;
        Some((name.trim(), value.trim()))
    }
}

/// Marks of other programs and languages.
fn of_marks(line: &str, bare: &Bare) -> Option<String> {
    let line = line.trim_start();
    if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark)) {
        return Some(CONFLICT.to_owned());
    }
    if let Some(quote) = bare.text.chars().find(|c| CURLY.contains(c)) {
        return Some(format!("has a curly quote {quote}: write a straight one, \""));
    }
    if bare.text.contains("//") || bare.text.contains("/*") {
        return Some("a comment begins with #, and not with //".to_owned());
    }
    if bare.text.trim_start().starts_with("- ") {
        return Some("a list is written [\"...\", \"...\"]".to_owned());
    }
    if bare.text.starts_with('[') && !bare.text.ends_with(']') {
        return Some("the name of a table stands in brackets, such as [trigger]".to_owned());
    }
    of_yaml(bare)
}

/// A colon behind a name.
fn of_yaml(bare: &Bare) -> Option<String> {
    let (name, rest) = bare.text.split_once(':')?;
    let is_name = |c: char| c.is_alphanumeric() || "_-".contains(c) || c == TEXT;
    let is_yaml = !name.contains('=') && !name.is_empty() && name.trim().chars().all(is_name);
    let name = name.trim().replace(TEXT, "name");
    let right = match rest.trim() {
        "" => format!("a table is written [{name}], a list {name} = [...]"),
        _ => format!("write {name} = value"),
    };
    is_yaml.then(|| format!("has a : behind a name: {right}"))
}

/// Quotes that are not closed, or that close too early.
fn of_quotes(line: &str, bare: &Bare) -> Option<String> {
    let quote = bare.quote.filter(|_| !line.contains("\"\"\"") && !line.contains("'''"))?;
    let mut chars = bare.text.chars().skip_while(|c| *c != TEXT).skip(1);
    let next = chars.next();
    if next.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == TEXT) {
        let remedy = match quote {
            '"' => "put the whole into single quotes, '...'",
            _ => "write double quotes inside single ones",
        };
        return Some(format!("a text ends at its second {quote}: {remedy}"));
    }
    bare.is_open.then(|| format!("a text has no {quote} that closes it"))
}

/// Values that TOML does not have.
fn of_value(bare: &Bare) -> Option<String> {
    let (name, value) = match bare.setting() {
        Some(setting) => setting,
        // An entry of a list over several lines.
        None if bare.text.ends_with(',') => ("", bare.text.trim()),
        None => return None,
    };
    if value.is_empty() {
        return Some(format!("{name} has no value behind its ="));
    }
    if let Some(rest) = value.strip_suffix(';') {
        return Some(format!(
            "has a ; at its end: write {name} = {}",
            rest.replace(TEXT, "\"...\"")
        ));
    }
    let word = value.trim_start_matches('[').trim_end_matches([',', ']']).trim();
    match word.to_lowercase().as_str() {
        "true" | "yes" | "on" => return Some(format!("{word} is no value: write true")),
        "false" | "no" | "off" => return Some(format!("{word} is no value: write false")),
        "null" | "nil" | "none" | "undefined" => {
            return Some(format!("{word} is no value: remove the line, or write a value"));
        }
        _ => {}
    }
    if name == WAIT
        && let Some(meant) = wait::meant(word)
    {
        return Some(format!(
            "a text stands in quotes: write {name} = \"{}\"",
            wait::written(meant)
        ));
    }
    let numbers = number::meant(word);
    if numbers.first().is_some_and(|number| number != word) {
        return Some(format!("{word} is no number: write {}", numbers.join(", or ")));
    }
    let is_text = word.starts_with(|c: char| c.is_alphabetic()) && !word.contains(TEXT);
    is_text.then(|| {
        let setting = if name.is_empty() { String::new() } else { format!("{name} = ") };
        let list = if value.starts_with('[') { ("[", "]") } else { ("", "") };
        format!("a text stands in quotes: write {setting}{}\"{word}\"{}", list.0, list.1)
    })
}

/// What the parser says, in words of its own.
fn of_message(bare: &Bare, message: &str) -> Option<String> {
    let said = |what: &str| Some(what.to_owned());
    let has = |part: &str| message.contains(part);
    if has("missing comma between array elements") {
        return said("two entries of a list have no comma between them");
    }
    if has("unclosed array") {
        return said("a list has no ] that closes it");
    }
    if has("extra comma") {
        return said("has a comma too many: remove it");
    }
    if has("escape") || has("unicode") {
        return said(
            "\\ begins an escape in double quotes: put the text into single quotes, '...'",
        );
    }
    if has("unclosed table") || has("unclosed array table") {
        return said("the name of a table stands in brackets, such as [trigger]");
    }
    let is_name = !bare.text.is_empty() && !bare.text.contains(['=', TEXT]);
    (has("key with no value") && is_name)
        .then(|| format!("{0} has no value: write {0} = ...", bare.text.trim()))
}

fn repeated(line: &str) -> String {
    match line.trim().strip_prefix('[') {
        Some(_) => {
            let name = line.trim().split('#').next().unwrap_or_default().trim().to_owned();
            format!("{name} {TWICE}: put all of its settings into one")
        }
        None => {
            let name = line.split('=').next().unwrap_or_default().trim().to_owned();
            format!("{name} {TWICE}: remove one")
        }
    }
}
