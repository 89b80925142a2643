//! Where in the bucket catalogs' files lie, and what their keys say.

use catalog::file::Format;
use contract::catalog::is_name;

/// Beginning of the keys of catalogs' files.
const FOLDER: &str = "catalogs/";

/// Folder within a catalog's, of files that add to it.
const PARTIAL: &str = "partial/";

/// What a key says of the file under it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CatalogKey<'k> {
    /// Name of the catalog.
    pub(super) name: &'k str,
    /// Whether the file is the whole of it.
    pub(super) is_whole: bool,
    /// What the key has behind that.
    pub(super) file: &'k str,
}

impl<'k> CatalogKey<'k> {
    /// Of a key that is a catalog's file, or some folder of it.
    pub(crate) fn of(key: &'k str) -> Option<Self> {
        let inner = key.strip_prefix(FOLDER).filter(|inner| !inner.is_empty())?;
        let (name, file) = inner.split_once('/').unwrap_or(("", inner));
        let (is_whole, file) = match file.strip_prefix(PARTIAL) {
            Some(file) => (false, file),
            None => (true, file),
        };
        Some(Self { name, is_whole, file })
    }

    /// How the file is written, or what is wrong with its key.
    pub(super) fn format(&self) -> Result<Format, &'static str> {
        if self.name.is_empty() {
            return Err("it lies beside the catalogs' folders: put it into one, such as \
                        catalogs/shows/shows.csv");
        }
        if !is_name(self.name) {
            return Err("a catalog's name has letters without accents, digits, \"-\" and \"_\" \
                        only: put the file into a folder of such a name");
        }
        if self.file.contains('/') {
            return Err("it lies too deep: catalogs/NAME/FILE takes the place of the whole \
                        catalog, catalogs/NAME/partial/FILE adds to it");
        }
        Format::of(self.file).ok_or("its name ends neither in .csv nor in .jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_the_catalog_and_whether_the_file_is_all_of_it() {
        let whole = CatalogKey { name: "shows", is_whole: true, file: "all.csv" };
        assert_eq!(CatalogKey::of("catalogs/shows/all.csv"), Some(whole));
        let partial = CatalogKey { name: "shows", is_whole: false, file: "new.jsonl" };
        assert_eq!(CatalogKey::of("catalogs/shows/partial/new.jsonl"), Some(partial));
        for other in ["catalogs/", "currents/catalogs/shows/all.csv", "catalogs.csv"] {
            assert_eq!(CatalogKey::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_is_told() {
        let format = |key| CatalogKey::of(key).expect("is a catalog's").format();
        assert_eq!(format("catalogs/shows/ALL.CSV"), Ok(Format::Csv));
        assert_eq!(format("catalogs/shows/partial/a.jsonl"), Ok(Format::JsonLines));
        for (key, said) in [
            ("catalogs/shows.csv", "it lies beside the catalogs' folders"),
            ("catalogs/my shows/all.csv", "a catalog's name"),
            ("catalogs/shows/2026/all.csv", "it lies too deep"),
            ("catalogs/shows/all.json", "its name ends neither"),
            ("catalogs/shows/all.csv.gz", "its name ends neither"),
        ] {
            let told = format(key).expect_err("is refused");
            assert!(told.starts_with(said), "{key}: {told}");
        }
    }
}
