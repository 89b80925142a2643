//! Cuts a template into text, outputs and tags, as Braze does.

use crate::{Fault, MAX_FAULTS};

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    /// Text that is shown as it is.
    Text(&'t str),
    /// `{{ inside }}`.
    Output(Mark<'t>),
    /// `{% inside %}`.
    Tag(Mark<'t>),
}

/// What stands between two delimiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark<'t> {
    /// Without delimiters, hyphens and blanks around.
    pub(crate) inside: &'t str,
    /// As it is written.
    pub(crate) whole: &'t str,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Blanks in front of it are left out.
    pub(crate) trims_before: bool,
    /// Blanks behind it are left out.
    pub(crate) trims_after: bool,
}

impl Mark<'_> {
    /// The first word of a tag.
    pub(crate) fn name(&self) -> &str {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if self.inside.starts_with('#') {
            return "#";
        }
        &self.inside[..self.inside.find(|c| !is_word(c)).unwrap_or(self.inside.len())]
    }

    /// What follows the first word of a tag.
    pub(crate) fn arguments(&self) -> &str {
        self.inside[self.name().len()..].trim()
    }
}

/// Cuts a template; what is not closed is a fault, and the rest of the template is text.
pub(crate) fn cut<'t>(template: &'t str, faults: &mut Vec<Fault>) -> Vec<Segment<'t>> {
    let mut segments = Vec::new();
    let (mut at, mut line, mut text_from) = (0, 1, 0);
    while let Some(start) = next_delimiter(template, at) {
        line += newlines(&template[at..start]);
        let is_tag = template[start..].starts_with("{%");
        let end = if is_tag {
            template[start + 2..].find("%}").map(|end| start + end + 4)
        } else {
            output_end(template, start)
        };
        let Some(end) = end else {
            let (open, close) = if is_tag { ("{%", "%}") } else { ("{{", "}}") };
            faults.push(Fault::new(line, format!("{open} has no {close} that closes it")));
            if faults.len() >= MAX_FAULTS {
                break;
            }
            at = start + 2;
            continue;
        };
        if text_from < start {
            segments.push(Segment::Text(&template[text_from..start]));
        }
        let mark = mark(&template[start..end], line);
        let name = mark.name().to_owned();
        segments.push(if is_tag { Segment::Tag(mark) } else { Segment::Output(mark) });
        line += newlines(&template[start..end]);
        (at, text_from) = (end, end);
        if is_tag && (name == "raw" || name == "comment") {
            let Some(length) = verbatim(&template[end..], &name) else {
                faults.push(Fault::new(mark.line, format!("{{% {name} %}} has no end{name}")));
                break;
            };
            if name == "raw" && length > 0 {
                segments.push(Segment::Text(&template[end..end + length]));
            }
            line += newlines(&template[end..end + length]);
            (at, text_from) = (end + length, end + length);
        }
    }
    if text_from < template.len() {
        segments.push(Segment::Text(&template[text_from..]));
    }
    segments
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// Where the next output or tag begins.
fn next_delimiter(template: &str, from: usize) -> Option<usize> {
    let found = template[from..].match_indices('{').find(|(at, _)| {
        let next = template.as_bytes().get(from + at + 1);
        matches!(next, Some(b'{' | b'%'))
    });
    found.map(|(at, _)| from + at)
}

/// Where an output ends: it may hold `${name}`, and outputs as values.
fn output_end(template: &str, start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut at = start;
    loop {
        let rest = &template[at..];
        let next = rest.find(['{', '}', '$'])?;
        at += next;
        let rest = &template[at..];
        if rest.starts_with("${") && !rest.starts_with("${{") {
            at += rest.find('}')? + 1;
        } else if rest.starts_with("{{") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("}}") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else if rest.starts_with("{%") {
            // It was never closed, and here is the next tag.
            return None;
        } else {
            at += 1;
        }
    }
}

fn mark(whole: &str, line: usize) -> Mark<'_> {
    let inside = &whole[2..whole.len() - 2];
    let (trims_before, inside) = match inside.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    let (trims_after, inside) = match inside.strip_suffix('-') {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    Mark { inside: inside.trim(), whole, line, trims_before, trims_after }
}

/// How long the text is up to the tag that ends `raw` or `comment`; comments nest.
fn verbatim(text: &str, name: &str) -> Option<usize> {
    let mut depth = 1;
    let end = format!("end{name}");
    for (at, _) in text.match_indices("{%") {
        let inside = text[at + 2..].trim_start_matches('-').trim_start();
        let is = |word: &str| {
            inside.strip_prefix(word).is_some_and(|rest| {
                let rest = rest.trim_start();
                rest.starts_with("%}") || rest.starts_with("-%}")
            })
        };
        if is(&end) {
            depth -= 1;
        } else if name == "comment" && is(name) {
            depth += 1;
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}
