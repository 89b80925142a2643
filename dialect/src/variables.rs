//! The variables of a rendering, and those of a loop over them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use liquid_core::model::{KString, KStringCow, KStringRef, Object, ScalarCow, Value, ValueCow};
use liquid_core::runtime::{PartialStore, Registers, Renderable};
use liquid_core::{Error, Result, Runtime, ValueView};

use crate::expression::plain_name;
use crate::lookup;
use crate::ruby;
use crate::state::{self, Miss, Purpose, Stop};
use crate::unknown;

/// There are no partial templates: content blocks are parsed where they stand.
#[derive(Debug)]
pub(crate) struct NoPartials;

impl PartialStore for NoPartials {
    fn contains(&self, _: &str) -> bool {
        false
    }

    fn names(&self) -> Vec<&str> {
        Vec::new()
    }

    fn try_get(&self, _: &str) -> Option<std::sync::Arc<dyn Renderable>> {
        None
    }

    fn get(&self, name: &str) -> Result<std::sync::Arc<dyn Renderable>> {
        Err(Error::with_msg(format!("no template {name}")))
    }
}

/// The variables that were given, those that the template sets, and its counters.
pub(crate) struct Variables<'g> {
    given: &'g Object,
    set: RefCell<Object>,
    counters: RefCell<Object>,
    registers: Registers,
    purpose: Purpose,
    /// Lookups have a count of their own, which is quickly at hand.
    lookups_left: Cell<u64>,
}

impl<'g> Variables<'g> {
    /// Begins with what is given.
    pub(crate) fn new(given: &'g Object, purpose: Purpose, max_lookups: u64) -> Self {
        let (set, counters) = (RefCell::default(), RefCell::default());
        let lookups_left = Cell::new(max_lookups);
        Self { given, set, counters, registers: Registers::default(), purpose, lookups_left }
    }

    /// The state, when the rendering is over.
    pub(crate) fn into_state(self) -> state::State {
        std::mem::take(&mut *self.registers.get_mut::<state::State>())
    }
}

impl Runtime for Variables<'_> {
    fn partials(&self) -> &dyn PartialStore {
        &NoPartials
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        None
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        let set = self.set.borrow();
        let set: Vec<KStringCow<'_>> = set.keys().map(|name| name.clone().into()).collect();
        self.given.keys().map(|name| KStringCow::from_ref(name.as_str())).chain(set).collect()
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        self.get(path).ok()
    }

    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        let Some(left) = self.lookups_left.get().checked_sub(1) else {
            return state::with(self, |state| state::stop(state, Stop::Steps));
        };
        self.lookups_left.set(left);
        let Some(first) = path.first() else { return Ok(lookup::nothing()) };
        let name = first.to_kstr();
        let name = plain_name(name.as_str());
        for own in [&self.set, &self.counters] {
            if let Some(value) = own.borrow().get(name) {
                return Ok(match lookup::inside(value, path, self.purpose, self) {
                    found if found.is_nil() => lookup::nothing(),
                    found => {
                        match ruby::weight(&found) {
                            0 => {}
                            steps => {
                                state::spend(self, steps)?;
                            }
                        }
                        ValueCow::Owned(found.into_owned())
                    }
                });
            }
        }
        if let Some(value) = self.given.get(name) {
            return Ok(lookup::inside(value, path, self.purpose, self));
        }
        // It may be set in a round before this one.
        if state::with(self, |state| state.set.contains(name)) {
            return Ok(ValueCow::Owned(unknown::of([])));
        }
        state::missed(self, || {
            let names = self.roots().into_iter().map(|name| name.to_string());
            Miss::variable(path, names)
        });
        Ok(lookup::nothing())
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        self.set.borrow_mut().insert(KString::from_ref(plain_name(&name)), value)
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.counters.borrow_mut().insert(KString::from_ref(plain_name(&name)), value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.counters.borrow().get(plain_name(name)).map(|value| value.to_value().into())
    }

    fn registers(&self) -> &Registers {
        &self.registers
    }
}

/// What a loop adds: its item and `forloop`.
pub(crate) struct Scope<'a> {
    pub(crate) outer: &'a dyn Runtime,
    pub(crate) name: &'a str,
    pub(crate) item: &'a dyn ValueView,
    pub(crate) position_name: &'a str,
    pub(crate) position: &'a Object,
}

impl Runtime for Scope<'_> {
    fn partials(&self) -> &dyn PartialStore {
        self.outer.partials()
    }

    fn name(&self) -> Option<KStringRef<'_>> {
        self.outer.name()
    }

    fn roots(&self) -> BTreeSet<KStringCow<'_>> {
        let mut roots = self.outer.roots();
        roots.extend([self.name, self.position_name].map(KStringCow::from_ref));
        roots
    }

    fn try_get(&self, path: &[ScalarCow<'_>]) -> Option<ValueCow<'_>> {
        self.get(path).ok()
    }

    fn get(&self, path: &[ScalarCow<'_>]) -> Result<ValueCow<'_>> {
        let Some(first) = path.first() else { return Ok(lookup::nothing()) };
        let name = first.to_kstr();
        let name = plain_name(name.as_str());
        let own: &dyn ValueView = if name == self.name {
            self.item
        } else if name == self.position_name {
            self.position
        } else {
            return self.outer.get(path);
        };
        let purpose = state::spend(self, 1)?;
        Ok(lookup::inside(own, path, purpose, self))
    }

    fn set_global(&self, name: KString, value: Value) -> Option<Value> {
        self.outer.set_global(name, value)
    }

    fn set_index(&self, name: KString, value: Value) -> Option<Value> {
        self.outer.set_index(name, value)
    }

    fn get_index<'a>(&'a self, name: &str) -> Option<ValueCow<'a>> {
        self.outer.get_index(name)
    }

    fn registers(&self) -> &Registers {
        self.outer.registers()
    }
}
