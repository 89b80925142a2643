//! JSON that other programs wrote, read as far as it can be read.
//!
//! Readers of JSON disagree about cut emojis, control characters, `NaN`, numbers larger
//! than theirs, commas at the end, Python's quotes, texts that were cut off. Here each of
//! them costs itself only.
//!
//! | read | as |
//! | --- | --- |
//! | half of a surrogate pair, `\u` with too few digits | U+FFFD |
//! | raw control characters, `\x41`, `\'`, other escapes | the character |
//! | quotes that nobody escaped | quotes, where the text goes on after them |
//! | `'text'`, `u'text'`, `{name: text}`, `{"name"=>nil}`, `True` | as Python, JavaScript, Ruby mean them |
//! | commas too many or missing, brackets that fit none, comments | nothing, or what is missing |
//! | `+1`, `007`, `.5`, `5.`, `0x1F` | the number |
//! | numbers that readers would round, or that no float holds | their digits, as text |
//! | `NaN`, `Infinity`, `undefined`, no value at all, what is nested too deeply | `null` |
//! | the value in which the text ends | nothing: half of a value is a wrong one |
//! | a name that comes twice | both, in their order: readers take the last |
//!
//! Guarantees: what is JSON comes out as equal JSON (but for the numbers above); what comes
//! out is JSON that `serde_json` reads, nested no deeper than is given; the time is linear in
//! the text and the recursion bounded by the depth.

mod scalar;
#[cfg(test)]
mod tests;
mod text;

/// How near to JSON a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Soundness {
    /// It is JSON.
    Sound,
    /// Values in it are not JSON, or are nested too deeply: what holds them together is.
    Mended,
    /// Something is missing or out of place.
    Broken,
}

/// Appends the JSON that `text` holds, nested at most `levels` deep; `None` and nothing
/// appended if there is nothing in it that can be read.
pub(crate) fn write(text: &str, levels: usize, out: &mut Vec<u8>) -> Option<Soundness> {
    let start = out.len();
    let mut reader = Reader::new(text);
    let is_written = reader.whole(levels, out);
    let is_empty = matches!(&out[start..], b"{}" | b"[]");
    if !is_written || (is_empty && reader.soundness == Soundness::Broken) {
        out.truncate(start);
        return None;
    }
    Some(reader.soundness)
}

/// What was found where a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A value, which is written.
    Value,
    /// None.
    Nothing,
    /// The beginning of one, with which the text ends; nothing of it is written.
    CutOff,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    soundness: Soundness,
    open_arrays: usize,
    open_objects: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0, soundness: Soundness::Sound, open_arrays: 0, open_objects: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn mended(&mut self) {
        self.soundness = self.soundness.max(Soundness::Mended);
    }

    fn broken(&mut self) {
        self.soundness = Soundness::Broken;
    }

    /// Reads the only value of the text, and what does not belong to it.
    fn whole(&mut self, levels: usize, out: &mut Vec<u8>) -> bool {
        self.blank();
        let found = match self.peek() {
            Some(b'{' | b'[' | b'"' | b'\'') => self.value(levels, out),
            _ => self.lone_literal(out),
        };
        self.blank();
        if self.at < self.text.len() {
            self.mended();
        }
        found == Found::Value
    }

    /// Passes blanks, and what other programs take for them: comments, a byte order mark.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let other = match rest.as_bytes() {
                [b' ' | b'\t' | b'\n' | b'\r', ..] => {
                    self.at += 1;
                    continue;
                }
                [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => match rest.chars().next() {
                    Some(c) if shows_nothing(c) => c.len_utf8(),
                    _ => return,
                },
            };
            self.mended();
            self.at += other;
        }
    }

    /// Reads a value.
    fn value(&mut self, levels: usize, out: &mut Vec<u8>) -> Found {
        self.blank();
        match self.peek() {
            None => Found::CutOff,
            Some(b',' | b':' | b'}' | b']') => Found::Nothing,
            Some(b'{' | b'[') if levels == 0 => {
                self.mended();
                self.skip_container(out);
                out.extend_from_slice(b"null");
                Found::Value
            }
            Some(b'{') => self.object(levels - 1, out),
            Some(b'[') => self.array(levels - 1, out),
            Some(_) => match self.quote() {
                Some(quote) => self.quoted(quote, out),
                None => self.bare(out),
            },
        }
    }

    fn object(&mut self, levels: usize, out: &mut Vec<u8>) -> Found {
        self.at += 1;
        self.open_objects += 1;
        out.push(b'{');
        let (start, mut after_comma, mut is_cut) = (out.len(), true, false);
        loop {
            self.blank();
            match self.peek() {
                None => is_cut = true,
                Some(b'}') => {
                    self.at += 1;
                    self.note_comma(after_comma && out.len() > start);
                }
                Some(b']') if self.open_arrays > 0 => self.broken(),
                Some(b',') => {
                    self.at += 1;
                    self.note_comma(after_comma);
                    after_comma = true;
                    continue;
                }
                Some(b']' | b':') => {
                    self.at += 1;
                    self.broken();
                    continue;
                }
                Some(b'{' | b'[') => {
                    self.broken();
                    self.skip_container(out);
                    continue;
                }
                Some(_) => {
                    self.note_comma(!after_comma);
                    after_comma = false;
                    is_cut = self.member(levels, start, out) == Found::CutOff;
                    if !is_cut {
                        continue;
                    }
                }
            }
            break;
        }
        self.open_objects -= 1;
        self.close(start, is_cut, b'}', out)
    }

    /// Reads a name and its value, and a comma before them unless they come first.
    fn member(&mut self, levels: usize, first: usize, out: &mut Vec<u8>) -> Found {
        let start = out.len();
        if start > first {
            out.push(b',');
        }
        let found = match self.name(out) {
            Found::Value => {
                out.push(b':');
                self.value(levels, out)
            }
            // A name alone, or a value: it belongs to nothing.
            Found::Nothing => {
                self.broken();
                out.truncate(start);
                return Found::Nothing;
            }
            Found::CutOff => Found::CutOff,
        };
        match found {
            Found::Value => {}
            Found::Nothing => {
                self.broken();
                out.extend_from_slice(b"null");
            }
            Found::CutOff => out.truncate(start),
        }
        found
    }

    fn array(&mut self, levels: usize, out: &mut Vec<u8>) -> Found {
        self.at += 1;
        self.open_arrays += 1;
        out.push(b'[');
        let (start, mut after_comma, mut is_cut) = (out.len(), true, false);
        loop {
            self.blank();
            match self.peek() {
                None => is_cut = true,
                Some(b']') => {
                    self.at += 1;
                    self.note_comma(after_comma && out.len() > start);
                }
                Some(b'}') if self.open_objects > 0 => self.broken(),
                Some(b',') if !after_comma => {
                    self.at += 1;
                    after_comma = true;
                    continue;
                }
                Some(b'}' | b':') => {
                    self.at += 1;
                    self.broken();
                    continue;
                }
                Some(_) => {
                    self.note_comma(!after_comma);
                    after_comma = false;
                    is_cut = self.item(levels, start, out) == Found::CutOff;
                    if !is_cut {
                        continue;
                    }
                }
            }
            break;
        }
        self.open_arrays -= 1;
        self.close(start, is_cut, b']', out)
    }

    /// Reads an item, and a comma before it unless it comes first.
    fn item(&mut self, levels: usize, first: usize, out: &mut Vec<u8>) -> Found {
        let start = out.len();
        if start > first {
            out.push(b',');
        }
        let found = self.value(levels, out);
        match found {
            Found::Value => {}
            // Between two commas is an item that cannot be read, and those after it keep
            // their places.
            Found::Nothing => {
                self.broken();
                out.extend_from_slice(b"null");
            }
            Found::CutOff => out.truncate(start),
        }
        found
    }

    fn note_comma(&mut self, is_wrong: bool) {
        if is_wrong {
            self.broken();
        }
    }

    /// Ends an object or array; one that was cut off before its first item is none.
    fn close(&mut self, start: usize, is_cut: bool, end: u8, out: &mut Vec<u8>) -> Found {
        if is_cut {
            self.broken();
            if out.len() == start && self.open_arrays + self.open_objects > 0 {
                out.pop();
                return Found::CutOff;
            }
        }
        out.push(end);
        Found::Value
    }

    /// Passes an object or an array, however deep.
    fn skip_container(&mut self, out: &mut Vec<u8>) {
        let (start, mut depth) = (out.len(), 0_usize);
        while let Some(byte) = self.peek() {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' | b'\'' => {
                    self.quoted(byte, out);
                    out.truncate(start);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
        self.broken();
    }
}

/// Tells whether a character outside of strings is none that was meant.
fn shows_nothing(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\0' | '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{2060}')
}
