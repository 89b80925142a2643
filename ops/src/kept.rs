//! The folder that a run of `local` keeps, while no run uses it.

use std::fs::{self, File, OpenOptions};
use std::io::BufRead as _;
use std::path::Path;

use anyhow::Context as _;
use contract::local::{ENDPOINTS_FILE, Endpoints, LOCK_FILE};

/// Where the tables are of the run that uses a folder.
pub(crate) fn endpoints(folder: &Path) -> anyhow::Result<Endpoints> {
    anyhow::ensure!(
        Kept::take(folder).is_err() || !folder.is_dir(),
        "no run uses {0}: start one that only serves, and leave it on:\n\n  \
         make run ARGS=\"--data {0} --serve\"\n",
        folder.display()
    );
    let path = folder.join(ENDPOINTS_FILE);
    let failed =
        || format!("reading {}: is it a folder that a run keeps (--data)?", path.display());
    let text = fs::read(&path).with_context(failed)?;
    serde_json::from_slice(&text).with_context(failed)
}

/// A folder that nobody else uses as long as this is there.
pub(crate) struct Kept<'f> {
    folder: &'f Path,
    _lock: File,
}

impl<'f> Kept<'f> {
    /// Takes a folder.
    pub(crate) fn take(folder: &'f Path) -> anyhow::Result<Self> {
        anyhow::ensure!(
            folder.is_dir(),
            "{} is no folder: name the one that an earlier run kept with --data",
            folder.display()
        );
        let failed = || format!("cannot use {}", folder.display());
        let path = folder.join(LOCK_FILE);
        anyhow::ensure!(
            path.is_file(),
            "{} is no folder of a run: name the one that an earlier run kept with --data",
            folder.display()
        );
        // Opened as it is: a file of that name may be somebody else's.
        let lock = OpenOptions::new().write(true).open(path).with_context(failed)?;
        lock.try_lock().map_err(|_| {
            anyhow::anyhow!("{} is in use by a run: end it first", folder.display())
        })?;
        Ok(Self { folder, _lock: lock })
    }

    /// The lines of a file, which may not be there.
    pub(crate) fn lines(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let path = self.folder.join(name);
        let failed = || format!("reading {}", path.display());
        match File::open(&path) {
            Ok(file) => {
                let lines = std::io::BufReader::new(file).lines();
                lines.collect::<Result<_, _>>().with_context(failed)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(failed),
        }
    }

    /// Puts lines in the place of a file.
    pub(crate) fn replace(&self, name: &str, lines: &[String]) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let failed = || format!("writing {}", path.display());
        let new = path.with_extension("new");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&new, text).with_context(failed)?;
        fs::rename(&new, &path).with_context(failed)
    }
}
