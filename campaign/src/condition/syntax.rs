//! What makes a condition no CEL, in words, with what would be right: what people write who
//! know SQL, Python or Liquid, and otherwise what the parser says, without its grammar.

use cel::ParseErrors;

use super::text::{self, Mark};

/// A mistake, with its place in the condition: line and column, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
}

/// Words of other languages, and how CEL has them.
const WORDS: [(&str, &str); 7] = [
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("is", "=="),
    ("eq", "=="),
    ("ne", "!="),
    ("xor", "!="),
];

/// Functions that other languages have as operators.
const FUNCTIONS: [&str; 5] = ["contains", "startswith", "endswith", "like", "matches"];

/// Operators of other languages, longest first, and how CEL has them.
const OPERATORS: [(&str, &str); 6] =
    [("===", "=="), ("!==", "!="), ("<>", "!="), ("=>", ">="), ("=<", "<="), ("&&&", "&&")];

/// Operators that begin with a character that also stands alone in other languages.
const WHOLE: [&str; 6] = ["==", "!=", "<=", ">=", "&&", "||"];

/// What is wrong with a condition that does not parse, once for each mistake.
pub(super) fn mistakes(condition: &str, errors: &ParseErrors) -> Vec<Mistake> {
    let marks = text::marks(condition);
    let mut mistakes: Vec<Mistake> = Vec::new();
    for at in 0..marks.len() {
        let Some(reason) = wrong_at(&marks, at) else { continue };
        // A pair of quotes is one mistake, and an operator that is always written so.
        if mistakes.iter().all(|told| told.reason != reason) {
            let (line, column) = marks[at].place;
            mistakes.push(Mistake { line, column, reason });
        }
    }
    if mistakes.is_empty() {
        mistakes.extend(text::unclosed(condition).map(|(place, reason)| {
            let (line, column) = place;
            Mistake { line, column, reason }
        }));
    }
    if mistakes.is_empty() {
        mistakes.extend(errors.errors.first().map(|error| {
            let from = |n: isize| usize::try_from(n).unwrap_or_default().max(1);
            let (line, column) = (from(error.pos.0), from(error.pos.1));
            Mistake { line, column, reason: in_words(&error.msg) }
        }));
    }
    mistakes
}

/// What is wrong at a mark, if it is what other languages have.
fn wrong_at(marks: &[Mark<'_>], at: usize) -> Option<String> {
    let mark = marks[at];
    let before = at.checked_sub(1).map(|before| marks[before].text).unwrap_or_default();
    let behind = marks.get(at + 1).map(|mark| mark.text).unwrap_or_default();
    if mark.is_word {
        let is_name = before == "." || behind == "(" || behind == ".";
        return if is_name { None } else { wrong_word(mark.text, before, behind) };
    }
    match mark.text {
        "“" | "”" | "„" | "‘" | "’" | "«" | "»" => {
            Some("a curly quote: write a straight one, \"".to_owned())
        }
        "`" => Some("a backtick is no quote: write \"".to_owned()),
        "=" => Some("= compares nothing: write ==".to_owned()),
        "&" => Some("& alone means nothing: write &&".to_owned()),
        "|" => Some("| alone means nothing: write ||".to_owned()),
        ";" => Some("a ; ends nothing here: remove it".to_owned()),
        "{{" | "{%" | "${" => {
            Some(format!("{} is Liquid: write the field alone, event.properties.total", mark.text))
        }
        "," if is_number(before) && is_number(behind) && depth(&marks[..at]) == 0 => {
            Some(format!("a number has a point: write {before}.{behind}"))
        }
        "(" if before == "in" && is_list(&marks[at..]) => {
            Some("a list stands in square brackets: write [\"a\", \"b\"]".to_owned())
        }
        text => {
            let meant = OPERATORS.iter().find(|(operator, _)| *operator == text);
            meant.map(|(operator, right)| format!("there is no {operator}: write {right}"))
        }
    }
}

fn wrong_word(word: &str, before: &str, behind: &str) -> Option<String> {
    let lower = word.to_lowercase();
    if let Some((_, right)) = WORDS.iter().find(|(elsewhere, _)| *elsewhere == lower) {
        return Some(format!("there is no {word}: write {right}"));
    }
    // `name contains "x"`; a value behind it tells it from a field.
    let is_infix = FUNCTIONS.contains(&lower.as_str()) && !before.is_empty() && !behind.is_empty();
    is_infix.then(|| {
        format!("{word} is no operator: write event.name.contains(\"...\"), startsWith or endsWith")
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// How many brackets are open.
fn depth(marks: &[Mark<'_>]) -> usize {
    marks.iter().fold(0, |depth: usize, mark| match mark.text {
        "(" | "[" | "{" => depth + 1,
        ")" | "]" | "}" => depth.saturating_sub(1),
        _ => depth,
    })
}

/// Tells whether brackets hold several values.
fn is_list(marks: &[Mark<'_>]) -> bool {
    let mut depth = 0_usize;
    for mark in marks {
        match mark.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 1 => return true,
            _ => {}
        }
        if depth == 0 {
            return false;
        }
    }
    false
}

/// The longest operator that a text begins with, in this language or another.
pub(super) fn operator(text: &str) -> Option<usize> {
    let others = OPERATORS.iter().map(|(operator, _)| *operator);
    let all = others.chain(["{{", "{%", "${"]).chain(WHOLE);
    all.filter(|operator| text.starts_with(operator)).map(str::len).max()
}

/// What the parser says, without its grammar.
fn in_words(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let input = |behind: &str| {
        let (_, rest) = message.split_once(behind)?;
        let rest = rest.split_once(" expecting ").map_or(rest, |(input, _)| input);
        let inside = rest.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        Some(inside.unwrap_or(rest).to_owned())
    };
    if let Some(input) = input("token recognition error at: ") {
        return format!("{input} means nothing here");
    }
    if let Some((missing, at)) = message.strip_prefix("missing ").and_then(|m| m.split_once(" at "))
    {
        let at = at.trim_matches('\'');
        let place =
            if at == "<EOF>" { "at the end".to_owned() } else { format!("in front of {at}") };
        return format!("{} is missing {place}", missing.trim_matches('\''));
    }
    let Some(input) = input("input ") else { return message.to_owned() };
    let takes_value = message.contains("IDENTIFIER");
    match (input.as_str(), takes_value) {
        ("<EOF>", true) => "ends where a value is missing".to_owned(),
        ("<EOF>", false) => "ends too early".to_owned(),
        (input, true) => format!("{input} stands where a value is missing"),
        (input, false) => {
            format!("{input} stands where an operator is missing, such as ==, && or ||")
        }
    }
}
