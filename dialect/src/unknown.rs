//! A value that stands for whatever a field will hold, while a template is explored.
//!
//! It goes through variables and filters like any value, and takes with it which fields it
//! came from: an object with a name that no event and no template can write.

use liquid_core::ValueView;
use liquid_core::model::{Object, Value};

/// The name under which the fields are.
const MARK: &str = "\u{1}unknown";

/// What it prints.
pub(crate) const SHOWN: &str = "x";

/// Any value of these fields; of none where it only came from inside a field, or has a
/// default.
pub(crate) fn of(fields: impl IntoIterator<Item = String>) -> Value {
    let fields = fields.into_iter().map(Value::scalar).collect();
    Value::Object(Object::from_iter([(MARK.into(), Value::Array(fields))]))
}

/// Tells whether a value is one.
pub(crate) fn is_unknown(value: &dyn ValueView) -> bool {
    value.as_object().is_some_and(|object| object.contains_key(MARK))
}

/// The fields that a value came from.
pub(crate) fn fields(value: &dyn ValueView) -> Vec<String> {
    let fields = value.as_object().and_then(|object| object.get(MARK)?.as_array());
    let names = fields.into_iter().flat_map(|fields| fields.values());
    names.map(|name| name.to_kstr().into_string()).collect()
}
