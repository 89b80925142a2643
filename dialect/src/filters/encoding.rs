//! Filters that write texts for addresses, JSON and wires.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use liquid_core::model::Value;
use liquid_core::{Result, ValueView as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Call, Filter, as_text, filter};
use crate::json;

/// What stays in a parameter of an address.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What stays in a whole address.
const ADDRESS: &AsciiSet = &PARAMETER
    .remove(b';')
    .remove(b'/')
    .remove(b'?')
    .remove(b':')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'[')
    .remove(b']')
    .remove(b'!')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

pub(super) const FILTERS: &[Filter] = &[
    filter("url_encode", (0, 0), |call| {
        as_text(utf8_percent_encode(&call.text(), PARAMETER).to_string().replace("%20", "+"))
    }),
    filter("url_decode", (0, 0), |call| {
        let text = call.text().replace('+', " ");
        as_text(call.decoded(&percent_decode_str(&text).decode_utf8_lossy()))
    }),
    filter("url_escape", (0, 0), |call| {
        as_text(utf8_percent_encode(&call.text(), ADDRESS).to_string())
    }),
    filter("url_param_escape", (0, 0), |call| {
        as_text(utf8_percent_encode(&call.text(), PARAMETER).to_string())
    }),
    filter("base64", (0, 0), |call| as_text(BASE64_STANDARD.encode(call.text().as_bytes()))),
    filter("base64_encode", (0, 0), |call| as_text(BASE64_STANDARD.encode(call.text().as_bytes()))),
    filter("base64_decode", (0, 0), |call| {
        let bytes = BASE64_STANDARD.decode(call.text().as_bytes()).unwrap_or_default();
        as_text(call.decoded(&String::from_utf8_lossy(&bytes)))
    }),
    filter("json_escape", (0, 0), |call| {
        let quoted = serde_json::Value::from(call.text()).to_string();
        as_text(&quoted[1..quoted.len() - 1])
    }),
    filter("as_json_string", (0, 0), |call| as_text(json::of(call.input).to_string())),
    filter("json_parse", (0, 0), json_parse),
];

fn json_parse(call: &Call<'_>) -> Result<Value> {
    let parsed = serde_json::from_str::<serde_json::Value>(&call.text());
    Ok(parsed.map_or_else(
        |error| {
            call.complain(format!("json_parse reads no JSON: {error}"));
            Value::Nil
        },
        |parsed| harmless(call, json::value(&parsed)),
    ))
}

/// The same value with all its texts made harmless.
fn harmless(call: &Call<'_>, value: Value) -> Value {
    match value {
        Value::Scalar(scalar) if scalar.type_name() == "string" => {
            Value::scalar(call.decoded(&scalar.into_cow_str()))
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| harmless(call, item)).collect())
        }
        Value::Object(object) => {
            let entries = object.into_iter();
            let entries =
                entries.map(|(name, value)| (call.decoded(&name).into(), harmless(call, value)));
            Value::Object(entries.collect())
        }
        other => other,
    }
}
