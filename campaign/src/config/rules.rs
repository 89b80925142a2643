//! What a campaign demands of answers beyond their schema, and what it puts into content itself.

use super::Expression;
use crate::reference::Reference;

/// What a campaign demands of answers beyond their schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Conditions that an answer must meet.
    pub checks: Vec<CheckSettings>,
    /// Words that no text of an answer may hold.
    pub forbidden: Vec<Lined>,
    /// What a link in a text must begin with; without any, there may be none.
    pub links: Vec<Lined>,
    /// Texts of the answer whose numbers, names and titles must stand in the prompt, by their
    /// paths.
    pub grounded: Vec<Lined>,
}

/// A condition that an answer must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSettings {
    /// What it is called where it is counted.
    pub name: String,
    /// The condition, in the Common Expression Language over `answer`, `event`, `attributes`
    /// and `items`.
    pub when: Expression,
    /// What the model is told if its answer does not meet it.
    pub say: String,
}

/// A text with its line in `campaign.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lined {
    /// The text.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A property of the content that is no part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The names down to the property, `details.image` in two.
    pub target: Vec<String>,
    /// What it is taken over from.
    pub source: Reference,
    /// Its line in `campaign.toml`.
    pub line: usize,
}

impl Passage {
    /// The property, as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.target.iter().map(|name| format!("/{}", crate::schema::step(name))).collect()
    }
}

/// What tells the language of the fallback content that a user gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LanguageOf {
    /// An attribute of the user.
    Attribute(String),
    /// A field of the event, by its path.
    Event(String),
}
