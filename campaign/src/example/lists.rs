//! Writes a list: as many items as are natural, all different where they must be, and those
//! that it must contain.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Limit;
use super::form;
use super::lessons::Measure;
use super::place::Place;
use super::writer::{Writer, count};

/// Items of a list that may have as many.
const NATURAL_ITEMS: usize = 2;

/// Most items of a list.
const MAX_ITEMS: usize = 1_000;

/// Items that are tried in one place where all must differ.
const MAX_TRIES: usize = 40;

/// Writes the list of a place.
pub(super) fn list(
    writer: &Writer<'_>,
    schema: &Value,
    place: &Place,
    depth: usize,
) -> Result<Value, Limit> {
    let (least, most) = bounds(writer, schema, place);
    if least > MAX_ITEMS {
        return Err(place.limit(format!("write a list of {least} items")));
    }
    let own = schema["prefixItems"].as_array().map_or(0, Vec::len);
    let natural = if most == usize::MAX { 1 } else { NATURAL_ITEMS };
    let length = (natural + writer.variant.get()).max(own).max(least).min(most).min(MAX_ITEMS);
    let mut slots: Vec<Value> = (0..length).map(|n| slot(schema, n)).collect();
    let contained = contain(writer.root, schema, &mut slots, most.min(MAX_ITEMS))
        .ok_or_else(|| place.limit("write what the list must contain"))?;

    let is_unique = schema["uniqueItems"] == true;
    let (mut items, mut seen) = (Vec::new(), HashSet::new());
    for (n, slot) in slots.iter().enumerate() {
        let place = place.item(n);
        let item = match is_unique {
            true => another(writer, slot, &place, depth, &mut seen),
            false => writer.value(slot, &place, depth + 1),
        };
        match item {
            Ok(item) => items.push(item),
            Err(limit) if n < least.max(contained) => return Err(limit),
            Err(_) => break,
        }
    }
    Ok(Value::Array(items))
}

/// An item that was not there before.
fn another(
    writer: &Writer<'_>,
    slot: &Value,
    place: &Place,
    depth: usize,
    seen: &mut HashSet<String>,
) -> Result<Value, Limit> {
    let before = writer.variant.get();
    let mut found = Err(place.limit("find another item that differs from all before it"));
    for variant in 0..MAX_TRIES {
        writer.variant.set(before + variant);
        let item = writer.value(slot, place, depth + 1);
        if item.as_ref().is_ok_and(|item| !seen.insert(item.to_string())) {
            continue;
        }
        found = item;
        break;
    }
    writer.variant.set(before);
    found
}

/// The least and most items, by the schema and by what was learnt.
fn bounds(writer: &Writer<'_>, schema: &Value, place: &Place) -> (usize, usize) {
    let (least, most) = writer.lessons.bounds(&place.pointer, Measure::Items, schema);
    let own = schema["prefixItems"].as_array().map_or(0, Vec::len);
    let most = if schema["items"] == false { Some(most.unwrap_or(own).min(own)) } else { most };
    (least, most.unwrap_or(usize::MAX))
}

/// What the `n`th item must be.
fn slot(schema: &Value, n: usize) -> Value {
    let own = schema["prefixItems"].get(n).or_else(|| schema.get("items"));
    own.cloned().unwrap_or(Value::Bool(true))
}

/// Narrows as many items as must be of a kind, adds those for which there is no place, and
/// keeps the others from being of it where it is rare. The number of items without which it
/// is not done, or `None` where it cannot be done.
fn contain(root: &Value, schema: &Value, slots: &mut Vec<Value>, most: usize) -> Option<usize> {
    let all = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
    let mut taken = vec![false; slots.len()];
    for part in all {
        let Some(wanted) = part.get("contains") else { continue };
        let mut missing = count(&part["minContains"]).unwrap_or(1);
        let mut n = 0;
        while missing > 0 && n < most {
            if n == slots.len() {
                slots.push(slot(schema, n));
                taken.push(false);
            }
            if !taken[n]
                && let Some(both) = form::both(root, &slots[n], wanted)
            {
                slots[n] = both;
                taken[n] = true;
                missing -= 1;
            }
            n += 1;
        }
        if missing > 0 {
            return None;
        }
        if part.get("maxContains").is_some() {
            let others = json!({ "not": wanted });
            for (slot, _) in slots.iter_mut().zip(&taken).filter(|(_, taken)| !**taken) {
                *slot = form::both(root, slot, &others).unwrap_or_else(|| slot.clone());
            }
        }
    }
    Some(taken.iter().rposition(|taken| *taken).map_or(0, |last| last + 1))
}
