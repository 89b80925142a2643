//! `catalog_items`: the items of a catalog, as the variable `items`.
//!
//! An id that is in no catalog adds nothing to the list, and is no error, as in Braze
//! (<https://www.braze.com/docs/user_guide/data/activation/catalogs/use>).

use std::rc::Rc;

use liquid_core::model::{KString, Value};
use liquid_core::{Result, Runtime, ValueView as _};

use super::set;
use crate::catalogs::{self, Catalogs, MAX_ITEMS};
use crate::notation::Place;
use crate::state::{self, Purpose};
use crate::{Template, unknown};

/// The variable that the items are in.
pub(crate) const ITEMS: &str = "items";

/// What its arguments render to.
#[derive(Debug)]
pub(super) struct CatalogTag {
    line: usize,
    arguments: Template,
    /// The catalog, where its name stands in the template.
    catalog: Option<String>,
}

impl CatalogTag {
    pub(super) fn new(place: &Place, arguments: Template) -> Self {
        let first = place.written.split_whitespace().next();
        let catalog = first.filter(|first| !first.contains('{')).map(str::to_owned);
        Self { line: place.line, arguments, catalog }
    }

    /// Sets the items that `catalogs` knows.
    pub(super) fn set(&self, catalogs: &Rc<dyn Catalogs>, runtime: &dyn Runtime) -> Result<()> {
        let purpose = state::spend(runtime, 1)?;
        let rendered = self.arguments.inner(runtime)?;
        let name = KString::from_static(ITEMS);
        if purpose == Purpose::Exploration {
            let named = (self.line, self.catalog.clone());
            state::with(runtime, |state| state.named_catalogs.insert(named));
            let item = unknown::item(self.catalog.as_deref());
            set::explore(&name, Value::Array(vec![item]), runtime);
            return Ok(());
        }
        let (catalog, ids, rerenders) = catalogs::arguments(&rendered);
        if ids.len() > MAX_ITEMS {
            let reason = format!("names {} items of {catalog}: {MAX_ITEMS} are taken", ids.len());
            state::tell(runtime, self.line, || Some(reason));
        }
        if ids.is_empty() {
            catalogs.no_item();
        }
        let mut items = Vec::new();
        for id in ids.into_iter().take(MAX_ITEMS) {
            state::spend(runtime, 1)?;
            match catalogs.item(catalog, id) {
                Some(item) if rerenders => items.push(rerendered(item, runtime)?),
                Some(item) => items.push(item),
                None => state::tell(runtime, self.line, || {
                    Some(format!("the catalog {catalog} has no item {id}"))
                }),
            }
        }
        runtime.set_global(name, Value::Array(items));
        Ok(())
    }
}

/// An item whose texts are rendered; one that is no template stays as it is.
fn rerendered(item: Value, runtime: &dyn Runtime) -> Result<Value> {
    let Value::Object(mut columns) = item else { return Ok(item) };
    for value in columns.values_mut() {
        let Value::Scalar(text) = &*value else { continue };
        let text = text.to_kstr().into_owned();
        if !(text.contains("{{") || text.contains("{%")) {
            continue;
        }
        state::spend(runtime, text.len())?;
        if let Ok(template) = Template::parse(&text) {
            let rendered = template.inner(runtime)?;
            *value = Value::scalar(rendered);
        }
    }
    Ok(Value::Object(columns))
}
