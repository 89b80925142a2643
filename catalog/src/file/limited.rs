//! A reader that ends with an error where a row is longer than any may be.
//!
//! The CSV library keeps a row in memory however long it is, so the limit stands before it. It
//! notes as well what the library does not tell: whether quotation marks come in pairs, and how
//! lines end.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// What both sides know.
#[derive(Debug, Clone, Default)]
pub(super) struct Limit(Arc<State>);

#[derive(Debug, Default)]
struct State {
    allowed_bytes: AtomicU64,
    was_exceeded: AtomicBool,
    quotes_are_odd: AtomicBool,
    ending: AtomicU8,
    read_bytes: AtomicU64,
    last_byte: AtomicU8,
}

/// How the lines of a file end: not known yet, with a line feed, or with a carriage return
/// before it.
const UNKNOWN: u8 = 0;
const FEED: u8 = 1;
const RETURN_AND_FEED: u8 = 2;

#[derive(Debug)]
pub(super) struct Limited<R> {
    inner: R,
    limit: Limit,
}

impl Limit {
    /// Allows so many bytes from the beginning on.
    pub(super) fn allow(&self, bytes: u64) {
        self.0.allowed_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn was_exceeded(&self) -> bool {
        self.0.was_exceeded.load(Ordering::Relaxed)
    }

    pub(super) fn quotes_are_odd(&self) -> bool {
        self.0.quotes_are_odd.load(Ordering::Relaxed)
    }

    /// Whether the line feed that ends a row is behind `bytes`, the place where the row ends: the
    /// library leaves the one after a carriage return to the next row.
    pub(super) fn has_fed(&self, bytes: u64) -> bool {
        let is_end = self.0.read_bytes.load(Ordering::Relaxed) == bytes;
        let is_cut = is_end && self.0.last_byte.load(Ordering::Relaxed) != b'\n';
        self.0.ending.load(Ordering::Relaxed) == FEED && !is_cut
    }

    /// Knows how lines end from the beginning of the same file.
    pub(super) fn ends_lines_as(&self, other: &Self) {
        self.0.ending.store(other.0.ending.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn before<R>(&self, inner: R) -> Limited<R> {
        Limited { inner, limit: self.clone() }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &*self.limit.0;
        let before = state.read_bytes.load(Ordering::Relaxed);
        if before >= state.allowed_bytes.load(Ordering::Relaxed) {
            state.was_exceeded.store(true, Ordering::Relaxed);
            return Err(io::Error::other("row is too long"));
        }
        let n = self.inner.read(buffer)?;
        let bytes = &buffer[..n];
        let Some(last) = bytes.last() else { return Ok(0) };
        let quotes = bytes.iter().filter(|byte| **byte == b'"').count();
        state.quotes_are_odd.fetch_xor(quotes % 2 == 1, Ordering::Relaxed);
        if state.ending.load(Ordering::Relaxed) == UNKNOWN
            && let Some(at) = bytes.iter().position(|byte| *byte == b'\n')
        {
            let previous = match at.checked_sub(1) {
                Some(at) => bytes[at],
                None => state.last_byte.load(Ordering::Relaxed),
            };
            let ending = if previous == b'\r' { RETURN_AND_FEED } else { FEED };
            state.ending.store(ending, Ordering::Relaxed);
        }
        state.read_bytes.store(before + n as u64, Ordering::Relaxed);
        state.last_byte.store(*last, Ordering::Relaxed);
        Ok(n)
    }
}
