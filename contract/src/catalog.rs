//! Catalogs: what is known of the things that campaigns speak of, in Braze's words.
//!
//! A catalog is a table of items, each with an id that is unique in it. Names, ids and sizes
//! are those that Braze takes
//! (<https://www.braze.com/docs/user_guide/data/activation/catalogs/create>), so that a file
//! that one takes the other takes too.

/// Longest name of a catalog or of a column, in characters.
pub const MAX_NAME_CHARS: usize = 250;

/// Longest id of an item, in characters.
pub const MAX_ID_CHARS: usize = 250;

/// One item, by its catalog and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    /// Name of the catalog.
    pub catalog: String,
    /// Id of the item.
    pub id: String,
}

impl std::fmt::Display for ItemKey {
    /// For a person: `episodes "e-17"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.catalog, self.id)
    }
}

/// Tells whether `name` can name a catalog, or a column of one: letters and digits of ASCII,
/// `-` and `_`.
pub fn is_name(name: &str) -> bool {
    is_word(name) && name.len() <= MAX_NAME_CHARS
}

/// Tells whether `id` can be the id of an item: the same characters as names.
pub fn is_id(id: &str) -> bool {
    is_word(id) && id.len() <= MAX_ID_CHARS
}

fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_what_braze_takes() {
        assert!(is_name("fall_campaign-2") && is_id("1234"));
        for wrong in ["", "a b", "a#b", "é", "a.b"] {
            assert!(!is_name(wrong) && !is_id(wrong), "{wrong}");
        }
        assert!(is_name(&"a".repeat(250)) && !is_name(&"a".repeat(251)));
    }
}
