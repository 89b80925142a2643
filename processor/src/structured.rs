//! Holds a model to a campaign's schema, and takes the answer out of its reply.

use std::collections::HashMap;

use aws_sdk_bedrockruntime::error::BuildError;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, JsonSchemaDefinition, Message, OutputConfig, OutputFormat, OutputFormatStructure,
    OutputFormatType, SpecificToolChoice, Tool, ToolChoice, ToolConfiguration, ToolInputSchema,
    ToolResultBlock, ToolResultContentBlock, ToolResultStatus, ToolSpecification, ToolUseBlock,
};
use aws_smithy_types::{Document, Number};
use serde_json::Value;

use crate::model::Answer;

/// Name of the tool that a model without structured output is made to call.
const TOOL_NAME: &str = "write_content";

/// Keywords that structured output does not take; the answer is checked against
/// them here. <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
const UNSUPPORTED_KEYWORDS: [&str; 9] = [
    "$schema",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "maxItems",
];

/// All texts of an answer, one a line, as a guardrail reads them.
pub(crate) fn texts_of(answer: &str) -> String {
    fn collect(value: &Value, texts: &mut String) {
        match value {
            Value::String(text) => {
                texts.push_str(text);
                texts.push('\n');
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
            Value::Object(map) => map.values().for_each(|value| collect(value, texts)),
            _ => {}
        }
    }
    let Ok(value) = serde_json::from_str::<Value>(answer) else { return answer.to_owned() };
    let mut texts = String::new();
    collect(&value, &mut texts);
    texts
}

/// Converse's output configuration for a schema.
pub(crate) fn output_config(name: &str, schema: &Value) -> Result<OutputConfig, BuildError> {
    let definition = JsonSchemaDefinition::builder()
        .name(name.replace('-', "_"))
        .schema(supported(schema).to_string())
        .build()?;
    let format = OutputFormat::builder()
        .r#type(OutputFormatType::JsonSchema)
        .structure(OutputFormatStructure::JsonSchema(definition))
        .build()?;
    Ok(OutputConfig::builder().text_format(format).build())
}

/// A tool whose input is the answer, and that the model must call.
pub(crate) fn forced_tool(schema: &Value) -> Result<ToolConfiguration, BuildError> {
    let specification = ToolSpecification::builder()
        .name(TOOL_NAME)
        .description("Takes the finished content.")
        .input_schema(ToolInputSchema::Json(to_document(schema)))
        .build()?;
    let choice = SpecificToolChoice::builder().name(TOOL_NAME).build()?;
    ToolConfiguration::builder()
        .tools(Tool::ToolSpec(specification))
        .tool_choice(ToolChoice::Tool(choice))
        .build()
}

/// The answer in a reply: the tool's input if there is one, with the id of its call,
/// else all text.
pub(crate) fn answer_in(reply: &Message) -> (String, Option<String>) {
    let tool_call = reply.content().iter().find_map(|block| block.as_tool_use().ok());
    match tool_call {
        Some(tool) => (to_json(tool.input()).to_string(), Some(tool.tool_use_id().to_owned())),
        None => {
            let texts = reply.content().iter().filter_map(|block| block.as_text().ok());
            (texts.map(String::as_str).collect(), None)
        }
    }
}

/// An answer as the model gave it, and a reply to it, for the next call.
pub(crate) fn answer_and_reply(
    answer: &Answer,
    reply: String,
) -> Result<[ContentBlock; 2], BuildError> {
    let Some(tool_use_id) = &answer.tool_use_id else {
        // The service refuses messages without text.
        let text = if answer.text.trim().is_empty() { "{}" } else { &answer.text };
        return Ok([ContentBlock::Text(text.to_owned()), ContentBlock::Text(reply)]);
    };
    let input = serde_json::from_str(&answer.text).unwrap_or_default();
    let call = ToolUseBlock::builder()
        .tool_use_id(tool_use_id)
        .name(TOOL_NAME)
        .input(to_document(&input))
        .build()?;
    let result = ToolResultBlock::builder()
        .tool_use_id(tool_use_id)
        .status(ToolResultStatus::Error)
        .content(ToolResultContentBlock::Text(reply))
        .build()?;
    Ok([ContentBlock::ToolUse(call), ContentBlock::ToolResult(result)])
}

fn supported(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let kept = map.iter().filter(|(name, value)| {
                // A property may have the name of a keyword: then its value is a schema.
                !UNSUPPORTED_KEYWORDS.contains(&name.as_str()) || value.is_object()
            });
            Value::Object(kept.map(|(name, value)| (name.clone(), supported(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(supported).collect()),
        other => other.clone(),
    }
}

fn to_document(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(flag) => Document::Bool(*flag),
        Value::Number(number) => Document::Number(match (number.as_u64(), number.as_i64()) {
            (Some(positive), _) => Number::PosInt(positive),
            (None, Some(negative)) => Number::NegInt(negative),
            (None, None) => Number::Float(number.as_f64().unwrap_or_default()),
        }),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(values) => Document::Array(values.iter().map(to_document).collect()),
        Value::Object(map) => {
            let entries = map.iter().map(|(name, value)| (name.clone(), to_document(value)));
            Document::Object(entries.collect::<HashMap<_, _>>())
        }
    }
}

fn to_json(document: &Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(flag) => Value::Bool(*flag),
        Document::Number(Number::PosInt(n)) => (*n).into(),
        Document::Number(Number::NegInt(n)) => (*n).into(),
        Document::Number(Number::Float(n)) => (*n).into(),
        Document::String(text) => Value::String(text.clone()),
        Document::Array(values) => Value::Array(values.iter().map(to_json).collect()),
        Document::Object(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keywords_that_the_service_refuses_are_left_to_our_own_check() {
        let schema = json!({
            "$schema": "x",
            "properties": {
                "heading": { "type": "string", "maxLength": 5 },
                "maximum": { "type": "integer", "maximum": 3 }
            }
        });

        let expected = json!({
            "properties": { "heading": { "type": "string" }, "maximum": { "type": "integer" } }
        });
        assert_eq!(supported(&schema), expected);
    }

    #[test]
    fn json_survives_the_way_through_a_document() {
        let value = json!({ "a": [1, -2, 3.5, "x", true, null], "b": { "c": "d" } });

        assert_eq!(to_json(&to_document(&value)), value);
    }
}
