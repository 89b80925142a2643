//! The names in a text: capitalised words, as far as they can be told from others.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words that are capitalised and name nobody.
const NO_NAMES: [&str; 7] = ["I", "I'm", "I'll", "I'd", "I've", "OK", "TV"];

/// Words that German texts have, and others hardly do.
const GERMAN: [&str; 24] = [
    "auf", "das", "dein", "deine", "dem", "der", "dich", "die", "dir", "ein", "eine", "einem",
    "einen", "einer", "für", "im", "ist", "mit", "nicht", "sich", "und", "von", "zu", "zum",
];

/// Words that English texts have, and German ones hardly do.
const ENGLISH: [&str; 12] =
    ["a", "and", "at", "for", "is", "of", "on", "the", "this", "to", "with", "your"];

/// What ends a sentence, or a part of one behind which a capital letter says nothing.
const ENDS: [char; 19] = [
    '.', '!', '?', '…', ':', ';', '\n', '–', '—', '•', '*', '|', '“', '„', '"', '(', '[', ']', '。',
];

/// Longest word that a full stop shortens, in letters: it ends no sentence (`Mr.`, `St.`).
const MAX_SHORTENED: usize = 2;

/// Fewest words behind the first of a sentence that can be in title case.
const MIN_TITLE_WORDS: usize = 3;

/// A word, and what tells whether it is a name.
struct Word<'t> {
    text: &'t str,
    is_capitalised: bool,
    /// Only a blank or a hyphen parts it from the word before.
    follows: bool,
}

/// The names in a text that `is_known` does not know.
pub(super) fn of(text: &str, is_known: &dyn Fn(&str) -> bool) -> Vec<String> {
    let is_german = is_german(text);
    let sentences = sentences(text);
    let named = sentences.iter().filter(|words| !is_loud(words)).flat_map(|words| {
        let rest = words.get(1..).unwrap_or_default();
        if is_german { rows(rest, is_known) } else { each(rest, is_known) }
    });
    named.collect()
}

/// Capitalised words, each by itself.
fn each(words: &[Word<'_>], is_known: &dyn Fn(&str) -> bool) -> Vec<String> {
    let names = words.iter().filter(|word| {
        word.is_capitalised && !NO_NAMES.contains(&word.text) && !is_known(word.text)
    });
    names.map(|word| word.text.to_owned()).collect()
}

/// Two and more capitalised words in a row, of which none is known.
fn rows(words: &[Word<'_>], is_known: &dyn Fn(&str) -> bool) -> Vec<String> {
    let rows =
        words.chunk_by(|one, next| one.is_capitalised && next.is_capitalised && next.follows);
    let names = rows.filter(|row| {
        row.len() > 1 && row[0].is_capitalised && !row.iter().any(|word| is_known(word.text))
    });
    names.map(|row| row.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")).collect()
}

/// The words of each sentence.
fn sentences(text: &str) -> Vec<Vec<Word<'_>>> {
    let mut sentences = vec![Vec::new()];
    let (mut follows, mut last_chars) = (false, 0);
    for part in text.split_word_bounds() {
        let first = part.chars().next().unwrap_or(' ');
        let Some(words) = sentences.last_mut() else { continue };
        if part.chars().any(char::is_alphanumeric) {
            let is_capitalised = first.is_uppercase();
            words.push(Word { text: part, is_capitalised, follows });
            (follows, last_chars) = (true, part.chars().count());
            continue;
        }
        let is_shortened = part == "." && last_chars <= MAX_SHORTENED && last_chars > 0;
        if part.contains(ENDS) && !is_shortened {
            sentences.push(Vec::new());
        }
        follows &= part.chars().all(|c| c.is_whitespace() || c == '-');
        if !part.chars().all(char::is_whitespace) {
            last_chars = 0;
        }
    }
    sentences
}

/// Tells whether a sentence is in title case or in capitals, so that a capital says nothing.
fn is_loud(words: &[Word<'_>]) -> bool {
    let letters = |word: &&Word<'_>| word.text.chars().any(char::is_alphabetic);
    let all: Vec<&Word<'_>> = words.iter().skip(1).filter(letters).collect();
    let capitalised = all.iter().filter(|word| word.is_capitalised).count();
    all.len() >= MIN_TITLE_WORDS && capitalised * 4 >= all.len() * 3
}

fn is_german(text: &str) -> bool {
    let lower = text.to_lowercase();
    let count = |of: &[&str]| lower.unicode_words().filter(|word| of.contains(word)).count();
    let german = count(&GERMAN);
    german > 0 && german >= count(&ENGLISH)
}
