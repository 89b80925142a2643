//! The two forms of an item that holds content or a history.
//!
//! A plain one has an attribute for everything. A compact one holds what only `processor` reads
//! in a single attribute, packed: what api, conditions and `ops` need beside the others stays an
//! attribute of its own. Both are read at any time, whatever is written; an item takes the form of
//! whoever writes it next, and what a write leaves alone stays as it is, so that some items have a
//! part of either.

use std::str::FromStr;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use campaign::Past;
use contract::compact;
use contract::content::{self, HISTORY, PACKED};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::item::{Item, attribute};
use crate::store::{Cause, Packed, TableError};

/// What a compact item packs beside the history, as the dictionary is trained on it.
const IS_PACKED: [&str; 9] = [
    content::CAMPAIGNS_VERSION,
    content::EVENT_ID,
    content::INPUT_TOKENS,
    content::MODEL_ID,
    content::OLDEST_EVENT_TIME,
    content::ORIGIN,
    content::OUTPUT_TOKENS,
    content::PACED_UNTIL,
    content::UNLESS_AT,
];

/// What is never packed: an item that says so is of nobody's making.
const IS_NOT_PACKED: [&str; 14] = [
    content::USER_ID,
    content::ITEM,
    content::REVISION,
    content::EXPIRES_AT,
    content::DATA,
    content::EVENT_TIME,
    content::GENERATED_AT,
    content::PROMPT_HASH,
    content::PUBLICATION,
    content::LANGUAGE,
    content::PARKED_UNTIL,
    content::RETRACTED_AT,
    content::SERVED_UNTIL,
    PACKED,
];

/// Most fields beside the history that are unpacked: this version packs nine, and what all of them
/// become must fit into one update, whose expression has 4 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const MAX_FIELDS: usize = 40;

/// The form in which items are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// An attribute for everything: for a version that knows no other, or readers of one's own.
    #[default]
    Plain,
    /// What only `processor` reads is packed: half as large.
    Compact,
}

impl FromStr for Form {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "plain" => Ok(Self::Plain),
            "compact" => Ok(Self::Compact),
            _ => Err("say plain or compact"),
        }
    }
}

/// What is packed.
#[derive(Serialize)]
struct Written<'w> {
    history: &'w [Past],
    #[serde(flatten)]
    beside: &'w Packed,
}

/// What was packed.
#[derive(Deserialize)]
struct Read {
    history: Vec<Past>,
    #[serde(flatten)]
    beside: Packed,
}

/// What is to become of attributes.
pub(super) struct Change {
    pub(super) set: Item,
    /// What was packed: it is set where nothing newer stands.
    pub(super) unpack: Item,
    /// What is to be removed.
    pub(super) remove: Vec<&'static str>,
}

impl Form {
    /// Lays out what is written beside a history; `beside` is what the item held packed, of which
    /// only what is written anew is replaced.
    pub(super) fn lay_out(
        self,
        mut attributes: Item,
        history: &[Past],
        beside: &Packed,
    ) -> Result<Change, TableError> {
        let not_json = |_| TableError::passing("history was not stored", Cause::NotJson);
        if self == Self::Compact {
            let anew: Vec<_> =
                IS_PACKED.into_iter().filter(|name| attributes.contains_key(*name)).collect();
            let mut beside = beside.clone();
            beside.extend(anew.iter().filter_map(|name| {
                attributes.get(*name).and_then(json).map(|value| ((*name).to_owned(), value))
            }));
            let written = Written { history, beside: &beside };
            if let Some(packed) = compact::pack(&written).map_err(not_json)? {
                attributes.retain(|name, _| !anew.contains(&name.as_str()));
                let packed = AttributeValue::B(Blob::new(packed));
                attributes.insert(PACKED.to_owned(), packed);
                let remove = [&[HISTORY][..], &anew].concat();
                return Ok(Change { set: attributes, unpack: Item::new(), remove });
            }
        }
        let history = serde_json::to_string(history).map_err(not_json)?;
        attributes.insert(HISTORY.to_owned(), AttributeValue::S(history));
        let packed = beside.iter().filter(|(name, _)| !attributes.contains_key(*name));
        let unpack = packed.map(|(name, value)| (name.clone(), unpacked(value))).collect();
        Ok(Change { set: attributes, unpack, remove: vec![PACKED] })
    }
}

/// An item, whichever form it has.
pub(super) struct Fields<'i> {
    item: &'i Item,
    /// What it holds packed beside the history; nothing, if it is a plain one.
    pub(super) beside: Packed,
    /// The history, if it can be read.
    pub(super) history: Option<Vec<Past>>,
    /// Whether a part of it cannot be read.
    pub(super) is_foreign: bool,
}

impl<'i> Fields<'i> {
    pub(super) fn of(item: &'i Item) -> Self {
        let packed = item.get(PACKED).map(read);
        let is_broken = matches!(packed, Some(None));
        let (packed, beside) = packed.flatten().map(|read| (read.history, read.beside)).unzip();
        let history = match item.get(HISTORY) {
            Some(own) => own.as_s().ok().and_then(|json| serde_json::from_str(json).ok()),
            None => packed,
        };
        let is_foreign = is_broken || history.is_none();
        Self { item, beside: beside.unwrap_or_default(), history, is_foreign }
    }

    /// A text: an attribute of its own is newer than what is packed.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.item.get(name) {
            Some(own) => own.as_s().ok().map(String::as_str),
            None => self.beside.get(name)?.as_str(),
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.item.get(name) {
            Some(own) => own.as_n().ok()?.parse().ok(),
            None => self.beside.get(name)?.as_i64(),
        }
    }
}

/// The same item in the plain form, for a person or program to read; one that cannot be read
/// stays as it is.
pub fn plain_item(mut item: Item) -> Item {
    let Some(Read { history, beside }) = item.get(PACKED).and_then(read) else { return item };
    item.remove(PACKED);
    for (name, value) in &beside {
        item.entry(name.clone()).or_insert_with(|| unpacked(value));
    }
    if let Ok(history) = serde_json::to_string(&history) {
        item.entry(HISTORY.to_owned()).or_insert(AttributeValue::S(history));
    }
    item
}

fn read(packed: &AttributeValue) -> Option<Read> {
    let read: Read = compact::unpack(packed.as_b().ok()?.as_ref()).ok()?;
    let is_packed = |name: &String| !name.is_empty() && !IS_NOT_PACKED.contains(&name.as_str());
    (read.beside.len() <= MAX_FIELDS && read.beside.keys().all(is_packed)).then_some(read)
}

/// An attribute as it is packed.
fn json(attribute: &AttributeValue) -> Option<Value> {
    match attribute {
        AttributeValue::S(text) => Some(text.as_str().into()),
        AttributeValue::N(number) => serde_json::from_str(number).ok(),
        _ => None,
    }
}

/// What was packed, as an attribute: of what only another version knows no more is said than that.
fn unpacked(value: &Value) -> AttributeValue {
    match value {
        Value::Array(_) | Value::Object(_) => AttributeValue::S(value.to_string()),
        Value::Number(number) if number.is_f64() => AttributeValue::S(value.to_string()),
        value => attribute(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_trained_on_what_is_packed() {
        let script = include_str!("../../../../contract/dictionary/train.py");
        let (_, rest) = script.split_once("\nPACKED = [").expect("names what is packed");
        let (names, _) = rest.split_once(']').expect("ends");
        let names: Vec<&str> = names.split(',').map(|name| name.trim().trim_matches('"')).collect();

        assert_eq!(names[..names.len() - 1], IS_PACKED, "and a comma behind the last");
        assert_eq!(names.last(), Some(&""));
    }
}
