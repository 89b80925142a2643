//! Finds what a prompt marks as a user's: what stands between tags, and what is quoted.

use unicode_general_category::{GeneralCategory, get_general_category};

use super::cut::at_words;
use super::words::{MAX_PHRASE_CHARS, MAX_PHRASES};

/// Most tags that are looked at.
const MAX_TAGS: usize = 200;

/// Marks that stand around a quoted text. What looks like `<` and `>` in a prompt's values is
/// not among them.
const QUOTES: [(char, char); 6] =
    [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('「', '」'), ('『', '』')];

/// Lines that say something.
pub(super) fn said(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.chars().any(|c| c.is_alphanumeric() || is_symbol(c)))
}

/// Stands in a line where a quoted text stood.
pub(super) const PLACE_OF_QUOTED: char = '\u{0}';

/// The quoted texts of a text, and what is left of it without them. The name of a field in
/// JSON is no quoted text.
pub(super) fn apart(text: &str) -> (Vec<String>, String) {
    let (mut quoted, mut rest) = (Vec::new(), String::new());
    let mut left = text;
    while let Some((start, (open, close))) = first_quote(left) {
        let inner = &left[start + open.len_utf8()..];
        let Some(end) = inner.find(close) else { break };
        let after = &inner[end + close.len_utf8()..];
        rest.push_str(&left[..start]);
        if after.trim_start().starts_with(':') || inner[..end].trim().is_empty() {
            rest.push_str(&inner[..end]);
        } else {
            quoted.push(at_words(inner[..end].trim(), MAX_PHRASE_CHARS));
            rest.push(PLACE_OF_QUOTED);
        }
        left = after;
    }
    rest.push_str(left);
    quoted.truncate(MAX_PHRASES);
    (quoted, rest)
}

fn first_quote(text: &str) -> Option<(usize, (char, char))> {
    text.char_indices()
        .find_map(|(at, c)| QUOTES.iter().find(|quotes| quotes.0 == c).map(|quotes| (at, *quotes)))
}

/// What stands between `<events>` and `</events>`, or else between the first other pair.
pub(super) fn between_tags(prompt: &str) -> Option<&str> {
    if let Some(events) = block(prompt, "events") {
        return Some(events);
    }
    blocks(prompt).next()
}

/// What stands between any tags, in the order of the tags.
pub(super) fn blocks(prompt: &str) -> impl Iterator<Item = &str> {
    let tags = prompt.match_indices('<').map(|(at, _)| &prompt[at..]).take(MAX_TAGS);
    tags.filter_map(|tag| {
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let name = tag[1..].split_once(|c| !is_of_name(c)).map_or("", |(name, _)| name);
        if name.is_empty() { None } else { block(tag, name) }
    })
}

/// What stands between the tags of a name, if it says something.
fn block<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, tag) = text.split_once(&format!("<{name}"))?;
    // What the tag itself says is about all that is inside.
    let (_, inner) = tag.split_once('>').filter(|(of_tag, _)| {
        of_tag.is_empty() || (of_tag.starts_with(char::is_whitespace) && !of_tag.contains('<'))
    })?;
    let (block, _) = inner.split_once(&format!("</{name}>"))?;
    said(block).next().map(|_| block)
}

/// Tells whether a character says something though it is neither letter nor digit.
pub(super) fn is_symbol(c: char) -> bool {
    matches!(get_general_category(c), GeneralCategory::OtherSymbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_taken_out_and_names_of_fields_stay() {
        let (quoted, rest) = apart(r#"{"show":"Lichter","season":2} „Alpin“ "open"#);

        assert_eq!(quoted, ["Lichter", "Alpin"]);
        assert_eq!(rest, "{show:\u{0},season:2} \u{0} \"open");
    }

    #[test]
    fn the_events_come_before_other_tags_and_those_before_none() {
        assert_eq!(between_tags("<a>1</a> <events>2</events>"), Some("2"));
        assert_eq!(between_tags("if 1 < 2: <b><user-1>x</user-1></c>"), Some("x"));
        assert_eq!(between_tags("<cart total=\"3 EUR\">\nlamp\n</cart>\n- say"), Some("\nlamp\n"));
        assert_eq!(between_tags("<events> </events> <a>1"), None);
    }
}
