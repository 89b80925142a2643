//! The keys of the objects, each in a file named by its hash: what a listing tells.

use std::path::{Path, PathBuf};
use std::{fs, io};

use contract::digest;

/// The keys of all buckets.
pub(super) struct Keys {
    folder: PathBuf,
}

impl Keys {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Notes a key of a bucket, before there is an object.
    pub(super) fn note(&self, bucket: &str, key: &str) -> io::Result<()> {
        let folder = self.of(bucket);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(short(key)), key)
    }

    /// The keys of a bucket that begin with `prefix` and come behind `after`, in order.
    pub(super) fn list(&self, bucket: &str, prefix: &str, after: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.of(bucket)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let key = fs::read_to_string(entry?.path())?;
            if key.starts_with(prefix) && key.as_str() > after {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    fn of(&self, bucket: &str) -> PathBuf {
        // A bucket's name comes from outside and may not leave the folder.
        self.folder.join(short(bucket))
    }
}

/// The name that an object has on disk.
pub(super) fn short(key: &str) -> String {
    digest::hex(key)
}

/// Where the keys are, beside the folder of the objects.
pub(super) fn beside(objects: &Path) -> PathBuf {
    objects.with_extension("keys")
}
