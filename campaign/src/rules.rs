//! What a campaign demands of answers beyond their schema: its own checks, words that are
//! forbidden, links, and texts that say only what the prompt says.
//!
//! - [`checks`] — conditions over the answer and what the model was told.
//! - [`forbidden`] — words, compared as [`words`] folds them.
//! - [`links`] — what reads as a link, and which may be there.
//! - [`grounded`] — numbers, names and titles that must stand in the prompt.
//!
//! Guarantees: what is logged of a broken rule is its name and its place; what the answer says
//! is quoted, cut short, to the model alone. An answer's texts are looked at as they read,
//! before they are made safe for their place.

pub(crate) mod checks;
pub(crate) mod forbidden;
pub(crate) mod grounded;
pub(crate) mod links;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod words;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::{Named, Passage, RuleSettings};
use crate::grounds::Told;
use crate::known_catalogs::ItemUse;
use crate::reference::{Reference, Root};
use crate::schema::step;
use checks::Check;
use forbidden::Forbidden;
use grounded::Grounded;
use links::Links;

/// The names of the rules that are no checks, which no check may have.
pub(crate) const OWN_NAMES: [&str; 3] = [FORBIDDEN, GROUNDED, LINKS];

const FORBIDDEN: &str = "forbidden";
const GROUNDED: &str = "grounded";
const LINKS: &str = "links";

/// Most parts of an answer that are quoted of one rule.
const MAX_QUOTED: usize = 5;

/// Longest part of an answer that is quoted, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// The compiled rules of a campaign.
#[derive(Debug)]
pub(crate) struct Rules {
    checks: Vec<Check>,
    forbidden: Option<Forbidden>,
    links: Links,
    grounded: Option<Grounded>,
}

/// A rule that an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Name of the rule.
    pub rule: String,
    /// Where, as a JSON pointer; empty where a rule is of the answer as a whole.
    pub place: String,
    /// What the model is told, which may quote its answer: never for a log.
    pub(crate) say: String,
}

/// What came of holding an answer against the rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The rules that it breaks.
    pub(crate) broken: Vec<Broken>,
    /// The checks that could not be applied, as what they look at beside the answer is missing.
    pub(crate) unapplied: Vec<String>,
}

impl Rules {
    /// Compiles the rules of a campaign with this schema, or says what is wrong in which line of
    /// `campaign.toml`.
    pub(crate) fn compile(named: &Named, schema: &Value) -> Result<Self, Vec<(usize, String)>> {
        let RuleSettings { checks, forbidden, links, grounded } = &named.rules;
        let mut wrong = Vec::new();
        let mut compiled = Vec::new();
        for check in checks {
            match Check::compile(check, named, schema) {
                Ok(check) => compiled.push(check),
                Err(found) => wrong.extend(found),
            }
        }
        let grounded = Grounded::compile(grounded, &named.fields_from, schema);
        let grounded = grounded.map_err(|found| wrong.extend(found)).ok().flatten();
        let (forbidden, links) = (Forbidden::new(forbidden), Links::new(links));
        if wrong.is_empty() {
            Ok(Self { checks: compiled, forbidden, links, grounded })
        } else {
            Err(wrong)
        }
    }

    /// What the checks look at of items.
    pub(crate) fn item_uses(&self) -> impl Iterator<Item = ItemUse> {
        self.checks.iter().flat_map(Check::item_uses)
    }

    /// What of the checks can never fit where every value of an item is a text, with the line.
    pub(crate) fn misfits_of_texts(&self, schema: &Value) -> Vec<(usize, String)> {
        self.checks.iter().flat_map(|check| check.misfits_of_texts(schema)).collect()
    }

    /// Holds an answer against all rules.
    pub(crate) fn examine(&self, answer: &Value, told: &Told) -> Outcome {
        let mut outcome = Outcome::default();
        if !self.checks.is_empty() {
            checks::examine(&self.checks, answer, told, &mut outcome);
        }
        outcome.broken.extend(self.broken_by_texts(answer));
        if let Some(grounded) = &self.grounded {
            grounded.examine(answer, &told.prompt, &mut outcome.broken);
        }
        outcome
    }

    /// The rules of words and links that texts break.
    fn broken_by_texts(&self, value: &Value) -> Vec<Broken> {
        let mut broken = Vec::new();
        each_text(value, &mut String::new(), &mut |text, place| {
            let forbidden = self.forbidden.as_ref().and_then(|words| words.broken_by(text));
            let links = self.links.broken_by(text);
            let found = [(FORBIDDEN, forbidden), (LINKS, links)];
            broken.extend(found.into_iter().filter_map(|(rule, say)| {
                let (rule, place) = (rule.to_owned(), place.to_owned());
                Some(Broken { rule, place, say: say? })
            }));
        });
        broken
    }

    /// What an author's own content breaks of what they forbid a model: the place, and what is
    /// wrong there. A link is no fault where the campaign says nothing of links.
    pub(crate) fn broken_by_author(
        &self,
        content: &Value,
    ) -> Vec<(String, Result<String, String>)> {
        let broken = self.broken_by_texts(content).into_iter();
        let told = broken.map(|Broken { rule, place, say }| {
            let told = if rule == LINKS && !self.links.allow_some() {
                Ok(format!(
                    "holds a link at \"{place}\", though no answer may hold one without links in campaign.toml"
                ))
            } else {
                Err(format!("breaks {rule} of campaign.toml at \"{place}\": {say}"))
            };
            (place, told)
        });
        told.collect()
    }

    /// What decides, beside the prompt, whether an answer passes: the values of the places that
    /// the checks look at, without those of the answer; empty if they look at none.
    pub(crate) fn seen(&self, told: &Told) -> String {
        let places: BTreeSet<&Reference> = self.checks.iter().flat_map(Check::places).collect();
        let whole: BTreeSet<Root> = self.checks.iter().flat_map(Check::whole).collect();
        let mut seen = String::new();
        for root in Root::ALL.into_iter().filter(|root| *root != Root::Answer) {
            let of_root = || places.iter().filter(|place| place.root == root);
            if !whole.contains(&root) && of_root().next().is_none() {
                continue;
            }
            let value = root.told(told);
            if whole.contains(&root) {
                seen.push_str(&format!("{}={value}\n", root.name()));
                continue;
            }
            for place in of_root() {
                let found = place.find(&value).map_or("-".to_owned(), Value::to_string);
                seen.push_str(&format!("{place}={found}\n"));
            }
        }
        seen
    }
}

/// Hands over each text of a value with its place.
pub(crate) fn each_text(value: &Value, path: &mut String, found: &mut impl FnMut(&str, &str)) {
    let length = path.len();
    match value {
        Value::String(text) => found(text, path),
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                path.push_str(&format!("/{n}"));
                each_text(value, path, found);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                path.push_str(&format!("/{}", step(name)));
                each_text(value, path, found);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Parts of an answer in quotes, each once, for the model alone.
pub(crate) fn quoted<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<String> = Vec::new();
    for part in parts {
        let shown: String = part.chars().take(MAX_QUOTED_CHARS).collect();
        let shown = format!("\"{shown}\"");
        if quoted.len() < MAX_QUOTED && !quoted.contains(&shown) {
            quoted.push(shown);
        }
    }
    quoted.join(", ")
}

/// The property that a path of names names, if it is taken over and so no part of the answer.
fn taken_over<'p>(names: &[&str], passages: &'p [Passage]) -> Option<&'p Passage> {
    passages.iter().find(|passage| {
        let target = &passage.target;
        names.len() >= target.len() && target.iter().zip(names).all(|(one, other)| one == other)
    })
}
