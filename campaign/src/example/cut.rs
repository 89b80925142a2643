//! Cuts texts where a reader would: between words, never within what is read as one character.

use unicode_segmentation::UnicodeSegmentation as _;

/// The number of characters of a text, as JSON Schema counts them: code points.
pub(super) fn chars(text: &str) -> usize {
    text.chars().count()
}

/// The beginning of a text, at most `most` characters of it, in whole words; where no word
/// fits, in whole graphemes.
pub(super) fn at_words(text: &str, most: usize) -> String {
    if chars(text) <= most {
        return text.to_owned();
    }
    let cut = taken(text.split_word_bounds(), most);
    let cut = cut.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | '('));
    if cut.chars().any(|c| !c.is_whitespace()) {
        return cut.to_owned();
    }
    taken(text.trim_start().graphemes(true), most)
}

fn taken<'t>(parts: impl Iterator<Item = &'t str>, most: usize) -> String {
    let (mut taken, mut count) = (String::new(), 0);
    for part in parts {
        count += chars(part);
        if count > most {
            break;
        }
        taken.push_str(part);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_between_words_or_else_between_graphemes() {
        assert_eq!(at_words("Über den Dächern", 12), "Über den");
        assert_eq!(at_words("Dächern", 3), "Däc");
        assert_eq!(at_words("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}");
        assert_eq!(at_words("👩\u{200d}🚀 in space", 2), "");
        assert_eq!(at_words("a 👩\u{200d}🚀", 4), "a");
        assert_eq!(at_words("🇩🇪🇫🇷", 3), "🇩🇪");
        assert_eq!(at_words("أضواء الميناء", 8), "أضواء");
    }
}
