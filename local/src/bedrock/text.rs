//! What the stand-in writes: an example in the shape of the requested schema, made up from
//! the prompt.

use campaign::example;
use serde_json::{Value, json};

/// An answer, and how it was asked for.
pub(super) struct Answer {
    /// The answer as JSON.
    pub(super) text: String,
    tool: Option<String>,
}

/// Answers a Converse request, or `None` where it holds no prompt or no schema.
pub(super) fn answer(request: &Value) -> Option<Answer> {
    let prompt = prompt_of(request)?;
    let tool = &request["toolConfig"]["tools"][0]["toolSpec"];
    let (schema, tool) = match tool["name"].as_str() {
        Some(name) => (tool["inputSchema"]["json"].clone(), Some(name.to_owned())),
        None => {
            let format = &request["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
            (serde_json::from_str(format["schema"].as_str()?).ok()?, None)
        }
    };
    let complaint =
        if is_correction(request) { request["messages"].to_string() } else { String::new() };
    Some(Answer { text: example::answer(&schema, prompt, &complaint).to_string(), tool })
}

/// The prompt of a Converse request.
pub(super) fn prompt_of(request: &Value) -> Option<&str> {
    request["messages"][0]["content"][0]["text"].as_str()
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
