//! Finds places in JSON again by their lines.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The line, from 1, of the place that a JSON pointer names in a JSON text; of its
/// nearest parent where the place itself is missing.
pub(crate) fn line_of(text: &str, pointer: &str) -> Option<usize> {
    let mut value: &RawValue = serde_json::from_str(text).ok()?;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let inner = if value.get().starts_with('[') {
            let values: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            name.parse().ok().and_then(|n: usize| values.get(n).copied())
        } else {
            let values: BTreeMap<String, &RawValue> =
                serde_json::from_str(value.get()).unwrap_or_default();
            values.get(&name).copied()
        };
        match inner {
            Some(inner) => value = inner,
            None => break,
        }
    }
    let offset = value.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some(line_at(text, offset))
}

/// The line, from 1, of a place in a text.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_its_line() {
        let text = "{\n  \"a\": {\n    \"b\": [1,\n      2]\n  }\n}";

        assert_eq!(line_of(text, ""), Some(1));
        assert_eq!(line_of(text, "/a/b"), Some(3));
        assert_eq!(line_of(text, "/a/b/1"), Some(4));
        assert_eq!(line_of(text, "/a/missing"), Some(2));
    }
}
