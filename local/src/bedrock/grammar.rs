//! The subset of JSON Schema that structured output takes.
//!
//! - <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
//! - <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>

use serde_json::Value;

/// Keywords that say nothing about values.
const SILENT: [&str; 3] = ["title", "description", "default"];

/// Values of `format` that are taken.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"];

/// What no regular expression may hold: a look-around, a reference, a boundary of a word.
const NOT_IN_PATTERNS: [&str; 7] = ["(?=", "(?!", "(?<=", "(?<!", "\\b", "\\B", "\\1"];

/// Most references that lead from one schema to another, in turn.
const MAX_REFERENCES: usize = 32;

/// Tells what of a schema is not supported.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    if schema["type"] != "object" {
        return Err("the top of a schema must be of type 'object'".to_owned());
    }
    Checking { root: schema }.schema(schema, 0)
}

struct Checking<'s> {
    root: &'s Value,
}

impl Checking<'_> {
    fn schema(&self, schema: &Value, references: usize) -> Result<(), String> {
        let Some(keywords) = schema.as_object() else {
            return Err(format!("{schema} is not supported as a schema"));
        };
        let kind = schema["type"].as_str().unwrap_or("any");
        if kind == "object" && schema["additionalProperties"] != false {
            return Err(
                "For 'object' type, 'additionalProperties' must be explicitly set to false"
                    .to_owned(),
            );
        }
        for (keyword, value) in keywords {
            if !self.keyword(keyword, value, references)? {
                return Err(format!("For '{kind}' type, property '{keyword}' is not supported"));
            }
        }
        Ok(())
    }

    /// Tells whether a keyword is supported.
    fn keyword(&self, keyword: &str, value: &Value, references: usize) -> Result<bool, String> {
        Ok(match (keyword, value) {
            ("type" | "required", _) => true,
            ("additionalProperties", value) => value == false,
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => {
                schemas.values().try_for_each(|schema| self.schema(schema, references))?;
                true
            }
            ("items", value) => self.schema(value, references).map(|()| true)?,
            ("anyOf", Value::Array(schemas)) => {
                schemas.iter().try_for_each(|schema| self.schema(schema, references))?;
                true
            }
            ("allOf", Value::Array(schemas)) => {
                if schemas.iter().any(|schema| schema.get("$ref").is_some()) {
                    return Err("allOf with $ref is not supported".to_owned());
                }
                schemas.iter().try_for_each(|schema| self.schema(schema, references))?;
                true
            }
            ("$ref", Value::String(reference)) => self.reference(reference, references)?,
            ("enum", Value::Array(values)) => values.iter().all(is_scalar),
            ("const", value) => is_scalar(value),
            ("format", Value::String(format)) => FORMATS.contains(&format.as_str()),
            ("pattern", Value::String(pattern)) => {
                !NOT_IN_PATTERNS.iter().any(|part| pattern.contains(part))
            }
            ("minItems", value) => matches!(value.as_u64(), Some(0 | 1)),
            (keyword, _) => SILENT.contains(&keyword),
        })
    }

    fn reference(&self, reference: &str, references: usize) -> Result<bool, String> {
        let target = reference.strip_prefix('#').and_then(|path| self.root.pointer(path));
        let Some(target) = target else {
            return Err(format!("External or unknown $ref '{reference}' is not supported"));
        };
        if references >= MAX_REFERENCES {
            return Err("Recursive schemas are not supported".to_owned());
        }
        self.schema(target, references + 1).map(|()| true)
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said_of(property: Value) -> String {
        let schema = json!({
            "type": "object", "additionalProperties": false, "properties": { "a": property },
            "$defs": {
                "text": { "type": "string" },
                "loop": { "type": "object", "additionalProperties": false,
                          "properties": { "again": { "$ref": "#/$defs/text" } } },
            },
        });
        check(&schema).err().unwrap_or_default()
    }

    #[test]
    fn what_is_documented_as_supported_passes() {
        for property in [
            json!({ "type": "string", "format": "date", "description": "d" }),
            json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
            json!({ "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/text" }] }),
            json!({ "allOf": [{ "type": "string" }] }),
            json!({ "enum": ["a", 1, true, null] }),
            json!({ "const": "a" }),
            json!({ "type": "string", "pattern": "^[a-z]+$" }),
            json!({ "$ref": "#/$defs/loop" }),
        ] {
            assert_eq!(said_of(property.clone()), "", "{property}");
        }
    }

    #[test]
    fn what_is_documented_as_not_supported_is_refused_by_its_name() {
        for (property, words) in [
            (json!({ "type": "array", "items": {}, "minItems": 3 }), "minItems"),
            (
                json!({ "type": "array", "items": { "type": "string" }, "maxItems": 3 }),
                "For 'array' type, property 'maxItems' is not supported",
            ),
            (json!({ "type": "string", "minLength": 1 }), "minLength"),
            (json!({ "type": "string", "maxLength": 1 }), "maxLength"),
            (json!({ "type": "integer", "minimum": 1 }), "minimum"),
            (json!({ "type": "string", "pattern": "^(?=a)" }), "pattern"),
            (json!({ "type": "string", "format": "iri" }), "format"),
            (json!({ "oneOf": [{ "type": "null" }] }), "oneOf"),
            (json!({ "type": "object" }), "additionalProperties"),
            (json!({ "type": "object", "additionalProperties": true }), "additionalProperties"),
            (json!({ "enum": [["a"]] }), "enum"),
            (json!({ "allOf": [{ "$ref": "#/$defs/text" }] }), "allOf with $ref"),
            (json!({ "$ref": "https://example.com/schema" }), "$ref"),
            (json!({ "$ref": "#/properties/a" }), "Recursive"),
            (json!({ "type": "string", "contentMediaType": "text/plain" }), "contentMediaType"),
            (json!(true), "as a schema"),
        ] {
            let said = said_of(property.clone());
            assert!(said.contains(words), "{property}: {said}");
        }
    }
}
