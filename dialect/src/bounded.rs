//! A text that does not grow beyond a limit.

use std::io::{self, Write};

/// A text with a limit.
#[derive(Debug, Default)]
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    max_bytes: usize,
    /// More was written than fits.
    pub(crate) is_exceeded: bool,
}

impl Bounded {
    /// An empty one.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    /// What was written.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            self.is_exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
