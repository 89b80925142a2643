//! Writes a value where a schema says more than plain bounds: alternatives, and rules that only
//! the validator can judge.

use serde_json::Value;

use super::place::Place;
use super::writer::{Writer, count};
use super::{Limit, form};

/// Values that are tried in one place where a rule is no plain bound.
const MAX_TRIES: usize = 24;

/// Longest text that says little, in characters.
const TINY_CHARS: usize = 16;

/// A value of one of the alternatives, beside what else the schema says.
pub(super) fn value(
    writer: &Writer<'_>,
    schema: &Value,
    keyword: &str,
    branches: &[Value],
    place: &Place,
    depth: usize,
) -> Result<Value, Limit> {
    let mut beside = schema.as_object().cloned().unwrap_or_default();
    beside.retain(|name, _| name != keyword && !name.starts_with('$'));
    let mut ordered: Vec<&Value> = branches.iter().collect();
    ordered.rotate_left(writer.chance(place, branches.len()));
    ordered.sort_by_key(|branch| rank(branch));
    let mut first = None;
    for branch in ordered {
        let both = match beside.is_empty() {
            true => Some(branch.clone()),
            false => form::both(writer.root, &Value::Object(beside.clone()), branch),
        };
        let Some(both) = both else { continue };
        let tried = match beside.is_empty() && keyword == "anyOf" {
            true => writer.value(&both, place, depth + 1),
            false => held(writer, schema, place, || writer.value(&both, place, depth + 1)),
        };
        match tried {
            Ok(value) => return Ok(value),
            Err(limit) => first = first.or(Some(limit)),
        }
    }
    Err(first.unwrap_or_else(|| place.limit(format!("keep to {keyword}"))))
}

/// A value that was tried often enough to be what the whole schema says.
pub(super) fn held(
    writer: &Writer<'_>,
    schema: &Value,
    place: &Place,
    write: impl Fn() -> Result<Value, Limit>,
) -> Result<Value, Limit> {
    let Some(validator) = form::validator(writer.root, schema) else { return write() };
    let before = writer.variant.get();
    let mut found = Err(place.limit("keep to all that the schema says"));
    for variant in 0..MAX_TRIES {
        writer.variant.set(before + variant);
        match write() {
            Ok(value) if validator.is_valid(&value) => found = Ok(value),
            Ok(_) => continue,
            Err(limit) => found = Err(limit),
        }
        break;
    }
    writer.variant.set(before);
    found
}

/// How little a value of a schema would say.
fn rank(schema: &Value) -> usize {
    let is_null = |value: &Value| value == "null" || value.is_null();
    let says_null =
        schema.get("type").is_some_and(is_null) || schema.get("const").is_some_and(is_null);
    let is_tiny = count(&schema["maxLength"]).is_some_and(|most| most < TINY_CHARS);
    if says_null { 2 } else { usize::from(is_tiny) }
}
