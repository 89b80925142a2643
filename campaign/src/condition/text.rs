//! The text of a condition that does not parse: words and marks outside of its texts, with
//! their places.

use super::syntax::operator;

/// Line and column, from 1.
pub(super) type Place = (usize, usize);

/// A word, a number or an operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark<'t> {
    pub(super) text: &'t str,
    pub(super) place: Place,
    pub(super) is_word: bool,
}

/// Everything but blanks, comments and what stands in quotes; of texts the quotes.
pub(super) fn marks(condition: &str) -> Vec<Mark<'_>> {
    let mut marks = Vec::new();
    walk(condition, &mut |mark| marks.push(mark));
    marks
}

/// What is not closed, if anything is: a text, or a bracket; or a bracket that closes nothing.
pub(super) fn unclosed(condition: &str) -> Option<(Place, String)> {
    let open_text = walk(condition, &mut |_| {});
    if let Some((place, quote)) = open_text {
        return Some((place, format!("a text has no {quote} that closes it")));
    }
    let mut open: Vec<Mark<'_>> = Vec::new();
    for mark in marks(condition) {
        let closes = match mark.text {
            "(" | "[" | "{" => {
                open.push(mark);
                continue;
            }
            ")" => "(",
            "]" => "[",
            "}" => "{",
            _ => continue,
        };
        match open.pop() {
            Some(last) if last.text == closes => {}
            Some(last) => return Some((last.place, not_closed(last))),
            None => return Some((mark.place, format!("{} closes nothing: remove it", mark.text))),
        }
    }
    open.pop().map(|last| (last.place, not_closed(last)))
}

fn not_closed(open: Mark<'_>) -> String {
    let close = match open.text {
        "(" => ")",
        "[" => "]",
        _ => "}",
    };
    format!("{} has no {close} that closes it", open.text)
}

/// Finds all marks, and the text that is not closed, if there is one.
fn walk<'t>(condition: &'t str, found: &mut impl FnMut(Mark<'t>)) -> Option<(Place, char)> {
    let mut rest = condition;
    let place = |rest: &str| {
        let before = &condition[..condition.len() - rest.len()];
        let line = before.rsplit('\n').next().unwrap_or_default();
        (1 + before.matches('\n').count(), 1 + line.chars().count())
    };
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if c == '"' || c == '\'' {
            found(Mark { text: &rest[..1], place: place(rest), is_word: false });
            match text_length(rest, c) {
                Some(length) => length,
                None => return Some((place(rest), c)),
            }
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c.is_whitespace() {
            c.len_utf8()
        } else {
            let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let length = if word > 0 { word } else { operator(rest).unwrap_or(c.len_utf8()) };
            let (text, is_word) = (&rest[..length], c.is_alphabetic() || c == '_');
            found(Mark { text, place: place(rest), is_word });
            length
        };
        rest = &rest[length..];
    }
    None
}

/// How long a text is, with its quotes; a plain one ends with its line.
fn text_length(rest: &str, quote: char) -> Option<usize> {
    let triple = String::from(quote).repeat(3);
    let (mark, is_long) = match rest.starts_with(&triple) {
        true => (triple.as_str(), true),
        false => (&rest[..1], false),
    };
    let mut at = mark.len();
    loop {
        let next = &rest[at..];
        match next.chars().next()? {
            _ if next.starts_with(mark) => return Some(at + mark.len()),
            '\n' if !is_long => return None,
            '\\' => at += 1 + next[1..].chars().next()?.len_utf8(),
            c => at += c.len_utf8(),
        }
    }
}
