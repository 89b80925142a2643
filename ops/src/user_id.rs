//! Braze ids that people type, or that their files hold.

use contract::user_record::{MAX_USER_ID_BYTES, is_user_id};

/// What is wrong with an id, if it can be nobody's.
pub(crate) fn wrong_with(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("has no Braze id")
    } else if !is_user_id(id) {
        const { assert!(MAX_USER_ID_BYTES == 128) }
        Some("is longer than 128 bytes")
    } else if is_rounded(id) {
        Some("is a number that a spreadsheet rounded")
    } else if id.contains(char::is_whitespace) || id.contains(char::is_control) {
        Some("holds a blank")
    } else {
        None
    }
}

/// Whether a spreadsheet took an id for a number: `5.075E+23`.
fn is_rounded(id: &str) -> bool {
    let Some((digits, exponent)) = id.split_once("E+") else { return false };
    let is_decimal = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let has_point = digits.contains(['.', ',']);
    has_point && digits.chars().all(is_decimal) && exponent.chars().all(|c| c.is_ascii_digit())
}
