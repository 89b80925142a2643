//! The files that a person names: Avro, and where they are taken, JSON Lines.

pub(crate) mod kind;

use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use kind::Kind;

/// Prefix of all keys in the bucket, as docs/deployment.md sets Currents up.
pub(crate) const PREFIX: &str = "currents-export";

/// What the files that a folder is searched for are called.
const AVRO: &[&str] = &[".avro"];
const AVRO_AND_LINES: &[&str] =
    &[".avro", ".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"];

/// How a folder begins that tells the event type of its files.
const TYPE_FOLDER: &str = "event_type=";

/// File of a folder that is a campaign.
const CAMPAIGN: &str = "campaign.toml";

/// Deepest folder that is searched.
const MAX_DEPTH: usize = 16;

/// Files to upload, and those that are of no use.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// Files to upload.
    pub files: Vec<InputFile>,
    /// Files of JSON Lines, perhaps packed with gzip; none unless they were asked for.
    pub lines: Vec<PathBuf>,
    /// Files that were refused, each with the reason.
    pub refused: Vec<(PathBuf, String)>,
    takes_lines: bool,
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
    /// A folder has neither Avro nor JSON Lines in it.
    #[error(
        "folder {} holds no .avro, .jsonl, .ndjson or .json file: name a folder that Currents \
         exported to, or one of JSON Lines", .0.display()
    )]
    NoEvents(PathBuf),
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
        Self::default().with(paths)
    }

    /// The same with JSON Lines beside Avro, packed with gzip or not.
    pub fn find_with_lines(paths: &[PathBuf]) -> Result<Self, NoInput> {
        Self { takes_lines: true, ..Self::default() }.with(paths)
    }

    fn with(mut self, paths: &[PathBuf]) -> Result<Self, NoInput> {
        for (number, path) in paths.iter().enumerate() {
            self.add(path, number)?;
        }
        Ok(self)
    }

    /// Looks at a file or folder that was named as number `number`.
    pub fn add(&mut self, path: &Path, number: usize) -> Result<(), NoInput> {
        let what = fs::metadata(path).map_err(unreadable(path))?;
        if what.is_dir() {
            let before = self.found();
            self.add_folder(path, path, number, 0)?;
            if self.found() == before {
                let path = path.to_owned();
                let takes_lines = self.takes_lines;
                return Err(if takes_lines { NoInput::NoEvents } else { NoInput::Empty }(path));
            }
        } else if self.takes_lines && !what.is_file() {
            // What comes through a pipe comes once, so whoever reads it looks at it.
            self.lines.push(path.to_owned());
        } else {
            let above = path.parent().unwrap_or(Path::new(""));
            self.add_file(path, number, &name_below(above, path));
        }
        Ok(())
    }

    fn found(&self) -> usize {
        self.files.len() + self.lines.len() + self.refused.len()
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
        let wanted = if self.takes_lines { AVRO_AND_LINES } else { AVRO };
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            if path.is_dir() && path.join(CAMPAIGN).exists() {
                // A campaign, whose JSON holds no events.
                continue;
            }
            if path.is_dir() {
                self.add_folder(root, &path, number, depth + 1)?;
            } else if wanted.iter().any(|end| name.ends_with(end)) {
                self.add_file(&path, number, &name_below(root, &path));
            }
        }
        Ok(())
    }

    /// Looks at one file that is called `name` below what was named.
    pub fn add_file(&mut self, path: &Path, number: usize, name: &str) {
        match (kind_of(path), self.takes_lines) {
            (Ok(Kind::Avro), _) => {
                // The number keeps files of the same name in different folders apart.
                let extension = if name.ends_with(".avro") { "" } else { ".avro" };
                let key = format!("{PREFIX}/{number}/{name}{extension}");
                self.files.push(InputFile { path: path.to_owned(), key });
            }
            (Ok(Kind::Lines | Kind::Gzip), true) => self.lines.push(path.to_owned()),
            (Ok(Kind::Lines), false) => self.refuse(
                path,
                "is not an Avro file but text: JSON Lines are taken by `make run` and \
                 `make ops` only",
            ),
            (Ok(Kind::Gzip), false) => {
                self.refuse(path, "is not an Avro file but packed with gzip: unpack it");
            }
            (Err(reason), _) => self.refuse(path, &reason),
        }
    }

    fn refuse(&mut self, path: &Path, reason: &str) {
        self.refused.push((path.to_owned(), reason.to_owned()));
    }
}

/// What a file is called below a folder; above it goes on where the folder tells the event
/// type, because a record's name may not.
fn name_below(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let tells = |part: &Component<'_>| part.as_os_str().to_string_lossy().starts_with(TYPE_FOLDER);
    let mut parts = path.components().skip_while(|part| !tells(part)).peekable();
    let is_told = parts.peek().is_some() && !below.components().any(|part| tells(&part));
    if is_told { parts.collect::<PathBuf>() } else { below.to_owned() }
        .to_string_lossy()
        .into_owned()
}

/// What a file holds, or why it is of no use.
fn kind_of(path: &Path) -> Result<Kind, String> {
    let head = fs::File::open(path).and_then(kind::head);
    let head = head.map_err(|error| format!("cannot be read: {error}"))?;
    Kind::of(&head).map_err(str::to_owned)
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
        assert!(input.refused[0].1.contains("is a zip file"), "{}", input.refused[0].1);
    }

    #[test]
    fn a_path_that_does_not_exist_and_an_empty_folder_are_errors() {
        let folder = folder_with(&[("notes.txt", b"x")]);

        let missing = Input::find(&[folder.path().join("nowhere")]).expect_err("is not there");
        let empty = Input::find(&[folder.path().to_owned()]).expect_err("holds none");

        assert!(missing.to_string().contains("nowhere"), "{missing}");
        assert!(empty.to_string().contains("holds no .avro file"), "{empty}");
    }

    #[test]
    fn lines_are_found_beside_avro_only_where_they_are_taken() {
        let line = b"{\"id\":\"e\"}\n";
        let folder = folder_with(&[
            ("a.avro", b"Obj\x01"),
            ("b/c.JSONL.GZ", b"\x1F\x8B\x08"),
            ("b/d.ndjson", line),
            ("e.json", line),
            ("f.txt", line),
            ("g.jsonl", b""),
        ]);
        let root = folder.path().to_owned();
        let named = folder.path().join("f.txt");

        let both = Input::find_with_lines(&[root.clone(), named.clone()]).expect("has files");
        let avro = Input::find(&[root.clone(), named.clone()]).expect("has files");

        assert_eq!(both.files.len(), 1);
        let lines = ["b/c.JSONL.GZ", "b/d.ndjson", "e.json", "f.txt"];
        assert_eq!(both.lines, lines.map(|name| root.join(name)));
        assert_eq!(both.refused, [(root.join("g.jsonl"), "is empty".to_owned())]);
        assert_eq!((avro.files, avro.lines), (both.files, Vec::new()));
        let [(path, reason)] = &avro.refused[..] else { panic!("{:?}", avro.refused) };
        assert!(*path == named && reason.contains("`make run`"), "{reason}");
    }

    #[test]
    fn the_first_bytes_of_a_file_decide_and_not_its_name() {
        let folder = folder_with(&[("lines.avro", b"{}\n"), ("avro.jsonl", b"Obj\x01")]);

        let input = Input::find_with_lines(&[folder.path().to_owned()]).expect("has files");

        assert_eq!(input.files[0].key, "currents-export/0/avro.jsonl.avro");
        assert!(input.lines[0].ends_with("lines.avro"));
    }

    #[test]
    fn a_key_tells_the_event_type_wherever_below_or_above_a_folder_does() {
        let folder = folder_with(&[("export/event_type=a.B/date=1/f.avro", b"Obj\x01")]);
        let key = |named: &str| {
            let input = Input::find(&[folder.path().join(named)]).expect("has a file");
            input.files[0].key.clone()
        };

        assert_eq!(key("export"), "currents-export/0/event_type=a.B/date=1/f.avro");
        for named in ["event_type=a.B", "event_type=a.B/date=1", "event_type=a.B/date=1/f.avro"] {
            let expected = "currents-export/0/event_type=a.B/date=1/f.avro";
            assert_eq!(key(&format!("export/{named}")), expected, "{named}");
        }
    }
}
