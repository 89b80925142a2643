//! Where in an answer a value stands.

use super::Limit;

/// A place in an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// As a JSON pointer.
    pub(super) pointer: String,
    /// The name of the property, or of the one whose list it is in.
    pub(super) name: String,
    /// Which item of the innermost list it is or is in, from 0.
    pub(super) item: Option<usize>,
}

impl Place {
    pub(super) fn property(&self, name: &str) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("{}/{escaped}", self.pointer),
            name: name.to_owned(),
            item: self.item,
        }
    }

    pub(super) fn item(&self, n: usize) -> Self {
        Self { pointer: format!("{}/{n}", self.pointer), name: self.name.clone(), item: Some(n) }
    }

    /// What cannot be done here, as a sentence's end: `write a text for the pattern "x"`.
    pub(super) fn limit(&self, reason: impl Into<String>) -> Limit {
        Limit::Own { place: self.pointer.clone(), reason: reason.into() }
    }
}
