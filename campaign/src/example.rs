//! A made-up answer in the shape of a schema, for whoever has no model at hand.
//!
//! Deterministic: the same prompt gets the same answer. Every text says that it
//! comes from a stand-in, because somebody will see it in an e-mail.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// In front of every text.
const MARK: &str = "[stand-in]";

/// Longest text, in characters: short enough for a button's schema.
const MAX_TEXT_CHARS: usize = 60;

/// The same where an answer is corrected that was too long.
const MAX_SHORT_CHARS: usize = 20;

/// Items of a list where an answer is corrected that had too few.
const MORE_ITEMS: usize = 3;

/// Deepest schema that is followed, references included.
const MAX_DEPTH: usize = 16;

/// Values of formats.
const FORMATTED: [(&str, &str); 9] = [
    ("date-time", "2026-01-01T12:00:00Z"),
    ("time", "12:00:00Z"),
    ("date", "2026-01-01"),
    ("duration", "P1D"),
    ("email", "stand-in@example.com"),
    ("hostname", "example.com"),
    ("uri", "https://example.com/stand-in"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
];

/// What texts begin with, chosen by the prompt.
const OPENINGS: [&str; 4] = ["Next up", "Back to", "More of", "Ready for"];

/// An answer to a prompt, in the shape of `schema`. `complaint` is what was wrong with the
/// answer before, or empty.
pub fn answer(schema: &Value, prompt: &str, complaint: &str) -> Value {
    let (story, shape) = (Story::told_by(prompt), Shape::after(complaint));
    Writer { root: schema, story, shape }.value(schema, "answer", 0)
}

/// What a prompt is about, as far as a stand-in can tell.
struct Story {
    subject: String,
    opening: &'static str,
}

impl Story {
    /// The subject is the first quoted text of the last event, or of the prompt.
    fn told_by(prompt: &str) -> Self {
        let events = prompt.split_once("<events>").map_or(prompt, |(_, events)| events);
        let last = events.lines().rev().find(|line| line.trim_start().starts_with('-'));
        let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
        let subject = last.and_then(quoted).or_else(|| quoted(prompt));
        let digest = Sha256::digest(prompt);
        Self {
            subject: subject.filter(|s| !s.is_empty()).unwrap_or_else(|| "your events".to_owned()),
            opening: OPENINGS[usize::from(digest[0]) % OPENINGS.len()],
        }
    }
}

/// How much is written: what travels of a schema does not say it, but a complaint does.
#[derive(Debug, Clone, Copy)]
struct Shape {
    items: usize,
    chars: usize,
}

impl Shape {
    fn after(complaint: &str) -> Self {
        let has_too_few = complaint.contains("minItems at");
        let is_too_long = complaint.contains("maxLength at");
        Self {
            items: if has_too_few { MORE_ITEMS } else { 1 },
            chars: if is_too_long { MAX_SHORT_CHARS } else { MAX_TEXT_CHARS },
        }
    }
}

struct Writer<'s> {
    root: &'s Value,
    story: Story,
    shape: Shape,
}

impl Writer<'_> {
    fn value(&self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return Value::Null;
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return fixed.clone();
        }
        let reference = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let referred = reference.and_then(|path| self.root.pointer(path));
        let other = referred
            .or_else(|| ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema[name].get(0)));
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match (kind, other) {
            (None, Some(other)) => self.value(other, name, depth + 1),
            (Some("object"), _) => {
                let properties = schema["properties"].as_object().into_iter().flatten();
                let values = properties
                    .map(|(name, schema)| (name.clone(), self.value(schema, name, depth + 1)));
                Value::Object(values.collect::<Map<_, _>>())
            }
            (Some("array"), _) => {
                let item = self.value(&schema["items"], name, depth + 1);
                Value::Array(vec![item; self.shape.items])
            }
            (Some("integer" | "number"), _) => json!(1),
            (Some("boolean"), _) => json!(true),
            (Some("null"), _) => Value::Null,
            _ => self.text(schema, name),
        }
    }

    fn text(&self, schema: &Value, name: &str) -> Value {
        let format = schema["format"].as_str();
        if let Some((_, text)) = FORMATTED.iter().find(|(name, _)| Some(*name) == format) {
            return Value::from(*text);
        }
        let text = format!("{MARK} {} {} ({name})", self.story.opening, self.story.subject);
        Value::String(text.chars().take(self.shape.chars).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(show: &str) -> String {
        format!("Write.\n<events>\n- watched: show \"Old\"\n- watched: show \"{show}\"\n</events>")
    }

    #[test]
    fn the_answer_has_the_schemas_shape_speaks_of_the_last_event_and_says_what_it_is() {
        let schema = json!({
            "type": "object",
            "properties": { "heading": { "type": "string" }, "rank": { "type": "integer" } }
        });

        let answer = answer(&schema, &prompt("Harbour Lights"), "");

        let heading = answer["heading"].as_str().expect("is text");
        assert!(heading.starts_with("[stand-in]"), "{heading}");
        assert!(heading.contains("Harbour Lights"), "{heading}");
        assert_eq!(answer["rank"], 1);
    }

    fn written(property: &Value, complaint: &str) -> Value {
        let schema = json!({
            "type": "object", "properties": { "a": property },
            "$defs": { "flag": { "type": "boolean" } },
        });
        answer(&schema, "Write.", complaint)["a"].clone()
    }

    #[test]
    fn references_alternatives_and_formats_are_followed() {
        assert_eq!(written(&json!({ "$ref": "#/$defs/flag" }), ""), true);
        assert_eq!(written(&json!({ "anyOf": [{ "type": "integer" }, {}] }), ""), 1);
        assert_eq!(written(&json!({ "allOf": [{ "const": "x" }] }), ""), "x");
        assert_eq!(written(&json!({ "type": "string", "format": "date" }), ""), "2026-01-01");
    }

    #[test]
    fn what_no_schema_says_on_its_way_is_learnt_from_a_complaint() {
        let list = json!({ "type": "array", "items": { "type": "string" } });
        let items = |complaint| written(&list, complaint).as_array().map(Vec::len);
        let chars = |complaint| {
            let text = written(&json!({ "type": "string" }), complaint);
            text.as_str().map(|text| text.chars().count())
        };

        assert_eq!((items(""), items("wrong: minItems at \"/a\"")), (Some(1), Some(3)));
        assert!(chars("") > Some(MAX_SHORT_CHARS));
        assert_eq!(chars("wrong: maxLength at \"/a\""), Some(MAX_SHORT_CHARS));
    }

    #[test]
    fn the_same_prompt_gets_the_same_answer() {
        let text = |show| answer(&json!({ "type": "string" }), &prompt(show), "");

        assert_eq!(text("A"), text("A"));
        assert_ne!(text("A"), text("B"));
    }
}
