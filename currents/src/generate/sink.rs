//! Where generated files go.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Takes files as they are finished.
pub trait Sink {
    /// Keeps a file under a key of Currents.
    fn put(&mut self, key: &str, bytes: Vec<u8>) -> Result<(), SinkError>;
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The system refused to write it.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody takes files any more; whoever stopped says why.
    #[error("files are no longer taken")]
    Closed,
}

/// Writes files below a folder.
#[derive(Debug)]
pub struct Folder<'a>(pub &'a Path);

impl Sink for Folder<'_> {
    fn put(&mut self, key: &str, bytes: Vec<u8>) -> Result<(), SinkError> {
        let path = self.0.join(key);
        let written = fs::create_dir_all(path.parent().unwrap_or(self.0))
            .and_then(|()| fs::write(&path, bytes));
        written.map_err(|source| SinkError::Write { path, source })
    }
}
