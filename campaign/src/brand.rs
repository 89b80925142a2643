//! `brand.liquid`, beside the campaigns' folders: how the brand speaks, for every campaign that
//! says `{% render 'brand' %}` in its prompt or its instructions.
//!
//! It is rendered once, over nothing, as Liquid's `render` isolates what it includes; so it is
//! part of every prompt's hash by being part of the prompt.

use std::path::Path;

use crate::fault::Fault;
use crate::folder::{Unreadable, readable};
use crate::{prompt, safe_text};

/// The file.
const FILE: &str = "brand.liquid";

/// The name by which it is included.
const NAME: &str = "brand";

/// Longest page, in bytes: it is paid for with every prompt that includes it.
const MAX_BYTES: usize = 16 * 1_024;

/// What campaigns can include.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Brand(Option<String>);

impl Brand {
    /// Reads and renders the page of a folder of campaigns, if it has one.
    pub(crate) fn read(folder: &Path, faults: &mut Vec<Fault>) -> Self {
        let path = folder.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self(None),
            Err(error) => {
                let reason = format!("cannot be read ({error}): mend or remove it");
                faults.push(Fault::new(&path, None, reason));
                return Self(None);
            }
        };
        let mut blame = |line: Option<usize>, reason: String| {
            faults.push(Fault::new(&path, line, reason));
        };
        if bytes.len() > MAX_BYTES {
            let reason = format!(
                "is longer than {MAX_BYTES} bytes, which every prompt that includes it would pay for: shorten it"
            );
            blame(None, reason);
        }
        let text = match readable(bytes) {
            Ok(text) => text,
            Err(Unreadable { text, reason }) => {
                blame(Some(1), reason.to_owned());
                // Something, so that whoever includes it is not blamed.
                return Self(Some(text.unwrap_or_else(|| NAME.to_owned())));
            }
        };
        match prompt::instructions(&text, &Self::in_itself) {
            Ok(rendered) if safe_text::shows_nothing(&rendered) => {
                blame(None, "says nothing: write how the brand speaks, or remove it".to_owned());
                Self(Some(text))
            }
            Ok(rendered) => Self(Some(rendered)),
            Err(found) => {
                found.into_iter().for_each(|fault| blame(Some(fault.line), fault.reason));
                Self(Some(text))
            }
        }
    }

    /// The text that a name includes, or what is wrong with it.
    pub(crate) fn part(&self, name: &str) -> Result<String, String> {
        match &self.0 {
            Some(text) if name == NAME => Ok(text.clone()),
            None if name == NAME => Err(format!(
                "includes {NAME}, and there is no {FILE} beside the campaigns' folders: write it there"
            )),
            _ => Err(format!(
                "includes \"{name}\", and there is one page only, {FILE} beside the campaigns' folders: write {{% render '{NAME}' %}}"
            )),
        }
    }

    fn in_itself(_: &str) -> Result<String, String> {
        Err(format!("{FILE} includes nothing: write all of it here"))
    }
}
