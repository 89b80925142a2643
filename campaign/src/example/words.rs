//! What a prompt is about, as far as a stand-in can tell: the words that differ between users.
//!
//! A prompt holds instructions, which all users share, and a user's events. So words are
//! taken, in this order, from what stands between tags (`<events>` first), from lines that
//! look like data, and from quotes; only where there is none, from the prompt's own words.

use unicode_segmentation::UnicodeSegmentation as _;

use super::cut::{at_words, chars};
use super::marked::{PLACE_OF_QUOTED, apart, between_tags, blocks, is_symbol, said};

/// Most phrases and facts that are kept of a prompt, each.
pub(super) const MAX_PHRASES: usize = 6;

/// Words from which on what stands behind a label is a description and no name.
const PROSE_WORDS: usize = 8;

/// Most words of a label.
const MAX_LABEL_WORDS: usize = 5;

/// Longest description that is kept, in characters.
const MAX_PROSE_CHARS: usize = 400;

/// Longest phrase or fact, in characters.
pub(super) const MAX_PHRASE_CHARS: usize = 60;

/// Most lines of data that are looked at, from the newest.
const MAX_LINES: usize = 25;

/// Words that make the phrase of a prompt without data.
const SALIENT_WORDS: usize = 4;

/// Letters of a word that is likely to say something, where nothing else tells.
const LONG_WORD_CHARS: usize = 6;

/// What is between two facts of a line.
const SEPARATORS: [char; 8] = [',', ';', '|', '·', '،', '؛', '、', '，'];

/// What a prompt is about.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Story {
    /// What the newest event names; at least one.
    pub(super) phrases: Vec<String>,
    /// What else it says, such as `season 2`.
    pub(super) facts: Vec<String>,
    /// Whole numbers in it, in order.
    pub(super) numbers: Vec<i64>,
    /// Descriptions of what it is about, such as `synopsis: ...` between tags.
    pub(super) prose: Vec<String>,
}

impl Story {
    pub(super) fn told_by(prompt: &str) -> Self {
        let mut story = Self::default();
        let lines: Vec<&str> = match between_tags(prompt) {
            Some(block) => said(block).collect(),
            None => said(prompt).filter(|line| looks_like_data(line)).collect(),
        };
        for line in lines.iter().rev().take(MAX_LINES) {
            story.read(line);
            // Of a list the newest line counts; lines that are none are all of one event.
            if is_listed(line) && !story.phrases.is_empty() {
                break;
            }
        }
        let described = blocks(prompt).flat_map(said).filter_map(description);
        story.prose = described.take(MAX_PHRASES).collect();
        if story.phrases.is_empty() {
            story.phrases = apart(prompt).0;
        }
        if story.phrases.is_empty() {
            story.phrases.push(salient(prompt));
        }
        for list in [&mut story.phrases, &mut story.facts] {
            list.truncate(MAX_PHRASES);
        }
        story
    }

    /// Reads a line of data: what it quotes or names, then what else it says.
    fn read(&mut self, line: &str) {
        let (quoted, rest) = apart(unnumbered(line));
        let parts: Vec<&str> =
            parts(&rest).filter(|part| !part.contains(PLACE_OF_QUOTED)).collect();
        let is_listed = is_listed(line);
        let named = if quoted.is_empty() { naming(&parts, is_listed) } else { None };
        for (n, part) in parts.iter().enumerate() {
            if Some(n) == named {
                self.phrases.push(value(part, is_listed));
            } else if part.chars().any(char::is_alphanumeric) {
                self.facts.push(at_words(part, MAX_PHRASE_CHARS));
            }
        }
        self.phrases.extend(quoted);
        let numbers = line.split(|c: char| !c.is_ascii_digit());
        self.numbers.extend(numbers.filter_map(|digits| digits.parse::<i64>().ok()));
        self.numbers.truncate(MAX_PHRASES);
    }
}

/// What a line says behind its label, where that is a sentence and no entry of a list.
fn description(line: &str) -> Option<String> {
    if is_listed(line) {
        return None;
    }
    let (label, said) = line.split_once(':')?;
    let is_label = label.split_whitespace().count() <= MAX_LABEL_WORDS;
    let is_prose = said.split_whitespace().count() >= PROSE_WORDS;
    (is_label && is_prose).then(|| at_words(said.trim(), MAX_PROSE_CHARS))
}

/// The parts of a line, without what is around them and what is said after them.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let is_within_number = |at: usize, c: char| {
        let (before, after) = (&line[..at], &line[at + c.len_utf8()..]);
        before.ends_with(char::is_numeric) && after.starts_with(char::is_numeric)
    };
    let ends = line
        .char_indices()
        .filter(move |(at, c)| SEPARATORS.contains(c) && !is_within_number(*at, *c));
    let ends = ends.map(|(at, c)| (at, at + c.len_utf8())).chain([(line.len(), line.len())]);
    let mut start = 0;
    ends.map(move |(end, next)| {
        let part = &line[std::mem::replace(&mut start, next)..end];
        let part = part.split(". ").next().unwrap_or(part);
        part.trim_matches(|c: char| !c.is_alphanumeric() && !is_symbol(c) && c != PLACE_OF_QUOTED)
    })
}

/// Which of a line's parts names something: the first whose value begins like a name, or else
/// the first with a value of letters.
fn naming(parts: &[&str], is_listed: bool) -> Option<usize> {
    let place =
        |is: &dyn Fn(String) -> bool| parts.iter().position(|part| is(value(part, is_listed)));
    let is_name = |c: char| is_symbol(c) || (c.is_alphabetic() && !c.is_lowercase());
    place(&|value| value.chars().next().is_some_and(is_name))
        .or_else(|| place(&|value| value.chars().any(char::is_alphabetic)))
}

/// The value of a part: what stands after its name, or its names if it is a sentence. What
/// is listed is none, however long.
fn value(part: &str, is_listed: bool) -> String {
    match part.rsplit_once([':', '=']) {
        Some((_, value)) => at_words(value.trim(), MAX_PHRASE_CHARS),
        None if part.split_whitespace().count() > SALIENT_WORDS && !is_listed => salient(part),
        None => at_words(part, MAX_PHRASE_CHARS),
    }
}

/// Tells whether a line is one of a list, of a table or of fields, and no sentence.
fn looks_like_data(line: &str) -> bool {
    is_listed(line) || line.chars().any(char::is_numeric)
}

/// Tells whether a line is one of a list or of a table.
fn is_listed(line: &str) -> bool {
    let line = line.trim();
    unnumbered(line).len() < line.len() || line.starts_with(['-', '*', '•', '|', '{', '·', '+'])
}

/// A line without its number in a list, `1. ` or `1) `.
fn unnumbered(line: &str) -> &str {
    let line = line.trim();
    let after = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = after.len() < line.len();
    let after = after.strip_prefix(['.', ')']).filter(|after| after.starts_with(' '));
    after.filter(|_| is_numbered).unwrap_or(line)
}

/// The words of a text that most likely differ from other texts: names and numbers, then
/// words of scripts without capitals, then long ones.
fn salient(text: &str) -> String {
    let mut starts = true;
    let mut names = Vec::new();
    for word in text.split_word_bounds() {
        let first = word.chars().next().unwrap_or(' ');
        let is_caseless = first.is_alphabetic() && !first.is_lowercase() && !first.is_uppercase();
        if (first.is_uppercase() && !starts) || first.is_numeric() || is_caseless {
            names.push(word);
        }
        starts = matches!(first, '.' | '!' | '?' | '\n' | ':') || (starts && first == ' ');
    }
    let long = || text.unicode_words().filter(|word| chars(word) >= LONG_WORD_CHARS);
    let chosen: Vec<&str> = match names.is_empty() {
        false => names.into_iter().take(SALIENT_WORDS).collect(),
        true => long().take(SALIENT_WORDS).collect(),
    };
    match chosen.is_empty() {
        false => chosen.join(" "),
        true => match said(text).next() {
            Some(line) => at_words(line.trim(), MAX_PHRASE_CHARS),
            None => "nobody in particular".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(prompt: &str) -> (Vec<String>, Vec<String>) {
        let story = Story::told_by(prompt);
        (story.phrases, story.facts)
    }

    #[test]
    fn the_newest_event_is_what_a_prompt_is_about() {
        let prompt = "<events>\n- watched: show \"Old\", season 1\n\
            - watched: show \"Harbour, Lights\", season 2, episode 7\n</events>\n\
            Write: emailTitle (subject line), 3 items of \"text\".";

        let story = Story::told_by(prompt);

        assert_eq!(story.phrases, ["Harbour, Lights"]);
        assert_eq!(story.facts, ["season 2", "episode 7"]);
        assert_eq!(story.numbers, [2, 7]);
    }

    #[test]
    fn what_something_is_about_is_told_where_it_is_described() {
        let prompt = "<events>\n- watched: show \"Lichter\", season 2, episode 7, in the language de\n</events>\n<episode>\ntitle: Ebbe\n\
            synopsis: A safe washes up with the tide, locked from the inside.\n</episode>\n\
            Write: two sentences, of which the second says what the episode is about.";

        let story = Story::told_by(prompt);

        assert_eq!(story.phrases, ["Lichter"]);
        assert_eq!(story.prose, ["A safe washes up with the tide, locked from the inside."]);
    }

    #[test]
    fn data_is_found_in_other_forms_too() {
        let json = "Write.\n<viewer>\n{\"show\":\"Lichter\",\"season\":2}\n</viewer>";
        assert_eq!(told(json), (vec!["Lichter".to_owned()], vec!["season:2".to_owned()]));

        let (phrases, facts) =
            told("Write a title.\n- show: Über den Dächern; episode: 4\nBe kind.");
        assert_eq!(
            (phrases, facts),
            (vec!["Über den Dächern".to_owned()], vec!["episode: 4".into()])
        );

        let row = told("<events>\n| 2026-01-01 | watched | Harbour Lights | 4,99 |\n</events>");
        assert_eq!((row.0, row.1.len()), (vec!["Harbour Lights".to_owned()], 3));

        let sentence = told("Write to a viewer who watched Harbour Lights, episode 7. Be brief.");
        assert_eq!(sentence, (vec!["Harbour Lights".to_owned()], vec!["episode 7".to_owned()]));

        assert_eq!(told("Invite to «Le Grand Bleu» again.").0, ["Le Grand Bleu"]);
        assert_eq!(told("Write to the friends of Harbour Lights.").0, ["Harbour Lights"]);
        assert_eq!(told("اكتب رسالة قصيرة").0, ["اكتب رسالة قصيرة"]);
    }

    #[test]
    fn an_emoji_stays_whole_and_a_prompt_of_nothing_has_a_phrase_too() {
        let family = "👩\u{200d}👩\u{200d}👧";
        assert_eq!(told(&format!("<events>\n- liked: {family}\n</events>")).0, [family]);
        for nothing in ["", "\n\n", "<events></events>", "\"\"", "…"] {
            assert_eq!(told(nothing).0.len(), 1, "{nothing:?}");
        }
    }
}
