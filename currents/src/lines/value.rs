//! The value of a field, as far as a container can hold it.
//!
//! A `null` is as good as no field, as in Currents; only in a list it keeps its place.

use serde_json::Value;
use serde_json::value::RawValue;

use super::line::told;
use crate::read::MAX_DEPTH;

/// Most lists and objects in a field: each can need a schema of its own.
const MAX_NESTED: usize = 10_000;

/// Reads a value; `None` for `null`.
pub(super) fn plain(value: &RawValue) -> Result<Option<Value>, String> {
    if let Some(number) = too_large(value.get()) {
        let number: String = number.chars().take(40).collect();
        return Err(format!(
            "is larger than a number of Currents can be, {number}: write it as a text"
        ));
    }
    let mut value: Value = serde_json::from_str(value.get())
        .map_err(|error| format!("cannot be read: {}", told(&error)))?;
    let mut nested = 0;
    without_nulls(&mut value, MAX_DEPTH, &mut nested)?;
    Ok((!value.is_null()).then_some(value))
}

/// The first integer that is none of 64 bits: it would be rounded.
fn too_large(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at += string(&bytes[at..]),
            b'-' | b'0'..=b'9' => {
                let start = at - 1;
                let more =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes[at..].iter().take_while(|byte| more(byte)).count();
                let number = &json[start..at];
                if !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() {
                    return Some(number);
                }
            }
            _ => {}
        }
    }
    None
}

/// Length of the rest of a string, its closing quote included.
fn string(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        at += if byte == b'\\' { 2 } else { 1 };
        if byte == b'"' {
            break;
        }
    }
    at.min(rest.len())
}

fn without_nulls(value: &mut Value, levels: usize, nested: &mut usize) -> Result<(), String> {
    if !matches!(value, Value::Array(_) | Value::Object(_)) {
        return Ok(());
    }
    *nested += 1;
    if levels == 0 || *nested > MAX_NESTED {
        return Err(format!(
            "has more than {MAX_DEPTH} levels or {MAX_NESTED} lists and objects: only \
             \"properties\" can have so many"
        ));
    }
    match value {
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| without_nulls(item, levels - 1, nested))
        }
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().try_for_each(|member| without_nulls(member, levels - 1, nested))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> Result<Option<Value>, String> {
        plain(serde_json::from_str(json).expect("is JSON"))
    }

    #[test]
    fn nulls_are_left_out_but_in_lists() {
        let value = read(r#"{"a":null,"b":[null,{"c":null,"d":1}],"e":{}}"#);

        assert_eq!(value, Ok(Some(json!({ "b": [null, { "d": 1 }], "e": {} }))));
        assert_eq!(read("null"), Ok(None));
    }

    #[test]
    fn integers_of_64_bits_are_exact_and_larger_ones_are_refused_wherever_they_stand() {
        for json in [
            "9223372036854775807",
            "-9223372036854775808",
            "1e30",
            "[0.1]",
            "\"99999999999999999999\"",
        ] {
            let expected = serde_json::from_str(json).expect("is JSON");
            assert_eq!(read(json), Ok(Some(expected)), "{json}");
        }
        for json in [
            "9223372036854775808",
            "[\"a\\\"1\", -9223372036854775809]",
            "{\"a\":[18446744073709551616]}",
        ] {
            let told = read(json).expect_err("is too large");
            assert!(told.contains("write it as a text"), "{told}");
        }
        assert!(read("1e999").expect_err("is no float").contains("out of range"));
    }

    #[test]
    fn nesting_ends_where_readers_of_containers_end() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));

        assert!(read(&nested(MAX_DEPTH)).is_ok());
        for json in
            [nested(MAX_DEPTH + 1), nested(1_000), format!("[{}[]]", "[],".repeat(MAX_NESTED))]
        {
            assert!(read(&json).is_err(), "{}", json.len());
        }
    }
}
