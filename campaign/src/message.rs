//! A message as Braze renders it: a stand-in for its Connected Content tag and for what it
//! knows of the user, and Liquid.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Name of Braze's tag, whose result is passed in here.
const TAG: &str = "connected_content";

/// Where Braze puts the status of a call into what it saves.
const STATUS: &str = "__http_status_code__";

/// The status of every answer that gets here: Braze saves none of an error.
const SUCCESS: u16 = 200;

/// What a user's own attributes are called here; Braze writes `${first_name}`.
const ATTRIBUTES: &str = "braze_attributes";

/// The attribute that is known here.
const BRAZE_ID: &str = "braze_id";

/// File of a campaign that shows its content in a message.
const MESSAGE: &str = "message.liquid";

/// Where a campaign of `folder` has its snippets.
pub fn path(folder: &Path, campaign: &str) -> PathBuf {
    folder.join(campaign).join(MESSAGE)
}

/// Renders a message over an answer of the api. Attributes of the user that only Braze
/// knows show as their names in brackets.
pub fn render(message: &str, answer: &Value) -> Result<String, NotRendered> {
    let mut globals = Map::new();
    let text = without_tags(message, answer, &mut globals)?;
    let text = with_attributes(&text, answer, &mut globals);
    let failed = |attempted| move |source| NotRendered::Liquid { attempted, source };
    let parser =
        liquid::ParserBuilder::with_stdlib().build().map_err(failed("building the parser"))?;
    let template = parser.parse(&text).map_err(failed("parsing the message"))?;
    let globals = liquid::to_object(&globals).map_err(failed("reading the answer"))?;
    template.render(&globals).map_err(failed("rendering the message"))
}

/// Why a message cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotRendered {
    /// Braze's tag has no end.
    #[error("the tag {TAG} does not end")]
    EndlessTag,
    /// The template language refuses it.
    #[error("{attempted}")]
    Liquid {
        /// What was being done.
        attempted: &'static str,
        /// What the template language said.
        #[source]
        source: liquid::Error,
    },
}

/// The message without Braze's own tag; what the tag saves goes into `globals`.
fn without_tags(
    message: &str,
    answer: &Value,
    globals: &mut Map<String, Value>,
) -> Result<String, NotRendered> {
    let mut text = String::new();
    let mut rest = message;
    while let Some(start) = rest.find("{%") {
        let inside = &rest[start + 2..];
        let trimmed = inside.strip_prefix('-').unwrap_or(inside);
        let Some(arguments) = trimmed.trim_start().strip_prefix(TAG) else {
            text.push_str(&rest[..start + 2]);
            rest = inside;
            continue;
        };
        // The tag may hold an output of its own, `{{${braze_id}}}`, but no other tag.
        let end = arguments.find("%}").ok_or(NotRendered::EndlessTag)?;
        let mut words = arguments[..end].trim_end_matches('-').split_whitespace();
        if words.any(|word| word == ":save")
            && let Some(name) = words.next()
        {
            globals.insert(name.to_owned(), with_status(answer));
        }
        let before = &rest[..start];
        let trims_before = inside.starts_with('-') || text.is_empty();
        text.push_str(if trims_before { before.trim_end() } else { before });
        let trims_after = arguments[..end].ends_with('-') || text.is_empty();
        rest = &arguments[end + 2..];
        rest = if trims_after { rest.trim_start() } else { rest };
    }
    text.push_str(rest);
    Ok(text)
}

/// The answer as Braze saves it: an object gets the status of the call.
fn with_status(answer: &Value) -> Value {
    let mut saved = answer.clone();
    if let Value::Object(object) = &mut saved {
        object.insert(STATUS.to_owned(), SUCCESS.into());
    }
    saved
}

/// The message with names of Liquid in place of `${first_name}` and
/// `custom_attribute.${show}`, whose values go into `globals`.
fn with_attributes(message: &str, answer: &Value, globals: &mut Map<String, Value>) -> String {
    let mut text = String::new();
    let mut rest = message;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        text.push_str(&rest[..start]);
        rest = &rest[start + length + 1..];
        let group = match text.strip_suffix('.') {
            Some(before) => {
                let is_word = |c: char| c.is_alphanumeric() || c == '_';
                before[before.trim_end_matches(is_word).len()..].to_owned()
            }
            None => {
                text.push_str(ATTRIBUTES);
                text.push('.');
                ATTRIBUTES.to_owned()
            }
        };
        let key = name.replace(|c: char| !c.is_alphanumeric(), "_");
        text.push_str(&key);
        let value = match &answer["Item"]["user_id"]["S"] {
            Value::String(user_id) if name == BRAZE_ID => user_id.clone(),
            _ => format!("[{name}]"),
        };
        let group = globals.entry(group).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(group) = group {
            group.insert(key, value.into());
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(message: &str) -> String {
        let item = json!({
            "data": { "M": { "heading": { "S": "Hello" } } }, "user_id": { "S": "5f1a" },
        });
        render(message, &json!({ "Item": item })).expect("renders")
    }

    #[test]
    fn a_message_shows_what_the_tag_saved() {
        let message = "{% connected_content https://a/?user_id={{${braze_id}}} :save result %}\n\
                       <h1>{{result.Item.data.M.heading.S}}</h1>";

        assert_eq!(rendered(message), "<h1>Hello</h1>");
    }

    #[test]
    fn the_tag_may_trim_and_save_under_any_name() {
        let message = "<p>\n{%- connected_content https://a/ :basic_auth me :save mine -%}\n\
                       {{mine.Item.data.M.heading.S}}</p>{% if mine %}!{% endif %}";

        assert_eq!(rendered(message), "<p>Hello</p>!");
    }

    #[test]
    fn what_only_braze_knows_shows_as_its_name() {
        let message = "{{${first_name}}} {{ ${last_name} | upcase }} {{${braze_id}}} \
                       {{custom_attribute.${favourite show}}}";

        assert_eq!(rendered(message), "[first_name] [LAST_NAME] 5f1a [favourite show]");
    }
}
