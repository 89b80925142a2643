//! Patterns of JSON Schema, which are ECMAScript's, as Rust's parser of them reads them.

/// A pattern of ECMAScript as one that Rust's parser reads, without what is looked around for.
pub(super) fn in_rust(pattern: &str) -> String {
    translated(&without_looking(pattern))
}

/// A pattern of ECMAScript as one of Rust, as far as they differ in what patterns often hold:
/// letters and digits are those of ASCII, and within brackets a bracket is a character.
fn translated(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let (mut is_class, mut chars) = (false, pattern.chars());
    while let Some(c) = chars.next() {
        match (c, is_class) {
            ('\\', _) => match chars.next() {
                Some('d') => translated.push_str("[0-9]"),
                Some('D') => translated.push_str("[^0-9]"),
                Some('w') => translated.push_str("[0-9A-Za-z_]"),
                Some('W') => translated.push_str("[^0-9A-Za-z_]"),
                escaped => translated.extend(std::iter::once('\\').chain(escaped)),
            },
            ('[' | '&' | '~', true) => translated.extend(['\\', c]),
            _ => {
                is_class = if is_class { c != ']' } else { c == '[' };
                translated.push(c);
            }
        }
    }
    translated
}

/// A pattern without the groups that look ahead or behind.
fn without_looking(pattern: &str) -> String {
    let (mut kept, mut left) = (String::with_capacity(pattern.len()), pattern);
    while let Some(c) = left.chars().next() {
        let looks = ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|open| left.starts_with(open));
        let length = if looks { group_length(left) } else { atom_length(left) };
        if !looks {
            kept.push_str(&left[..length]);
        }
        left = &left[length.max(c.len_utf8())..];
    }
    kept
}

/// The bytes of the group at the beginning, to its closing bracket.
fn group_length(pattern: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(c) = pattern[at..].chars().next() {
        at += atom_length(&pattern[at..]);
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => break,
            ')' => depth -= 1,
            _ => {}
        }
    }
    at
}

/// The bytes of the character at the beginning; of an escape or a class in brackets, all.
fn atom_length(pattern: &str) -> usize {
    let mut chars = pattern.char_indices();
    let Some((_, first)) = chars.next() else { return 0 };
    let mut is_escaped = first == '\\';
    if !is_escaped && first != '[' {
        return first.len_utf8();
    }
    for (at, c) in chars {
        if first == '\\' || (c == ']' && !is_escaped) {
            return at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    pattern.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_are_those_of_ascii_and_brackets_within_brackets_characters() {
        assert_eq!(in_rust(r"^\w[\d[&]\\w\W$"), r"^[0-9A-Za-z_][[0-9]\[\&]\\w[^0-9A-Za-z_]$");
    }

    #[test]
    fn what_is_looked_around_for_is_left_out() {
        for (pattern, expected) in [
            (r"^(?!.*[)!]\))a+$", "^a+$"),
            (r"(?<=a(b))c[(?=](\(?=d)", r"c[(?=](\(?=d)"),
            ("^(?=.*x", "^"),
        ] {
            assert_eq!(without_looking(pattern), expected);
        }
    }
}
