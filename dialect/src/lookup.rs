//! Looks things up without ever failing: what is not there is nothing.

use liquid_core::model::{DisplayCow, KStringCow, ScalarCow, State, Value, ValueCow};
use liquid_core::{Runtime, ValueView};

use crate::ruby::{self, Kind};
use crate::state::{self, Miss, Purpose};
use crate::unknown;

/// Nothing: prints nothing, is not true, and is no name either where it stands in brackets.
#[derive(Debug)]
struct Nothing;

static NOTHING: Nothing = Nothing;
static NIL: Value = Value::Nil;

impl ValueView for Nothing {
    fn as_debug(&self) -> &dyn std::fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        NIL.render()
    }

    fn source(&self) -> DisplayCow<'_> {
        NIL.source()
    }

    fn type_name(&self) -> &'static str {
        NIL.type_name()
    }

    fn query_state(&self, state: State) -> bool {
        NIL.query_state(state)
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        KStringCow::from_static("")
    }

    fn to_value(&self) -> Value {
        Value::Nil
    }

    // The template language takes only scalars in brackets.
    fn as_scalar(&self) -> Option<ScalarCow<'_>> {
        Some(ScalarCow::new(""))
    }

    fn is_nil(&self) -> bool {
        true
    }
}

/// Nothing, as a value.
pub(crate) fn nothing<'v>() -> ValueCow<'v> {
    ValueCow::Borrowed(&NOTHING)
}

/// What stands at a path inside a value. What is not there is told to whoever wants to know.
pub(crate) fn inside<'v>(
    value: &'v dyn ValueView,
    path: &[ScalarCow<'_>],
    purpose: Purpose,
    runtime: &dyn Runtime,
) -> ValueCow<'v> {
    let is_exploring = purpose == Purpose::Exploration;
    let mut found = ValueCow::Borrowed(value);
    // The first name is that of the variable itself.
    for (n, index) in path.iter().enumerate().skip(1) {
        let next = match &found {
            _ if is_exploring && is_open(found.as_view(), index) => {
                let is_size = ruby::text(index) == "size";
                Some(ValueCow::Owned(if is_size { unknown::size() } else { unknown::of([]) }))
            }
            _ if is_exploring && let Some(column) = column(found.as_view(), index, runtime) => {
                Some(ValueCow::Owned(column))
            }
            ValueCow::Borrowed(value) => step(*value, index),
            ValueCow::Owned(value) => {
                step(value, index).map(|value| ValueCow::Owned(value.into_owned()))
            }
        };
        let Some(next) = next else {
            state::missed(runtime, || Miss::inside(found.as_view(), &path[..=n]));
            return nothing();
        };
        found = next;
    }
    if is_exploring && unknown::is_unknown(found.as_view()) {
        state::with(runtime, |state| state.has_met_unknown = true);
    }
    if found.is_nil() {
        state::missed(runtime, || Miss::nil(path));
        return nothing();
    }
    found
}

/// Tells whether it is not known what stands there, while a template is explored: how long a
/// list will be, and what a name that is not known leads to.
fn is_open(value: &dyn ValueView, index: &ScalarCow<'_>) -> bool {
    match (ruby::kind(value), ruby::kind(index)) {
        _ if unknown::is_unknown(index) => true,
        (Kind::List(_), Kind::Text(name)) if name == "size" => true,
        (Kind::List(list), Kind::Integer(place)) => list.get(place).is_none(),
        (Kind::List(list), Kind::Text(name)) => {
            (name == "first" || name == "last") && list.first().is_none()
        }
        _ => false,
    }
}

/// Any value of a column, where the value is an item of a catalog while a template is explored.
fn column(value: &dyn ValueView, index: &ScalarCow<'_>, runtime: &dyn Runtime) -> Option<Value> {
    let Kind::Text(name) = ruby::kind(index) else { return None };
    let (column, any) = unknown::column_of(value, &name)?;
    state::with(runtime, |state| state.columns.insert(column));
    Some(any)
}

/// One step into a value: an item by its place, a field by its name, or a size.
fn step<'v>(value: &'v dyn ValueView, index: &ScalarCow<'_>) -> Option<ValueCow<'v>> {
    if unknown::is_unknown(value) {
        return Some(ValueCow::Owned(unknown::of([])));
    }
    let size = |size: usize| Some(ValueCow::Owned(Value::scalar(size as i64)));
    match (ruby::kind(value), ruby::kind(index)) {
        (Kind::List(list), Kind::Integer(place)) => list.get(place).map(ValueCow::Borrowed),
        (Kind::List(list), Kind::Text(name)) => match &*name {
            "first" => list.first().map(ValueCow::Borrowed),
            "last" => list.last().map(ValueCow::Borrowed),
            "size" => size(list.values().count()),
            _ => None,
        },
        (Kind::Map(map), Kind::Text(name)) => match map.get(&name) {
            Some(value) => Some(ValueCow::Borrowed(value)),
            None if name == "size" => size(map.keys().count()),
            None => None,
        },
        (Kind::Text(text), Kind::Text(name)) if name == "size" => size(text.chars().count()),
        _ => None,
    }
}
