//! Events that people wrote themselves, one a line as JSON.
//!
//! ```text
//! file -> opened -> lines -> an event, or what is wrong with its line
//!                      (line, object, required, value)
//!                              `-> waiting (shape) -> containers, as Currents writes them (write)
//! ```
//!
//! Guarantees: a line that is wrong costs itself only, and its fault says what would be
//! right; memory is bounded by the longest line; the event that a line makes is the one that
//! is read from the container made of it.
//!
//! Read [`Lines`] first.

#[cfg(feature = "write")]
pub mod containers;
mod fault;
mod line;
mod object;
mod opened;
mod required;
#[cfg(feature = "write")]
mod shape;
mod time;
mod value;
#[cfg(feature = "write")]
mod waiting;

use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use crate::input::kind::BYTE_ORDER_MARK;

pub use fault::{Fault, Faults, MAX_SHOWN};
pub use line::{Line, MAX_EVENT_FIELDS, keep_custom};
pub use opened::Opened;
use opened::Source;

/// Longest line. Braze exports no event above 900 KB.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// The lines of a file, one after the other.
pub struct Lines {
    source: BufReader<Source>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Number of the line in the buffer, from 1.
    line: u64,
    /// Lines with something in them.
    filled: u64,
    is_over: bool,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// As it should.
    Newline,
    /// With the file.
    OfFile,
    /// It is longer than it may be; the buffer holds its beginning.
    TooFar,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("path", &self.path).field("line", &self.line).finish()
    }
}

impl Lines {
    fn new(source: Source, path: &Path) -> Self {
        Self {
            source: BufReader::with_capacity(BUFFER_BYTES, source),
            path: path.to_owned(),
            buffer: Vec::new(),
            line: 0,
            filled: 0,
            is_over: false,
        }
    }

    /// The event of the next line that is not blank, or what is wrong with that line.
    pub fn next_event(&mut self) -> Option<Result<Line<'_>, Fault>> {
        let end = match self.next_filled()? {
            Ok(end) => end,
            Err(fault) => return Some(Err(fault)),
        };
        let (path, line) = (&self.path, Some(self.line));
        let fault = |what| Fault { path: path.clone(), line, what };
        if end == End::TooFar {
            let what = format!(
                "is longer than {MAX_LINE_BYTES} bytes: Braze exports no event above 900 KB"
            );
            return Some(Err(fault(what)));
        }
        let wrong = match Line::parse(filled(&self.buffer)) {
            Ok(event) => return Some(Ok(event)),
            Err(wrong) => wrong,
        };
        if !wrong.is_cut {
            return Some(Err(fault(wrong.what)));
        }
        if self.filled == 1 && end == End::Newline && goes_on(&self.buffer) {
            self.is_over = true;
            let what = "has events over several lines, and one event a line is wanted: write it \
                        with `jq -c .`";
            return Some(Err(Fault::of_file(path, what.to_owned())));
        }
        Some(Err(fault(match end {
            End::OfFile => "is cut off: the file ends in the middle of the event".to_owned(),
            _ => "ends in the middle of the event: one event a line is wanted".to_owned(),
        })))
    }

    /// Something is wrong with the latest line.
    pub fn fault(&self, what: String) -> Fault {
        Fault { path: self.path.clone(), line: Some(self.line), what }
    }

    /// Reads on to the next line that is not blank.
    fn next_filled(&mut self) -> Option<Result<End, Fault>> {
        while !self.is_over {
            self.line += 1;
            match self.read_line() {
                Ok(Some(end)) => {
                    if !filled(&self.buffer).is_empty() {
                        self.filled += 1;
                        return Some(Ok(end));
                    }
                }
                Ok(None) => {
                    self.is_over = true;
                    if self.filled == 0 {
                        let what = "holds no event: all its lines are blank".to_owned();
                        return Some(Err(Fault::of_file(&self.path, what)));
                    }
                }
                Err(error) => {
                    self.is_over = true;
                    let what = format!("cannot be read any further: {error}");
                    return Some(Err(self.fault(what)));
                }
            }
        }
        None
    }

    /// Reads a line into the buffer; `None` at the end of the file.
    fn read_line(&mut self) -> io::Result<Option<End>> {
        self.buffer.clear();
        let mut has_bytes = false;
        loop {
            let bytes = match self.source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            let is_at_end = bytes.is_empty();
            has_bytes |= !is_at_end;
            let newline = bytes.iter().position(|&byte| byte == b'\n');
            let length = newline.unwrap_or(bytes.len());
            // One byte more than is allowed tells that there is more.
            let room = MAX_LINE_BYTES + 1 - self.buffer.len();
            self.buffer.extend_from_slice(&bytes[..length.min(room)]);
            self.source.consume(newline.map_or(length, |newline| newline + 1));
            if newline.is_none() && !is_at_end {
                continue;
            }
            return Ok(match newline {
                _ if self.buffer.len() > MAX_LINE_BYTES => Some(End::TooFar),
                Some(_) => Some(End::Newline),
                None => has_bytes.then_some(End::OfFile),
            });
        }
    }
}

/// What stands in a line, without what editors put around it. A byte order mark begins every
/// file of several that were put together.
fn filled(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii()
}

/// Tells whether a line is the beginning of JSON that was written for people.
fn goes_on(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end().last(), Some(b'{' | b'[' | b',' | b':'))
}

#[cfg(test)]
mod tests;
