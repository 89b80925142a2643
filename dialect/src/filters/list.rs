//! Filters of lists.

use std::cmp::Ordering;

use liquid_core::model::{ScalarCow, Value};
use liquid_core::{Result, ValueView};

use super::{Call, Filter, as_text, choosing, filter};
use crate::lookup;
use crate::ruby::{self, Kind};
use crate::state;

pub(super) const FILTERS: &[Filter] = &[
    filter("join", (0, 1), join),
    filter("first", (0, 0), |call| Ok(end(call, true))),
    filter("last", (0, 0), |call| Ok(end(call, false))),
    filter("size", (0, 0), |call| Ok(Value::scalar(size(call.input) as i64))),
    filter("map", (1, 1), map),
    filter("slice", (1, 2), slice),
    choosing("reverse", (0, 0), |call| {
        let mut items = call.items()?;
        items.reverse();
        Ok(Value::Array(items))
    }),
    choosing("sort", (0, 1), |call| sorted(call, ruby::order)),
    choosing("sort_natural", (0, 1), |call| sorted(call, natural)),
    choosing("uniq", (0, 1), uniq),
    choosing("compact", (0, 1), |call| {
        let mut items = call.items()?;
        items.retain(|item| !key(call, item, 0).is_nil());
        Ok(Value::Array(items))
    }),
    choosing("where", (1, 2), filtered),
    filter("concat", (1, 1), concat),
    filter("property_accessor", (1, 1), |call| {
        let property = call.text_of(0).into_owned();
        Ok(property_of(call, call.input, &property))
    }),
];

fn size(value: &dyn ValueView) -> usize {
    match ruby::kind(value) {
        Kind::Text(text) => text.chars().count(),
        Kind::List(list) => list.values().count(),
        Kind::Map(map) => map.keys().count(),
        // Its bytes, in Ruby.
        Kind::Integer(_) => 8,
        _ => 0,
    }
}

fn join(call: &Call<'_>) -> Result<Value> {
    let items = call.items()?;
    let glue = if call.arguments.is_empty() { " ".into() } else { call.text_of(0) };
    let texts: Vec<_> = items.iter().map(|item| ruby::text(item)).collect();
    let length: usize = texts.iter().map(|text| text.len()).sum();
    call.fits(length.saturating_add(glue.len().saturating_mul(texts.len())))?;
    as_text(texts.join(&glue))
}

fn end(call: &Call<'_>, is_first: bool) -> Value {
    let Kind::List(list) = ruby::kind(call.input) else { return Value::Nil };
    let item = if is_first { list.first() } else { list.last() };
    item.map_or(Value::Nil, ValueView::to_value)
}

/// A property of an item, looked up like any other name.
fn property_of(call: &Call<'_>, item: &dyn ValueView, property: &str) -> Value {
    let path = [ScalarCow::new("an item of the list"), ScalarCow::new(property.to_owned())];
    lookup::inside(item, &path, state::purpose(call.runtime), call.runtime).into_owned()
}

/// What decides about an item: a property of it where an argument names one.
fn key(call: &Call<'_>, item: &Value, n: usize) -> Value {
    match call.arguments.get(n) {
        Some(property) => property_of(call, item, &ruby::text(property)),
        None => item.clone(),
    }
}

/// Looks the property up that an argument names, so that one that no item has is told.
pub(super) fn look_at_property(call: &Call<'_>) {
    if let Kind::List(list) = ruby::kind(call.input)
        && let Some(item) = list.first().filter(|item| item.is_object())
    {
        key(call, &item.to_value(), 0);
    }
}

fn map(call: &Call<'_>) -> Result<Value> {
    let items = call.items()?;
    Ok(Value::Array(items.iter().map(|item| key(call, item, 0)).collect()))
}

fn sorted(call: &Call<'_>, order: fn(&dyn ValueView, &dyn ValueView) -> Ordering) -> Result<Value> {
    let items = call.items()?;
    // Sorting looks at each item some twenty times.
    state::spend(call.runtime, items.len().saturating_mul(20))?;
    let mut keyed: Vec<(Value, Value)> =
        items.into_iter().map(|item| (key(call, &item, 0), item)).collect();
    keyed.sort_by(|(a, _), (b, _)| order(a, b));
    Ok(Value::Array(keyed.into_iter().map(|(_, item)| item).collect()))
}

/// The order of texts whatever their case, nothing at the end.
fn natural(a: &dyn ValueView, b: &dyn ValueView) -> Ordering {
    if a.is_nil() || b.is_nil() {
        return ruby::order(a, b);
    }
    ruby::text(a).to_lowercase().cmp(&ruby::text(b).to_lowercase())
}

fn uniq(call: &Call<'_>) -> Result<Value> {
    let mut seen: Vec<Value> = Vec::new();
    let mut kept = Vec::new();
    for item in call.items()? {
        let key = key(call, &item, 0);
        state::spend(call.runtime, seen.len())?;
        if !seen.iter().any(|other| ruby::is_equal(other, &key)) {
            seen.push(key);
            kept.push(item);
        }
    }
    Ok(Value::Array(kept))
}

/// The items whose property is a value, or is true where none is named.
fn filtered(call: &Call<'_>) -> Result<Value> {
    let wanted = call.arguments.get(1).filter(|wanted| !wanted.is_nil());
    let mut items = call.items()?;
    items.retain(|item| {
        let property = key(call, item, 0);
        wanted.map_or_else(|| ruby::is_true(&property), |wanted| ruby::is_equal(&property, wanted))
    });
    Ok(Value::Array(items))
}

fn concat(call: &Call<'_>) -> Result<Value> {
    let mut items = call.items()?;
    let other = Call { input: call.argument(0), ..*call };
    items.extend(other.items()?);
    state::spend(call.runtime, items.len())?;
    Ok(Value::Array(items))
}

/// A part of a text or of a list; places below 0 count from the end.
fn slice(call: &Call<'_>) -> Result<Value> {
    let part = |size: usize| {
        let size = size as i64;
        let from = call.whole(0, 0);
        let from = if from < 0 { from + size } else { from };
        let length = call.whole(1, 1).max(0);
        let is_inside = (0..=size).contains(&from);
        is_inside.then(|| (from as usize, length.min(size - from) as usize))
    };
    if let Kind::List(list) = ruby::kind(call.input) {
        let (from, length) = part(list.values().count()).unwrap_or_default();
        return Ok(Value::array(list.values().skip(from).take(length).map(ValueView::to_value)));
    }
    let text = call.text();
    let (from, length) = part(text.chars().count()).unwrap_or_default();
    as_text(text.chars().skip(from).take(length).collect::<String>())
}
