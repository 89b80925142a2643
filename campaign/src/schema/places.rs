//! Finds what a schema says of a place in a value, through references and alternatives.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::condition::{Kind, Kinds};

/// Deepest chain of references and alternatives that is followed.
const MAX_DEPTH: usize = 16;

/// Most schemas that speak of one place; further ones are not looked at.
const MAX_SCHEMAS: usize = 64;

/// All schemas that speak of one place in a value; of alternatives, every one.
#[derive(Debug, Clone)]
pub(crate) struct Of<'s> {
    root: &'s Value,
    schemas: Vec<&'s Value>,
}

impl<'s> Of<'s> {
    /// What speaks of the value as a whole.
    pub(crate) fn root(root: &'s Value) -> Self {
        let mut of = Self { root, schemas: Vec::new() };
        of.add(root, 0);
        of
    }

    /// What speaks of the place that a JSON pointer names.
    pub(crate) fn at(root: &'s Value, pointer: &str) -> Self {
        pointer.split('/').skip(1).fold(Self::root(root), |of, step| {
            let name = step.replace("~1", "/").replace("~0", "~");
            let of_item = name.parse().map(|n: usize| of.item(n));
            let of_name = of.property(&name);
            match of_item {
                Ok(of_item) if of_name.schemas.is_empty() => of_item,
                _ => of_name,
            }
        })
    }

    /// Tells whether nothing speaks of it.
    pub(crate) fn is_nothing(&self) -> bool {
        self.schemas.is_empty()
    }

    /// The names of its properties.
    pub(crate) fn properties(&self) -> impl Iterator<Item = &'s str> {
        let maps = self.schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
        maps.flat_map(|map| map.keys().map(String::as_str))
    }

    /// What speaks of a property of it.
    pub(crate) fn property(&self, name: &str) -> Self {
        self.below(|schema| schema.get("properties")?.get(name))
    }

    /// What speaks of its `n`th item.
    pub(crate) fn item(&self, n: usize) -> Self {
        self.below(|schema| {
            let own = schema.get("prefixItems").and_then(|items| items.get(n));
            own.or_else(|| schema.get("items"))
        })
    }

    /// Tells whether a keyword has this text.
    pub(crate) fn says(&self, keyword: &str, text: &str) -> bool {
        self.schemas.iter().any(|schema| schema[keyword] == text)
    }

    /// Tells whether it may have a type.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        self.schemas.iter().any(|schema| match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(|each| each == kind),
            one => one == kind,
        })
    }

    /// The kinds of values that it may have; `None` where a schema of it does not say.
    pub(crate) fn kinds(&self) -> Kinds {
        let mut kinds = BTreeSet::new();
        for schema in &self.schemas {
            let said = match &schema["type"] {
                Value::Array(all) => all.iter().map(named).collect::<Option<Vec<Kind>>>()?,
                Value::String(_) => vec![named(&schema["type"])?],
                _ => match (schema.get("const"), schema["enum"].as_array()) {
                    (Some(one), _) => vec![kind(one)],
                    (None, Some(all)) => all.iter().map(kind).collect(),
                    // What it refers to, or its alternatives, are schemas of the place too.
                    (None, None) if REFERRING.iter().any(|key| schema.get(key).is_some()) => {
                        Vec::new()
                    }
                    (None, None) => return None,
                },
            };
            kinds.extend(said);
        }
        Some(kinds).filter(|kinds| !kinds.is_empty())
    }

    fn below(&self, find: impl Fn(&'s Value) -> Option<&'s Value>) -> Self {
        let mut of = Self { root: self.root, schemas: Vec::new() };
        for schema in self.schemas.iter().filter_map(|schema| find(schema)) {
            of.add(schema, 0);
        }
        of
    }

    fn add(&mut self, schema: &'s Value, depth: usize) {
        if depth > MAX_DEPTH || self.schemas.len() >= MAX_SCHEMAS {
            return;
        }
        self.schemas.push(schema);
        if let Some(target) = referred(self.root, schema) {
            self.add(target, depth + 1);
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            for schema in schema[keyword].as_array().into_iter().flatten() {
                self.add(schema, depth + 1);
            }
        }
        for keyword in ["then", "else"] {
            if let Some(schema) = schema.get(keyword) {
                self.add(schema, depth + 1);
            }
        }
    }
}

/// Keywords by which a schema says what it says elsewhere.
const REFERRING: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];

/// The kind that `type` names.
fn named(kind: &Value) -> Option<Kind> {
    Some(match kind.as_str()? {
        "array" => Kind::List,
        "boolean" => Kind::Flag,
        "integer" | "number" => Kind::Number,
        "null" => Kind::Null,
        "object" => Kind::Object,
        "string" => Kind::Text,
        _ => return None,
    })
}

/// The kind of a value.
fn kind(value: &Value) -> Kind {
    match value {
        Value::Array(_) => Kind::List,
        Value::Bool(_) => Kind::Flag,
        Value::Null => Kind::Null,
        Value::Number(_) => Kind::Number,
        Value::Object(_) => Kind::Object,
        Value::String(_) => Kind::Text,
    }
}

/// What a schema's `$ref` refers to within `root`.
pub(crate) fn referred<'s>(root: &'s Value, schema: &Value) -> Option<&'s Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}
