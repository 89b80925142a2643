//! The files of a campaign's folder.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Draft, Fault, MAX_NAME_CHARS, config, is_name, schema};

/// The folders in `folder`, in the order of their names.
pub(super) fn subfolders(folder: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let reason = format!("cannot be read ({error}): name a folder of campaigns");
            faults.push(Fault::new(folder, None, reason));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}

/// Reads one campaign as far as its files can be read; `None` if it cannot even be named.
pub(super) fn read_campaign(folder: &Path, faults: &mut Vec<Fault>) -> Option<Draft> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_name(name) {
        let reason = format!(
            "a campaign's name is 1 to {MAX_NAME_CHARS} lower-case letters, digits and hyphens: rename the folder"
        );
        faults.push(Fault::new(folder, None, reason));
        return None;
    }
    let mut files = Files { folder, faults };
    let config = files.text("campaign.toml").and_then(|text| {
        let (config, found) = config::read(&text);
        files.blame("campaign.toml", found);
        config
    });
    let prompt = files.text("prompt.liquid");
    let system = files.text("system.liquid");
    let answer_schema = files.json::<Value>("answer.schema.json").map(|(text, value)| {
        files.blame("answer.schema.json", schema::faults(&text, &value));
        value
    });
    let fallback = files.json("fallback.json");
    let (name, folder) = (name.to_owned(), folder.to_owned());
    Some(Draft { name, folder, config, prompt, system, answer_schema, fallback })
}

/// A fault within a file: line and reason.
pub(super) type Found = (Option<usize>, String);

/// Reads the files of one campaign and remembers what is wrong with them.
struct Files<'a> {
    folder: &'a Path,
    faults: &'a mut Vec<Fault>,
}

impl Files<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        match std::fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Some(text),
            Err(error) => {
                let reason = format!("cannot be read ({error}): every campaign needs this file");
                self.blame(name, vec![(None, reason)]);
                None
            }
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<(String, T)> {
        let text = self.text(name)?;
        match serde_json::from_str(&text) {
            Ok(parsed) => Some((text, parsed)),
            Err(error) => {
                let reason = format!("is not a JSON object: {error}");
                self.blame(name, vec![(Some(error.line().max(1)), reason)]);
                None
            }
        }
    }

    fn blame(&mut self, name: &str, found: Vec<Found>) {
        let path = self.folder.join(name);
        let faults = found.into_iter().map(|(line, reason)| Fault::new(&path, line, reason));
        self.faults.extend(faults);
    }
}
