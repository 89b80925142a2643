//! JSON as other programs write it, read as far as it can be read.
//!
//! What one reader takes and another refuses costs itself only: a half of a surrogate pair
//! becomes U+FFFD, a number that no float holds becomes its digits as text, what is nested
//! too deeply or is no value at all is left out, and everything around it survives.
//!
//! | read | as |
//! | --- | --- |
//! | half of a surrogate pair, `\u` without four digits | U+FFFD |
//! | raw control characters, `\x41`, `\'`, other escapes | the character |
//! | `'text'`, names without quotes, comments, `True`, `None` | as JavaScript and Python mean them |
//! | commas too many, and commas that are missing | nothing, and a comma |
//! | `+1`, `007`, `.5`, `5.`, `0x1F` | the number |
//! | integers beyond 64 bits, floats beyond a double | their digits, as text |
//! | `NaN`, `Infinity`, `undefined`, anything that is no value | left out |
//! | the value in which the text ends, what is too deep | left out |
//! | a name that comes twice | the last one |
//!
//! Guarantees: time grows with the length of the text, and nesting is bounded.

use std::str::FromStr as _;

use serde_json::{Map, Number, Value};

/// What was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Lenient {
    pub(crate) value: Value,
    /// Something in it is not JSON that every reader takes.
    pub(crate) is_mended: bool,
}

/// Reads a text that holds an object or an array; `None` for any other text.
pub(crate) fn read(text: &str, max_depth: usize) -> Option<Lenient> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), is_mended: false };
    reader.is_mended = reader.rest.len() < text.len();
    reader.blank();
    if !reader.rest.starts_with(['{', '[']) {
        return None;
    }
    let value = reader.value(max_depth)?;
    reader.blank();
    reader.is_mended |= !reader.rest.is_empty();
    Some(Lenient { value, is_mended: reader.is_mended })
}

struct Reader<'t> {
    rest: &'t str,
    is_mended: bool,
}

impl<'t> Reader<'t> {
    /// Passes blanks and comments.
    fn blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            let end = match self.rest.as_bytes() {
                [b'/', b'/', ..] => self.rest.find('\n').unwrap_or(self.rest.len()),
                [b'/', b'*', ..] => self.rest.find("*/").map_or(self.rest.len(), |end| end + 2),
                // A blank of another script.
                _ => match self.rest.chars().next().filter(|c| c.is_whitespace()) {
                    Some(c) => c.len_utf8(),
                    None => return,
                },
            };
            self.is_mended = true;
            self.rest = &self.rest[end..];
        }
    }

    /// Reads a value; `None` where there is none, or none that JSON has. What it leaves
    /// unread begins where the value ends.
    fn value(&mut self, levels: usize) -> Option<Value> {
        match self.rest.chars().next()? {
            '{' | '[' if levels == 0 => {
                self.skip_nested();
                None
            }
            '{' => self.object(levels - 1),
            '[' => self.array(levels - 1),
            quote @ ('"' | '\'') => self.string(quote).map(Value::String),
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, levels: usize) -> Option<Value> {
        let mut map = Map::new();
        self.rest = &self.rest[1..];
        let mut is_first = true;
        while self.is_before_item('}', std::mem::take(&mut is_first)) {
            let Some(name) = self.name() else {
                self.lose();
                continue;
            };
            self.blank();
            let Some(rest) = self.rest.strip_prefix([':', '=']) else {
                self.lose();
                continue;
            };
            self.rest = rest;
            self.blank();
            match self.value(levels) {
                Some(value) => drop(map.insert(name, value)),
                None => self.lose(),
            }
        }
        Some(Value::Object(map))
    }

    fn array(&mut self, levels: usize) -> Option<Value> {
        let mut values = Vec::new();
        self.rest = &self.rest[1..];
        let mut is_first = true;
        while self.is_before_item(']', std::mem::take(&mut is_first)) {
            match self.value(levels) {
                Some(value) => values.push(value),
                None => {
                    // The others keep their places.
                    values.push(Value::Null);
                    self.lose();
                }
            }
        }
        Some(Value::Array(values))
    }

    /// Passes commas up to the next item, or past the end, which may be missing: then there
    /// is none.
    fn is_before_item(&mut self, end: char, is_first: bool) -> bool {
        let mut commas = 0;
        loop {
            self.blank();
            match self.rest.chars().next() {
                Some(',') => {
                    commas += 1;
                    self.rest = &self.rest[1..];
                }
                Some(c) if c == end => {
                    self.is_mended |= commas > 0;
                    self.rest = &self.rest[1..];
                    return false;
                }
                // The text ends, or the object or array around this one does.
                None | Some('}' | ']') => {
                    self.is_mended = true;
                    return false;
                }
                Some(_) => {
                    self.is_mended |= commas != usize::from(!is_first);
                    return true;
                }
            }
        }
    }

    /// Reads a name, with or without quotes.
    fn name(&mut self) -> Option<String> {
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            return self.string(quote);
        }
        self.is_mended = true;
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
        let end = self.rest.find(|c| !is_of_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// Reads a string; `None` if the text ends before it does.
    fn string(&mut self, quote: char) -> Option<String> {
        self.is_mended |= quote != '"';
        let mut rest = &self.rest[1..];
        let mut string = String::new();
        loop {
            let special = rest.find(|c: char| c == quote || c == '\\' || c < ' ');
            let Some(special) = special else {
                self.rest = "";
                return None;
            };
            string.push_str(&rest[..special]);
            rest = &rest[special..];
            if let Some(after) = rest.strip_prefix(quote) {
                self.rest = after;
                return Some(string);
            }
            if let Some(escape) = rest.strip_prefix('\\') {
                rest = self.escape(escape, &mut string);
            } else {
                self.is_mended = true;
                string.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }

    /// Reads what follows a backslash, and returns what follows that.
    fn escape<'r>(&mut self, rest: &'r str, string: &mut String) -> &'r str {
        let Some(c) = rest.chars().next() else { return rest };
        let after = &rest[c.len_utf8()..];
        let plain = match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.code_point(after, string),
            'x' if hex(after, 2).is_some() => {
                self.is_mended = true;
                string.extend(hex(after, 2).and_then(char::from_u32));
                return &after[2..];
            }
            // A line that goes on is one line.
            '\n' => {
                self.is_mended = true;
                return after;
            }
            other => {
                self.is_mended = true;
                other
            }
        };
        string.push(plain);
        after
    }

    /// Reads what follows `\u`: four digits, and another four where they are half of a pair.
    fn code_point<'r>(&mut self, rest: &'r str, string: &mut String) -> &'r str {
        let Some(unit) = hex(rest, 4) else {
            self.is_mended = true;
            string.push(char::REPLACEMENT_CHARACTER);
            return rest;
        };
        let rest = &rest[4..];
        if let Some(c) = char::from_u32(unit) {
            string.push(c);
            return rest;
        }
        let low = rest.strip_prefix("\\u").and_then(|rest| hex(rest, 4));
        let pair = low.filter(|low| unit < 0xDC00 && (0xDC00..0xE000).contains(low));
        match pair
            .and_then(|low| char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)))
        {
            Some(c) => {
                string.push(c);
                &rest[6..]
            }
            None => {
                self.is_mended = true;
                string.push(char::REPLACEMENT_CHARACTER);
                rest
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_of_number =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let end = self.rest.find(|c| !is_of_number(c));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if end.is_none() {
            // Digits may be missing.
            return None;
        }
        let value = number(token);
        let is_json = serde_json::from_str::<Number>(token).is_ok();
        self.is_mended |= !is_json || value.as_ref().is_none_or(Value::is_string);
        value
    }

    /// Reads `true` and its like; `None` for what JSON has no value for.
    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let value = match word {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            "null" | "None" => Value::Null,
            _ => return None,
        };
        self.is_mended |= !matches!(word, "true" | "false" | "null");
        Some(value)
    }

    /// Passes what cannot be read, up to the next comma or bracket that is not nested in it.
    fn lose(&mut self) {
        self.is_mended = true;
        self.skip_to(|c, depth| depth == 0 && matches!(c, ',' | '}' | ']'));
    }

    /// Passes an object or an array as a whole.
    fn skip_nested(&mut self) {
        self.is_mended = true;
        let mut is_begun = false;
        self.skip_to(|_, depth| {
            let is_over = is_begun && depth == 0;
            is_begun = true;
            is_over
        });
    }

    /// Passes characters until `is_end` says so, of a character and the brackets around it.
    fn skip_to(&mut self, mut is_end: impl FnMut(char, usize) -> bool) {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut is_escaped = false;
        let mut end = self.rest.len();
        for (place, c) in self.rest.char_indices() {
            if quote.is_none() && is_end(c, depth) {
                end = place;
                break;
            }
            match (quote, c) {
                _ if is_escaped => is_escaped = false,
                (Some(_), '\\') => is_escaped = true,
                (Some(open), c) if c == open => quote = None,
                (None, '"') => quote = Some(c),
                (None, '{' | '[') => depth += 1,
                (None, '}' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.rest = &self.rest[end..];
    }
}

/// The number that so many hexadecimal digits are.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// A number as whoever wrote it means it; its digits as text where readers would round it.
pub(crate) fn number(token: &str) -> Option<Value> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let is_negative = token.starts_with('-');
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = i64::from_str_radix(digits, 16).ok()?;
        return Some((if is_negative { -value } else { value }).into());
    }
    let is_integer = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer && token != "-0" {
        let digits = unsigned.trim_start_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        let text = if is_negative { format!("-{digits}") } else { digits.to_owned() };
        let value = i64::from_str(&text)
            .map(Value::from)
            .or_else(|_| u64::from_str(&text).map(Value::from));
        return Some(value.unwrap_or(Value::String(text)));
    }
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().any(|byte| byte.is_ascii_digit());
    let value = f64::from_str(token).ok().filter(|_| is_number)?;
    Some(Number::from_f64(value).map_or_else(|| token.into(), Value::Number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn mended(text: &str) -> Value {
        let read = read(text, 8).unwrap_or_else(|| panic!("{text}"));
        assert!(read.is_mended, "{text}");
        read.value
    }

    #[test]
    fn what_cannot_be_read_costs_itself_only() {
        for (bad, value) in [
            (r#""cut \ud83d""#, json!("cut \u{fffd}")),
            (r#""\ude00 low""#, json!("\u{fffd} low")),
            (r#""\ud83d\u0041""#, json!("\u{fffd}A")),
            (r#""\ud83d\ud83d\ude00""#, json!("\u{fffd}😀")),
            (r#""\u12""#, json!("\u{fffd}12")),
            ("\"a\nb\tc\"", json!("a\nb\tc")),
            (r#""\x41\'\q""#, json!("A'q")),
            ("'it\"s'", json!("it\"s")),
            ("+1", json!(1)),
            ("007", json!(7)),
            ("-.5", json!(-0.5)),
            ("5.", json!(5.0)),
            ("0x1F", json!(31)),
            ("1e999", json!("1e999")),
            (
                "340282366920938463463374607431768211456",
                json!("340282366920938463463374607431768211456"),
            ),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("True", json!(true)),
            ("None", json!(null)),
        ] {
            let text = format!(r#"{{"before":1,"bad":{bad},"after":"x"}}"#);

            assert_eq!(mended(&text), json!({ "before": 1, "bad": value, "after": "x" }), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_left_out() {
        for bad in ["NaN", "-Infinity", "undefined", "<b>", "new Date(1)", "1.2.3", "", "12ab"] {
            let text = format!(r#"{{"before":1,"bad":{bad},"after":"x"}}"#);

            assert_eq!(mended(&text), json!({ "before": 1, "after": "x" }), "{text}");
        }
        assert_eq!(mended("[1,NaN,3]"), json!([1, null, 3]));
        assert_eq!(mended(r#"{"deep":[[[[[[[[1]]]]]]]],"b":2}"#)["b"], 2);
    }

    #[test]
    fn what_came_before_the_end_of_a_text_that_was_cut_survives() {
        let whole = json!({ "a": 1, "b": { "c": [1, 2] } });
        for cut in [
            r#"{"a":1,"b":{"c":[1,2],"d":"te"#,
            r#"{"a":1,"b":{"c":[1,2],"d"#,
            r#"{"a":1,"b":{"c":[1,2],"d":12"#,
            r#"{"a":1,"b":{"c":[1,2]"#,
            r#"{"a":1,"b":{"c":[1,2],"#,
            r#"{"a":1,"b":{"c":[1,2],"d":"\ud8"#,
        ] {
            assert_eq!(mended(cut), whole, "{cut}");
        }
    }

    #[test]
    fn marks_between_values_are_read_as_they_are_meant() {
        for text in [
            "\u{feff}{\"a\":1,\"b\":[2]}",
            "{\"a\":1,\"b\":[2,],}",
            "{\"a\":1,,\"b\":[2]}",
            "{\"a\":1 /* one */,\"b\":[2]} // end",
            "{a:1,'b':[2]}",
            "{\"a\":1,\"b\":[2]}\u{0}",
            "{\"a\":1,\"b\":[2]} {}",
            "{\u{a0}\"a\":1,\"b\":[2]}",
            "{\"a\":1,\"b\":[2]",
        ] {
            assert_eq!(mended(text), json!({ "a": 1, "b": [2] }), "{text}");
        }
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_stands_and_texts_are_no_json() {
        let read = |text| read(text, 8);

        assert_eq!(read(r#"{"a":1,"a":2}"#).map(|read| read.value), Some(json!({ "a": 2 })));
        for text in ["", "hello", "\"text\"", "12", "nul", "(a)"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_in_bounded_depth(text in "[\\[\\]{}:,\"'a\\\\u0d8-9.eE+/*N\u{1}\u{e9}]{0,40}") {
            if let Some(read) = read(&format!("{{{text}"), 4) {
                let text = read.value.to_string();
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}
