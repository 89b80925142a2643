//! Turns a raw answer into content that is safe in a message.
//!
//! An answer becomes content only if it matches the campaign's schema and says
//! something in every text, and if it keeps to the campaign's rules; then every text is made
//! safe for its place ([`safe_text`]), so that neither HTML nor Liquid finds anything of its own
//! in it.

pub(crate) mod numbers;

use std::fmt;

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::rules::Broken;
use crate::safe_text;

/// The rule that a text breaks which shows nothing.
pub(crate) const BLANK: &str = "blank text";

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
    /// It breaks rules of its campaign; names rules and places, never the text.
    #[error("answer breaks rules of its campaign: {}", named(.0))]
    AgainstRules(Vec<Broken>),
}

impl BadAnswer {
    /// What the model hears of it, which may quote its answer: never for a log.
    pub fn complaint(&self) -> String {
        match self {
            Self::AgainstRules(broken) => {
                let mut said: Vec<&str> = Vec::new();
                for Broken { say, .. } in broken {
                    if said.len() < MAX_VIOLATIONS && !said.contains(&say.as_str()) {
                        said.push(say);
                    }
                }
                said.join("; ")
            }
            other => other.to_string(),
        }
    }

    /// The names of the rules that it breaks, each once.
    pub fn rules(&self) -> Vec<&str> {
        let Self::AgainstRules(broken) = self else { return Vec::new() };
        let mut names: Vec<&str> = broken.iter().map(|one| one.rule.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A rule that an answer breaks, and where; never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The schema's keyword, or what else is wrong.
    pub rule: String,
    /// Where, as a JSON pointer.
    pub place: String,
    /// What there is and what the schema wants, in numbers and names of the schema; or empty.
    pub numbers: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at \"{}\"", self.rule, self.place)?;
        if self.numbers.is_empty() { Ok(()) } else { write!(f, " ({})", self.numbers) }
    }
}

/// Rules with their places, some of them.
fn named(broken: &[Broken]) -> String {
    let shown = broken.iter().take(MAX_VIOLATIONS).map(|Broken { rule, place, .. }| {
        if place.is_empty() { rule.clone() } else { format!("{rule} at \"{place}\"") }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn join(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks an answer against a campaign's schema, in both its forms, and makes it safe.
pub fn accept(
    answer: &str,
    validator: &Validator,
    schema: &Value,
) -> Result<Map<String, Value>, BadAnswer> {
    let answer = valid(read(answer)?, validator)?;
    Ok(safe_text::safe(answer, schema))
}

/// Reads an answer.
pub(crate) fn read(answer: &str) -> Result<Value, BadAnswer> {
    let answer: Value = serde_json::from_str(unfenced(answer)).map_err(BadAnswer::NotJson)?;
    // What counts is what is read, so entities are characters before anything is measured.
    Ok(safe_text::decoded(answer))
}

/// Holds an answer against a schema.
pub(crate) fn valid(answer: Value, validator: &Validator) -> Result<Map<String, Value>, BadAnswer> {
    let violations = violations(&answer, validator, MAX_VIOLATIONS);
    if !violations.is_empty() {
        return Err(BadAnswer::Mismatch(violations));
    }
    match answer {
        Value::Object(content) => Ok(content),
        _ => Err(BadAnswer::NotObject),
    }
}

/// The rules that a value breaks, at most so many; texts that show nothing are told where
/// nothing else is wrong with them.
pub(crate) fn violations(value: &Value, validator: &Validator, most: usize) -> Vec<Violation> {
    let mut violations: Vec<Violation> = validator
        .iter_errors(value)
        .take(most)
        .map(|error| Violation {
            rule: error.kind().keyword().to_owned(),
            place: error.instance_path().to_string(),
            numbers: numbers::of(error.kind(), error.instance()),
        })
        .collect();
    find_blank(value, &mut String::new(), most, &mut violations);
    violations
}

/// The text between the fences of Markdown, where all of it stands between them: so models
/// write that are not held to JSON.
fn unfenced(answer: &str) -> &str {
    let fenced = || {
        let inner = answer.trim().strip_prefix("```")?.strip_suffix("```")?;
        Some(inner.strip_prefix("json").unwrap_or(inner))
    };
    fenced().unwrap_or(answer)
}

/// Finds texts that show nothing in a message: empty ones, and those that pass a minimum
/// length all the same.
fn find_blank(value: &Value, path: &mut String, most: usize, violations: &mut Vec<Violation>) {
    let length = path.len();
    match value {
        Value::String(text) if safe_text::shows_nothing(text) => {
            let is_told = violations.iter().any(|told| told.place == *path);
            if violations.len() < most && !is_told {
                let (rule, place) = (BLANK.to_owned(), path.clone());
                violations.push(Violation { rule, place, numbers: String::new() });
            }
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                path.push_str(&format!("/{n}"));
                find_blank(value, path, most, violations);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                path.push_str(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
                find_blank(value, path, most, violations);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::validator;

    fn accepted(answer: &str) -> Result<Map<String, Value>, BadAnswer> {
        let schema = json!({
            "type": "object",
            "required": ["heading"],
            "additionalProperties": false,
            "properties": {
                "heading": { "type": "string", "minLength": 1, "maxLength": 20 },
                "subject": { "type": "string", "contentMediaType": "text/plain", "maxLength": 11 }
            }
        });
        accept(answer, &validator(&schema).expect("schema is valid"), &schema)
    }

    #[test]
    fn markup_and_templates_in_an_answer_are_text_in_the_content() {
        let markup = accepted(r#"{"heading":"<b>\"Tom\" & J\u0000</b>"}"#).expect("matches");
        let template = accepted(r#"{"heading":"{{a}} {% b %}"}"#).expect("matches");

        assert_eq!(markup["heading"], "&lt;b&gt;&quot;Tom&quot; &amp; J&lt;/b&gt;");
        assert_eq!(template["heading"], "&#123;&#123;a&#125;&#125; &#123;% b %&#125;");
    }

    #[test]
    fn a_plain_text_is_stored_as_it_reads_and_measured_so() {
        let content = accepted(r#"{"heading":"a","subject":"Tom &amp; Jerr"}"#);

        assert_eq!(content.expect("has eleven characters")["subject"], "Tom & Jerr");
        assert!(accepted(r#"{"heading":"a","subject":"twelve of th"}"#).is_err());
    }

    #[test]
    fn text_that_would_show_nothing_is_refused() {
        for blank in [" ", "\\n\\t", "\u{200b}", "\u{2800}", "&nbsp;&#8203;", "\\u202e"] {
            let error = accepted(&format!(r#"{{"heading":"{blank}"}}"#));

            let text = error.expect_err("shows nothing").to_string();
            assert_eq!(text, "answer does not match the schema: blank text at \"/heading\"");
        }
    }

    #[test]
    fn a_mismatch_names_the_place_and_the_rule_but_not_the_text() {
        let error = accepted(r#"{"heading":"a secret that is far too long"}"#);

        let text = error.expect_err("too long").to_string();
        assert_eq!(
            text,
            "answer does not match the schema: maxLength at \"/heading\" (has 29 characters, wants at most 20)"
        );
    }

    #[test]
    fn json_between_fences_is_read_and_prose_is_refused() {
        assert!(accepted("```json\n{\"heading\":\"a\"}\n```\n").is_ok());
        assert!(matches!(accepted(r#"{"heading":""}"#), Err(BadAnswer::Mismatch(_))));
        assert!(matches!(accepted("Sure! Here is"), Err(BadAnswer::NotJson(_))));
    }
}
