//! The part of an answer's schema that travels to the service; the whole of it is checked here.
//!
//! Structured output takes a subset of JSON Schema and refuses a request whose schema says
//! more; a tool's schema has at its top what the strictest models (Amazon Nova) take. So
//! what is not on the lists below is left out, and references are replaced by what they
//! refer to. What is left out makes the schema that the model sees wider, never narrower.
//!
//! - <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
//! - <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>
//! - <https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html>

use serde_json::{Map, Value};

use super::places::referred;
use crate::config::StructuredOutput;

/// Keywords that travel as they are.
const TAKEN: [&str; 5] = ["type", "required", "description", "title", "default"];

/// What a tool's schema may say at its top.
const TAKEN_BY_TOOLS: [&str; 3] = ["type", "properties", "required"];

/// Keywords that say nothing about an answer, or that stand for what they refer to.
const SILENT: [&str; 9] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "examples",
    "readOnly",
    "writeOnly",
    "deprecated",
];

/// Values of `format` that structured output takes.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"];

/// Deepest schema that travels, references followed.
const MAX_DEPTH: usize = 32;

/// Most schemas in one that travels: references can refer to references, and each doubles.
const MAX_SCHEMAS: usize = 1_000;

/// What travels of a schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TravellingSchema {
    pub(crate) schema: Value,
    /// What is only checked here: JSON pointers with their keywords.
    pub(crate) left_out: Vec<(String, String)>,
}

/// Why nothing of a schema can travel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Irreducible {
    /// It holds itself, or is as deep as if it did.
    #[error("is recursive or nested more than {MAX_DEPTH} deep, which no model takes")]
    Recursive,
    /// References make it large.
    #[error("comes to more than {MAX_SCHEMAS} schemas where its references are followed")]
    Large,
    /// A reference leads nowhere in the file.
    #[error("refers to \"{0}\", which is not in this file")]
    Reference(String),
}

/// Reduces a schema to what the service takes.
pub(crate) fn reduced(
    schema: &Value,
    form: StructuredOutput,
) -> Result<TravellingSchema, Irreducible> {
    let mut reducing = Reducing { root: schema, left_out: Vec::new(), schemas: 0 };
    let mut schema = reducing.schema(schema, "", 0)?;
    if form == StructuredOutput::Tool
        && let Value::Object(map) = &mut schema
    {
        map.retain(|name, _| TAKEN_BY_TOOLS.contains(&name.as_str()));
    }
    Ok(TravellingSchema { schema, left_out: reducing.left_out })
}

struct Reducing<'s> {
    root: &'s Value,
    left_out: Vec<(String, String)>,
    schemas: usize,
}

impl Reducing<'_> {
    fn schema(&mut self, schema: &Value, path: &str, depth: usize) -> Result<Value, Irreducible> {
        self.schemas += 1;
        if depth > MAX_DEPTH {
            return Err(Irreducible::Recursive);
        }
        if self.schemas > MAX_SCHEMAS {
            return Err(Irreducible::Large);
        }
        let Value::Object(map) = schema else { return Ok(schema.clone()) };
        let mut kept = Map::new();
        if let Some(reference) = map.get("$ref") {
            let target = referred(self.root, schema).ok_or_else(|| {
                Irreducible::Reference(reference.as_str().unwrap_or("?").to_owned())
            })?;
            if let Value::Object(target) = self.schema(target, path, depth + 1)? {
                kept.extend(target);
            }
        }
        for (name, value) in map.iter().filter(|(name, _)| *name != "$ref") {
            match self.keyword(name, value, path, depth)? {
                Some((name, value)) => drop(kept.insert(name, value)),
                None if SILENT.contains(&name.as_str()) => {}
                None => self.left_out.push((path.to_owned(), name.clone())),
            }
        }
        Ok(Value::Object(kept))
    }

    /// What travels of a keyword, if anything does.
    fn keyword(
        &mut self,
        name: &str,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<Option<(String, Value)>, Irreducible> {
        let inner = format!("{path}/{name}");
        let kept = match (name, value) {
            (name, value) if TAKEN.contains(&name) => Some(value.clone()),
            ("additionalProperties", Value::Bool(false)) => Some(value.clone()),
            ("properties", Value::Object(properties)) => {
                let mut kept = Map::new();
                for (name, schema) in properties {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    let schema = self.schema(schema, &format!("{inner}/{escaped}"), depth + 1)?;
                    kept.insert(name.clone(), schema);
                }
                Some(Value::Object(kept))
            }
            ("items", Value::Object(_)) => Some(self.schema(value, &inner, depth + 1)?),
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                let schemas = schemas.iter().enumerate();
                let kept = schemas
                    .map(|(n, schema)| self.schema(schema, &format!("{inner}/{n}"), depth + 1));
                let kept: Value = kept.collect::<Result<Vec<_>, _>>()?.into();
                if name == "oneOf" {
                    // That only one of the alternatives may fit is checked here.
                    self.left_out.push((path.to_owned(), name.to_owned()));
                    return Ok(Some(("anyOf".to_owned(), kept)));
                }
                Some(kept)
            }
            ("enum", Value::Array(values)) => values.iter().all(is_scalar).then(|| value.clone()),
            ("const", value) => is_scalar(value).then(|| value.clone()),
            ("format", Value::String(format)) => {
                FORMATS.contains(&format.as_str()).then(|| value.clone())
            }
            ("minItems", value) if matches!(value.as_u64(), Some(0 | 1)) => Some(value.clone()),
            ("minItems", value) if value.is_u64() => {
                self.left_out.push((path.to_owned(), name.to_owned()));
                Some(Value::from(1))
            }
            _ => None,
        };
        Ok(kept.map(|kept| (name.to_owned(), kept)))
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn travels(schema: Value) -> TravellingSchema {
        reduced(&schema, StructuredOutput::JsonSchema).expect("can travel")
    }

    #[test]
    fn what_the_service_refuses_stays_here_and_a_property_may_be_called_like_it() {
        let reduced = travels(json!({
            "$schema": "x", "type": "object", "additionalProperties": false,
            "properties": {
                "heading": { "type": "string", "maxLength": 5, "contentMediaType": "text/plain" },
                "maximum": { "type": "integer", "maximum": 3 },
                "list": { "type": "array", "items": { "type": "string", "pattern": "^(?=a)" },
                          "minItems": 3, "maxItems": 4, "uniqueItems": true },
                "one": { "oneOf": [{ "const": 1 }, { "type": "null" }] },
                "when": { "type": "string", "format": "date" },
                "odd": { "type": "string", "format": "iri", "if": {}, "then": {} },
            },
        }));

        let expected = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "heading": { "type": "string" },
                "maximum": { "type": "integer" },
                "list": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                "one": { "anyOf": [{ "const": 1 }, { "type": "null" }] },
                "when": { "type": "string", "format": "date" },
                "odd": { "type": "string" },
            },
        });
        assert_eq!(reduced.schema, expected);
        let left_out: Vec<String> =
            reduced.left_out.iter().map(|(path, name)| format!("{path} {name}")).collect();
        for expected in [
            "/properties/heading maxLength",
            "/properties/list minItems",
            "/properties/list/items pattern",
            "/properties/one oneOf",
            "/properties/odd format",
        ] {
            assert!(left_out.iter().any(|each| each == expected), "{expected}: {left_out:?}");
        }
        assert!(!left_out.iter().any(|each| each.contains("$schema")), "{left_out:?}");
    }

    #[test]
    fn a_tool_has_nothing_at_its_top_that_a_strict_model_refuses() {
        let schema = json!({
            "$schema": "x", "title": "t", "description": "d", "type": "object",
            "additionalProperties": false, "required": ["a"], "minProperties": 1,
            "properties": { "a": { "$ref": "#/$defs/a" } },
            "$defs": { "a": { "type": "object", "additionalProperties": false,
                              "properties": { "b": { "type": "string" } } } },
        });

        let reduced = reduced(&schema, StructuredOutput::Tool).expect("can travel").schema;

        let expected = json!({
            "type": "object", "required": ["a"],
            "properties": { "a": { "type": "object", "additionalProperties": false,
                                   "properties": { "b": { "type": "string" } } } },
        });
        assert_eq!(reduced, expected);
    }

    #[test]
    fn what_can_never_travel_is_told() {
        let reference = |to: &str| {
            json!({ "properties": { "a": { "$ref": to } }, "$defs": {
            "loop": { "properties": { "again": { "$ref": "#/$defs/loop" } } },
            "wide": { "anyOf": vec![json!({ "$ref": "#/$defs/wider" }); 40] },
            "wider": { "anyOf": vec![json!({ "type": "null" }); 40] },
        } })
        };
        let refused = |to| reduced(&reference(to), StructuredOutput::Tool).expect_err("cannot");

        assert_eq!(refused("#/$defs/loop"), Irreducible::Recursive);
        assert_eq!(refused("#/$defs/wide"), Irreducible::Large);
        assert_eq!(refused("#/$defs/gone"), Irreducible::Reference("#/$defs/gone".to_owned()));
        assert!(matches!(refused("other.json"), Irreducible::Reference(_)));
    }
}
