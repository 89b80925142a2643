//! Whether a value fits the property that takes it over.

use jsonschema::Validator;
use serde_json::Value;
use unicode_general_category::{GeneralCategory, get_general_category};
use url::Url;

use crate::config::Passage;
use crate::safe_text;
use crate::schema::places;

/// Formats of texts that lead somewhere.
const OF_URLS: [&str; 5] = ["iri", "iri-reference", "uri", "uri-reference", "url"];

/// Schemes that run a script where a message links to them.
const SCRIPTS: [&str; 3] = ["data:", "javascript:", "vbscript:"];

/// A value in the type of its property, if it fits it; entities in it are characters.
pub(super) fn fitting(
    value: Value,
    passage: &Passage,
    (schema, validator): (&Value, &Validator),
) -> Option<Value> {
    let of = places::Of::at(schema, &passage.pointer());
    let value = typed(safe_text::decoded(value), &of);
    (is_harmless(&value, &of) && validator.is_valid(&value)).then_some(value)
}

/// A text that is exactly a number or a truth, as that, where the property is one; and the other
/// way round.
fn typed(value: Value, of: &places::Of<'_>) -> Value {
    let takes = |kind: &str| of.takes(kind);
    match &value {
        Value::String(_) if takes("string") => value,
        Value::String(text) => match text.as_str() {
            "true" | "false" if takes("boolean") => Value::Bool(text == "true"),
            text if takes("integer") || takes("number") => number(text).unwrap_or(value),
            _ => value,
        },
        Value::Bool(truth) if !takes("boolean") && takes("string") => truth.to_string().into(),
        Value::Number(number) if !takes("number") && !takes("integer") && takes("string") => {
            number.to_string().into()
        }
        _ => value,
    }
}

/// A number in the digits of JSON: `19.90`, not `1e3`, `007` or ` 7`.
fn number(text: &str) -> Option<Value> {
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || ['-', '.'].contains(&c));
    is_plain.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Tells whether every text shows something, and leads nowhere that it must not.
fn is_harmless(value: &Value, of: &places::Of<'_>) -> bool {
    match value {
        Value::String(text) => {
            let is_url = OF_URLS.iter().any(|format| of.says("format", format));
            !safe_text::shows_nothing(text)
                && if is_url { leads_to_a_site(text) } else { !runs_a_script(text) }
        }
        Value::Array(values) => {
            values.iter().enumerate().all(|(n, value)| is_harmless(value, &of.item(n)))
        }
        Value::Object(map) => {
            map.iter().all(|(name, value)| is_harmless(value, &of.property(name)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn leads_to_a_site(text: &str) -> bool {
    let is_clean = !text.contains(|c: char| {
        c.is_whitespace() || c.is_control() || ['<', '>', '"', '\\'].contains(&c)
    });
    is_clean
        && Url::parse(text).is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme())
                && text[url.scheme().len()..].starts_with("://")
                && url.username().is_empty()
                && url.password().is_none()
        })
}

/// Tells whether a browser would run a text that it is to follow: it passes over blanks and
/// what shows nothing.
fn runs_a_script(text: &str) -> bool {
    let shows = |c: &char| {
        !c.is_whitespace() && !c.is_control() && get_general_category(*c) != GeneralCategory::Format
    };
    let longest = SCRIPTS.iter().map(|scheme| scheme.len()).max().unwrap_or_default();
    let begins: String = text.chars().filter(shows).take(longest).collect();
    let begins = begins.to_ascii_lowercase();
    SCRIPTS.iter().any(|scheme| begins.starts_with(scheme))
}
