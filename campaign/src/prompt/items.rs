//! The catalogs as a prompt's template sees them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use contract::catalog::{ItemKey, is_id, is_name};
use dialect::{Catalogs, Value};

use super::values::{ITEM, inert_map};
use crate::grounds::{Item, Items};

/// Looks items up among those that are known, and remembers which were looked up.
#[derive(Debug)]
pub(super) struct Lookup {
    items: Items,
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    wanted: BTreeSet<ItemKey>,
    used: Vec<Used>,
}

/// A place among the items that a prompt used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Used {
    /// What was looked up; `None` where a tag named no item.
    pub(crate) key: Option<ItemKey>,
    /// What it holds; `None` if it is in no catalog.
    pub(crate) item: Option<Arc<Item>>,
}

/// Stands for the catalogs while a template is explored: it holds nothing, and is not asked.
#[derive(Debug)]
pub(super) struct Anything;

impl Lookup {
    /// Among these items.
    pub(super) fn new(items: &Items) -> Rc<Self> {
        Rc::new(Self { items: items.clone(), seen: RefCell::default() })
    }

    /// The items that were looked up and are not known.
    pub(super) fn wanted(&self) -> BTreeSet<ItemKey> {
        self.seen.borrow().wanted.clone()
    }

    /// The items that were looked up, each once, those that are in no catalog too: so the place of
    /// an item does not depend on whether those before it are there.
    pub(super) fn used(&self) -> Vec<Used> {
        std::mem::take(&mut self.seen.borrow_mut().used)
    }

    fn note(&self, key: ItemKey, item: Option<Arc<Item>>) {
        let used = &mut self.seen.borrow_mut().used;
        if used.iter().all(|used| used.key.as_ref() != Some(&key)) {
            used.push(Used { key: Some(key), item });
        }
    }
}

impl Catalogs for Lookup {
    fn item(&self, catalog: &str, id: &str) -> Option<Value> {
        let key = ItemKey { catalog: catalog.to_owned(), id: id.to_owned() };
        let can_be_there = is_name(catalog) && is_id(id);
        let known = if can_be_there { self.items.get(&key) } else { Some(None) };
        match known {
            None => drop(self.seen.borrow_mut().wanted.insert(key)),
            Some(None) => self.note(key, None),
            Some(Some(item)) => {
                self.note(key, Some(Arc::clone(item)));
                let mut columns = inert_map(item, &ITEM, 0);
                columns.insert("id".into(), Value::scalar(id.to_owned()));
                return Some(Value::Object(columns));
            }
        }
        None
    }

    fn no_item(&self) {
        self.seen.borrow_mut().used.push(Used { key: None, item: None });
    }
}

impl Catalogs for Anything {
    fn item(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
}
