//! Tells an author what became of a folder of campaigns that is edited while it runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use processor::held::Held;
use registry::current::Current;
use registry::files::Files;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::run::say;

/// Time between two looks at the folder: whoever saves and turns to the page sees the change.
pub const LOOK: Duration = Duration::from_millis(500);

/// Folders within folders that are looked at: a campaign's content blocks.
const DEEPEST: usize = 2;

/// Watches until `stop`, and says what changed, or what is wrong.
pub fn watch(
    folder: PathBuf,
    campaigns: Arc<Current<Held>>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let watching = async move {
        let mut files = Files::read(&folder).unwrap_or_default();
        let (mut version, mut told) = (campaigns.known().version.clone(), None);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = campaigns.now().await;
            let complaint = campaigns.complaint();
            if complaint != told {
                match &complaint {
                    Some(complaint) => {
                        say(format_args!("Campaigns stay as they were:\n{complaint}\n"));
                    }
                    None if now.version == version => say("Campaigns are in order again.\n"),
                    None => {}
                }
                told = complaint;
            }
            if now.version != version {
                // What is being saved just now is told at the next look.
                let Ok(read) = Files::read(&folder) else { continue };
                say(format_args!("Campaigns are as they are now: {}.\n", changes(&files, &read)));
                (files, version) = (read, now.version.clone());
            }
        }
    };
    let stop = stop.clone();
    tasks.spawn(async move { stop.run_until_cancelled(watching).await });
}

/// Tells a folder from what it is after somebody saved something in it, messages too.
pub(crate) fn stamp(folder: &Path) -> String {
    let mut all = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() && depth < DEEPEST {
                folders.push((entry.path(), depth + 1));
            } else if about.is_file() {
                all.push((entry.path(), about.len(), about.modified().ok()));
            }
        }
    }
    all.sort();
    contract::digest::hex(format!("{all:?}"))
}

/// Which files changed, came or went.
fn changes(before: &Files, now: &Files) -> String {
    let (before, now): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (before.texts().collect(), now.texts().collect());
    let changed = now.iter().filter_map(|(path, text)| match before.get(path) {
        None => Some(format!("{path} is new")),
        Some(old) if old != text => Some(format!("{path} changed")),
        Some(_) => None,
    });
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let all: Vec<String> = changed.chain(gone.map(|path| format!("{path} is gone"))).collect();
    if all.is_empty() { "as they were before".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_what_is_saved() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let message = folder.path().join("offer/message.liquid");
        std::fs::create_dir(folder.path().join("offer")).expect("is made");
        std::fs::write(&message, "Hi").expect("is written");
        let before = stamp(folder.path());

        assert_eq!(stamp(folder.path()), before);
        std::fs::write(&message, "Hello").expect("is written");
        assert_ne!(stamp(folder.path()), before);
    }

    #[test]
    fn files_that_changed_came_or_went_are_named() {
        let files = |json: &str| Files::from_json(json.as_bytes()).expect("are files");
        let before =
            files(r#"{"a/campaign.toml": "1", "a/prompt.liquid": "x", "brand.liquid": "b"}"#);
        let now =
            files(r#"{"a/campaign.toml": "1", "a/prompt.liquid": "y", "c/campaign.toml": "2"}"#);

        let told = changes(&before, &now);

        assert_eq!(told, "a/prompt.liquid changed, c/campaign.toml is new, brand.liquid is gone");
        assert_eq!(changes(&now, &now), "as they were before");
    }
}
