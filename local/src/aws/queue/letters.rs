//! The dead letters: appended to a file, one a line.

use std::io::{BufRead as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context as _;
use contract::dead_letter::DeadLetter;
use contract::local::DEAD_LETTERS_FILE;
use tokio::sync::Mutex;

/// The file of dead letters.
#[derive(Debug)]
pub(super) struct Letters {
    path: PathBuf,
    /// Taken while writing, so that lines do not mix.
    writing: Mutex<()>,
}

impl Letters {
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join(DEAD_LETTERS_FILE), writing: Mutex::new(()) }
    }

    /// Appends a letter; returns where it stands.
    pub(super) async fn append(&self, letter: &str) -> io::Result<u64> {
        let _writing = self.writing.lock().await;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        let position = file.metadata()?.len();
        // Letters are JSON on one line; a line break could only come from outside JSON.
        writeln!(file, "{}", letter.replace('\n', " "))?;
        Ok(position)
    }
}

/// Size of the file of dead letters now; where those of a run begin.
pub fn dead_letters_so_far(folder: &Path) -> u64 {
    fs::metadata(folder.join(DEAD_LETTERS_FILE)).map_or(0, |file| file.len())
}

/// Reads up to `most` dead letters from place `from` on, oldest first.
///
/// A line that a killed run left unfinished is passed over.
pub fn read_dead_letters(folder: &Path, from: u64, most: usize) -> anyhow::Result<Vec<DeadLetter>> {
    let path = folder.join(DEAD_LETTERS_FILE);
    let failed = || format!("reading {}", path.display());
    let mut file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(failed),
    };
    file.seek(io::SeekFrom::Start(from)).with_context(failed)?;
    let lines = io::BufReader::new(file).lines().map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).take(most).collect())
}
