//! Values without quotes: literals, numbers, and words that should have had quotes.

use super::{Found, Reader};
use crate::read::json;

/// Most significant digits that are compared with those of a float; hardly a program prints
/// a float with more.
const MAX_FLOAT_DIGITS: usize = 128;

/// Digits that programs print of a float, of which the last is often not its own.
const FLOAT_DIGITS: usize = 17;

/// From here on not every integer is a float.
const WHOLE_FLOATS: f64 = 9_007_199_254_740_992.0;

impl Reader<'_> {
    /// Reads a value without quotes that is followed by another, or by an end.
    pub(super) fn bare(&mut self, out: &mut Vec<u8>) -> Found {
        let rest = self.rest();
        let length = bare_length(rest);
        self.at += length;
        if self.at == self.text.len() {
            // Where a number ends the text, digits of it may be missing.
            self.broken();
            return Found::CutOff;
        }
        let word = rest[..length].trim_end();
        if !self.literal(word, out) {
            self.broken();
            json::write_text(word.as_bytes(), out);
        }
        Found::Value
    }

    /// Reads a text that is one literal and nothing else.
    pub(super) fn lone_literal(&mut self, out: &mut Vec<u8>) -> Found {
        let word = self.rest().trim_end();
        if word.is_empty() || !self.literal(word, out) {
            return Found::Nothing;
        }
        self.at = self.text.len();
        Found::Value
    }

    /// Writes a literal; `false` if it is none.
    fn literal(&mut self, word: &str, out: &mut Vec<u8>) -> bool {
        let literal: &[u8] = match word {
            "true" | "false" | "null" => word.as_bytes(),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
                && self.number(word, out) =>
            {
                return true;
            }
            _ => {
                let Some(meant) = meant(word) else { return false };
                self.mended();
                meant
            }
        };
        out.extend_from_slice(literal);
        true
    }

    /// Writes a number, as text where a reader would make another number of it.
    fn number(&mut self, word: &str, out: &mut Vec<u8>) -> bool {
        let json = match (Number::parse(word), hexadecimal(word)) {
            (Some(number), _) => {
                if !number.is_json(word) {
                    self.mended();
                }
                number.exact()
            }
            (None, Some(number)) => {
                self.mended();
                Some(number)
            }
            (None, None) => return false,
        };
        match json {
            Some(json) => out.extend_from_slice(json.as_bytes()),
            None => json::write_text(word.as_bytes(), out),
        }
        true
    }
}

/// Where a value without quotes ends.
fn bare_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut parentheses = 0_usize;
    for (place, &byte) in bytes.iter().enumerate() {
        match byte {
            b'(' => parentheses += 1,
            b')' => parentheses = parentheses.saturating_sub(1),
            b'\n' | b'}' | b']' => return place,
            // What a call holds in parentheses is a part of it.
            b',' | b'"' if parentheses == 0 => return place,
            b'/' if place > 0
                && bytes[place - 1].is_ascii_whitespace()
                && matches!(bytes.get(place + 1), Some(b'/' | b'*')) =>
            {
                return place;
            }
            _ => {}
        }
    }
    bytes.len()
}

/// What other languages mean by a word.
fn meant(word: &str) -> Option<&'static [u8]> {
    const LONGEST: usize = "-infinity".len();
    if word.len() > LONGEST {
        return None;
    }
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(b"true"),
        "false" => Some(b"false"),
        "null" | "none" | "nil" | "undefined" => Some(b"null"),
        // JSON has no such numbers, and JavaScript writes null for them.
        "nan" | "+nan" | "-nan" | "inf" | "+inf" | "-inf" | "infinity" | "+infinity"
        | "-infinity" => Some(b"null"),
        _ => None,
    }
}

/// The parts of a number.
struct Number<'t> {
    is_negative: bool,
    whole: &'t str,
    fraction: &'t str,
    exponent: Option<&'t str>,
}

impl<'t> Number<'t> {
    fn parse(word: &'t str) -> Option<Self> {
        let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
        let is_number = are_digits(whole)
            && are_digits(fraction)
            && whole.len() + fraction.len() > 0
            && digits.is_none_or(|digits| !digits.is_empty() && are_digits(digits));
        is_number.then_some(Self { is_negative: word.starts_with('-'), whole, fraction, exponent })
    }

    /// Whether JSON has this number, whatever its size.
    fn is_json(&self, word: &str) -> bool {
        let has_point = word.contains('.');
        !word.starts_with('+')
            && !self.whole.is_empty()
            && !self.has_leading_zeros()
            && has_point != self.fraction.is_empty()
    }

    fn has_leading_zeros(&self) -> bool {
        self.whole.len() > 1 && self.whole.starts_with('0')
    }

    /// The number as JSON, if what reads it takes it for this one with all its digits.
    fn exact(&self) -> Option<String> {
        let sign = if self.is_negative { "-" } else { "" };
        if !self.fraction.is_empty() || self.exponent.is_some() {
            let mut out = Vec::new();
            json::write_float(self.exact_float()?, &mut out);
            return String::from_utf8(out).ok();
        }
        let digits = self.whole.trim_start_matches('0');
        let integer = format!("{sign}{}", if digits.is_empty() { "0" } else { digits });
        let fits = integer.parse::<i64>().is_ok() || integer.parse::<u64>().is_ok();
        fits.then_some(integer)
    }

    /// The nearest float, if no digit that matters becomes another: they are no more than a
    /// float is printed with, or the float has them all.
    fn exact_float(&self) -> Option<f64> {
        let sign = if self.is_negative { "-" } else { "" };
        let digits = format!("{}{}", self.whole, self.fraction);
        let leading = digits.len() - digits.trim_start_matches('0').len();
        let significant = digits.trim_matches('0');
        if significant.is_empty() {
            return format!("{sign}0.0").parse().ok();
        }
        if significant.len() > MAX_FLOAT_DIGITS {
            return None;
        }
        // An exponent beyond 64 bits is far beyond floats.
        let exponent = self.exponent.map_or(Ok(0), str::parse::<i64>).ok()?;
        let first = exponent.checked_add(self.whole.len() as i64 - leading as i64 - 1)?;
        let last = first.checked_sub(significant.len() as i64 - 1)?;
        let float: f64 = format!("{sign}{significant}e{last}").parse().ok()?;
        let is_same = |printed: String| {
            let Some((mantissa, exponent)) = printed.split_once('e') else { return false };
            let mantissa = mantissa.replace('.', "");
            mantissa.trim_end_matches('0') == significant && exponent.parse() == Ok(first)
        };
        let magnitude = float.abs();
        let is_close = significant.len() <= FLOAT_DIGITS && magnitude < WHOLE_FLOATS;
        let is_exact = (is_close && float != 0.0)
            || is_same(format!("{magnitude:e}"))
            || is_same(format!("{:.*e}", significant.len() - 1, magnitude));
        is_exact.then_some(float)
    }
}

/// An integer as programs write addresses and colours.
fn hexadecimal(word: &str) -> Option<String> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let digits = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"))?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    let number = if word.starts_with('-') { -i128::from(number) } else { i128::from(number) };
    (number >= i128::from(i64::MIN)).then(|| number.to_string())
}
