//! Texts in quotes, and names.

use super::{Found, Reader};
use crate::read::json;

/// Stands for what cannot be read.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

impl Reader<'_> {
    /// The quote with which a text begins here; a letter of Python before it is passed.
    pub(super) fn quote(&mut self) -> Option<u8> {
        match self.rest().as_bytes() {
            [quote @ (b'"' | b'\''), ..] => Some(*quote),
            [b'u' | b'U' | b'b' | b'B' | b'r' | b'R', quote @ (b'"' | b'\''), ..] => {
                self.broken();
                self.at += 1;
                Some(*quote)
            }
            _ => None,
        }
    }

    /// Reads a text in quotes and writes it as a string.
    pub(super) fn quoted(&mut self, quote: u8, out: &mut Vec<u8>) -> Found {
        let start = out.len();
        if quote != b'"' {
            self.broken();
        }
        self.at += 1;
        out.push(b'"');
        let text = self.text.as_bytes();
        loop {
            let special =
                |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\') || *byte == quote;
            let Some(plain) = text[self.at..].iter().position(special) else {
                self.at = text.len();
                self.broken();
                out.truncate(start);
                return Found::CutOff;
            };
            out.extend_from_slice(&text[self.at..self.at + plain]);
            self.at += plain;
            let byte = text[self.at];
            if byte == b'\\' {
                self.escape(out);
                continue;
            }
            self.at += 1;
            if byte == quote && self.closes() {
                out.push(b'"');
                return Found::Value;
            }
            if byte == quote {
                self.broken();
            } else if byte < 0x20 {
                self.mended();
            }
            json::escape(&[byte], out);
        }
    }

    /// Tells whether the quote before this place ends its text: then something of the
    /// outside follows. Writers that escape no quotes have others inside.
    fn closes(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        let next = rest.iter().find(|byte| !byte.is_ascii_whitespace());
        next.is_none_or(|byte| b",:}]=\"'/".contains(byte))
    }

    /// Reads a backslash and what it escapes.
    fn escape(&mut self, out: &mut Vec<u8>) {
        let rest = &self.rest().as_bytes()[1..];
        let Some(&escaped) = rest.first() else {
            // The text ends here, and with it nothing of this string is kept.
            self.at += 1;
            return;
        };
        if b"\"\\/bfnrt".contains(&escaped) {
            out.extend_from_slice(&[b'\\', escaped]);
            self.at += 2;
            return;
        }
        if escaped == b'u' && self.code_units(out) {
            return;
        }
        self.mended();
        let digits = match escaped {
            b'x' => 2,
            b'U' => 8,
            _ => 0,
        };
        if digits > 0
            && let Some(code) = hex(&rest[1..], digits)
        {
            write_char(char::from_u32(code).unwrap_or(REPLACEMENT), out);
            self.at += 2 + digits;
            return;
        }
        // The backslash goes, as most readers that take it do; a line that goes on is one line.
        self.at += 1;
        if matches!(escaped, b'\'' | b'\n') {
            out.extend_from_slice(if escaped == b'\'' { b"'" } else { b"" });
            self.at += 1;
        }
    }

    /// Reads `\u` with its digits, and a second one that belongs to it; `false` if there
    /// are no digits.
    fn code_units(&mut self, out: &mut Vec<u8>) -> bool {
        let rest = &self.rest().as_bytes()[2..];
        let Some(unit) = hex(rest, 4) else {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            if digits == 0 {
                return false;
            }
            self.mended();
            self.at += 2 + digits;
            write_char(REPLACEMENT, out);
            return true;
        };
        self.at += 6;
        let low = match &rest[4..] {
            [b'\\', b'u', digits @ ..] => hex(digits, 4),
            _ => None,
        };
        let pair = match (unit, low) {
            (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                self.at += 6;
                0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
            }
            _ => unit,
        };
        let c = char::from_u32(pair).unwrap_or_else(|| {
            self.mended();
            REPLACEMENT
        });
        write_char(c, out);
        true
    }

    /// Reads a name and what separates it from its value, and writes the name.
    pub(super) fn name(&mut self, out: &mut Vec<u8>) -> Found {
        let found = match self.quote() {
            Some(quote) => self.quoted(quote, out),
            None => self.bare_name(out),
        };
        if found != Found::Value {
            return found;
        }
        self.blank();
        match self.rest().as_bytes() {
            [b':', ..] => self.at += 1,
            // Ruby and Java write maps like this.
            [b'=', rest @ ..] => {
                self.broken();
                self.at += if rest.first() == Some(&b'>') { 2 } else { 1 };
            }
            [] => return Found::CutOff,
            _ => return Found::Nothing,
        }
        Found::Value
    }

    fn bare_name(&mut self, out: &mut Vec<u8>) -> Found {
        self.broken();
        let rest = self.rest();
        let length =
            rest.find([':', '=', ',', '{', '}', '[', ']', '"', '\n']).unwrap_or(rest.len());
        // At least something is passed, so that this ends.
        self.at += length.max(usize::from(length == 0 && !rest.starts_with(['}', ']', ','])));
        if self.at == self.text.len() {
            return Found::CutOff;
        }
        json::write_text(rest[..length].trim().as_bytes(), out);
        Found::Value
    }
}

/// The number that `digits` hexadecimal digits are.
fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    digits.iter().try_fold(0, |code, &byte| Some(code << 4 | char::from(byte).to_digit(16)?))
}

fn write_char(c: char, out: &mut Vec<u8>) {
    json::escape(c.encode_utf8(&mut [0; 4]).as_bytes(), out);
}
