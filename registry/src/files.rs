//! The files of a folder of campaigns, as they are published.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use contract::digest;
use serde::{Deserialize, Serialize};

/// Characters of a digest that name a version: sixteen, so that no two of any deployment agree.
const VERSION_CHARS: usize = 16;

/// Most bytes of all files together: far more than anybody reads, and a moment to load.
pub const MAX_BYTES: usize = 4 << 20;

/// Most files.
const MAX_FILES: usize = 2_000;

/// Kinds of files that a campaign is made of.
const KINDS: [&str; 3] = ["json", "liquid", "toml"];

/// Files that are looked for by these names, which are other ones where case counts.
const NAMES: [&str; 6] = [
    "answer.schema.json",
    "brand.liquid",
    "campaign.toml",
    "fallback.json",
    "prompt.liquid",
    "system.liquid",
];

/// What only Braze renders, and no function reads.
const OF_BRAZE: [&str; 2] = ["message.liquid", "subject.liquid"];

/// The name of what files hold: who has the same files has the same version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(String);

/// Texts by their paths below the folder, parts divided by `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Files(BTreeMap<String, String>);

/// Why there are no files to publish, or to load.
#[derive(Debug, thiserror::Error)]
pub enum NoFiles {
    /// A file or folder cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unread(PathBuf, #[source] io::Error),
    /// A name that is another one where the functions run.
    #[error("{} must be called {known}: where the functions run, case counts", .path.display())]
    Case {
        /// The file.
        path: PathBuf,
        /// The name that is looked for.
        known: String,
    },
    /// All together they are too large.
    #[error("campaigns are more than {MAX_BYTES} bytes or {MAX_FILES} files")]
    TooLarge,
    /// It is no JSON object of texts.
    #[error("is no JSON object of texts")]
    NoJson(#[source] serde_json::Error),
    /// A path that would leave the folder, or is deeper than campaigns are.
    #[error("{0:?} is no path of a campaign's file")]
    Path(String),
}

impl Files {
    /// Reads what functions read of a folder: its own files, and those of each campaign.
    pub fn read(folder: &Path) -> Result<Self, NoFiles> {
        let mut files = BTreeMap::new();
        let mut room = MAX_BYTES;
        for path in entries(folder)? {
            if path.is_dir() {
                for inner in entries(&path)? {
                    take(&inner, folder, &mut files, &mut room)?;
                }
            } else {
                take(&path, folder, &mut files, &mut room)?;
            }
        }
        Ok(Self(files))
    }

    /// The version that these files are.
    pub fn version(&self) -> Version {
        let all = self.0.iter().map(|(path, text)| format!("{path}\0{}\0{text}", text.len()));
        let mut name = digest::hex(all.collect::<String>());
        name.truncate(VERSION_CHARS);
        Version(name)
    }

    /// Writes them below a folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for (path, text) in &self.0 {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, text)?;
        }
        Ok(())
    }

    /// As they are kept: one JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "texts by texts are always JSON")]
        serde_json::to_vec(&self.0).expect("is JSON")
    }

    /// Reads what is kept, and believes nothing of it.
    pub fn from_json(json: &[u8]) -> Result<Self, NoFiles> {
        let files: BTreeMap<String, String> =
            serde_json::from_slice(json).map_err(NoFiles::NoJson)?;
        if let Some(path) = files.keys().find(|path| !is_inside(path)) {
            return Err(NoFiles::Path(path.clone()));
        }
        if files.len() > MAX_FILES || files.values().map(String::len).sum::<usize>() > MAX_BYTES {
            return Err(NoFiles::TooLarge);
        }
        Ok(Self(files))
    }

    /// The texts by their paths.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Names of the campaigns among them.
    pub fn campaigns(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|path| path.strip_suffix("/campaign.toml"))
    }

    /// One text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }
}

impl Version {
    /// Takes what a person typed for a version: its beginning is enough where only one of
    /// `known` begins so.
    pub fn among<'v>(typed: &str, known: impl IntoIterator<Item = &'v Self>) -> Option<Self> {
        let mut found: Vec<&Self> = known
            .into_iter()
            .filter(|each| !typed.is_empty() && each.0.starts_with(typed))
            .collect();
        found.sort();
        found.dedup();
        match found[..] {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands in a folder, in the order of the names, without what is hidden.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, NoFiles> {
    let unread = |error| NoFiles::Unread(folder.to_owned(), error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Takes a file's text, if it is of a kind that functions read.
fn take(
    path: &Path,
    folder: &Path,
    files: &mut BTreeMap<String, String>,
    room: &mut usize,
) -> Result<(), NoFiles> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    if path.is_dir() || !KINDS.contains(&kind) || OF_BRAZE.contains(&name) {
        return Ok(());
    }
    let known = name.to_ascii_lowercase();
    if known != name && NAMES.contains(&known.as_str()) {
        return Err(NoFiles::Case { path: path.to_owned(), known });
    }
    let unread = |error| NoFiles::Unread(path.to_owned(), error);
    let bytes = std::fs::metadata(path).map_err(unread)?.len();
    if bytes > *room as u64 {
        return Err(NoFiles::TooLarge);
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    // Git writes lines of another kind on some machines, and no prompt is another one for that.
    let text = text.replace("\r\n", "\n");
    *room = room.checked_sub(text.len()).ok_or(NoFiles::TooLarge)?;
    if files.len() == MAX_FILES {
        return Err(NoFiles::TooLarge);
    }
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
    files.insert(parts.join("/"), text);
    Ok(())
}

/// Tells whether a path stays within the folder, and is no deeper than a campaign's file.
fn is_inside(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    plain && (1..=2).contains(&parts.len()) && !path.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("is below")).expect("is made");
            std::fs::write(path, text).expect("is written");
        }
        folder
    }

    const OFFER: [(&str, &str); 3] = [
        ("brand.liquid", "Be brief."),
        ("offer/campaign.toml", "a = 1"),
        ("offer/prompt.liquid", "Hi"),
    ];

    #[test]
    fn how_lines_end_on_a_machine_is_no_other_version() {
        let windows = OFFER.map(|(path, text)| (path, format!("{text}\r\nnext\r\n")));
        let windows: Vec<_> = windows.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let other = OFFER.map(|(path, text)| (path, format!("{text}\nnext\n")));
        let other: Vec<_> = other.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let (one, other) = (folder(&windows), folder(&other));

        let versions =
            [one, other].map(|each| Files::read(each.path()).expect("is read").version());

        assert_eq!(versions[0], versions[1]);
    }

    #[test]
    fn a_name_that_is_another_one_where_case_counts_is_refused() {
        let one = folder(&[("offer/campaign.toml", "a = 1"), ("offer/Prompt.liquid", "Hi")]);

        let refused = Files::read(one.path()).expect_err("is refused").to_string();

        assert!(
            refused.ends_with(
                "Prompt.liquid must be called prompt.liquid: where the functions run, case counts"
            ),
            "{refused}"
        );
    }

    #[test]
    fn what_functions_do_not_read_is_not_published() {
        let others = [
            ("offer/message.liquid", "{{x}}"),
            ("offer/events.jsonl", "{}"),
            ("offer/content_blocks/a.liquid", "x"),
            (".git/config.toml", "x"),
            ("README.md", "x"),
        ];
        let all: Vec<_> = OFFER.into_iter().chain(others).collect();

        let (one, other) = (folder(&OFFER), folder(&all));
        let files = Files::read(other.path()).expect("is read");

        assert_eq!(files.texts().collect::<Vec<_>>(), OFFER);
        assert_eq!(files.campaigns().collect::<Vec<_>>(), ["offer"]);
        assert_eq!(files, Files::read(one.path()).expect("is read"));
    }

    #[test]
    fn a_version_is_what_its_files_hold_and_where() {
        let of =
            |files: &[(&str, &str)]| Files::read(folder(files).path()).expect("read").version();

        assert_eq!(of(&OFFER), of(&OFFER));
        assert_eq!(of(&OFFER).as_str().len(), VERSION_CHARS);
        assert_ne!(
            of(&[("a/x.json", "1"), ("b/x.json", "")]),
            of(&[("a/x.json", ""), ("b/x.json", "1")])
        );
        assert_ne!(of(&[("a/x.json", "1")]), of(&[("a/y.json", "1")]));
    }

    #[test]
    fn what_is_kept_comes_back_as_the_same_version() {
        let files = Files::read(folder(&OFFER).path()).expect("is read");

        let kept = Files::from_json(&files.to_json()).expect("is JSON");
        let written = tempfile::tempdir().expect("temporary folder");
        kept.write(written.path()).expect("is written");

        assert_eq!(Files::read(written.path()).expect("is read").version(), files.version());
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in
            ["../x.toml", "/etc/x.toml", "a/../../x.toml", "a/b/c.toml", "a\\..\\x.toml", ""]
        {
            let json = serde_json::json!({ path: "x" }).to_string();
            assert!(matches!(Files::from_json(json.as_bytes()), Err(NoFiles::Path(_))), "{path}");
        }
        assert!(matches!(Files::from_json(b"[]"), Err(NoFiles::NoJson(_))));
    }

    #[test]
    fn a_beginning_names_a_version_if_it_is_the_only_one() {
        let known = ["ab12", "ab34", "cd"].map(|name| Version(name.to_owned()));

        assert_eq!(Version::among("ab1", &known), Some(known[0].clone()));
        assert_eq!(Version::among("c", &known), Some(known[2].clone()));
        assert_eq!(Version::among("ab", &known), None);
        assert_eq!(Version::among("", &known), None);
        assert_eq!(Version::among("ff", &known), None);
    }
}
