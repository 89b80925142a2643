//! Words that no text of an answer may hold.

use std::collections::HashMap;

use super::{quoted, words};
use crate::config::Lined;

/// The forbidden words of a campaign.
#[derive(Debug)]
pub(crate) struct Forbidden {
    /// By their first word, folded: all words of an entry, and how it is written.
    by_first: HashMap<String, Vec<(Vec<String>, String)>>,
}

impl Forbidden {
    /// Those of these entries; `None` if there are none.
    pub(crate) fn new(entries: &[Lined]) -> Option<Self> {
        let mut by_first: HashMap<String, Vec<(Vec<String>, String)>> = HashMap::new();
        for entry in entries {
            let folded = words::folded(&entry.text);
            if let Some(first) = folded.first().cloned() {
                by_first.entry(first).or_default().push((folded, entry.text.clone()));
            }
        }
        (!by_first.is_empty()).then_some(Self { by_first })
    }

    /// What the model is told of a text that holds one of them.
    pub(crate) fn broken_by(&self, text: &str) -> Option<String> {
        let words = words::folded(text);
        let found: Vec<&str> = (0..words.len())
            .flat_map(|at| {
                let entries = self.by_first.get(&words[at]).into_iter().flatten();
                let here = &words[at..];
                entries.filter(move |(entry, _)| here.starts_with(entry))
            })
            .map(|(_, written)| written.as_str())
            .collect();
        (!found.is_empty()).then(|| format!("do not write {}", quoted(found)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        let entries = ["cheap", "guarantee", "risk free", "100%", "Gratis", "🔥"];
        let entry = |text: &str| Lined { text: text.to_owned(), line: 1 };
        Forbidden::new(&entries.map(entry)).expect("are some").broken_by(text)
    }

    #[test]
    fn a_forbidden_word_is_found_however_it_is_written() {
        for (text, word) in [
            ("So CHEAP!", "cheap"),
            ("dirt-cheap", "cheap"),
            ("the cheap's end", "cheap"),
            ("che\u{200d}ap", "cheap"),
            ("ｃｈéａｐ", "cheap"),
            ("Guarantee.", "guarantee"),
            ("risk-free", "risk free"),
            ("risk\u{a0}\u{a0}FREE", "risk free"),
            ("100 % yours", "100%"),
            ("¡GRÁTIS!", "Gratis"),
            ("hot 🔥🔥", "🔥"),
        ] {
            assert_eq!(told(text), Some(format!("do not write \"{word}\"")), "{text}");
        }
    }

    #[test]
    fn a_word_that_only_holds_a_forbidden_one_is_none() {
        for text in [
            "Cheapside",
            "guaranteed",
            "the risk is free",
            "risk freedom",
            "100 people",
            "migratis",
            "1100%",
            "",
            "…",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }

    #[test]
    fn without_words_there_is_nothing_to_look_for() {
        assert!(Forbidden::new(&[]).is_none());
    }
}
