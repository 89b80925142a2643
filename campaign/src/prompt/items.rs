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
    used: Vec<(ItemKey, Arc<Item>)>,
    missing: Vec<ItemKey>,
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

    /// The items that were found, each once, and those that are in no catalog.
    pub(super) fn used(&self) -> (Vec<(ItemKey, Arc<Item>)>, Vec<ItemKey>) {
        let mut seen = self.seen.borrow_mut();
        (std::mem::take(&mut seen.used), std::mem::take(&mut seen.missing))
    }
}

impl Catalogs for Lookup {
    fn item(&self, catalog: &str, id: &str) -> Option<Value> {
        let key = ItemKey { catalog: catalog.to_owned(), id: id.to_owned() };
        let can_be_there = is_name(catalog) && is_id(id);
        let known = if can_be_there { self.items.get(&key) } else { Some(None) };
        let mut seen = self.seen.borrow_mut();
        match known {
            None => drop(seen.wanted.insert(key)),
            Some(None) => seen.missing.push(key),
            Some(Some(item)) => {
                if seen.used.iter().all(|(used, _)| *used != key) {
                    seen.used.push((key, Arc::clone(item)));
                }
                let mut columns = inert_map(item, &ITEM, 0);
                columns.insert("id".into(), Value::scalar(id.to_owned()));
                return Some(Value::Object(columns));
            }
        }
        None
    }
}

impl Catalogs for Anything {
    fn item(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
}
