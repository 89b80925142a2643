//! Texts that say only what the prompt says: their numbers, names and quoted titles must stand
//! in it. A heuristic, which finds what it knows to look for:
//!
//! - **Numbers** in digits, whatever parts their thousands and decimals; not those in words,
//!   nor what they count.
//! - **Names**: capitalised words that begin no sentence. In German, where every noun is
//!   capitalised, two and more in a row of which the prompt has none. Not in sentences in title
//!   case or in capitals, nor in scripts without capitals.
//! - **Titles**: what stands in quotes.
//!
//! What is said in words that are neither (that the detective is tired) it cannot tell.

mod names;
mod numbers;

use std::collections::HashSet;

use serde_json::Value;

use super::{Broken, GROUNDED, each_text, quoted, taken_over, words};
use crate::config::{Lined, Passage};
use crate::schema::{places, step};
use numbers::Number;

/// Quotes that open, and those that close them.
const QUOTES: [(char, &[char]); 9] = [
    ('"', &['"']),
    ('“', &['”', '“']),
    ('„', &['“', '”']),
    ('«', &['»']),
    ('»', &['«']),
    ('‹', &['›']),
    ('「', &['」']),
    ('『', &['』']),
    ('”', &['”']),
];

/// Longest text in quotes that is a title, in characters.
const MAX_TITLE_CHARS: usize = 120;

/// Shortest word whose ending in s may be that of a genitive.
const MIN_GENITIVE_CHARS: usize = 4;

/// The texts of a campaign's answers that must be grounded.
#[derive(Debug)]
pub(crate) struct Grounded {
    /// As JSON pointers.
    places: Vec<String>,
}

/// What a prompt says.
struct Known {
    words: Vec<String>,
    each: HashSet<String>,
    numbers: HashSet<String>,
}

impl Grounded {
    /// Those at these paths of a schema, or what is wrong with them; `None` if there are none.
    pub(crate) fn compile(
        paths: &[Lined],
        passages: &[Passage],
        schema: &Value,
    ) -> Result<Option<Self>, Vec<(usize, String)>> {
        let mut wrong = Vec::new();
        let mut grounded = Vec::new();
        for Lined { text, line } in paths {
            match place(text, passages, schema) {
                Ok(place) => grounded.push(place),
                Err(reason) => wrong.push((*line, format!("grounded: {reason}"))),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok((!grounded.is_empty()).then_some(Self { places: grounded }))
    }

    /// Adds what an answer says that its prompt does not.
    pub(super) fn examine(&self, answer: &Value, prompt: &str, broken: &mut Vec<Broken>) {
        let known = Known::of(prompt);
        for place in &self.places {
            let Some(value) = answer.pointer(place) else { continue };
            each_text(value, &mut place.clone(), &mut |text, place| {
                let unknown = known.lacks(text);
                if !unknown.is_empty() {
                    let say = format!(
                        "say only what you were told at \"{place}\": you were told nothing of {}",
                        quoted(unknown.iter().map(String::as_str))
                    );
                    let (rule, place) = (GROUNDED.to_owned(), place.to_owned());
                    broken.push(Broken { rule, place, say });
                }
            });
        }
    }
}

impl Known {
    fn of(prompt: &str) -> Self {
        let words = words::folded(prompt);
        let numbers = numbers::of(prompt);
        Self {
            each: words.iter().cloned().collect(),
            words,
            numbers: numbers.iter().flat_map(Number::all_readings).cloned().collect(),
        }
    }

    /// What a text says that the prompt does not.
    fn lacks(&self, text: &str) -> Vec<String> {
        // As words are told from each other once their letters are folded.
        let text = &words::plain(text);
        let titles = titles(text).filter(|title| !self.has_title(title)).map(str::to_owned);
        let numbers = numbers::of(text).into_iter().filter(|number| !self.has_number(number));
        let numbers = numbers.map(|number| number.written);
        let names = names::of(text, &|word| self.has_word(word));
        titles.chain(numbers).chain(names).collect()
    }

    fn has_title(&self, title: &str) -> bool {
        let title = words::folded(title);
        title.is_empty() || words::holds(&self.words, &title)
    }

    fn has_number(&self, number: &Number) -> bool {
        let knows = |reading: &String| self.numbers.contains(reading);
        number.readings.iter().any(knows)
            || (!number.parts.is_empty() && number.parts.iter().all(knows))
    }

    /// Tells whether the prompt has a word, or what it is the genitive of.
    fn has_word(&self, word: &str) -> bool {
        // What an apostrophe leaves of `Anna's` and `d'Anna` is no word.
        let parts = words::folded(word).into_iter().filter(|part| part.chars().count() > 1);
        parts.into_iter().all(|part| {
            let genitive_of = part.strip_suffix('S');
            let genitive_of = genitive_of.filter(|_| part.chars().count() >= MIN_GENITIVE_CHARS);
            self.each.contains(&part) || genitive_of.is_some_and(|word| self.each.contains(word))
        })
    }
}

/// The JSON pointer of a path such as `details.intro`.
fn place(path: &str, passages: &[Passage], schema: &Value) -> Result<String, String> {
    let names: Vec<&str> = path.split('.').collect();
    if let Some(passage) = taken_over(&names, passages) {
        return Err(format!(
            "\"{path}\" is taken over from {} and no part of the answer: remove it",
            passage.source
        ));
    }
    let mut of = places::Of::root(schema);
    for name in &names {
        let inside = of.property(name);
        if inside.is_nothing() {
            let remedy = match dialect::did_you_mean(name, of.properties()) {
                meant if meant.is_empty() => {
                    ": write the names down to a text, e.g. \"details.intro\"".to_owned()
                }
                meant => meant,
            };
            return Err(format!("\"{path}\" is not in answer.schema.json{remedy}"));
        }
        of = inside;
    }
    Ok(names.iter().map(|name| format!("/{}", step(name))).collect())
}

/// What stands in quotes.
fn titles(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (at, open) = rest.char_indices().find(|(at, c)| opens(rest, *at, *c))?;
            let (_, closing) = QUOTES.iter().find(|(quote, _)| *quote == open)?;
            let inside = &rest[at + open.len_utf8()..];
            let Some(end) = inside.find(*closing) else {
                rest = inside;
                continue;
            };
            let title = &inside[..end];
            let close = inside[end..].chars().next().map_or(0, char::len_utf8);
            rest = &inside[end + close..];
            if title.chars().count() <= MAX_TITLE_CHARS {
                return Some(title);
            }
        }
    })
}

/// Tells whether a character opens a quote here: it follows no letter and no digit, so that
/// inches and closing quotes do not.
fn opens(text: &str, at: usize, c: char) -> bool {
    let follows = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    !follows && QUOTES.iter().any(|(quote, _)| *quote == c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROMPT: &str = "- watched: show ”Harbour Lights”, season 2, episode 7\n\
        synopsis: Memory detective Anna Chase investigates murders in Port Ellen. \
        Price: 1,249.00 EUR, rating 8.5, on 2026-11-27, language en";

    /// What a text says that the prompt does not.
    fn unknown(text: &str) -> String {
        Known::of(PROMPT).lacks(text).join("|")
    }

    #[test]
    fn what_the_prompt_says_may_be_said_however_it_is_written() {
        for text in [
            "In episode 7, Anna Chase returns to “Harbour Lights”.",
            "Chase's next case: season 2!",
            "Für 1.249,00 € bei Port Ellen",
            "For 1 249 or €1249",
            "Rated 8,5 on 27/11/2026",
            "anna CHASE",
            "Is Anna back? The „Harbour Lights“ burn.",
            "S2E7 of \"harbour lights\"",
            "I know, and I'm here.",
            "[New] Do watch it (Soon)",
            "",
        ] {
            assert_eq!(unknown(text), "", "{text}");
        }
    }

    #[test]
    fn what_the_prompt_does_not_say_is_found() {
        for (text, expected) in [
            ("Watch episode 8 now", "8"),
            ("It costs 1.249,50 and 1249", "1.249,50"),
            ("Detective Anna Smith returns", "Smith"),
            ("the city of Glasgow and then Port Ellen", "Glasgow"),
            ("Stream “Harbour Nights” and \"Harbour Lights\"", "Harbour Nights|Nights"),
            ("3 new episodes of Harbour Lights", "3"),
            ("Only on HBO", "HBO"),
            ("an 85% rating", "85"),
            ("He met Mr. Black.", "Mr|Black"),
        ] {
            assert_eq!(unknown(text), expected, "{text}");
        }
    }

    #[test]
    fn in_german_only_names_of_several_words_are_told_from_nouns() {
        assert_eq!(unknown("Die Detektivin Anna Chase ermittelt in einem neuen Fall."), "");
        assert_eq!(unknown("Der Fall führt die Ermittlerin nach Hamburg."), "");
        assert_eq!(
            unknown("Dann trifft die Ermittlerin auf Karl Maria Brandt und den Mörder."),
            "Karl Maria Brandt"
        );
    }

    #[test]
    fn a_heading_in_title_case_or_capitals_names_nobody() {
        assert_eq!(unknown("Pick Up Where You Left Off"), "");
        assert_eq!(unknown("PICK UP WHERE YOU LEFT OFF"), "");
    }

    #[test]
    fn the_model_hears_what_it_was_not_told_and_where() {
        let schema = json!({ "properties": { "intro": {}, "list": { "items": {} } } });
        let paths = ["intro", "list"].map(|text| Lined { text: text.to_owned(), line: 1 });
        let grounded =
            Grounded::compile(&paths, &[], &schema).expect("are there").expect("are some");
        let mut broken = Vec::new();

        let answer = json!({ "intro": "By Agatha", "list": ["fine", "at 9"], "other": "at 10" });
        grounded.examine(&answer, PROMPT, &mut broken);

        let told: Vec<(&str, &str)> =
            broken.iter().map(|one| (one.place.as_str(), one.say.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    "/intro",
                    "say only what you were told at \"/intro\": you were told nothing of \"Agatha\""
                ),
                (
                    "/list/1",
                    "say only what you were told at \"/list/1\": you were told nothing of \"9\""
                ),
            ]
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_told_with_what_was_meant() {
        let schema = json!({ "properties": { "intro": { "type": "string" } } });
        let path = [Lined { text: "intr".to_owned(), line: 7 }];

        let wrong = Grounded::compile(&path, &[], &schema).expect_err("is not there");

        let reason = "grounded: \"intr\" is not in answer.schema.json: did you mean intro?";
        assert_eq!(wrong, [(7, reason.to_owned())]);
    }
}
