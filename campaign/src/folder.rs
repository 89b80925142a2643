//! The files of a campaign's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::brand::Brand;
use crate::config::{self, Config, LanguageOf, Named};
use crate::fallback::languages;
use crate::fault::{Fault, InvalidCampaigns};
use crate::{Campaign, MAX_NAME_CHARS, is_name, json, safe_text, schema};

/// The file without which a folder is no campaign.
const CONFIG: &str = "campaign.toml";

/// A campaign as far as its files can be read.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Name of the folder.
    pub(crate) name: String,
    /// The folder.
    pub(crate) folder: PathBuf,
    /// `campaign.toml`, if all of it is right.
    pub(crate) config: Option<Config>,
    /// What else it names, as far as it can be read.
    pub(crate) named: Named,
    /// `prompt.liquid`.
    pub(crate) prompt: Option<String>,
    /// `system.liquid`.
    pub(crate) system: Option<String>,
    /// `answer.schema.json`, as text for its lines.
    pub(crate) schema_text: String,
    /// `answer.schema.json`.
    pub(crate) answer_schema: Option<Value>,
    /// `fallback.json`, as text for its lines, and as content.
    pub(crate) fallback: Option<(String, Map<String, Value>)>,
    /// The same of `fallback.<language>.json`, by language.
    pub(crate) fallbacks: Fallbacks,
    /// Files that were meant as fallback content and are none, with what is said of each.
    pub(crate) misnamed_fallbacks: Vec<(String, String)>,
    /// What the templates can include.
    pub(crate) brand: Brand,
}

/// Fallback content by language, each with its text.
type Fallbacks = BTreeMap<String, (String, Map<String, Value>)>;

/// The attribute that Braze keeps a user's language in.
const LANGUAGE: &str = "language";

/// Reads every campaign in `folder`, in the order of their names, and compiles none: for
/// who asks nobody anything.
pub fn read(folder: &Path) -> Result<Vec<Campaign>, InvalidCampaigns> {
    let (drafts, faults) = drafts(folder);
    if !faults.is_empty() {
        return Err(InvalidCampaigns(faults));
    }
    Ok(drafts.into_iter().filter_map(Draft::finish).collect())
}

/// Reads every campaign in `folder` as far as that is possible; a draft without
/// faults is complete.
pub(crate) fn drafts(folder: &Path) -> (Vec<Draft>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut drafts = Vec::new();
    let inner = folder.join("campaigns");
    let remedy = match folder.join(CONFIG).exists() {
        true => Some("is a campaign itself: name the folder around it"),
        false if inner.is_dir() && !inner.join(CONFIG).exists() => {
            Some("holds a folder called campaigns: name that one")
        }
        false => None,
    };
    if let Some(remedy) = remedy {
        return (drafts, vec![Fault::new(folder, None, remedy)]);
    }
    let brand = Brand::read(folder, &mut faults);
    for path in subfolders(folder, &mut faults) {
        drafts.extend(read_campaign(&path, &brand, &mut faults));
    }
    if drafts.is_empty() && faults.is_empty() {
        faults.push(Fault::new(
            folder,
            None,
            "holds no campaign: put a folder with a campaign.toml into it",
        ));
    }
    (drafts, faults)
}

impl Draft {
    /// The fallback contents: the file, its text, and what it says.
    pub(crate) fn fallback_contents(
        &self,
    ) -> impl Iterator<Item = (String, &str, &Map<String, Value>)> {
        let own = self.fallback.iter().map(|content| ("fallback.json".to_owned(), content));
        let others = self.fallbacks.iter();
        let others = others.map(|(tag, content)| (format!("fallback.{tag}.json"), content));
        own.chain(others).map(|(file, (text, content))| (file, text.as_str(), content))
    }

    /// The same as texts alone.
    pub(crate) fn fallback_texts(&self) -> Vec<(String, String)> {
        self.fallback_contents().map(|(file, text, _)| (file, text.to_owned())).collect()
    }

    /// The campaign, if every file could be read.
    pub(crate) fn finish(self) -> Option<Campaign> {
        let answer_schema = self.answer_schema?;
        let safe = |content| match safe_text::decoded(Value::Object(content)) {
            Value::Object(content) => Some(safe_text::safe(content, &answer_schema)),
            // An object stays one.
            _ => None,
        };
        let fallback = safe(self.fallback?.1)?;
        let fallbacks = self.fallbacks.into_iter();
        let fallbacks: BTreeMap<String, Map<String, Value>> =
            fallbacks.filter_map(|(tag, (_, content))| Some((tag, safe(content)?))).collect();
        let mut config = self.config?;
        if !fallbacks.is_empty() {
            let of_braze = || LanguageOf::Attribute(LANGUAGE.to_owned());
            config.fallback_language.get_or_insert_with(of_braze);
        }
        Some(Campaign {
            name: self.name,
            config,
            prompt: self.prompt?,
            system: self.system?,
            answer_schema,
            fallback,
            fallbacks,
        })
    }
}

/// The folders in `folder`, in the order of their names.
pub(crate) fn subfolders(folder: &Path, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let reason = format!("cannot be read ({error}): name a folder of campaigns");
            faults.push(Fault::new(folder, None, reason));
            return Vec::new();
        }
    };
    // Hidden folders are those of other programs.
    let is_hidden = |path: &Path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.is_dir() && !is_hidden(path)).collect();
    paths.sort();
    paths
}

/// Reads one campaign as far as its files can be read; `None` if it cannot even be named.
pub(crate) fn read_campaign(
    folder: &Path,
    brand: &Brand,
    faults: &mut Vec<Fault>,
) -> Option<Draft> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_name(name) {
        let reason = format!(
            "a campaign's name is 1 to {MAX_NAME_CHARS} lower-case letters, digits and hyphens: rename the folder"
        );
        faults.push(Fault::new(folder, None, reason));
        return None;
    }
    let mut files = Files { folder, faults };
    let (config, named) = files.text("campaign.toml").map_or_else(Default::default, |text| {
        let (config, named, found) = config::read(&text);
        files.blame("campaign.toml", found);
        (config, named)
    });
    let prompt = files.text("prompt.liquid");
    let system = files.text("system.liquid");
    let (schema_text, answer_schema) = match files.json::<Value>("answer.schema.json") {
        Some((text, value)) => {
            files.blame("answer.schema.json", schema::faults(&text, &value));
            (text, Some(value))
        }
        None => (String::new(), None),
    };
    let fallback = files.json("fallback.json");
    let (fallbacks, misnamed_fallbacks) = files.languages();
    let (name, folder) = (name.to_owned(), folder.to_owned());
    Some(Draft {
        name,
        folder,
        config,
        named,
        prompt,
        system,
        schema_text,
        answer_schema,
        fallback,
        fallbacks,
        misnamed_fallbacks,
        brand: brand.clone(),
    })
}

/// A fault within a file: line and reason.
pub(crate) type Found = (Option<usize>, String);

/// Reads the files of one campaign and remembers what is wrong with them.
struct Files<'a> {
    folder: &'a Path,
    faults: &'a mut Vec<Fault>,
}

impl Files<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        let bytes = match std::fs::read(self.folder.join(name)) {
            Ok(bytes) => bytes,
            Err(error) => {
                let reason = format!("cannot be read ({error}): every campaign needs this file");
                self.blame(name, vec![(None, reason)]);
                return None;
            }
        };
        match readable(bytes) {
            Ok(text) => Some(text),
            Err(Unreadable { text, reason }) => {
                self.blame(name, vec![(Some(1), reason.to_owned())]);
                text
            }
        }
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<(String, T)> {
        let text = self.text(name)?;
        if text.trim().is_empty() {
            self.blame(name, vec![(Some(1), "is empty: write a JSON object".to_owned())]);
            return None;
        }
        match serde_json::from_str(&text) {
            Ok(parsed) => {
                self.blame(name, json::repeated(&text));
                Some((text, parsed))
            }
            Err(error) => {
                self.blame(name, vec![json::wrong(&text, &error)]);
                None
            }
        }
    }

    /// Fallback content in other languages, with its text; and what is called by none.
    fn languages(&mut self) -> (Fallbacks, Vec<(String, String)>) {
        let entries = std::fs::read_dir(self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let (mut found, mut misnamed) = (Fallbacks::new(), Vec::new());
        for name in names {
            match languages::tag_of(&name) {
                None => misnamed.extend(languages::misnamed(&name).map(|told| (name, told))),
                Some(Err(wrong)) => self.blame(&name, vec![(None, wrong)]),
                Some(Ok(tag)) if found.keys().any(|other| other.eq_ignore_ascii_case(tag)) => {
                    let reason = "is there twice, in letters of another case: remove one of them";
                    self.blame(&name, vec![(None, reason.to_owned())]);
                }
                Some(Ok(tag)) => {
                    if let Some(content) = self.json(&name) {
                        found.insert(tag.to_owned(), content);
                    }
                }
            }
        }
        (found, misnamed)
    }

    fn blame(&mut self, name: &str, found: Vec<Found>) {
        let path = self.folder.join(name);
        let faults = found.into_iter().map(|(line, reason)| Fault::new(&path, line, reason));
        self.faults.extend(faults);
    }
}

/// Why a file is not read as it is.
pub(crate) struct Unreadable {
    /// What can be looked at all the same.
    pub(crate) text: Option<String>,
    /// What is wrong, and what would be right.
    pub(crate) reason: &'static str,
}

/// The text of a file of a campaign.
pub(crate) fn readable(bytes: Vec<u8>) -> Result<String, Unreadable> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let reason = "is UTF-16: save it as UTF-8";
        return Err(Unreadable { text: None, reason });
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Unreadable { text: None, reason: "is not UTF-8: save it as UTF-8" });
    };
    // As they are published: how lines end on a machine is no other prompt.
    let text = text.replace("\r\n", "\n");
    match text.strip_prefix('\u{feff}') {
        None => Ok(text),
        Some(rest) => Err(Unreadable {
            text: Some(rest.to_owned()),
            reason: "begins with a byte order mark, which would be part of the text: save it as UTF-8 without one",
        }),
    }
}
