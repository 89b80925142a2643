//! Catalogs: what is known of the things that campaigns speak of, in Braze's words.
//!
//! A catalog is a table of items, each with an id that is unique in it. Names, ids and sizes
//! are those that Braze takes
//! (<https://www.braze.com/docs/user_guide/data/activation/catalogs/create>), so that a file
//! that one takes the other takes too.
//!
//! In the table an item lies under [`item_key`], as JSON text, with the number of the
//! [`IMPORT`] that wrote it. A catalog's head, under [`head_key`], says [`SINCE`] which import
//! on its items count: what a file that replaces all does not have is gone from that moment on,
//! though it is removed later. Numbers of imports are times, so that newer ones are greater and
//! an older file never takes the place of a newer one. [`LIST_KEY`] holds the catalogs' names.

/// Longest name of a catalog or of a column, in characters.
pub const MAX_NAME_CHARS: usize = 250;

/// Longest id of an item, in characters.
pub const MAX_ID_CHARS: usize = 250;

/// Partition key of the table of catalogs.
pub const KEY: &str = "key";

/// In an item: its columns as JSON text.
pub const ITEM: &str = "item_json";

/// In an item: number of the import that wrote it. In a head: of the one that ended last.
pub const IMPORT: &str = "import_number";

/// In a head: items of imports before this number are gone.
pub const SINCE: &str = "since";

/// In a head: names of the columns, as a set.
pub const COLUMNS: &str = "column_names";

/// In a head: number of items in the file that replaced all.
pub const ITEMS: &str = "item_count";

/// In a head: number of items that were put one by one since.
pub const PUTS: &str = "put_count";

/// In a head: when the last import ended, in UNIX milliseconds.
pub const IMPORTED_AT: &str = "imported_at";

/// In a head: what the last import was read from.
pub const SOURCE: &str = "source_name";

/// Under [`LIST_KEY`]: names of the catalogs, as a set.
pub const CATALOGS: &str = "catalog_names";

/// Key of the list of catalogs; no item and no head has it, for names are not empty.
pub const LIST_KEY: &str = "#";

/// Key of an item. Names hold no `#`, so no two are alike, and items of one catalog lie all
/// over the table.
pub fn item_key(catalog: &str, id: &str) -> String {
    format!("{catalog}#{id}")
}

/// Key of a catalog's head: that of no item, for ids are not empty.
pub fn head_key(catalog: &str) -> String {
    item_key(catalog, "")
}

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
