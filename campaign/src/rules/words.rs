//! The words of a text, in a form in which equal words are equal however they are written.
//!
//! Case, accents and the width of letters are folded, `ß` is `ss`, and what shows nothing
//! (zero-width characters, soft hyphens) is left out. Words end at blanks, hyphens, apostrophes
//! and full stops; signs of currencies, `%` and pictures are words of their own. Letters of
//! another alphabet that look the same stay what they are.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Marks on letters that words do not differ by: accents of Latin, Greek and Cyrillic, and
/// variants of pictures. Vowels of other scripts are marks too, and stay.
const ACCENTS: [std::ops::RangeInclusive<char>; 7] = [
    '\u{300}'..='\u{36f}',
    '\u{1ab0}'..='\u{1aff}',
    '\u{1dc0}'..='\u{1dff}',
    '\u{20d0}'..='\u{20ff}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{fe20}'..='\u{fe2f}',
    '\u{e0100}'..='\u{e01ef}',
];

/// What stands within a word by the rules of Unicode, and parts words here.
const JOINS: [char; 9] = ['\'', '’', '‘', '.', ':', ',', '_', '·', '‧'];

/// The words of a text, folded.
pub(crate) fn folded(text: &str) -> Vec<String> {
    let folded = fold(text);
    let parts = folded.split_word_bounds().flat_map(|part| part.split(JOINS));
    // A mark without a letter clings to a sign before it, such as a quote.
    let parts = parts.map(|part| part.trim_start_matches(|c| !is_of_word(c)));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Tells whether words stand in a text one after the other.
pub(crate) fn holds(text: &[String], words: &[String]) -> bool {
    !words.is_empty() && text.windows(words.len()).any(|window| window == words)
}

/// A text without what shows nothing, its letters of the usual width.
pub(crate) fn plain(text: &str) -> String {
    text.nfkc().filter(|c| get_general_category(*c) != GeneralCategory::Format).collect()
}

fn fold(text: &str) -> String {
    let is_accent = |c: &char| ACCENTS.iter().any(|accents| accents.contains(c));
    let shows = |c: &char| get_general_category(*c) != GeneralCategory::Format;
    let letters = text.nfkd().filter(|c| shows(c) && !is_accent(c));
    // Upper case folds more than lower case does: ß and ss, the two sigmas.
    letters.flat_map(char::to_uppercase).nfc().collect()
}

/// Tells whether a character can be a word, or begin one.
fn is_of_word(c: char) -> bool {
    use GeneralCategory::{CurrencySymbol, OtherSymbol};
    c.is_alphanumeric()
        || c == '%'
        || matches!(get_general_category(c), CurrencySymbol | OtherSymbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_words_are_equal_however_they_are_written() {
        for (text, expected) in [
            ("Cheap! CHEAP", "CHEAP CHEAP"),
            ("garantía garanti\u{301}a", "GARANTIA GARANTIA"),
            ("Straße STRASSE strasse", "STRASSE STRASSE STRASSE"),
            ("ｃｈｅａｐ 𝐜𝐡𝐞𝐚𝐩", "CHEAP CHEAP"),
            ("che\u{200b}ap che\u{ad}ap", "CHEAP CHEAP"),
            ("cheap's l’offre", "CHEAP S L OFFRE"),
            ("dirt-cheap risk_free", "DIRT CHEAP RISK FREE"),
            ("ΟΔΟΣ οδος", "ΟΔΟΣ ΟΔΟΣ"),
            ("50 % $5", "50 % $ 5"),
            ("5. e.g. 🔥", "5 E G 🔥"),
            ("cheapest", "CHEAPEST"),
            ("激安です", "激 安 で す"),
            ("… — !", ""),
        ] {
            assert_eq!(folded(text).join(" "), expected, "{text}");
        }
    }
}
