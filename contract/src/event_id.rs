//! Event ids, as they are kept: on the stream, in histories and in dead letters.

use std::borrow::Cow;

use crate::digest;

/// Longest event id that is kept as it is, in bytes; those of Braze have 36.
pub const MAX_BYTES: usize = 128;

/// An event's id as it is kept; one that is too long is known by its digest.
pub fn kept(id: &str) -> Cow<'_, str> {
    if id.len() <= MAX_BYTES { Cow::Borrowed(id) } else { Cow::Owned(digest::hex(id)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_is_known_by_its_digest_and_keeping_it_again_changes_nothing() {
        let long = "x".repeat(MAX_BYTES + 1);

        let once = kept(&long);

        assert_eq!(kept(&long[1..]), long[1..]);
        assert_eq!(once.len(), 64);
        assert_eq!(kept(&once), once);
        assert_ne!(once, kept(&long.replace('x', "y")));
    }
}
