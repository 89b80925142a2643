//! A text for a regular expression.
//!
//! The pattern is walked as `regex-syntax` parses it, and wherever a class may repeat, the
//! user's own words are written as far as the class takes their letters. What is looked
//! around for is left out of the walk, and the dialects differ a little: so every text is a
//! proposal, which the caller checks.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};
use unicode_segmentation::UnicodeSegmentation as _;

use super::cut::{at_words, chars};
use super::dice::Dice;
use super::ecma;

/// Deepest nesting of groups in a pattern.
const MAX_NESTING: u32 = 64;

/// Parts of a pattern that are written before it is given up: empty ones can repeat for ever.
const MAX_PARTS: usize = 20_000;

/// Least room of a repetition that is filled with words.
const WORDS_FROM: usize = 4;

/// Of characters by chance, one in so many is a blank.
const GAPS: usize = 6;

/// Characters of a class that are chosen from.
const MAX_CHOICE: usize = 64;

/// A pattern that texts can be made for.
#[derive(Debug)]
pub(super) struct Pattern {
    hir: Hir,
}

/// How a text for a pattern is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'w> {
    /// What repetitions are filled with; empty for characters by chance.
    pub(super) words: &'w str,
    /// Characters that a repetition should have.
    pub(super) wish: usize,
    /// Most characters of the text.
    pub(super) most: usize,
}

impl Pattern {
    /// Reads a pattern, or `None` where it is of another dialect.
    pub(super) fn read(pattern: &str) -> Option<Self> {
        let mut parser = ParserBuilder::new().nest_limit(MAX_NESTING).build();
        let hir = parser.parse(&ecma::in_rust(pattern)).ok()?;
        Some(Self { hir })
    }

    /// A text for the pattern, or `None` where it would be longer than `most`.
    pub(super) fn text(&self, manner: Manner<'_>, dice: &mut Dice) -> Option<String> {
        if self.hir.properties().minimum_len().is_none_or(|bytes| bytes > manner.most * 4) {
            return None;
        }
        let (words, text) = (manner.words, String::new());
        let mut writing = Writing { manner, words, text, parts: 0, dice };
        writing.write(&self.hir)?;
        Some(writing.text)
    }
}

struct Writing<'w, 'd> {
    manner: Manner<'w>,
    /// What is left of the words.
    words: &'w str,
    text: String,
    parts: usize,
    dice: &'d mut Dice,
}

impl Writing<'_, '_> {
    /// Writes a part, or gives up where the text grows too long or nothing fits.
    fn write(&mut self, part: &Hir) -> Option<()> {
        self.parts += 1;
        if self.text.len() > self.manner.most * 4 || self.parts > MAX_PARTS {
            return None;
        }
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.text.push_str(str::from_utf8(&literal.0).ok()?),
            HirKind::Class(class) => self.repeat(&unicode(class)?, 1, 1)?,
            HirKind::Capture(capture) => self.write(&capture.sub)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.write(part))?,
            HirKind::Alternation(parts) => {
                let chosen = self.dice.below(parts.len());
                self.write(&parts[chosen])?;
            }
            HirKind::Repetition(repetition) => {
                let least = repetition.min as usize;
                let most = repetition.max.map_or(usize::MAX, |max| max as usize);
                if let HirKind::Class(class) = repetition.sub.kind() {
                    return self.repeat(&unicode(class)?, least, most);
                }
                let wish = self.manner.wish.div_ceil(8).min(least.saturating_add(2));
                for _ in 0..wish.clamp(least, most) {
                    self.write(&repetition.sub)?;
                }
            }
        }
        Some(())
    }

    /// Writes `least` to `most` characters of a class: words where there is room for them.
    fn repeat(&mut self, class: &ClassUnicode, least: usize, most: usize) -> Option<()> {
        let count = self.manner.wish.clamp(least, most.max(least));
        if count > self.manner.most {
            return None;
        }
        let before = chars(&self.text);
        if count >= WORDS_FROM {
            let words = at_words(self.words, count);
            self.text.extend(words.graphemes(true).filter_map(|shown| adapted(shown, class)));
            // A mark that was written once need not be written again.
            let rest = self.words.split_once(' ').map(|(_, rest)| rest);
            self.words = rest.filter(|rest| !rest.is_empty()).unwrap_or(self.words);
        }
        let written = chars(&self.text) - before;
        let choice = choice(class);
        // Words that fit are enough, and so is one sign between them, unless more is needed.
        let says = choice.iter().any(|c| c.is_alphanumeric());
        let end = match written {
            0 if says => count,
            0 => count.min(least.max(1)),
            _ => least.max(written),
        };
        for _ in written..end {
            let is_gap = says && holds(class, ' ') && self.dice.below(GAPS) == 0;
            let chosen = *choice.get(self.dice.below(choice.len()))?;
            self.text.push(if is_gap { ' ' } else { chosen });
        }
        Some(())
    }
}

/// A class as one of characters.
fn unicode(class: &Class) -> Option<ClassUnicode> {
    match class {
        Class::Unicode(class) => Some(class.clone()),
        Class::Bytes(class) => class.to_unicode_class(),
    }
}

fn holds(class: &ClassUnicode, c: char) -> bool {
    let ranges = class.ranges();
    let after = ranges.partition_point(|range| range.end() < c);
    ranges.get(after).is_some_and(|range| range.start() <= c)
}

/// A grapheme of a word as a class takes it, if it takes it in some form.
fn adapted(shown: &str, class: &ClassUnicode) -> Option<String> {
    if shown.chars().all(|c| holds(class, c)) {
        return Some(shown.to_owned());
    }
    let c = shown.chars().next().filter(|c| c.is_alphanumeric() || c.is_whitespace())?;
    let forms = [Some(c), c.to_lowercase().next(), c.to_uppercase().next()];
    let joints = c.is_whitespace().then_some(['-', '_']).into_iter().flatten();
    let mut forms = forms.into_iter().flatten().chain(joints);
    forms.find(|form| holds(class, *form)).map(String::from)
}

/// The characters of a class that read best: letters and digits, then other visible ones.
fn choice(class: &ClassUnicode) -> Vec<char> {
    let plain = ('a'..='z').chain('A'..='Z').chain('0'..='9').filter(|c| holds(class, *c));
    let plain: Vec<char> = plain.collect();
    if !plain.is_empty() {
        return plain;
    }
    let all = class.ranges().iter().flat_map(|range| range.start()..=range.end());
    let shown = |c: &char| !crate::safe_text::shows_nothing(c.encode_utf8(&mut [0; 4]));
    // Ranges of what shows nothing can be long.
    let visible: Vec<char> =
        all.clone().take(MAX_CHOICE * 64).filter(shown).take(MAX_CHOICE).collect();
    let letters: Vec<char> = visible.iter().copied().filter(|c| c.is_alphabetic()).collect();
    match (letters.is_empty(), visible.is_empty()) {
        (false, _) => letters,
        (true, false) => visible,
        (true, true) if holds(class, ' ') => vec![' '],
        (true, true) => all.take(1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pattern: &str, words: &str, wish: usize) -> Option<String> {
        let manner = Manner { words, wish, most: 200 };
        Pattern::read(pattern)?.text(manner, &mut Dice::new(&["a", pattern]))
    }

    fn matches(pattern: &str, text: &str) -> bool {
        let schema = serde_json::json!({ "pattern": pattern });
        jsonschema::is_valid(&schema, &text.into())
    }

    #[test]
    fn a_text_matches_its_pattern_by_chance_and_with_words() {
        for pattern in [
            r"^[A-Z]{3}-\d{4}$",
            r"^\d{2}(,\d{3})*(\.\d+)?$",
            r"^(red|green|blue)$",
            r"^[^<>]+$",
            r"^#(?:[0-9a-fA-F]{3}){1,2}$",
            r"^\w+@\w+\.\w{2,}$",
            r"^\p{Lu}\p{L}+( \p{L}+){0,3}$",
            r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
            r"^(?!0)\d{6}$",
            r"^https://example\.com/[a-z/]+$",
            r"^[\u0600-\u06FF ]+$",
            r"50 ?%",
            r"^.{5,10}$",
            r"^[\w.&&[]+/\D$",
        ] {
            for words in ["", "[stand-in] Harbour Lights", "أضواء الميناء"] {
                let text = made(pattern, words, 8).expect(pattern);
                assert!(matches(pattern, &text), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn words_are_taken_up_as_far_as_a_class_takes_them() {
        let words = "Über Harbour Lights";
        assert_eq!(made("^[a-z-]{2,30}$", words, 30).as_deref(), Some("ber-harbour-lights"));
        assert_eq!(made("^Hi .+!$", words, 30).as_deref(), Some("Hi Über Harbour Lights!"));
    }

    #[test]
    fn what_has_no_end_or_no_text_is_given_up() {
        assert_eq!(made("^a{100000}$", "", 8), None);
        assert_eq!(made("^((a{50}){50}){50}$", "", 8), None);
        assert_eq!(made(r"[^\s\S]", "", 8), None);
        assert_eq!(made(r"^(a)\1$", "", 8), None);
        assert_eq!(made(r"^((a?){999}){999}$", "", 0), None);
        assert_eq!(made("^(x", "", 8), None);
    }
}
