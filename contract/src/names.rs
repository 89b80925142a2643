//! The names of a deployment's parts, which its stack keeps for `ops`.
//!
//! They are called as in the environment of the functions, or as `ops` finds them in its own:
//! `contract/golden/names.json` lists them.

/// The parameter of Systems Manager that holds them for a stage, as a JSON object of texts.
pub fn parameter(stage: &str) -> String {
    format!("/BrazeContent-{stage}/names")
}

/// Whether something can be such a name.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The names that there are, as the golden file lists them; the infrastructure's test reads the
/// same file.
pub fn golden() -> Vec<String> {
    serde_json::from_str(include_str!("../golden/names.json")).unwrap_or_default()
}
