//! Files as they are when something went wrong on their way.

use rand::Rng;
use rand::RngExt as _;

/// Bytes of the marker that ends a block.
const MARKER_BYTES: usize = 16;

/// Damages a file behind its header, so that every reader notices: it ends early, or its last
/// block does not end with the file's marker.
pub(super) fn damage(bytes: &mut Vec<u8>, header: usize, rng: &mut impl Rng) {
    // A file that ends right behind its header, or between blocks, would look whole.
    let last = bytes.len() - MARKER_BYTES;
    if rng.random() {
        bytes.truncate(last + rng.random_range(0..MARKER_BYTES));
    } else {
        let at = rng.random_range(last..bytes.len());
        bytes[at] ^= 0xFF;
    }
    debug_assert!(bytes.len() > header, "the header is whole");
}
