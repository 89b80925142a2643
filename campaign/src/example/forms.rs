//! What patterns ask of a text that reads like one: another mark, other signs, an end.

/// Other ways to say what the mark says, for patterns that do not take its brackets.
pub(super) const OTHER_MARKS: [&str; 5] =
    ["Stand-in:", "Stand-in", "stand-in", "STAND-IN", "Standin"];

/// Forms of a text that patterns ask for.
pub(super) const FORMS: [fn(&str) -> String; 6] = [
    str::to_owned,
    |text| text.replace(char::is_numeric, ""),
    str::to_lowercase,
    bare,
    |text| bare(text).to_lowercase(),
    |text| bare(text).to_uppercase(),
];

/// A text of letters, digits and blanks only.
fn bare(text: &str) -> String {
    text.replace(|c: char| !c.is_alphanumeric() && !c.is_whitespace(), "")
}

/// A mark and what keeps it apart from what follows.
pub(super) fn joined(mark: &str) -> String {
    if mark.is_empty() { String::new() } else { format!("{mark} ") }
}

/// How texts end that a pattern wants ended.
pub(super) const ENDINGS: [&str; 4] = ["", ".", "!", "?"];
