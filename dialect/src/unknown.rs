//! A value that stands for whatever a field will hold, while a template is explored.
//!
//! It goes through variables, filters and brackets like any text, and takes with it which
//! fields it came from: a text with a beginning that no event and no template can write.

use std::borrow::Cow;

use liquid_core::ValueView;
use liquid_core::model::Value;

use crate::ruby;

/// How it begins.
pub(crate) const MARK: char = '\u{1}';

/// What stands between its fields.
const SEPARATOR: char = '\u{2}';

/// In the place of a field: how long a list is, which is no matter of what an event holds.
pub(crate) const SIZE: &str = "\u{3}size";

/// What it prints.
pub(crate) const SHOWN: &str = "x";

/// Any value of these fields; of none where it only came from inside a field, or has a
/// default.
pub(crate) fn of(fields: impl IntoIterator<Item = String>) -> Value {
    let mut text = String::from(MARK);
    for field in fields {
        text.push_str(&field);
        text.push(SEPARATOR);
    }
    Value::scalar(text)
}

/// How long a list will be.
pub(crate) fn size() -> Value {
    of([SIZE.to_owned()])
}

/// Tells whether a value is one.
pub(crate) fn is_unknown(value: &dyn ValueView) -> bool {
    marked(value).is_some()
}

/// The fields that a value came from.
pub(crate) fn fields(value: &dyn ValueView) -> Vec<String> {
    let text = marked(value).unwrap_or_default();
    text.split_terminator(SEPARATOR).map(str::to_owned).collect()
}

fn marked(value: &dyn ValueView) -> Option<String> {
    let scalar = value.as_scalar()?;
    let text: Cow<'_, str> = match scalar.type_name() {
        ruby::TEXT => scalar.into_cow_str(),
        _ => return None,
    };
    text.strip_prefix(MARK).map(str::to_owned)
}
