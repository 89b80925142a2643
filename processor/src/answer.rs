//! Turns a raw answer into content that is safe inside an e-mail.
//!
//! An answer becomes content only if it matches the campaign's schema and says
//! something in every text; then every text is stripped of control characters and
//! escaped, so that neither HTML nor Liquid finds anything of its own in it.

use std::fmt;

use jsonschema::Validator;
use serde_json::{Map, Value};

/// Most violations that are named in an error.
const MAX_VIOLATIONS: usize = 5;

/// Why an answer is not content.
#[derive(Debug, thiserror::Error)]
pub enum BadAnswer {
    /// It is not JSON.
    #[error("answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It does not match the schema; names places and rules, never the text.
    #[error("answer does not match the schema: {}", join(.0))]
    Mismatch(Vec<Violation>),
    /// It is JSON, but not an object.
    #[error("answer is not an object")]
    NotObject,
}

/// A rule that an answer breaks, and where; never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The schema's keyword, or what else is wrong.
    pub rule: String,
    /// Where, as a JSON pointer.
    pub place: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at \"{}\"", self.rule, self.place)
    }
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks an answer and makes it safe.
pub fn accept(answer: &str, schema: &Validator) -> Result<Map<String, Value>, BadAnswer> {
    let answer: Value = serde_json::from_str(answer).map_err(BadAnswer::NotJson)?;
    let mut violations: Vec<Violation> = schema
        .iter_errors(&answer)
        .take(MAX_VIOLATIONS)
        .map(|error| Violation {
            rule: error.kind().keyword().to_owned(),
            place: error.instance_path().to_string(),
        })
        .collect();
    if violations.is_empty() {
        find_blank(&answer, &mut String::new(), &mut violations);
    }
    if !violations.is_empty() {
        return Err(BadAnswer::Mismatch(violations));
    }
    match escape(answer) {
        Value::Object(content) => Ok(content),
        _ => Err(BadAnswer::NotObject),
    }
}

/// Finds texts that show nothing in an e-mail: empty ones, and those that pass a minimum
/// length all the same.
fn find_blank(value: &Value, path: &mut String, violations: &mut Vec<Violation>) {
    if violations.len() >= MAX_VIOLATIONS {
        return;
    }
    let length = path.len();
    match value {
        Value::String(text) if text.chars().all(is_invisible) => {
            violations.push(Violation { rule: "blank text".to_owned(), place: path.clone() });
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                path.push_str(&format!("/{n}"));
                find_blank(value, path, violations);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                path.push('/');
                path.push_str(name);
                find_blank(value, path, violations);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn escape(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(escape_text(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(escape).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (name, escape(value))).collect())
        }
        other => other,
    }
}

fn escape_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Braze's template language opens and closes with braces.
            '{' => escaped.push_str("&#123;"),
            '}' => escaped.push_str("&#125;"),
            '\n' | '\t' => escaped.push(' '),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Validator {
        jsonschema::validator_for(&json!({
            "type": "object",
            "required": ["heading"],
            "additionalProperties": false,
            "properties": { "heading": { "type": "string", "minLength": 1, "maxLength": 20 } }
        }))
        .expect("schema is valid")
    }

    #[test]
    fn markup_in_an_answer_is_text_in_the_content() {
        let content = accept(r#"{"heading":"<b>\"Tom\" & 'J'\u0000</b>"}"#, &schema());

        assert_eq!(
            content.expect("matches")["heading"],
            "&lt;b&gt;&quot;Tom&quot; &amp; &#39;J&#39;&lt;/b&gt;"
        );
    }

    #[test]
    fn a_template_in_an_answer_is_text_in_the_content() {
        let content = accept(r#"{"heading":"{{a}} {% b %}"}"#, &schema()).expect("matches");

        assert_eq!(content["heading"], "&#123;&#123;a&#125;&#125; &#123;% b %&#125;");
    }

    #[test]
    fn text_that_would_show_nothing_is_refused() {
        let schema = jsonschema::validator_for(&json!({ "type": "object" })).expect("is valid");
        for blank in ["", " ", "\\n\\t", "\u{200b}", "\u{a0}\u{feff}"] {
            let error = accept(&format!(r#"{{"heading":"{blank}"}}"#), &schema);

            let text = error.expect_err("shows nothing").to_string();
            assert_eq!(text, "answer does not match the schema: blank text at \"/heading\"");
        }
    }

    #[test]
    fn a_mismatch_names_the_place_and_the_rule_but_not_the_text() {
        let error = accept(r#"{"heading":"a secret that is far too long"}"#, &schema());

        let text = error.expect_err("too long").to_string();
        assert_eq!(text, "answer does not match the schema: maxLength at \"/heading\"");
    }

    #[test]
    fn empty_text_and_prose_are_refused() {
        assert!(matches!(accept(r#"{"heading":""}"#, &schema()), Err(BadAnswer::Mismatch(_))));
        assert!(matches!(accept("Sure! Here is", &schema()), Err(BadAnswer::NotJson(_))));
    }
}
