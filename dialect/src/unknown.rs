//! A value that stands for whatever a field will hold, while a template is explored.
//!
//! It goes through variables, filters and brackets like any text, and takes with it which
//! fields it came from: a text with a beginning that no event and no template can write.

use std::borrow::Cow;

use liquid_core::ValueView;
use liquid_core::model::Value;

use crate::catalogs::Column;
use crate::ruby;

/// How it begins.
pub(crate) const MARK: char = '\u{1}';

/// What stands between its fields.
const SEPARATOR: char = '\u{2}';

/// In the place of a field: how long a list is, which is no matter of what an event holds.
pub(crate) const SIZE: &str = "\u{3}size";

/// How the name of an item's field begins: the catalog and the column follow.
const ITEM: char = '\u{4}';

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

/// Any item of a catalog, where that is known; a step into it is one of its columns.
pub(crate) fn item(catalog: Option<&str>) -> Value {
    of([format!("{ITEM}{}", catalog.unwrap_or_default())])
}

/// Any value of a column of what is an item.
pub(crate) fn column_of(value: &dyn ValueView, column: &str) -> Option<(Column, Value)> {
    let item = fields(value).into_iter().find(|field| is_item(field) && !field.contains('.'))?;
    let name = format!("{item}.{column}");
    Some((self::column(&name)?, of([name])))
}

/// Tells whether it is the name of an item, or of a column of one.
pub(crate) fn is_item(field: &str) -> bool {
    field.starts_with(ITEM)
}

/// The column that a field is, if it is one.
pub(crate) fn column(field: &str) -> Option<Column> {
    let (catalog, column) = field.strip_prefix(ITEM)?.split_once('.')?;
    Some((Some(catalog.to_owned()).filter(|name| !name.is_empty()), column.to_owned()))
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
