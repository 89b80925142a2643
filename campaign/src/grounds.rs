//! What a text may say something of: a user's events and attributes, and the catalog items that
//! these lead to.
//!
//! Which items are wanted, the prompt's template tells: it is rendered once with what is known,
//! and again when what it wants has been fetched ([`Rendering::Wants`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use contract::attributes::Attributes;
use contract::catalog::ItemKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Past;

/// What a prompt is rendered over.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'g> {
    /// The user's latest events, oldest first.
    pub events: &'g [Past],
    /// What Braze knows of the user; of it is seen what the campaign lists.
    pub attributes: &'g Attributes,
    /// The items that are known so far.
    pub items: &'g Items,
}

/// The columns of a catalog's item, by their names.
pub type Item = Map<String, Value>;

/// Items of which is known what they hold, or that there are none; a copy costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Items(Arc<HashMap<ItemKey, Option<Arc<Item>>>>);

/// What came of rendering a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendering {
    /// These items are wanted and not known: render it again with them.
    Wants(BTreeSet<ItemKey>),
    /// The model is to be asked.
    Asks(Box<Brief>),
    /// Nothing is to be asked.
    Lacks(Lack),
}

/// Why nothing is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The prompt says nothing.
    Blank,
    /// What the prompt prints, or the content takes over, is not there: by its names.
    Parts(Vec<String>),
    /// There is no such item.
    Item(ItemKey),
}

/// What the model is asked, and what its answer is to be part of.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// What the model is told, and its answer is held against.
    pub told: Told,
    /// Identifies everything that decides the answer: equal ones have equal answers.
    pub hash: String,
    /// What the content takes over as it is, of which the model hears nothing.
    pub passed: Map<String, Value>,
    /// Language in which the user gets fallback content, where an event says it.
    pub language: Option<String>,
}

/// What a model was told, and what its answer is held against.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The rendered prompt.
    pub prompt: String,
    /// The newest event, with the fields that the campaign lists.
    pub event: Option<Past>,
    /// The attributes that the campaign lists.
    pub attributes: Attributes,
    /// The items that the prompt used, each once, in the order in which it did; `None` in the
    /// place of one that is in no catalog.
    #[serde(with = "shared_items")]
    pub items: Vec<Option<Arc<Item>>>,
}

impl Items {
    /// Notes what an item holds, or that there is none.
    pub fn insert(&mut self, key: ItemKey, item: Option<Arc<Item>>) {
        Arc::make_mut(&mut self.0).insert(key, item);
    }

    /// What is known of an item: nothing, that there is none, or what it holds.
    pub fn get(&self, key: &ItemKey) -> Option<Option<&Arc<Item>>> {
        self.0.get(key).map(Option::as_ref)
    }

    /// Adds what is known elsewhere.
    pub fn extend(&mut self, others: impl IntoIterator<Item = (ItemKey, Option<Arc<Item>>)>) {
        Arc::make_mut(&mut self.0).extend(others);
    }
}

impl Told {
    /// Of a prompt alone: of a campaign whose rules look at nothing else.
    pub fn prompt(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }
}

/// Items in a file: what is shared in memory is written out.
mod shared_items {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Item;

    pub(super) fn serialize<S: Serializer>(
        items: &[Option<Arc<Item>>],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let items: Vec<Option<&Item>> = items.iter().map(Option::as_deref).collect();
        items.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Option<Arc<Item>>>, D::Error> {
        let items = Vec::<Option<Item>>::deserialize(from)?;
        Ok(items.into_iter().map(|item| item.map(Arc::new)).collect())
    }
}
