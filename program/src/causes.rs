//! Tells an error with all its causes: errors do not repeat them.

use std::error::Error;

/// What failed, and why, from the outermost to the first cause.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
