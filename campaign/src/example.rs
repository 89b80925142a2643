//! A made-up answer that fits a campaign's schema, for whoever has no model at hand.
//!
//! ```text
//! schema -> normal form -> values, place by place -> the check that every answer passes
//!  (form)                  (writer, lists, numbers,   (crate::answer)
//! prompt -> story           text, pattern, formats)
//!  (words)
//! ```
//!
//! - The same prompt gets the same answer; another one gets other words: those of the user's
//!   own events, so that an author sees what is personal.
//! - Every text says that it comes from a stand-in ([`MARK`]), as far as there is room and
//!   its pattern takes it, because somebody will see it in an e-mail.
//! - Texts and lists have natural lengths, not the longest that a schema takes.
//! - An answer is returned only if it would be accepted. What cannot be made is told as the
//!   stand-in's own [`Limit`]; a property that need not be there is left out instead.
//!
//! The normal form is that of `jsonschema`, the validator itself, and patterns are read by
//! `regex-syntax`, the parser of `regex`. None of the crates that make values by themselves fits:
//! `noson` (first of 2026) and `rand_regex` ("passively maintained") write characters by chance,
//! so that neither a user's words nor the mark could be in them; the first passes over patterns
//! that it cannot make, the second takes no anchors and knows no lengths. `datagen-rs` (last
//! of 2023) has schemas of its own, and `json-schema-faker` runs JavaScript.

mod alternatives;
mod cut;
mod dice;
mod ecma;
mod form;
mod formats;
mod forms;
mod leaves;
mod lessons;
mod lists;
mod marked;
mod numbers;
mod pattern;
mod place;
#[cfg(test)]
mod tests;
mod text;
mod words;
mod writer;

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::answer::{self, BadAnswer};
use dice::Dice;
use form::{READINGS, Reading};
use lessons::Lessons;
use place::Place;
use words::Story;
use writer::Writer;

/// In front of every text that has room for it and for a word.
pub const MARK: &str = "[stand-in]";

/// In front of every other text with room for it.
pub const SHORT_MARK: &str = "[!]";

/// In front of texts of one or two characters.
pub const TINY_MARK: &str = "!";

/// Answers that are tried for each reading of a schema.
const MAX_VARIANTS: usize = 4;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The stand-in cannot make one.
    #[error(
        "the stand-in cannot {reason} at \"{place}\": this is its own limit, a model may well do it"
    )]
    Own {
        /// Where in the answer, as a JSON pointer.
        place: String,
        /// What it cannot do there: `make a text for the pattern "^(a|b)\1$"`.
        reason: String,
    },
    /// Nobody can: what the schema says excludes itself.
    #[error("no answer fits the schema, whoever writes it: \"{place}\": {reason}")]
    Schema {
        /// Where in the schema, or in the answer, as a JSON pointer.
        place: String,
        /// What excludes every value there.
        reason: String,
    },
}

/// Answers a prompt with what a campaign with this schema accepts.
///
/// `schema` is all of `answer.schema.json`, not the part that travels.
pub fn answer(schema: &Value, prompt: &str) -> Result<Value, Limit> {
    StandIn::new(schema)?.answer(prompt)
}

/// Answers a prompt where only the part of the schema is known that travels. `complaint` is
/// what was wrong with the answer before, or empty: it teaches how long texts and lists are.
pub fn answer_corrected(schema: &Value, prompt: &str, complaint: &str) -> Result<Value, Limit> {
    StandIn::new(schema)?.answer_corrected(prompt, complaint)
}

/// A schema that is read once for many prompts.
#[derive(Debug)]
pub struct StandIn {
    schema: Value,
    validator: Validator,
    /// The schema's normal form in each reading that was needed.
    forms: [OnceLock<Option<Value>>; READINGS.len()],
}

impl StandIn {
    /// Reads a schema.
    pub fn new(schema: &Value) -> Result<Self, Limit> {
        let validator = crate::schema::validator(schema)
            .map_err(|error| Place::default().limit(format!("read the schema ({error})")))?;
        Ok(Self { schema: schema.clone(), validator, forms: Default::default() })
    }

    /// Answers a prompt with what a campaign with this schema accepts.
    pub fn answer(&self, prompt: &str) -> Result<Value, Limit> {
        self.made(prompt, &Lessons::default())
    }

    /// Answers a prompt, or corrects an answer, where this is the part of a schema that travels.
    pub fn answer_corrected(&self, prompt: &str, complaint: &str) -> Result<Value, Limit> {
        self.made(prompt, &Lessons::from(complaint))
    }

    /// The first answer that would be accepted, of all readings of the schema.
    fn made(&self, prompt: &str, lessons: &Lessons) -> Result<Value, Limit> {
        let (story, seed) = (Story::told_by(prompt), Dice::new(&[prompt]).name());
        let root = Place::default();
        let mut first = None;
        for (reading, form) in READINGS.into_iter().zip(&self.forms) {
            let form = form.get_or_init(|| form::normal(&self.schema, reading));
            let Some(form) = form else { continue };
            if *form == false {
                match reading {
                    Reading::Hints => return Err(contradiction(&self.schema)),
                    Reading::Formats | Reading::Narrow(_) => continue,
                }
            }
            for variant in 0..MAX_VARIANTS {
                let writer = Writer::new(form, &story, lessons, &seed, variant);
                let made = writer.value(form, &root, 0).and_then(|value| self.accepted(value));
                match made {
                    Ok(value) => return Ok(value),
                    Err(limit) => first = first.or(Some(limit)),
                }
            }
        }
        Err(first.unwrap_or_else(|| root.limit("follow all conditions of the schema")))
    }

    /// An answer, if the campaign accepts it.
    fn accepted(&self, value: Value) -> Result<Value, Limit> {
        match answer::accept(&value.to_string(), &self.validator, &self.schema) {
            Ok(_) => Ok(value),
            Err(error) => Err(limit(&error)),
        }
    }
}

/// What leaves no value in a schema, as a limit.
fn contradiction(schema: &Value) -> Limit {
    let all = || (String::new(), "all that it says".to_owned());
    let (place, keywords) = form::contradiction(schema).unwrap_or_else(all);
    Limit::Schema { place, reason: format!("together, these leave nothing: {keywords}") }
}

/// What an own answer broke, as a limit.
fn limit(error: &BadAnswer) -> Limit {
    match error {
        BadAnswer::Mismatch(violations) if !violations.is_empty() => Limit::Own {
            place: violations[0].place.clone(),
            reason: format!("keep to {}", violations[0].rule),
        },
        other => Place::default().limit(format!("make an answer ({other})")),
    }
}
