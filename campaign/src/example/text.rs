//! A text of a natural length that begins with the mark and takes up a user's words.

use super::cut::{at_words, chars};
use super::dice::Dice;
use super::formats;
use super::forms::{ENDINGS, FORMS, OTHER_MARKS, joined};
use super::pattern::{Manner, Pattern};
use super::words::Story;
use super::{MARK, SHORT_MARK, TINY_MARK};

/// Longest text that is written, in characters, whatever a schema takes or wants.
const MAX_CHARS: usize = 8_000;

/// Length of a text that no schema bounds, in characters: short enough for a button.
const UNBOUNDED_CHARS: usize = 60;

/// Natural length of a sentence, and of what is no sentence, in characters.
const SENTENCE_CHARS: usize = 160;
const HEADLINE_CHARS: usize = 48;

/// What fields of the latter kind are called.
const HEADLINES: [&str; 8] = ["title", "subject", "head", "cta", "button", "label", "name", "link"];

/// What fields are called that describe something.
const DESCRIPTIONS: [&str; 6] = ["detail", "descri", "synopsis", "summary", "plot", "about"];

/// Characters after the mark without which it is not worth its room.
const WORD_CHARS: usize = 5;

/// What texts begin with, where the user's words are in Latin letters.
const OPENINGS: [&str; 8] = [
    "Next up:",
    "Back to",
    "More of",
    "Ready for",
    "Time for",
    "Still on:",
    "Picked for you:",
    "Do you remember",
];

/// Texts that are made for a pattern before it is given up.
const PATTERN_TRIES: usize = 60;

/// A text that is wanted.
#[derive(Debug)]
pub(super) struct Wanted<'w> {
    pub(super) story: &'w Story,
    /// The field's name.
    pub(super) name: &'w str,
    /// Which item of a list it is, from 0.
    pub(super) item: Option<usize>,
    /// How many texts were written before it.
    pub(super) nth: usize,
    /// How many texts in its place were of no use.
    pub(super) variant: usize,
    pub(super) least: usize,
    /// Most characters, if the schema says it.
    pub(super) most: Option<usize>,
    pub(super) patterns: Vec<&'w str>,
    pub(super) formats: Vec<&'w str>,
}

impl Wanted<'_> {
    fn phrase(&self) -> &str {
        let phrases = &self.story.phrases;
        phrases.get(self.nth % phrases.len().max(1)).map_or("you", String::as_str)
    }

    fn most(&self) -> usize {
        self.most.unwrap_or(UNBOUNDED_CHARS.max(self.least)).min(MAX_CHARS)
    }

    /// How long the text should be.
    fn natural(&self) -> usize {
        let name = self.name.to_lowercase();
        let is_headline = HEADLINES.iter().any(|headline| name.contains(headline));
        let longest = self.story.prose.iter().map(|prose| chars(prose)).max();
        let natural = match longest {
            _ if is_headline => HEADLINE_CHARS,
            Some(longest) => SENTENCE_CHARS.max(longest + chars(&joined(MARK))),
            None => SENTENCE_CHARS,
        };
        natural.max(self.least).min(self.most())
    }

    /// A text that `fits`, if one can be made.
    pub(super) fn text(&self, dice: &mut Dice, fits: &dyn Fn(&str) -> bool) -> Option<String> {
        if self.least > MAX_CHARS {
            return None;
        }
        let known = self.formats.iter().find(|format| formats::is_known(format));
        if let Some(format) = known {
            // A number in front is within the part of the words that an address takes.
            let words = format!("{} {}", self.number(), self.phrase());
            let mut fitting = formats::proposals(format, &words, self.least, dice);
            fitting.retain(|text| fits(text));
            let nth = self.variant % fitting.len().max(1);
            return fitting.into_iter().nth(nth).or_else(|| self.patterned(dice, fits));
        }
        // Where there is room for a mark alone, only letters differ from it.
        let letter = self.letter().filter(|letter| fits(letter));
        if letter.is_some() {
            return letter;
        }
        let mark = self.mark();
        let opening = OPENINGS[(dice.below(OPENINGS.len()) + self.nth) % OPENINGS.len()];
        let marked = self.written(mark, opening);
        if fits(&marked) {
            return Some(marked);
        }
        let marks: Vec<&str> = [mark].into_iter().chain(OTHER_MARKS).collect();
        // Forms have a number to differ by, if the pattern takes numbers; what is made of the
        // pattern differs always.
        let different = if self.variant == 0 { None } else { self.patterned(dice, fits) };
        different
            .or_else(|| self.forms(&marks, opening, fits))
            .or_else(|| self.patterned(dice, fits))
            .or_else(|| self.forms(&[""], opening, fits))
    }

    /// A letter in the place of a text that has room for a mark only and was written before,
    /// as often as the text must be long.
    fn letter(&self) -> Option<String> {
        let nth = self.variant.checked_sub(1).filter(|_| self.most() <= chars(SHORT_MARK))?;
        let letter = ('a'..='z').nth(nth)?;
        Some(String::from(letter).repeat(self.least.max(1)))
    }

    /// What is wanted, for whoever reads that it cannot be made.
    pub(super) fn description(&self) -> String {
        let quoted = |name: &str, texts: &[&str]| {
            let texts =
                texts.iter().map(|text| format!(" for the {name} \"{}\"", at_words(text, 80)));
            texts.collect::<String>()
        };
        let length = match (self.least, self.most) {
            (0, None) => String::new(),
            (0, Some(most)) => format!(" of at most {most} characters"),
            (least, None) => format!(" of at least {least} characters"),
            (least, Some(most)) => format!(" of {least} to {most} characters"),
        };
        let (patterns, formats) =
            (quoted("pattern", &self.patterns), quoted("format", &self.formats));
        format!("make a text{length}{patterns}{formats}")
    }

    /// The mark for which there is room.
    fn mark(&self) -> &'static str {
        match self.most() {
            most if most > chars(MARK) + WORD_CHARS => MARK,
            most if most >= chars(SHORT_MARK) => SHORT_MARK,
            _ => TINY_MARK,
        }
    }

    /// The mark, an opening, the user's words, and what else is known, as far as there is room.
    fn written(&self, mark: &str, opening: &str) -> String {
        let number = self.number();
        let room = self.natural().saturating_sub(chars(&joined(mark)));
        let body = self.body(opening, room.saturating_sub(chars(&number)));
        let text = format!("{}{body}", joined(mark));
        let text = format!("{}{number}", text.trim());
        if chars(&text) > self.most() {
            // Of what hardly has room, the number is what tells it from others.
            return at_words(&format!("{mark}{}", number.trim()), self.most());
        }
        self.lengthened(text)
    }

    /// What tells a text from others that were of no use in its place.
    fn number(&self) -> String {
        match self.variant {
            0 => String::new(),
            variant => format!(" {}", variant + 1),
        }
    }

    /// A description of what the prompt is about, where this is its place.
    fn description_in(&self, room: usize) -> Option<String> {
        let name = self.name.to_lowercase();
        let is_meant = DESCRIPTIONS.iter().any(|description| name.contains(description));
        let prose = &self.story.prose;
        let described = prose.get(self.item.unwrap_or(0) % prose.len().max(1));
        described.filter(|prose| is_meant && chars(prose) <= room).cloned()
    }

    fn body(&self, opening: &str, room: usize) -> String {
        if let Some(described) = self.description_in(room) {
            return described;
        }
        let phrase = self.phrase();
        let is_latin = phrase.chars().find(|c| c.is_alphabetic()).is_some_and(|c| c < '\u{250}');
        let mut body = if is_latin { format!("{opening} {phrase}") } else { phrase.to_owned() };
        if chars(&body) > room {
            body = at_words(phrase, room);
        }
        let facts = &self.story.facts;
        let rotated = facts.iter().cycle().skip(self.nth % facts.len().max(1)).take(facts.len());
        let place = self.item.map_or(String::new(), |n| format!(" {}", n + 1));
        let label = [format!(" ({}{place})", self.name), place];
        let mut left = room.saturating_sub(chars(&body));
        let mut add = |more: &String| {
            let fits = chars(more) <= left;
            if fits {
                left -= chars(more);
                body.push_str(more);
            }
            fits
        };
        for fact in rotated {
            add(&format!(", {fact}"));
        }
        // The shorter label is for where the longer one has no room.
        let _ = label.iter().any(add);
        body
    }

    /// A text drawn out to the least length.
    fn lengthened(&self, text: String) -> String {
        let missing = self.least.saturating_sub(chars(&text));
        if missing == 0 {
            return text;
        }
        let more = format!(" {}.", self.body("Once more:", SENTENCE_CHARS));
        let more = more.repeat(missing.div_ceil(chars(&more).max(1)));
        let mut text = format!("{text}.{}", at_words(&more, missing.saturating_sub(1)));
        text.extend(std::iter::repeat_n('.', self.least.saturating_sub(chars(&text))));
        text
    }

    /// The same text in the first of the forms that patterns ask for that `fits`.
    fn forms(&self, marks: &[&str], opening: &str, fits: &dyn Fn(&str) -> bool) -> Option<String> {
        let most = self.most();
        let written = |mark: &&str| {
            let brief = format!("{}{}{}", joined(mark), self.phrase(), self.number());
            [self.written(mark, opening), brief]
        };
        let texts: Vec<String> = marks.iter().flat_map(written).collect();
        let ended = |whole: String| {
            let text = whole.trim_end_matches(['.', ' ']).to_owned();
            let ended = ENDINGS.iter().map(move |end| {
                format!("{}{end}", at_words(&text, most.saturating_sub(chars(end))))
            });
            // Its points may be what makes it long enough.
            ended.chain([whole])
        };
        let formed = FORMS.iter().flat_map(|form| texts.iter().map(|text| form(text)));
        formed.flat_map(ended).find(|text| fits(text))
    }

    /// A text made from the patterns themselves, with the user's words where they fit.
    fn patterned(&self, dice: &mut Dice, fits: &dyn Fn(&str) -> bool) -> Option<String> {
        let patterns: Vec<Pattern> =
            self.patterns.iter().filter_map(|p| Pattern::read(p)).collect();
        let (natural, most) = (self.natural(), self.most());
        let mut words =
            [format!("{MARK} {}", self.phrase()), self.phrase().to_owned(), String::new()];
        words.rotate_left(if self.variant == 0 { 0 } else { 2 });
        let wishes = [natural.min(40), 12, self.least, 4, 1, most, natural, most / 2];
        (0..PATTERN_TRIES).find_map(|n| {
            let pattern = patterns.get(n % patterns.len().max(1))?;
            let turn = n / patterns.len();
            let wish = wishes[(turn / words.len()) % wishes.len()];
            let words = words[turn % words.len()].as_str();
            let made = pattern.text(Manner { words, wish, most }, dice)?;
            // What is searched for anywhere can stand after the mark.
            if made.contains(MARK) && fits(&made) {
                return Some(made);
            }
            let ahead = format!("{}{} {made}", joined(self.mark()), self.phrase());
            let marked = format!("{}{made}", joined(self.mark()));
            [ahead, marked, made].into_iter().find(|text| fits(text))
        })
    }
}
