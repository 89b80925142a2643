//! The one way in which answers and fallback content are held against a schema: formats are
//! checked too, so that no 30 February passes.

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::{parts, references, refused};
use crate::folder::Found;

/// Compiles the schema of a file, or says everything that makes it no JSON Schema; references
/// that lead nowhere are told when the file is read.
pub(crate) fn compiled(text: &str, schema: &Value) -> Result<Validator, Vec<Found>> {
    validator(schema).map_err(|error| match references::faults(text, schema).as_slice() {
        [] => refused::faults(text, schema, &error),
        _ => Vec::new(),
    })
}

/// Compiles a schema.
pub(crate) fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options().should_validate_formats(true).build(schema)
}

/// The formats that are not checked, since nobody here knows them, with their places.
pub(crate) fn unknown_formats(schema: &Value) -> Vec<(String, String)> {
    let draft = Draft::default().detect(schema);
    let known = jsonschema::options();
    let formats = parts::all(schema).into_iter().filter_map(|part| {
        let format = part.schema.get("format")?.as_str()?;
        let is_known = known.is_known_format(draft, format);
        (!is_known).then(|| (format!("{}/format", part.place), format.to_owned()))
    });
    formats.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_format_is_checked_whatever_the_draft_says() {
        let validator =
            validator(&json!({ "type": "string", "format": "date" })).expect("is a schema");

        assert!(validator.is_valid(&json!("2026-02-28")));
        assert!(!validator.is_valid(&json!("2026-02-30")));
        assert!(!validator.is_valid(&json!("28.02.2026")));
    }

    #[test]
    fn a_format_that_nobody_knows_is_told() {
        let schema = json!({ "properties": {
            "a": { "format": "email" }, "b": { "format": "phone" }, "format": { "type": "null" },
        } });

        assert_eq!(
            unknown_formats(&schema),
            [("/properties/b/format".to_owned(), "phone".to_owned())]
        );
    }
}
