//! What is left to ask of a schema whose properties are partly taken over.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::config::Passage;
use crate::schema::{self, places};

/// Keywords of an object by which one property decides about another: of what is left nobody
/// could tell whether the whole fits.
const RELATING: [&str; 12] = [
    "allOf",
    "anyOf",
    "const",
    "dependentRequired",
    "dependentSchemas",
    "enum",
    "if",
    "maxProperties",
    "minProperties",
    "not",
    "oneOf",
    "unevaluatedProperties",
];

/// A schema from which properties are taken.
pub(super) struct Asked<'s> {
    whole: &'s Value,
    left: Value,
    /// What was taken.
    taken: BTreeSet<Vec<String>>,
}

impl<'s> Asked<'s> {
    pub(super) fn new(whole: &'s Value) -> Self {
        Self { whole, left: whole.clone(), taken: BTreeSet::new() }
    }

    /// Takes a property out, and tells whether it must be there; or what is wrong with it.
    pub(super) fn without(&mut self, target: &[String]) -> Result<bool, String> {
        let is_within = |one: &[String], other: &[String]| one.starts_with(other);
        if self.taken.iter().any(|one| is_within(one, target) || is_within(target, one)) {
            return Err("is taken over twice: leave one of them".to_owned());
        }
        let mut left = &mut self.left;
        let mut is_required = false;
        for (n, name) in target.iter().enumerate() {
            if let Some(keyword) = RELATING.iter().find(|keyword| left.get(**keyword).is_some()) {
                return Err(format!(
                    "answer.schema.json says {keyword} of the object that has \"{name}\", so that its properties depend on each other: say it of the properties"
                ));
            }
            let is_there = left["properties"].get(name).is_some();
            if !is_there {
                return Err(missing(self.whole, &target[..n], name));
            }
            is_required = left["required"]
                .as_array()
                .is_some_and(|required| required.iter().any(|each| each == name.as_str()));
            if n + 1 == target.len() {
                take(left, name);
                break;
            }
            left = &mut left["properties"][name.as_str()];
        }
        self.taken.insert(target.to_vec());
        Ok(is_required)
    }

    /// What is left, and the objects of which something is.
    pub(super) fn finish(mut self) -> (Value, BTreeSet<Vec<String>>) {
        let parents = |target: &Vec<String>| {
            (1..target.len()).map(|n| target[..n].to_vec()).collect::<Vec<_>>()
        };
        let mut shared: BTreeSet<Vec<String>> = self.taken.iter().flat_map(parents).collect();
        // The deepest first, so that what is left of their parents is known.
        for parent in shared.clone().into_iter().rev() {
            let Some((last, before)) = parent.split_last() else { continue };
            let around = before
                .iter()
                .try_fold(&mut self.left, |left, name| left.get_mut("properties")?.get_mut(name));
            let Some(around) = around else { continue };
            let properties = around["properties"][last.as_str()]["properties"].as_object();
            if properties.is_none_or(Map::is_empty) {
                take(around, last);
                shared.remove(&parent);
            }
        }
        (self.left, shared)
    }
}

/// Holds what one property takes over against its own part of the schema.
pub(super) fn validator(schema: &Value, passage: &Passage) -> Result<Validator, String> {
    let path: String = passage.pointer().replace('/', "/properties/");
    let own = schema.pointer(&path).cloned().unwrap_or_default();
    let mut alone = json!({ "allOf": [own] });
    for shared in ["$schema", "$defs", "definitions"] {
        if let Some(value) = schema.get(shared) {
            alone[shared] = value.clone();
        }
    }
    schema::validator(&alone).map_err(|_| {
        "refers to another property in answer.schema.json: put what it refers to into $defs"
            .to_owned()
    })
}

/// Takes a property out of the object that has it.
fn take(object: &mut Value, name: &str) {
    if let Some(properties) = object["properties"].as_object_mut() {
        properties.remove(name);
    }
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|each| each != name);
    }
}

/// What is said of a property that is not there, or not where it can be taken out.
fn missing(schema: &Value, before: &[String], name: &str) -> String {
    let of = before.iter().fold(places::Of::root(schema), |of, name| of.property(name));
    if !of.property(name).is_nothing() {
        return format!(
            "\"{name}\" stands in an alternative or behind a reference of answer.schema.json: write it into the properties of its object"
        );
    }
    match dialect::did_you_mean(name, of.properties()) {
        meant if meant.is_empty() => {
            format!("\"{name}\" is not in answer.schema.json: add it there")
        }
        meant => format!("\"{name}\" is not in answer.schema.json{meant}"),
    }
}
