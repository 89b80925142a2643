//! Text in the shape of the requested schema, made up from the prompt.
//!
//! Deterministic: the same request gets the same answer. Every text says that it
//! comes from a stand-in, because somebody will see it in an e-mail.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// In front of every text.
const MARK: &str = "[stand-in]";

/// Longest text, in characters: short enough for a button's schema.
const MAX_TEXT_CHARS: usize = 60;

/// Deepest schema that is followed.
const MAX_DEPTH: usize = 16;

/// What texts begin with, chosen by the prompt.
const OPENINGS: [&str; 4] = ["Next up", "Back to", "More of", "Ready for"];

/// An answer, and how it was asked for.
pub(super) struct Answer {
    /// The answer as JSON.
    pub(super) text: String,
    tool: Option<String>,
}

/// Answers a Converse request, or `None` where it holds no prompt or no schema.
pub(super) fn answer(request: &Value) -> Option<Answer> {
    let prompt = request["messages"][0]["content"][0]["text"].as_str()?;
    let tool = &request["toolConfig"]["tools"][0]["toolSpec"];
    let (schema, tool) = match tool["name"].as_str() {
        Some(name) => (tool["inputSchema"]["json"].clone(), Some(name.to_owned())),
        None => {
            let format = &request["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
            (serde_json::from_str(format["schema"].as_str()?).ok()?, None)
        }
    };
    let story = Story::told_by(prompt);
    Some(Answer { text: value(&schema, "answer", &story, 0).to_string(), tool })
}

/// Tells whether the request asks once more after an unusable answer.
pub(super) fn is_correction(request: &Value) -> bool {
    let messages = request["messages"].as_array().map_or(0, Vec::len);
    messages > 1 || request["messages"][0]["content"].as_array().map_or(0, Vec::len) > 1
}

impl Answer {
    /// The content block of the reply.
    pub(super) fn content(&self) -> Value {
        match &self.tool {
            Some(name) => {
                let input: Value = serde_json::from_str(&self.text).unwrap_or_default();
                json!({ "toolUse": { "toolUseId": "tool-1", "name": name, "input": input } })
            }
            None => json!({ "text": self.text }),
        }
    }

    /// Whether it is put into a tool.
    pub(super) fn is_tool(&self) -> bool {
        self.tool.is_some()
    }

    /// Why the reply ended.
    pub(super) fn stop_reason(&self) -> &'static str {
        if self.tool.is_some() { "tool_use" } else { "end_turn" }
    }
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

fn value(schema: &Value, name: &str, story: &Story, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return fixed.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let values = properties
                .iter()
                .map(|(name, schema)| (name.clone(), value(schema, name, story, depth + 1)));
            Value::Object(values.collect::<Map<_, _>>())
        }
        Some("array") => json!([value(&schema["items"], name, story, depth + 1)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => {
            let text = format!("{MARK} {} {} ({name})", story.opening, story.subject);
            Value::String(text.chars().take(MAX_TEXT_CHARS).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(show: &str) -> Value {
        let schema = json!({
            "type": "object",
            "properties": { "heading": { "type": "string" }, "rank": { "type": "integer" } }
        });
        let prompt = format!(
            "Write.\n<events>\n- watched: show \"Old\"\n- watched: show \"{show}\"\n</events>"
        );
        json!({
            "messages": [{ "role": "user", "content": [{ "text": prompt }] }],
            "outputConfig": { "textFormat": { "structure": { "jsonSchema": {
                "schema": schema.to_string()
            } } } }
        })
    }

    #[test]
    fn the_answer_has_the_schemas_shape_speaks_of_the_last_event_and_says_what_it_is() {
        let answer = answer(&request("Harbour Lights")).expect("has a schema");

        let json: Value = serde_json::from_str(&answer.text).expect("is JSON");
        let heading = json["heading"].as_str().expect("is text");
        assert!(heading.starts_with("[stand-in]"), "{heading}");
        assert!(heading.contains("Harbour Lights"), "{heading}");
        assert_eq!(json["rank"], 1);
    }

    #[test]
    fn the_same_prompt_gets_the_same_answer() {
        let text = |show| answer(&request(show)).expect("has a schema").text;

        assert_eq!(text("A"), text("A"));
        assert_ne!(text("A"), text("B"));
    }
}
