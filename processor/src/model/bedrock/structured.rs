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

/// Converse's output configuration for a reduced schema.
pub(crate) fn output_config(name: &str, schema: &Value) -> Result<OutputConfig, BuildError> {
    let definition = JsonSchemaDefinition::builder()
        .name(name.replace('-', "_"))
        .schema(schema.to_string())
        .build()?;
    let format = OutputFormat::builder()
        .r#type(OutputFormatType::JsonSchema)
        .structure(OutputFormatStructure::JsonSchema(definition))
        .build()?;
    Ok(OutputConfig::builder().text_format(format).build())
}

/// A tool whose input is the answer, by a reduced schema, and that the model must call.
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
    // The input of a tool must be an object, whatever the model gave.
    let input = serde_json::from_str(&answer.text).ok().filter(Value::is_object);
    let (Some(tool_use_id), Some(input)) = (&answer.tool_use_id, input) else {
        // The service refuses messages without text.
        let text = if answer.text.trim().is_empty() { "{}" } else { &answer.text };
        return Ok([ContentBlock::Text(text.to_owned()), ContentBlock::Text(reply)]);
    };
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
    use crate::model::Usage;

    #[test]
    fn a_correction_holds_no_tool_call_whose_input_is_no_object() {
        for text in ["[]", "\"text\"", "null", "7", "", "{cut"] {
            let answer = Answer {
                text: text.to_owned(),
                tool_use_id: Some("t1".to_owned()),
                usage: Usage::default(),
            };

            let [said, reply] = answer_and_reply(&answer, "wrong".to_owned()).expect("is built");

            assert!(said.as_text().is_ok_and(|said| !said.trim().is_empty()), "{text}");
            assert!(reply.is_text(), "{text}");
        }
        let answer = Answer {
            text: "{}".to_owned(),
            tool_use_id: Some("t1".to_owned()),
            usage: Usage::default(),
        };
        let [said, reply] = answer_and_reply(&answer, "wrong".to_owned()).expect("is built");
        assert!(said.is_tool_use() && reply.is_tool_result());
    }

    #[test]
    fn json_survives_the_way_through_a_document() {
        let value = json!({ "a": [1, -2, 3.5, "x", true, null], "b": { "c": "d" } });

        assert_eq!(to_json(&to_document(&value)), value);
    }
}
