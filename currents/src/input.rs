//! The files that a person names.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Prefix of all keys in the bucket, as docs/deployment.md sets Currents up.
const PREFIX: &str = "currents-export";

/// First bytes of every Avro object container file.
const AVRO_MAGIC: [u8; 4] = *b"Obj\x01";

/// Deepest folder that is searched.
const MAX_DEPTH: usize = 16;

/// Files to upload, and those that cannot be Avro.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Files to upload.
    pub files: Vec<InputFile>,
    /// Files that were refused, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
}

/// One file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Key that it gets in the bucket.
    pub key: String,
}

/// Why there is nothing to upload.
#[derive(Debug, thiserror::Error)]
pub enum NoInput {
    /// A path cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A folder has no file of Avro in it.
    #[error("folder {} holds no .avro file: name a folder that Currents exported to", .0.display())]
    Empty(PathBuf),
    /// A folder lies too deep in others.
    #[error("folder {} is nested too deep", .0.display())]
    TooDeep(PathBuf),
}

impl Input {
    /// Looks at files and folders; folders are searched for `*.avro`.
    ///
    /// Fails where nothing is left to do: a path that does not exist, a folder
    /// without Avro files. A file that is not Avro is refused, and the others go on.
    pub fn find(paths: &[PathBuf]) -> Result<Self, NoInput> {
        let mut input = Self::default();
        for (number, path) in paths.iter().enumerate() {
            input.add(path, number)?;
        }
        Ok(input)
    }

    /// Looks at a file or folder that was named as number `number`.
    pub fn add(&mut self, path: &Path, number: usize) -> Result<(), NoInput> {
        let kind = fs::metadata(path).map_err(unreadable(path))?;
        if kind.is_dir() {
            let before = self.files.len() + self.refused.len();
            self.add_folder(path, path, number, 0)?;
            if self.files.len() + self.refused.len() == before {
                return Err(NoInput::Empty(path.to_owned()));
            }
        } else {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            self.add_file(path, number, &name);
        }
        Ok(())
    }

    fn add_folder(
        &mut self,
        root: &Path,
        folder: &Path,
        number: usize,
        depth: usize,
    ) -> Result<(), NoInput> {
        if depth >= MAX_DEPTH {
            return Err(NoInput::TooDeep(folder.to_owned()));
        }
        let entries = fs::read_dir(folder).and_then(Iterator::collect);
        let mut entries: Vec<_> = entries.map_err(unreadable(folder))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if path.is_dir() {
                self.add_folder(root, &path, number, depth + 1)?;
            } else if path.extension().is_some_and(|extension| extension == "avro") {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
                self.add_file(&path, number, &relative);
            }
        }
        Ok(())
    }

    /// Looks at one file that is called `name` below what was named.
    pub fn add_file(&mut self, path: &Path, number: usize, name: &str) {
        match looks_like_avro(path) {
            Ok(()) => {
                // The number keeps files of the same name in different folders apart.
                let extension = if name.ends_with(".avro") { "" } else { ".avro" };
                let key = format!("{PREFIX}/{number}/{name}{extension}");
                self.files.push(InputFile { path: path.to_owned(), key });
            }
            Err(reason) => self.refused.push((path.to_owned(), reason)),
        }
    }
}

/// Why a file cannot be an Avro file, if it cannot.
fn looks_like_avro(path: &Path) -> Result<(), String> {
    let mut magic = [0; 4];
    let mut file = fs::File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    file.read_exact(&mut magic)
        .map_err(|error| format!("too short to be an Avro file: {error}"))?;
    if magic != AVRO_MAGIC {
        return Err("not an Avro object container file: it does not begin with \"Obj\"".to_owned());
    }
    Ok(())
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> NoInput {
    move |source| NoInput::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("is created");
            fs::write(path, bytes).expect("is written");
        }
        folder
    }

    #[test]
    fn folders_are_searched_for_avro_files_and_others_are_left_alone() {
        let folder = folder_with(&[("a/b+1.avro", b"Obj\x01"), ("_SUCCESS", b"")]);

        let input = Input::find(&[folder.path().to_owned()]).expect("has a file");

        assert_eq!(input.files[0].key, "currents-export/0/a/b+1.avro");
        assert_eq!(input.files.len(), 1);
        assert!(input.refused.is_empty());
    }

    #[test]
    fn a_file_that_is_not_avro_is_named_and_the_others_go_on() {
        let folder = folder_with(&[("good.avro", b"Obj\x01"), ("bad.avro", b"PK\x03\x04zip")]);

        let input = Input::find(&[folder.path().to_owned()]).expect("has files");

        assert_eq!(input.files.len(), 1);
        assert!(input.refused[0].0.ends_with("bad.avro"));
        assert!(input.refused[0].1.contains("not an Avro"), "{}", input.refused[0].1);
    }

    #[test]
    fn a_path_that_does_not_exist_and_an_empty_folder_are_errors() {
        let folder = folder_with(&[("notes.txt", b"x")]);

        let missing = Input::find(&[folder.path().join("nowhere")]).expect_err("is not there");
        let empty = Input::find(&[folder.path().to_owned()]).expect_err("holds none");

        assert!(missing.to_string().contains("nowhere"), "{missing}");
        assert!(empty.to_string().contains("holds no .avro file"), "{empty}");
    }
}
