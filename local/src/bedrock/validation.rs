//! What Bedrock finds wrong with a request, whatever the model.
//!
//! As strict as the strictest model is: what passes here passes everywhere, as far as it is
//! known. The words are those that users report.

use serde_json::Value;

use super::grammar;

/// Longest id of a call of a tool, and longest name of a tool (AWS limit).
const MAX_NAME_CHARS: usize = 64;

/// What a tool's schema may say at its top, as Amazon Nova has it.
/// <https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html>
const TOP_OF_A_TOOL: [&str; 3] = ["type", "properties", "required"];

/// Tells what is wrong with a request.
pub(super) fn check(request: &Value) -> Result<(), String> {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    roles(messages)?;
    for (n, message) in messages.iter().enumerate() {
        blocks(n, message)?;
        let asked = n.checked_sub(1).and_then(|before| messages.get(before));
        tool_results(n, message, asked)?;
    }
    let uses_tools = messages
        .iter()
        .flat_map(contents)
        .any(|block| block.get("toolUse").is_some() || block.get("toolResult").is_some());
    if uses_tools && request["toolConfig"].is_null() {
        return Err("The toolConfig field must be defined when using toolUse and toolResult \
                    content blocks."
            .to_owned());
    }
    system(request)?;
    inference(&request["inferenceConfig"])?;
    tools(&request["toolConfig"])?;
    output(&request["outputConfig"])
}

fn contents(message: &Value) -> &[Value] {
    message["content"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The sides speak in turn, and the user first and last.
fn roles(messages: &[Value]) -> Result<(), String> {
    let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_owned();
    if messages.first().is_none_or(|first| role(first) != "user") {
        return Err("A conversation must start with a user message. Try again with a \
                    conversation that starts with a user message."
            .to_owned());
    }
    if messages.windows(2).any(|pair| role(&pair[0]) == role(&pair[1])) {
        return Err("A conversation must alternate between user and assistant roles. Make sure \
                    the conversation alternates between user and assistant roles and try again."
            .to_owned());
    }
    if messages.last().is_some_and(|last| role(last) != "user") {
        return Err("The model returned the following errors: This model does not support \
                    assistant message prefill. The conversation must end with a user message."
            .to_owned());
    }
    Ok(())
}

fn blocks(n: usize, message: &Value) -> Result<(), String> {
    if contents(message).is_empty() {
        return Err(format!(
            "The content field in the Message object at messages.{n} is empty. Add a \
             ContentBlock object to the content field and try again."
        ));
    }
    for (m, block) in contents(message).iter().enumerate() {
        let place = format!("messages.{n}.content.{m}");
        if block["text"].as_str().is_some_and(is_blank) {
            return Err(format!(
                "The text field in the ContentBlock object at {place} is blank. Add text to the \
                 text field, and try again."
            ));
        }
        if let Some(call) = block.get("toolUse") {
            tool_call(&place, message, call)?;
        }
    }
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn tool_call(place: &str, message: &Value, call: &Value) -> Result<(), String> {
    if message["role"] != "assistant" {
        return Err(format!("{place}: toolUse blocks can only be in assistant messages"));
    }
    if !call["input"].is_object() {
        return Err(format!(
            "The format of the value at {place}.toolUse.input is invalid. Provide a json object \
             for the field and try again."
        ));
    }
    for field in ["toolUseId", "name"] {
        if !call[field].as_str().is_some_and(is_name) {
            return Err(format!(
                "1 validation error detected: Value at '{place}.toolUse.{field}' failed to \
                 satisfy constraint: Member must satisfy regular expression pattern: \
                 [a-zA-Z0-9_-]+"
            ));
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// A message answers the calls of tools of the one before, all of them and no others.
fn tool_results(n: usize, message: &Value, asked: Option<&Value>) -> Result<(), String> {
    let ids = |message: &Value, kind: &str| -> Vec<String> {
        let blocks = contents(message).iter().filter_map(|block| block[kind]["toolUseId"].as_str());
        blocks.map(str::to_owned).collect()
    };
    let called = asked.map(|asked| ids(asked, "toolUse")).unwrap_or_default();
    let answered = ids(message, "toolResult");
    let open: Vec<&str> =
        called.iter().filter(|id| !answered.contains(id)).map(String::as_str).collect();
    if !open.is_empty() {
        return Err(format!(
            "Expected toolResult blocks at messages.{n}.content for the following Ids: {}",
            open.join(", ")
        ));
    }
    if answered.len() > called.len() {
        return Err(format!(
            "The number of toolResult blocks at messages.{n}.content exceeds the number of \
             toolUse blocks of previous turn."
        ));
    }
    for (m, block) in contents(message).iter().enumerate() {
        let Some(result) = block.get("toolResult") else { continue };
        if result["status"] == "error" && contents(result).is_empty() {
            return Err(format!(
                "The content field at messages.{n}.content.{m}.toolResult cannot be empty when \
                 status value is error."
            ));
        }
    }
    Ok(())
}

fn system(request: &Value) -> Result<(), String> {
    for (n, block) in request["system"].as_array().into_iter().flatten().enumerate() {
        if block["text"].as_str().is_some_and(is_blank) {
            return Err(format!(
                "The text field in the SystemContentBlock object at system.{n} is blank. Add \
                 text to the text field, and try again."
            ));
        }
    }
    Ok(())
}

fn inference(config: &Value) -> Result<(), String> {
    if config["maxTokens"].as_i64().is_some_and(|tokens| tokens < 1) {
        return Err("1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to \
                    satisfy constraint: Member must have value greater than or equal to 1"
            .to_owned());
    }
    if config["temperature"].as_f64().is_some_and(|degrees| !(0.0..=1.0).contains(&degrees)) {
        return Err("1 validation error detected: Value at 'inferenceConfig.temperature' failed \
                    to satisfy constraint: Member must have value less than or equal to 1"
            .to_owned());
    }
    Ok(())
}

fn tools(config: &Value) -> Result<(), String> {
    let tools = config["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> =
        tools.iter().filter_map(|tool| tool["toolSpec"]["name"].as_str()).collect();
    if !config.is_null() && (names.len() != tools.len() || names.is_empty()) {
        return Err("The tools field in toolConfig needs tools, each with a name.".to_owned());
    }
    for (n, tool) in tools.iter().enumerate() {
        let place = format!("toolConfig.tools.{n}.toolSpec.inputSchema.json");
        let schema = &tool["toolSpec"]["inputSchema"]["json"];
        if !is_name(names[n]) {
            return Err(format!(
                "1 validation error detected: Value at 'toolConfig.tools.{n}.member.toolSpec.\
                 name' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: [a-zA-Z0-9_-]+"
            ));
        }
        if schema["type"] != "object" {
            return Err(format!("The value at {place}.type must be one of the following: object."));
        }
        let mut keys = schema.as_object().into_iter().flat_map(|schema| schema.keys());
        if let Some(key) = keys.find(|key| !TOP_OF_A_TOOL.contains(&key.as_str())) {
            return Err(format!(
                "The model returned the following errors: Malformed input request: \
                 #/toolConfig/tools/{n}/toolSpec/inputSchema/json: extraneous key [{key}] is not \
                 permitted, please reformat your input and try again."
            ));
        }
    }
    match config["toolChoice"]["tool"]["name"].as_str() {
        Some(name) if !names.contains(&name) => {
            Err(format!("The tool {name} in toolChoice is not among the tools."))
        }
        _ => Ok(()),
    }
}

fn output(config: &Value) -> Result<(), String> {
    if config.is_null() {
        return Ok(());
    }
    let format = &config["textFormat"];
    let definition = &format["structure"]["jsonSchema"];
    let schema = definition["schema"].as_str().and_then(|text| serde_json::from_str(text).ok());
    let Some(schema) = schema.filter(|_| format["type"] == "json_schema") else {
        return Err("The value at outputConfig.textFormat.structure.jsonSchema.schema is not a \
                    JSON schema."
            .to_owned());
    };
    if definition["name"].as_str().is_some_and(|name| !is_name(name)) {
        return Err("1 validation error detected: Value at 'outputConfig.textFormat.structure.\
                    jsonSchema.name' failed to satisfy constraint: Member must satisfy regular \
                    expression pattern: [a-zA-Z0-9_-]+"
            .to_owned());
    }
    grammar::check(&schema).map_err(|reason| {
        format!("The model returned the following errors: output_config.format.schema: {reason}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(content: Value) -> Value {
        json!({ "role": "user", "content": content })
    }

    fn assistant(content: Value) -> Value {
        json!({ "role": "assistant", "content": content })
    }

    fn call(input: Value) -> Value {
        json!([{ "toolUse": { "toolUseId": "t1", "name": "write", "input": input } }])
    }

    fn result(id: &str) -> Value {
        json!([{ "toolResult": {
            "toolUseId": id, "status": "error", "content": [{ "text": "wrong" }]
        } }])
    }

    fn request(messages: Value) -> Value {
        let schema = json!({ "type": "object", "properties": {}, "required": [] });
        json!({ "messages": messages, "toolConfig": {
            "tools": [{ "toolSpec": { "name": "write", "inputSchema": { "json": schema } } }],
            "toolChoice": { "tool": { "name": "write" } },
        } })
    }

    fn said(request: &Value) -> String {
        check(request).err().unwrap_or_default()
    }

    #[test]
    fn a_conversation_that_goes_in_turns_passes() {
        let asked = user(json!([{ "text": "write" }]));

        let first = request(json!([asked]));
        let again = request(json!([asked, assistant(call(json!({}))), user(result("t1"))]));

        assert_eq!(check(&first), Ok(()));
        assert_eq!(check(&again), Ok(()));
    }

    #[test]
    fn a_conversation_that_no_model_takes_is_refused_with_its_place() {
        let asked = || user(json!([{ "text": "write" }]));
        let no_content = json!([{ "toolResult": {
            "toolUseId": "t1", "status": "error", "content": []
        } }]);
        for (messages, words) in [
            (json!([]), "must start with a user message"),
            (json!([assistant(json!([{ "text": "a" }]))]), "must start with a user message"),
            (json!([asked(), asked()]), "must alternate"),
            (json!([asked(), assistant(json!([{ "text": "{" }]))]), "end with a user message"),
            (json!([user(json!([]))]), "messages.0 is empty"),
            (json!([user(json!([{ "text": "a" }, { "text": " \n" }]))]), "messages.0.content.1"),
            (
                json!([asked(), assistant(call(json!("{}"))), user(result("t1"))]),
                "messages.1.content.0.toolUse.input is invalid",
            ),
            (
                json!([asked(), assistant(call(json!([]))), user(result("t1"))]),
                "toolUse.input is invalid",
            ),
            (
                json!([asked(), assistant(call(json!({}))), user(json!([{ "text": "wrong" }]))]),
                "Expected toolResult blocks at messages.2.content for the following Ids: t1",
            ),
            (json!([asked(), assistant(call(json!({}))), user(result("t2"))]), "Expected"),
            (
                json!([asked(), assistant(json!([{ "text": "a" }])), user(result("t1"))]),
                "exceeds the number of toolUse blocks",
            ),
            (json!([asked(), assistant(call(json!({}))), user(no_content)]), "cannot be empty"),
        ] {
            let said = said(&request(messages.clone()));
            assert!(said.contains(words), "{messages}: {said}");
        }
        let mut without_tools =
            request(json!([asked(), assistant(call(json!({}))), user(result("t1"))]));
        without_tools["toolConfig"] = Value::Null;
        assert!(said(&without_tools).contains("toolConfig field must be defined"));
    }

    #[test]
    fn a_tools_schema_says_no_more_at_its_top_than_the_strictest_model_takes() {
        let with = |key: &str, value: Value| {
            let mut request = request(json!([user(json!([{ "text": "write" }]))]));
            request["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"][key] = value;
            said(&request)
        };

        assert!(with("additionalProperties", json!(false)).contains("[additionalProperties]"));
        assert!(with("$schema", json!("x")).contains("extraneous key [$schema]"));
        assert!(with("type", json!("array")).contains("must be one of the following: object"));
        assert_eq!(with("required", json!(["a"])), "");
    }

    #[test]
    fn settings_that_no_model_takes_are_refused() {
        let with = |part: &str, value: Value| {
            let mut request = request(json!([user(json!([{ "text": "write" }]))]));
            request[part] = value;
            said(&request)
        };

        assert!(with("inferenceConfig", json!({ "maxTokens": 0 })).contains("maxTokens"));
        assert!(with("inferenceConfig", json!({ "temperature": 1.5 })).contains("temperature"));
        assert!(with("system", json!([{ "text": " " }])).contains("system.0 is blank"));
        let choice = json!({ "tools": [], "toolChoice": { "tool": { "name": "write" } } });
        assert!(!with("toolConfig", choice).is_empty());
    }
}
