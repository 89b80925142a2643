//! Texts as people compare them.

use unicode_normalization::UnicodeNormalization as _;

/// A text without what people do not see or type alike: entities of HTML, kinds of quotes,
/// apostrophes, dashes and blanks, composed letters, upper and lower case.
pub fn folded(text: &str) -> String {
    let plain: String = htmlize::unescape(text).chars().map(alike).nfkc().map(alike).collect();
    // Twice, so that letters of which one is two fall together: a sharp s and a double one.
    let folded = plain.to_uppercase().to_lowercase().replace("i\u{307}", "i");
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn alike(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '`' | '\u{b4}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_see_as_the_same_is_the_same() {
        for (stored, typed) in [
            ("Don&#39;t miss Tom &amp; Jerry", "don\u{2019}t MISS Tom & Jerry"),
            ("&#123;{name}&#125;", "{{name}}"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{130}stanbul", "istanbul"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("20\u{a0}%  off", "20 % off"),
            ("\u{201c}free\u{201d} \u{2013} today", "\"Free\" - today"),
        ] {
            assert_eq!(folded(stored), folded(typed), "{stored}");
        }
        assert_ne!(folded("free"), folded("fee"));
        assert_eq!(folded(" \u{a0}\n"), "");
    }
}
