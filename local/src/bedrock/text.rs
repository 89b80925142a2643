//! What the stand-in writes: an example in the shape of the requested schema, made up from
//! the prompt.

use std::sync::Arc;

use campaign::{CompiledCampaign, example};
use serde_json::{Value, json};

/// An answer, and how it was asked for.
pub(super) struct Answer {
    /// The answer as JSON.
    pub(super) text: String,
    tool: Option<String>,
}

/// Campaigns whose whole schemas are known; requests hold only what travels of them.
#[derive(Debug, Default)]
pub(super) struct Schemas(Vec<Schema>);

/// The schema of one campaign.
#[derive(Debug)]
struct Schema {
    system: String,
    travelling: Value,
    stand_in: example::StandIn,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// The request holds no prompt or no schema.
    Incomplete,
    /// Nothing can be made up.
    Limit(example::Limit),
}

impl Schemas {
    /// Those of these campaigns that can be read; of the others only what travels is known.
    pub(super) fn of(campaigns: &[Arc<CompiledCampaign>]) -> Self {
        let schema = |campaign: &Arc<CompiledCampaign>| {
            let stand_in = example::StandIn::new(campaign.asked_schema()).ok()?;
            let (system, travelling) =
                (campaign.system.clone(), campaign.travelling_schema.clone());
            Some(Schema { system, travelling, stand_in })
        };
        Self(campaigns.iter().filter_map(schema).collect())
    }

    /// Answers a Converse request.
    pub(super) fn answer(&self, request: &Value) -> Result<Answer, NoAnswer> {
        let prompt = prompt_of(request).ok_or(NoAnswer::Incomplete)?;
        let (travelling, tool) = asked_for(request).ok_or(NoAnswer::Incomplete)?;
        let system = &request["system"][0]["text"];
        let known = self
            .0
            .iter()
            .find(|known| known.travelling == travelling && system == known.system.as_str());
        let made = match known {
            Some(known) => known.stand_in.answer(prompt),
            None => example::answer_corrected(&travelling, prompt, &complaint(request)),
        };
        let text = made.map_err(NoAnswer::Limit)?.to_string();
        Ok(Answer { text, tool })
    }
}

/// The schema that an answer must have, and the tool that takes it, if one does.
fn asked_for(request: &Value) -> Option<(Value, Option<String>)> {
    let tool = &request["toolConfig"]["tools"][0]["toolSpec"];
    if let Some(name) = tool["name"].as_str() {
        return Some((tool["inputSchema"]["json"].clone(), Some(name.to_owned())));
    }
    let format = &request["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    Some((serde_json::from_str(format["schema"].as_str()?).ok()?, None))
}

/// What was wrong with the answer before, or nothing.
fn complaint(request: &Value) -> String {
    if is_correction(request) { request["messages"].to_string() } else { String::new() }
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
