//! Writes a value for a schema in its normal form, place by place.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::dice::Dice;
use super::form;
use super::lessons::Lessons;
use super::place::Place;
use super::words::Story;
use super::{Limit, alternatives, leaves, lists};
use crate::safe_text;

/// Deepest nesting of an answer, references and alternatives included.
const MAX_DEPTH: usize = 64;

/// Most values of an answer, those that were of no use included.
const MAX_VALUES: usize = 2_000;

/// Kinds of values, the one first that says most.
const KINDS: [&str; 7] = ["string", "object", "array", "number", "integer", "boolean", "null"];

/// Writes one answer.
pub(super) struct Writer<'a> {
    /// The schema in its normal form.
    pub(super) root: &'a Value,
    pub(super) story: &'a Story,
    pub(super) lessons: &'a Lessons,
    /// What decides by chance: it follows from the prompt.
    pub(super) seed: &'a str,
    /// How many answers, or values in this place, were of no use.
    pub(super) variant: Cell<usize>,
    values: Cell<usize>,
    /// How many texts and numbers were written before.
    pub(super) texts: Cell<usize>,
    pub(super) numbers: Cell<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        root: &'a Value,
        story: &'a Story,
        lessons: &'a Lessons,
        seed: &'a str,
        variant: usize,
    ) -> Self {
        let (variant, values) = (Cell::new(variant), Cell::new(0));
        let (texts, numbers) = (Cell::new(0), Cell::new(0));
        Self { root, story, lessons, seed, variant, values, texts, numbers }
    }

    /// Writes the value of a place.
    pub(super) fn value(
        &self,
        schema: &Value,
        place: &Place,
        depth: usize,
    ) -> Result<Value, Limit> {
        self.values.set(self.values.get() + 1);
        if depth > MAX_DEPTH || self.values.get() > MAX_VALUES {
            return Err(place.limit("write as much as the schema wants"));
        }
        if *schema == false {
            return Err(place.limit("find any value that the schema allows"));
        }
        if let Some(values) = fixed(schema) {
            return self.fixed(values, place);
        }
        if let Some(target) = form::target(self.root, schema) {
            return self.value(target, place, depth + 1);
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = schema[keyword].as_array() {
                return alternatives::value(self, schema, keyword, branches, place, depth);
            }
        }
        let kinds = kinds(schema);
        let is_plain = schema.get("not").or_else(|| schema.get("allOf")).is_none();
        let mut first = None;
        for kind in kinds {
            let tried = match is_plain {
                true => self.of_kind(kind, schema, place, depth),
                false => alternatives::held(self, schema, place, || {
                    self.of_kind(kind, schema, place, depth)
                }),
            };
            match tried {
                Ok(value) => return Ok(value),
                Err(limit) => first = first.or(Some(limit)),
            }
        }
        Err(first.unwrap_or_else(|| place.limit("find any value that the schema allows")))
    }

    fn of_kind(
        &self,
        kind: &str,
        schema: &Value,
        place: &Place,
        depth: usize,
    ) -> Result<Value, Limit> {
        match kind {
            "object" => self.object(schema, place, depth),
            "array" => lists::list(self, schema, place, depth),
            "integer" | "number" => leaves::number(self, schema, place),
            "boolean" => {
                let sides = self.chance(place, 2) + self.variant.get();
                Ok(Value::Bool(sides.is_multiple_of(2)))
            }
            "null" => Ok(Value::Null),
            _ => leaves::text(self, schema, place),
        }
    }

    /// One of several values, those that show something first.
    fn fixed(&self, values: &[Value], place: &Place) -> Result<Value, Limit> {
        let shown: Vec<&Value> = values.iter().filter(|value| !holds_blank(value)).collect();
        let said: Vec<&Value> = shown.iter().filter(|value| !value.is_null()).copied().collect();
        let choice = if said.is_empty() || self.variant.get() > said.len() { shown } else { said };
        let chosen = (self.chance(place, choice.len()) + self.variant.get()) % choice.len().max(1);
        let value = choice.get(chosen).map(|value| (*value).clone());
        value.ok_or_else(|| Limit::Schema {
            place: place.pointer.clone(),
            reason: "only a text fits that shows nothing, for which answers are refused".to_owned(),
        })
    }

    fn object(&self, schema: &Value, place: &Place, depth: usize) -> Result<Value, Limit> {
        let required =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let most = count(&schema["maxProperties"]).unwrap_or(usize::MAX);
        let (no_properties, anything) = (Map::new(), Value::Bool(true));
        let properties = schema["properties"].as_object().unwrap_or(&no_properties);
        let mut object = Map::new();
        for name in required {
            let property = properties.get(name).or_else(|| schema.get("additionalProperties"));
            let value =
                self.value(property.unwrap_or(&anything), &place.property(name), depth + 1)?;
            object.insert(name.to_owned(), value);
        }
        let mut left_out = None;
        for (name, property) in properties {
            if object.len() < most && !object.contains_key(name) && *property != false {
                // What need not be there and cannot be written is not there.
                match self.value(property, &place.property(name), depth + 1) {
                    Ok(value) => drop(object.insert(name.clone(), value)),
                    Err(limit) => left_out = left_out.or(Some(limit)),
                }
            }
        }
        let is_full = object.len() >= count(&schema["minProperties"]).unwrap_or(0);
        left_out.filter(|_| !is_full).map_or(Ok(Value::Object(object)), Err)
    }

    /// A number below `sides` that follows from the prompt and the place.
    pub(super) fn chance(&self, place: &Place, sides: usize) -> usize {
        Dice::new(&[self.seed, &place.pointer]).below(sides)
    }
}

/// The values that a schema names, if it names them.
fn fixed(schema: &Value) -> Option<&[Value]> {
    let one = schema.get("const").map(std::slice::from_ref);
    one.or_else(|| schema["enum"].as_array().map(Vec::as_slice))
}

/// The kinds of values that a schema allows, the one first that says most.
fn kinds(schema: &Value) -> impl Iterator<Item = &'static str> {
    let allowed = &schema["type"];
    let is_allowed = |kind: &&str| match allowed {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|each| each == kind),
        _ => true,
    };
    KINDS.into_iter().filter(is_allowed)
}

/// A count in a schema.
pub(super) fn count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|count| usize::try_from(count).ok())
}

/// Tells whether a text in a value shows nothing, for which an answer is refused.
fn holds_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => safe_text::shows_nothing(text),
        Value::Array(values) => values.iter().any(holds_blank),
        Value::Object(map) => map.values().any(holds_blank),
        _ => false,
    }
}
