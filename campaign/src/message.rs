//! A campaign's message as Braze renders it: `message.liquid`, with content blocks as files
//! beside it.
//!
//! The subject line is a field of its own in Braze, and renders by itself: it is in
//! `subject.liquid`, or in a comment of the message, `<!-- subject line: ... -->`.
//! What only Braze knows of a user is not there unless it is said, and renders as Braze renders what is not
//! there; who shows a message is told what that was.

mod calls;
mod comments;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use calls::{AnswersAtHand, ApiAnswer};
use dialect::{ATTRIBUTES, Fault, Limits, NotRendered, Object, Scene, Template};
pub use dialect::{Calls, Fault as MessageFault, Preview};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::folder;

/// File of a campaign that shows its content in a message.
const FILE: &str = "message.liquid";

/// File of a campaign with the subject line, or what stands in its place, such as a title.
const SUBJECT_FILE: &str = "subject.liquid";

/// Folder of a campaign with its content blocks, `name.liquid` each.
const BLOCKS: &str = "content_blocks";

/// Suffix of templates.
const SUFFIX: &str = ".liquid";

/// The tag that asks the api for content.
const CALL: &str = "connected_content";

/// Most notes of one rendering.
const MAX_NOTES: usize = 50;

/// The attribute that is known here.
const BRAZE_ID: &str = "braze_id";

/// A message, its subject line, and the content blocks that they may show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The template.
    pub text: String,
    /// The template of the subject line, if it is a file of its own; otherwise a comment of
    /// the message may hold it.
    pub subject: Option<String>,
    /// Templates by name, shown by `{{content_blocks.${name}}}`.
    pub content_blocks: BTreeMap<String, String>,
}

/// Whom a message is rendered for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// Braze's id of the user.
    pub user_id: String,
    /// What only Braze knows, as far as it is said: attributes by name, and groups of them,
    /// such as `custom_attribute`, as objects.
    pub attributes: Map<String, Value>,
}

/// A message as Braze renders it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The subject line, if there is one.
    pub subject: Option<Preview>,
    /// The message.
    pub body: Preview,
}

/// Where the campaign of a folder has its message.
pub fn path(campaign: &Path) -> PathBuf {
    campaign.join(FILE)
}

impl Message {
    /// The message of a campaign's folder, if it has one.
    pub fn read(campaign: &Path) -> Option<Self> {
        let text = template_in(&path(campaign)).ok()?;
        let subject = template_in(&campaign.join(SUBJECT_FILE)).ok();
        Some(Self { text, subject, content_blocks: content_blocks(campaign) })
    }

    /// What is wrong with it, by file.
    fn faults(&self) -> Vec<(&'static str, Fault)> {
        let of_body = self.template(&self.text).err().into_iter().flatten();
        let of_subject = self.subject.as_ref().map(|subject| self.template(subject).err());
        let of_subject = of_subject.flatten().into_iter().flatten();
        of_body
            .map(|fault| (FILE, fault))
            .chain(of_subject.map(|fault| (SUBJECT_FILE, fault)))
            .collect()
    }

    fn template(&self, text: &str) -> Result<Template, Vec<Fault>> {
        Template::parse_with(text, &|name| self.content_blocks.get(name).cloned())
    }

    /// Renders it for a user; `calls` answers what it calls.
    pub fn render(&self, to: &Recipient, calls: &Rc<dyn Calls>) -> Result<Shown, NotShown> {
        let calls: Rc<dyn Calls> = Rc::new(calls::OfRecipient::new(&to.user_id, calls));
        let mut body = self.part(&comments::removed(&self.text), to, &calls)?;
        if !self.makes_calls() {
            let reason = "shows nothing of any content: no connected_content asks the api for it";
            body.faults.push(Fault { line: 0, reason: reason.to_owned() });
        }
        let subject = self.subject.clone().or_else(|| comments::subject(&self.text));
        let subject = subject.map(|subject| self.part(&subject, to, &calls)).transpose();
        let subject = subject.map_err(|error| NotShown::Subject(Box::new(error)))?;
        Ok(Shown { subject, body })
    }

    /// Tells whether a call stands anywhere in it.
    fn makes_calls(&self) -> bool {
        let parts = self.subject.iter().chain(self.content_blocks.values());
        let calls = |text: &String| text.contains(CALL);
        comments::removed(&self.text).contains(CALL) || parts.into_iter().any(calls)
    }

    /// Renders a part: variables of one are not there in another, as in Braze.
    fn part(&self, text: &str, to: &Recipient, calls: &Rc<dyn Calls>) -> Result<Preview, NotShown> {
        let template = self.template(text).map_err(NotShown::Faults)?;
        let given = to.given();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let scene = Scene {
            given: &given,
            now: Some(now),
            limits: Limits::MESSAGE,
            calls: Some(Rc::clone(calls)),
            catalogs: None,
            known_groups: &[],
            inert: None,
        };
        template.preview(&scene).map_err(NotShown::NotRendered)
    }
}

impl Recipient {
    /// A user of whom nothing else is said.
    pub fn new(user_id: &str) -> Self {
        Self { user_id: user_id.to_owned(), attributes: Map::new() }
    }

    fn given(&self) -> Object {
        let (groups, mut attributes): (Map<_, _>, Map<_, _>) = self
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(_, value)| value.is_object());
        attributes.insert(BRAZE_ID.to_owned(), self.user_id.as_str().into());
        let groups = groups.into_iter().chain([(ATTRIBUTES.to_owned(), attributes.into())]);
        groups.map(|(name, value)| (name.into(), dialect::json::value(&value))).collect()
    }
}

/// The content blocks of a campaign's folder.
fn content_blocks(campaign: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(campaign.join(BLOCKS)).into_iter().flatten().flatten();
    let block = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.to_owned();
        Some((name, template_in(&path).ok()?))
    };
    entries.filter_map(|entry| block(entry.path())).collect()
}

/// The text of a template's file, or what is wrong with the file.
fn template_in(path: &Path) -> Result<String, Option<&'static str>> {
    let bytes = std::fs::read(path).map_err(|_| None)?;
    folder::readable(bytes).map_err(|unreadable| Some(unreadable.reason))
}

/// What is wrong with the message of a campaign's folder: a matter of Braze, and none of
/// generating, so that no function looks at it.
pub(crate) fn faults(campaign: &Path) -> Vec<crate::Fault> {
    let mut faults = Vec::new();
    for file in [FILE, SUBJECT_FILE] {
        let path = campaign.join(file);
        if let Err(Some(reason)) = template_in(&path) {
            faults.push(crate::Fault::new(&path, Some(1), reason));
        }
    }
    let found = Message::read(campaign).map(|message| message.faults()).unwrap_or_default();
    faults.extend(found.into_iter().map(|(file, fault)| {
        crate::Fault::new(&campaign.join(file), Some(fault.line), fault.reason)
    }));
    faults
}

impl Shown {
    /// What an author should know of what was rendered, a line each.
    pub fn notes(&self) -> Vec<String> {
        let of_subject = self.subject.as_ref().map(notes).unwrap_or_default();
        let of_subject = of_subject.into_iter().map(|note| format!("subject line: {note}"));
        of_subject.chain(notes(&self.body)).collect()
    }
}

/// What an author should know of what was rendered, a line each.
pub fn notes(shown: &Preview) -> Vec<String> {
    let extras = shown.extras.iter().map(|(key, value)| format!("message extra: {key} = {value}"));
    let missing = shown.missing.iter().map(|name| format!("missing: only Braze knows {name}"));
    let faults = shown.faults.iter().map(|fault| {
        let line = if fault.line > 0 { format!("line {}: ", fault.line) } else { String::new() };
        format!("look at this: {line}{}", fault.reason)
    });
    extras.chain(missing).chain(faults).take(MAX_NOTES).collect()
}

/// Why a message cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// It is no template.
    #[error("{}", listed(.0))]
    Faults(Vec<Fault>),
    /// It does not render, or says that it is not to be sent.
    #[error(transparent)]
    NotRendered(NotRendered),
    /// Its subject line cannot be shown.
    #[error("subject line: {0}")]
    Subject(Box<NotShown>),
}

impl NotShown {
    /// The reason why the message says itself that it is not to be sent, if it does.
    pub fn abort_reason(&self) -> Option<&str> {
        match self {
            Self::NotRendered(NotRendered::Aborted(reason)) => Some(reason),
            Self::Subject(inner) => inner.abort_reason(),
            _ => None,
        }
    }
}

fn listed(faults: &[Fault]) -> String {
    let lines = faults.iter().map(|fault| format!("line {}: {}", fault.line, fault.reason));
    lines.collect::<Vec<_>>().join("\n")
}
