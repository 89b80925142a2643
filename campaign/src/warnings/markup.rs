//! Texts of fallback content that were written for HTML or Liquid.

use serde_json::Value;

use crate::safe_text;
use crate::schema::step;

/// Finds them, by their places.
pub(super) fn places(value: &Value) -> Vec<String> {
    let mut places = Vec::new();
    markup(value, &mut String::new(), &mut |path| places.push(path.to_owned()));
    places
}

/// Finds texts that were written for HTML or Liquid.
fn markup(value: &Value, path: &mut String, found: &mut impl FnMut(&str)) {
    let length = path.len();
    match value {
        Value::String(text) if is_markup(text) => found(path),
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                path.push_str(&format!("/{n}"));
                markup(value, path, found);
                path.truncate(length);
            }
        }
        Value::Object(map) => {
            for (name, value) in map {
                path.push_str(&format!("/{}", step(name)));
                markup(value, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

pub(super) fn is_markup(text: &str) -> bool {
    let is_tag = text.split('<').skip(1).any(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!')
            && rest.contains('>')
    });
    let is_entity = safe_text::decoded(text.into()) != *text;
    is_tag || is_entity || text.contains("{{") || text.contains("{%")
}
