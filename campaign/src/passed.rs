//! What content takes over as it is, `[fields_from]`: never asked of the model, checked against
//! its own part of the schema, and made safe for its place like every text.
//!
//! Guarantees: what fits its part of the schema fits the whole, since a schema that relates such
//! a property to others is refused; no text begins with a scheme that runs a script, and one
//! with the format of a URL is an absolute one of http or https.

mod asked;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::config::{Named, Passage};
use crate::folder::Found;
use crate::grounds::Told;
use crate::known_catalogs::ItemUse;
use crate::past::insert_at;
use crate::reference::Root;
use crate::{safe_text, schema};
use asked::Asked;

/// What a campaign's content takes over.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    properties: Vec<Property>,
    /// What the model is asked, where that is not all of the schema.
    pub(crate) asked: Option<(Value, Validator)>,
    /// Objects of which the model writes the rest, by the names down to them.
    shared: BTreeSet<Vec<String>>,
}

#[derive(Debug)]
struct Property {
    passage: Passage,
    is_required: bool,
    validator: Validator,
}

impl Passed {
    /// Compiles what a campaign with this schema takes over, or says what is wrong in which line
    /// of `campaign.toml`.
    pub(crate) fn compile(named: &Named, schema: &Value) -> Result<Self, Vec<Found>> {
        let passages = &named.fields_from;
        if passages.is_empty() {
            return Ok(Self::default());
        }
        let mut wrong: Vec<Found> = Vec::new();
        let mut asked = Asked::new(schema);
        let mut properties = Vec::new();
        for passage in passages {
            let mut blame = |reason: String| {
                let shown = passage.target.join(".");
                wrong.push((Some(passage.line), format!("fields_from: {shown}: {reason}")));
            };
            if let Some(reason) = crate::sources::wrong(&passage.source, named) {
                blame(reason);
            }
            match asked.without(&passage.target) {
                Ok(is_required) => match asked::validator(schema, passage) {
                    Ok(validator) => {
                        let passage = passage.clone();
                        properties.push(Property { passage, is_required, validator });
                    }
                    Err(reason) => blame(reason),
                },
                Err(reason) => blame(reason),
            }
        }
        let line = passages.iter().map(|passage| passage.line).min();
        let (asked, shared) = asked.finish();
        if wrong.is_empty() && asked["properties"].as_object().is_none_or(Map::is_empty) {
            let reason = "fields_from: leaves nothing to ask the model: leave it a property";
            wrong.push((line, reason.to_owned()));
        }
        let validator = schema::validator(&asked).map_err(|error| {
            let reason =
                format!("fields_from: what is left of answer.schema.json is none: {error}");
            wrong.push((line, reason));
        });
        match validator {
            Ok(validator) if wrong.is_empty() => {
                Ok(Self { properties, asked: Some((asked, validator)), shared })
            }
            _ => Err(wrong),
        }
    }

    /// What is taken over from what is known of a user, safe for its place; or the names of what
    /// is not there, or does not fit, and must.
    pub(crate) fn values(
        &self,
        told: &Told,
        schema: &Value,
    ) -> Result<Map<String, Value>, Vec<String>> {
        let mut passed = Map::new();
        if self.properties.is_empty() {
            return Ok(passed);
        }
        let mut roots: BTreeMap<Root, Value> = BTreeMap::new();
        let mut lacking = Vec::new();
        for Property { passage, is_required, validator } in &self.properties {
            let root = passage.source.root;
            let root = roots.entry(root).or_insert_with(|| root.told(told));
            let found = passage.source.find(root).cloned();
            match found.and_then(|value| values::fitting(value, passage, (schema, validator))) {
                Some(value) => insert_at(&mut passed, &passage.target, value),
                None if *is_required => lacking.push(passage.source.to_string()),
                None => {}
            }
        }
        if lacking.is_empty() { Ok(safe_text::safe(passed, schema)) } else { Err(lacking) }
    }

    /// What is taken over of items.
    pub(crate) fn item_uses(&self) -> impl Iterator<Item = ItemUse> {
        let passages = self.properties.iter().map(|property| &property.passage);
        let of_items = passages.filter(|passage| passage.source.root == Root::Items);
        of_items.map(|passage| ItemUse {
            line: passage.line,
            written: format!("fields_from: {}: {}", passage.target.join("."), passage.source),
            column: passage.source.column().map(str::to_owned),
        })
    }

    /// Takes out of a model's answer what it was not asked.
    pub(crate) fn take_out(&self, answer: &mut Value) {
        for Property { passage, .. } in &self.properties {
            let target = &passage.target;
            let wholly = (1..target.len()).find(|n| !self.shared.contains(&target[..*n]));
            remove(answer, &target[..wholly.unwrap_or(target.len())]);
        }
    }

    /// Puts what is taken over into content that the model wrote. An object that the model left
    /// out stays out.
    pub(crate) fn merge(
        &self,
        mut data: Map<String, Value>,
        passed: &Map<String, Value>,
    ) -> Map<String, Value> {
        self.put(&mut data, passed, &mut Vec::new());
        data
    }

    fn put(
        &self,
        data: &mut Map<String, Value>,
        passed: &Map<String, Value>,
        path: &mut Vec<String>,
    ) {
        for (name, value) in passed {
            path.push(name.clone());
            match (data.get_mut(name), value) {
                (Some(Value::Object(data)), Value::Object(passed))
                    if self.shared.contains(path.as_slice()) =>
                {
                    self.put(data, passed, path);
                }
                _ if self.shared.contains(path.as_slice()) => {}
                _ => drop(data.insert(name.clone(), value.clone())),
            }
            path.pop();
        }
    }
}

fn remove(value: &mut Value, names: &[String]) {
    let Some((last, before)) = names.split_last() else { return };
    let inner = before.iter().try_fold(value, |value, name| value.get_mut(name));
    if let Some(Value::Object(inner)) = inner {
        inner.remove(last);
    }
}
