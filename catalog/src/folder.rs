//! A folder of catalogs: one file for each, `NAME.csv` or `NAME.jsonl`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use contract::catalog::is_name;

use crate::check::{CheckError, Checked, check};
use crate::fault::Faults;
use crate::file::{Format, Rows};
use crate::table::Memory;

/// Most catalogs of a folder; more than Braze lets anybody have.
pub const MAX_CATALOGS: usize = 1_000;

/// One catalog's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// Name of the catalog.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
}

/// Why a folder's catalogs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFolder {
    /// The folder could not be read.
    #[error("folder of catalogs {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// One of its files could not be read.
    #[error("catalog {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Names, or what is in the files, are wrong: one line for each, `FILE:LINE: what`.
    #[error("{0}")]
    Faulty(String),
}

/// The folder `catalogs` beside the one of campaigns, if there is one.
pub fn beside(campaigns: &Path) -> Option<PathBuf> {
    let folder = match campaigns.file_name() {
        Some(_) => campaigns.with_file_name("catalogs"),
        // Of `.` and the like the path does not tell what it lies in.
        None => campaigns.join("../catalogs"),
    };
    folder.is_dir().then_some(folder)
}

/// The catalogs' files of a folder, by name; other files, and hidden ones, are none of theirs.
pub fn files(folder: &Path) -> Result<Vec<CatalogFile>, InvalidFolder> {
    let unread = |error| InvalidFolder::Folder(folder.to_owned(), error);
    let mut found: BTreeMap<String, CatalogFile> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(unread)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(unread)?;
    entries.sort();
    for path in entries {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Hidden files are those of other programs, such as what macOS keeps of a file (`._shows.csv`).
        let is_catalog = !file.starts_with('.') && path.is_file();
        let Some(format) = Format::of(file).filter(|_| is_catalog) else { continue };
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let shown = path.display();
        if !is_name(&name) {
            faults.push(format!(
                "{shown}: a catalog's name has letters without accents, digits, \"-\" and \"_\" \
                 only: rename the file"
            ));
        } else if let Some(other) = found.get(&name) {
            faults.push(format!("{shown}: {} is of the same catalog", other.path.display()));
        } else if found.len() >= MAX_CATALOGS {
            faults.push(format!("{shown}: is one more than {MAX_CATALOGS} catalogs"));
            break;
        } else {
            found.insert(name.clone(), CatalogFile { name, path, format });
        }
    }
    let files = found.into_values().collect();
    if faults.is_empty() { Ok(files) } else { Err(InvalidFolder::Faulty(faults.join("\n"))) }
}

/// Checks all catalogs of a folder, and tells everything that is wrong at once.
pub fn checked(folder: &Path) -> Result<Vec<(CatalogFile, Checked)>, InvalidFolder> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for file in files(folder)? {
        match file.check() {
            Ok(checked) => all.push((file, checked)),
            Err(CheckError::Faulty(wrong)) => {
                faults.push(wrong.of_file(&file.path.display().to_string()));
            }
            Err(CheckError::Read(error)) => return Err(InvalidFolder::File(file.path, error)),
        }
    }
    if faults.is_empty() { Ok(all) } else { Err(InvalidFolder::Faulty(faults.join("\n"))) }
}

/// Reads all catalogs of a folder into memory, where they stay: for a look, and for tests.
pub fn in_memory(folder: &Path) -> Result<Memory, InvalidFolder> {
    let table = Memory::default();
    for (file, _) in checked(folder)? {
        let unread = |error| InvalidFolder::File(file.path.clone(), error);
        let mut faults = Faults::default();
        let mut rows = file.rows(&mut faults).map_err(unread)?;
        while let Some(row) = rows.next(&mut faults).map_err(unread)? {
            table.insert(&file.name, &row.id, row.item);
        }
    }
    Ok(table)
}

impl CatalogFile {
    /// Checks the whole file.
    pub fn check(&self) -> Result<Checked, CheckError> {
        check(self.format, File::open(&self.path)?)
    }

    /// Reads it from its beginning on.
    pub fn rows(&self, faults: &mut Faults) -> io::Result<Rows<File>> {
        Rows::begin(self.format, File::open(&self.path)?, faults)
    }
}
