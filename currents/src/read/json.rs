//! JSON, written straight into a buffer.
//!
//! Guarantees: whatever is written here, `serde_json` reads.
//!
//! Above 400 lines with its tests, which show beside the code what comes of odd bytes.

use std::borrow::Cow;

use serde_json::Value;

use crate::read::lenient::{self, Soundness};

/// Deepest nesting of JSON inside a string that is read; what is deeper is left out, because
/// readers of the stream have a limit of their own.
pub(crate) const MAX_DEPTH: usize = 64;

/// How often JSON can have been written as a string of JSON: by the program that made it,
/// by a queue, by a database.
const MAX_ENCODINGS: usize = 3;

/// Longest number that is copied without being parsed: fewer digits than a float has.
const MAX_PLAIN_NUMBER_BYTES: usize = 15;

/// Writes a string; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        match std::str::from_utf8(text) {
            Ok(_) => escape(text, out),
            Err(_) => escape(String::from_utf8_lossy(text).as_bytes(), out),
        }
    }
    out.push(b'"');
}

/// A text as a string.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    write_text(text.as_bytes(), &mut quoted);
    quoted
}

/// Writes bytes as a string of the code points 0 to 255, as Avro's own JSON does.
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        escape(text.as_bytes(), out);
    }
    out.push(b'"');
}

/// Writes an integer.
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes the shortest decimal that is this number; `false` if JSON cannot hold it.
pub(crate) fn write_float(value: impl zmij::Float + Into<f64> + Copy, out: &mut Vec<u8>) -> bool {
    let is_finite = value.into().is_finite();
    if is_finite {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
    is_finite
}

/// The value that a text of JSON holds, read as it is on the way to the stream.
pub fn embedded(text: &str) -> Value {
    let mut json = Vec::new();
    write_embedded(text.as_bytes(), &mut json);
    serde_json::from_slice(&json).unwrap_or_default()
}

/// Writes the JSON that a string holds, or the string itself if it holds none; tells whether
/// something in it could not be read as it was written.
pub(crate) fn write_embedded(text: &[u8], out: &mut Vec<u8>) -> bool {
    // ASCII is found faster than UTF-8, and most of it is.
    if text.is_ascii() && is_plain_object(text) {
        out.extend_from_slice(text);
        return false;
    }
    let (text, is_utf8) = match std::str::from_utf8(text) {
        Ok(text) => (Cow::Borrowed(text), true),
        Err(_) => (String::from_utf8_lossy(text), false),
    };
    if is_plain_object(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return !is_utf8;
    }
    match write_decoded(&text, MAX_ENCODINGS, out) {
        Some(soundness) => !is_utf8 || soundness != Soundness::Sound,
        None => {
            write_text(text.as_bytes(), out);
            !text.trim().is_empty()
        }
    }
}

/// Writes what `text` holds; where that is a string which holds an object, the object.
fn write_decoded(text: &str, encodings: usize, out: &mut Vec<u8>) -> Option<Soundness> {
    let start = out.len();
    if encodings > 0
        && let Some(inner) = encoded(text)
    {
        if write_decoded(&inner, encodings - 1, out).is_some() && out[start] == b'{' {
            return Some(Soundness::Mended);
        }
        out.truncate(start);
    }
    lenient::write(text, MAX_DEPTH, out)
}

/// The text that `text` is the encoding of: as a string of JSON, as one without its quotes,
/// or with doubled quotes, as in CSV.
fn encoded(text: &str) -> Option<String> {
    let text = text.trim();
    let string = match text.as_bytes().first()? {
        b'"' | b'\'' => Cow::Borrowed(text),
        b'{' => {
            let members = text[1..].trim_start();
            if let Some(name) = members.strip_prefix("\"\"") {
                let is_empty = name.trim_start().starts_with(':');
                return (!is_empty).then(|| text.replace("\"\"", "\""));
            }
            members.starts_with("\\\"").then(|| Cow::Owned(format!("\"{text}\"")))?
        }
        _ => return None,
    };
    let mut json = Vec::new();
    lenient::write(&string, MAX_DEPTH, &mut json)?;
    serde_json::from_slice(&json).ok()
}

/// Tells whether text can stand in JSON as it is: ASCII without anything to escape.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // Without a branch in the loop the compiler looks at many bytes at once.
    let special = |byte: u8| !(0x20..0x80).contains(&byte) || byte == b'"' || byte == b'\\';
    !text.iter().fold(false, |found, &byte| found | special(byte))
}

/// Appends a part of a string.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut copied = 0;
    for (place, &byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text[copied..place]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xF)]];
            out.extend_from_slice(b"00");
            out.extend_from_slice(&digits);
        }
        copied = place + 1;
    }
    out.extend_from_slice(&text[copied..]);
}

/// Tells whether UTF-8 text is an object that every parser reads alike: shallow, with short
/// numbers and without `\u`. Anything else takes the slower way.
fn is_plain_object(text: &[u8]) -> bool {
    text.starts_with(b"{") && value(text, MAX_DEPTH).is_some_and(|rest| blank(rest).is_empty())
}

fn blank(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !b" \t\r\n".contains(byte)).unwrap_or(text.len());
    &text[end..]
}

/// Passes a value and returns what follows it.
fn value(text: &[u8], levels: usize) -> Option<&[u8]> {
    match *text.first()? {
        b'"' => string(&text[1..]),
        b'{' => items(&text[1..], b'}', levels.checked_sub(1)?, |text, levels| {
            let after_name = blank(string(text.strip_prefix(b"\"")?)?);
            value(blank(after_name.strip_prefix(b":")?), levels)
        }),
        b'[' => items(&text[1..], b']', levels.checked_sub(1)?, value),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        b'n' => text.strip_prefix(b"null"),
        _ => number(text),
    }
}

fn items(
    text: &[u8],
    end: u8,
    levels: usize,
    item: impl Fn(&[u8], usize) -> Option<&[u8]>,
) -> Option<&[u8]> {
    let mut rest = blank(text);
    if *rest.first()? == end {
        return Some(&rest[1..]);
    }
    loop {
        rest = blank(item(rest, levels)?);
        match *rest.first()? {
            b',' => rest = blank(&rest[1..]),
            byte if byte == end => return Some(&rest[1..]),
            _ => return None,
        }
    }
}

/// Passes the rest of a string, its closing quote included.
fn string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        let special = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\')?;
        match (rest[special], rest.get(special + 1)) {
            (b'"', _) => return Some(&rest[special + 1..]),
            (b'\\', Some(escaped)) if b"\"\\/bfnrt".contains(escaped) => {
                rest = &rest[special + 2..];
            }
            _ => return None,
        }
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(unsigned);
    if whole == 0 || (whole > 1 && unsigned[0] == b'0') {
        return None;
    }
    let mut rest = &unsigned[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        rest = (length > 0).then(|| &fraction[length..])?;
    }
    let is_plain = text.len() - rest.len() <= MAX_PLAIN_NUMBER_BYTES;
    (is_plain && !matches!(rest.first(), Some(b'e' | b'E'))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).expect("is JSON")
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".{0,5}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_string(bytes in any::<Vec<u8>>()) {
            let expected = String::from_utf8_lossy(&bytes).into_owned();
            prop_assert_eq!(written(|out| write_text(&bytes, out)), Value::from(expected));

            let plain: Vec<u8> = bytes.iter().map(|byte| b'a' + byte % 26).collect();
            let expected = String::from_utf8_lossy(&plain).into_owned();
            prop_assert_eq!(written(|out| write_text(&plain, out)), Value::from(expected));

            let expected: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            prop_assert_eq!(written(|out| write_bytes(&bytes, out)), Value::from(expected));
        }

        #[test]
        fn json_in_a_string_comes_out_as_it_is(value in any_json(), pretty in any::<bool>()) {
            let may_hold_more = |text: &str| text.trim_start().starts_with(['{', '"', '\'']);
            prop_assume!(!value.as_str().is_some_and(may_hold_more));
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let expected: Value = serde_json::from_str(&text).expect("is JSON");

            prop_assert_eq!(embedded(&text), (expected, false));
        }

        #[test]
        fn what_one_reader_takes_is_read_as_it_reads_it(
            text in "[ \\[\\]{}:,\"a\\\\u0d8-9.eE+truefalsn\u{1}\u{e9}]{0,24}",
            is_object in any::<bool>(),
        ) {
            let text = if is_object { format!("{{\"a\":{text}}}") } else { text };
            let (read, is_mended) = embedded(&text);

            match serde_json::from_str::<Value>(&text) {
                // Digits that a reader would round away are kept as text.
                Ok(_) if text.contains(|c: char| c.is_ascii_digit()) => {}
                Ok(expected) => prop_assert_eq!((read, is_mended), (expected, false)),
                Err(_) => prop_assert!(is_mended || text.trim().is_empty()),
            }
        }
    }

    fn embedded(text: &str) -> (Value, bool) {
        let mut is_mended = false;
        let value = written(|out| is_mended = write_embedded(text.as_bytes(), out));
        (value, is_mended)
    }

    #[test]
    fn an_unreadable_escape_costs_its_own_text_only_and_digits_are_kept() {
        let text = r#"{"show":"Harbour Lights","season":2,"note":"cut \ud83d",
            "id":18446744073709551615,"more":18446744073709551616,"e":1e2}"#;

        let expected = json!({
            "show": "Harbour Lights", "season": 2, "note": "cut \u{fffd}",
            "id": u64::MAX, "more": "18446744073709551616", "e": 100.0,
        });
        assert_eq!(embedded(text), (expected, true));
    }

    #[test]
    fn text_that_holds_nothing_stays_text_and_is_counted() {
        for text in
            ["hello {", "(a)", "{not json", "\"\\ud800", "3f2a-11", "{,,}", "[[", "{\"a\":12"]
        {
            assert_eq!(embedded(text), (text.into(), true), "{text}");
        }
        for text in ["", " \n"] {
            assert_eq!(embedded(text), (text.into(), false), "{text}");
        }
        for (text, value) in [("1e999", json!("1e999")), ("NaN", json!(null)), ("'a'", json!("a"))]
        {
            assert_eq!(embedded(text).0, value, "{text}");
        }
    }

    #[test]
    fn of_what_is_nested_too_deeply_only_that_is_lost() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for (levels, is_mended) in [(63, false), (64, true), (100_000, true)] {
            let text = format!("{{\"deep\":{},\"b\":2}}", deep(levels));

            let (value, found) = embedded(&text);

            assert_eq!((&value["b"], found), (&json!(2), is_mended), "{levels}");
            assert!(value["deep"].is_array());
        }
    }

    #[test]
    fn an_object_that_was_encoded_more_than_once_is_read() {
        let object = json!({ "show": "A \"B\"", "note": "", "n": { "a": [1] } });
        let once = object.to_string();
        let again = |text: &str| Value::from(text).to_string();
        let twice = again(&once);
        for text in [
            twice.clone(),
            again(&twice),
            again(&again(&twice)),
            format!("\n {twice} "),
            twice[1..twice.len() - 1].to_owned(),
            once.replace('"', "\"\"").replace("\\\"\"", "\\\""),
        ] {
            assert_eq!(embedded(&text), (object.clone(), true), "{text}");
        }
        let (cut, _) = embedded(&again(r#"{"show":"A","note":"\ud83d"}"#));
        assert_eq!(cut, json!({ "show": "A", "note": "\u{fffd}" }));
        for text in ["plain", "{", "{}", "[1]", "\"", "{'"] {
            let text = Value::from(text).to_string();
            let value = embedded(&text).0;
            assert!(
                value == serde_json::from_str::<Value>(&text).expect("is JSON")
                    || value == json!({})
            );
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_cost_themselves_only() {
        for bad in [&b"caf\xE9"[..], b"\xED\xA0\xBD", b"\xC0\x80"] {
            let text = [br#"{"a":1,"b":""#, bad, br#"","c":2}"#].concat();
            let mut is_mended = false;
            let value = written(|out| is_mended = write_embedded(&text, out));

            assert_eq!((&value["a"], &value["c"], is_mended), (&json!(1), &json!(2), true));
            assert!(value["b"].as_str().is_some_and(|text| text.contains('\u{fffd}')));
        }
    }

    #[test]
    fn floats_are_the_shortest_decimals_and_what_json_lacks_is_left_out() {
        let float = |write: &dyn Fn(&mut Vec<u8>) -> bool| {
            let mut out = Vec::new();
            write(&mut out).then(|| String::from_utf8(out).expect("is text"))
        };
        assert_eq!(float(&|out| write_float(9.99_f32, out)).as_deref(), Some("9.99"));
        assert_eq!(float(&|out| write_float(0.1_f64, out)).as_deref(), Some("0.1"));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(float(&|out| write_float(value, out)), None);
        }
    }
}
