//! Digests as text.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a text, in hexadecimal: names it without saying it.
pub fn hex(text: impl AsRef<[u8]>) -> String {
    as_hex(&Sha256::digest(text))
}

/// Bytes in hexadecimal.
pub fn as_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
