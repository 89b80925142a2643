//! The members of one JSON object, each value as it was written.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::line::Wrong;

/// Names and values, in their order.
pub(super) struct Object<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl<'t> Object<'t> {
    /// Reads a line.
    pub(super) fn parse(text: &'t str) -> Result<Self, Wrong> {
        match text.as_bytes().first() {
            Some(b'{') => {}
            Some(b'[') => return Err("is a list: one event a line is wanted".into()),
            Some(b'"') => {
                return Err("is a text: an object is wanted, not the text that holds it".into());
            }
            _ => return Err("is no event: a JSON object is wanted, which begins with {".into()),
        }
        let object: Self =
            serde_json::from_str(text).map_err(|error| Wrong::not_json(text, &error))?;
        let mut names = HashSet::new();
        match object.0.iter().find(|(name, _)| !names.insert(name.as_str())) {
            Some((name, _)) => Err(format!("{} stands in it twice: keep one", quoted(name)).into()),
            None => Ok(object),
        }
    }

    /// Takes a value out; `null` is as good as none.
    pub(super) fn take(&mut self, name: &str) -> Option<&'t RawValue> {
        let place = self.0.iter().position(|(each, _)| each == name)?;
        let (_, value) = self.0.swap_remove(place);
        (value.get() != "null").then_some(value)
    }

    /// Tells whether there is a value of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(each, _)| each == name)
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Vec<(String, &'t RawValue)> {
        self.0
    }
}

/// A text of the event for a person, cut: a fault is one line.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    let cut: String = text.chars().take(MAX_CHARS).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("{:?}{more}", cut)
}
