//! Comments of HTML in a message: Braze removes them before it reads any Liquid.
//!
//! Comments that mail programs read, `<!--[if mso]>`, stay. One may hold the subject line,
//! so that a small message is one file: `<!-- subject line: {{...}} -->`.
//!
//! <https://www.braze.com/docs/user_guide/message_building_by_channel/email/html_editor>

use super::CALL;

/// What a comment begins with, and ends with.
const MARKS: (&str, &str) = ("<!--", "-->");

/// What the words of a subject line begin with, in lower case.
const SUBJECTS: [&str; 2] = ["subject line:", "subject:"];

/// The tags that make variables of answers.
const MAKING: [&str; 2] = [CALL, "assign"];

/// A part of a message.
enum Part<'t> {
    Text(&'t str),
    /// A comment, with its marks, and what is between them.
    Comment(&'t str, &'t str),
}

/// The message without its comments; lines stay where they are.
pub(super) fn removed(text: &str) -> String {
    let kept = |part: Part<'_>| match part {
        Part::Text(text) => text.to_owned(),
        Part::Comment(whole, inside) if inside.starts_with("[if") || inside.starts_with("<!") => {
            whole.to_owned()
        }
        Part::Comment(whole, _) => "\n".repeat(whole.matches('\n').count()),
    };
    parts(text).into_iter().map(kept).collect()
}

/// The subject line that a comment holds. Nothing of the message is known to it, as in Braze,
/// but for the message's own calls and variables, which would have to stand in front of it
/// there too. It stands in its line of the message, and they in theirs where they come before.
pub(super) fn subject(text: &str) -> Option<String> {
    let mut line = 1;
    let (first_line, subject) = parts(text).into_iter().find_map(|part| {
        let (Part::Text(whole) | Part::Comment(whole, _)) = part;
        let found = marked(part, line);
        line += newlines(whole);
        found
    })?;
    let without = removed(text);
    let calls = if subject.contains(CALL) { Vec::new() } else { making(&without) };
    let mut template = String::new();
    let mut line = 1;
    for (wanted, part) in calls.into_iter().chain([(first_line, subject)]) {
        if (line + 1..=first_line).contains(&wanted) {
            template.push_str(&format!("{{%#{}%}}", "\n".repeat(wanted - line)));
            line = wanted;
        }
        template.push_str(part);
        line += newlines(part);
    }
    Some(template)
}

/// The subject line in a part that begins in this line, with its own line.
fn marked(part: Part<'_>, line: usize) -> Option<(usize, &str)> {
    let Part::Comment(_, inside) = part else { return None };
    let words = inside.trim_start();
    let is_subject = |mark: &&&str| {
        words.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
    };
    let mark = SUBJECTS.iter().find(is_subject)?;
    let subject = words[mark.len()..].trim_start();
    let above = newlines(&inside[..inside.len() - subject.len()]);
    Some((line + above, subject.trim_end()))
}

/// The tags of a message that make variables, each with its line.
fn making(text: &str) -> Vec<(usize, &str)> {
    let mut calls = Vec::new();
    for (at, _) in text.match_indices("{%") {
        let tag = &text[at..];
        let name = tag[2..].trim_start_matches('-').trim_start();
        if MAKING.iter().any(|making| name.starts_with(making))
            && let Some(end) = tag.find("%}")
        {
            calls.push((1 + newlines(&text[..at]), &tag[..end + 2]));
        }
    }
    calls
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let (begin, end) = MARKS;
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(begin) {
        let inside = &rest[at + begin.len()..];
        let Some(length) = inside.find(end) else { break };
        parts.push(Part::Text(&rest[..at]));
        let whole = begin.len() + length + end.len();
        parts.push(Part::Comment(&rest[at..at + whole], &inside[..length]));
        rest = &rest[at + whole..];
    }
    parts.push(Part::Text(rest));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_stay_where_they_are() {
        assert_eq!(
            removed("a<!-- b\n{{ c }} -->d\n<!--[if mso]>e<![endif]-->"),
            "a\nd\n<!--[if mso]>e<![endif]-->"
        );
        assert_eq!(removed("a <!-- not closed"), "a <!-- not closed");
    }

    #[test]
    fn a_subject_line_brings_the_messages_calls_unless_it_has_its_own() {
        let call = "{% connected_content https://a/ :save r %}{%- assign s = r.s -%}";

        assert_eq!(
            subject(&format!("{call}\n<!-- SUBJECT: {{{{r}}}} -->")),
            Some(format!("{call}{{%#\n%}}{{{{r}}}}"))
        );
        assert_eq!(subject(&format!("<!--subject line: {call}x-->")), Some(format!("{call}x")));
        assert_eq!(subject("<!-- subjective -->"), None);
    }
}
