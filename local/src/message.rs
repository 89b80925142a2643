//! A message as Braze renders it: a stand-in for its Connected Content tag, and Liquid.

use anyhow::Context as _;
use serde_json::Value;

/// How the tag begins, whose result is passed in here.
const TAG: &str = "{% connected_content";

/// Renders a message over an answer of the api, saved as `result`.
pub fn render(message: &str, answer: &Value) -> anyhow::Result<String> {
    let template = liquid::ParserBuilder::with_stdlib().build().context("building the parser")?;
    let template = template.parse(&without_tag(message)).context("parsing the message")?;
    let globals = liquid::to_object(&serde_json::json!({ "result": answer }));
    let globals = globals.context("reading the answer")?;
    template.render(&globals).context("rendering the message")
}

/// The message without the tag, which is Braze's own.
fn without_tag(message: &str) -> String {
    let mut text = message.to_owned();
    while let Some(start) = text.find(TAG) {
        // The tag may hold an output of its own, `{{${braze_id}}}`, but no other tag.
        let end = text[start..].find("%}").map_or(text.len(), |end| start + end + 2);
        text.replace_range(start..end, "");
    }
    text.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_shows_what_the_tag_saved() {
        let message = "{% connected_content https://a/?user_id={{${braze_id}}} :save result %}\n\
                       <h1>{{result.Item.data.M.heading.S}}</h1>";
        let answer = json!({ "Item": { "data": { "M": { "heading": { "S": "Hello" } } } } });

        assert_eq!(render(message, &answer).expect("renders"), "<h1>Hello</h1>");
    }
}
