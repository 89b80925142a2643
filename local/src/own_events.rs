//! Events that a person wrote: lines, made containers of before they are uploaded, and what is
//! doubtful about containers.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use currents::input::InputFile;
use currents::lines::Faults;
use currents::lines::containers::{self, Written};

use crate::progress;

/// Where the containers are, in the folder of a run.
const FOLDER: &str = "lines";

/// Lines between two looks at the count.
const PACE: u64 = 1_024;

/// Containers at which it is looked whether Braze can have written them; a folder holds many
/// of the same kind.
const MAX_DOUBTED: usize = 100;

/// Says what is doubtful about containers.
pub(crate) fn say_doubts(files: &[InputFile]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    for InputFile { path, .. } in files.iter().take(MAX_DOUBTED) {
        for doubt in currents::read::doubts(path, now_ms) {
            eprintln!("note: {}: {doubt}", path.display());
        }
    }
}

/// Makes containers of lines in the folder of a run; shows what is wrong with them, and
/// returns how many faults there are.
pub(crate) fn containers(
    paths: &[PathBuf],
    folder: &Path,
    go_on: impl Fn() -> bool,
) -> anyhow::Result<(Written, u64)> {
    let earlier = folder.join(FOLDER);
    if earlier.exists() {
        fs::remove_dir_all(&earlier).context("removing the containers of earlier lines")?;
    }
    let bar = progress::count("reading lines");
    let mut faults = Faults::new(|fault| bar.suspend(|| eprintln!("{fault}")));
    let mut read = 0_u64;
    let written = containers::write(paths, folder, &mut faults, || {
        read += 1;
        if read.is_multiple_of(PACE) {
            bar.set_position(read);
        }
        go_on()
    });
    let faults = faults.finish();
    bar.finish_and_clear();
    Ok((written.context("making containers of the lines")?, faults))
}
