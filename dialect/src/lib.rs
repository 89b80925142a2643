//! Liquid in Braze's dialect: what an author writes for Braze renders here as it does there,
//! and what differs is refused with words that help.
//!
//! ```text
//! template -> segments -> expression -> the liquid crate's parser -> tags, filters
//!             (what is text, output, tag)  (Braze's notation)                |
//!                        `--- notation: everything that is wrong, with its line
//! given values -> variables, lookup: what is not there is nothing -> text, within limits
//! ```
//!
//! Guarantees: rendering ends, with a text of bounded length, whatever the template and the
//! values are; nothing that is missing is an error; values are never read as a template.
//! [`Template::explore`] tells what a template could do with values that are not known yet.
//!
//! Not here: what the values are, and who answers a call (`campaign`).
//!
//! What Ruby's Liquid does in silence and nobody wants is refused at the start: unknown
//! filters, conditions of which only the first is read, operators that are passed over.
//! docs/liquid.md lists what there is, held against other implementations.
//!
//! Read `notation.rs` first.

mod bounded;
mod braze;
mod catalogs;
pub mod conformance;
mod expression;
mod filters;
pub mod json;
mod lookup;
mod moment;
mod notation;
mod ruby;
mod segments;
mod state;
mod suggestion;
mod tags;
mod unknown;
mod variables;
mod vocabulary;

use std::collections::BTreeSet;
use std::rc::Rc;

pub use liquid_core::model::{Object, Value};
use liquid_core::{Renderable as _, Runtime};

use bounded::Bounded;
pub use braze::{Call, Calls};
pub use catalogs::{Catalogs, Column, MAX_ITEMS};
pub use expression::{ATTRIBUTES, as_written};
use state::{Purpose, State, Stop};
pub use suggestion::{did_you_mean, misspelt};
use variables::Variables;

/// Longest template, in bytes: Braze's own editors take e-mails of about 100 KB.
pub const MAX_TEMPLATE_BYTES: usize = 256 * 1_024;

/// Most faults of a template that are told.
const MAX_FAULTS: usize = 50;

/// What is wrong with a template, for its author.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Fault {
    fn new(line: usize, reason: String) -> Self {
        Self { line, reason }
    }
}

/// What a rendering may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest text, also of a variable, in bytes.
    pub max_bytes: usize,
    /// Lookups, filters, rounds of loops and items of lists.
    pub max_steps: u64,
}

impl Limits {
    /// A prompt: no model takes a longer one for a short text, and a usual one takes a hundred
    /// steps.
    pub const PROMPT: Self = Self { max_bytes: 256 * 1_024, max_steps: 200_000 };
    /// A message: mail programs cut far shorter ones.
    pub const MESSAGE: Self = Self { max_bytes: 1_024 * 1_024, max_steps: 1_000_000 };
}

/// What a template is rendered over.
pub struct Scene<'s> {
    /// Variables by name.
    pub given: &'s Object,
    /// What "now" means, in UNIX seconds; without it there is no "now".
    pub now: Option<i64>,
    /// How much it may do.
    pub limits: Limits,
    /// Who answers calls.
    pub calls: Option<Rc<dyn Calls>>,
    /// Who knows what stands in catalogs; without them only Braze does.
    pub catalogs: Option<Rc<dyn Catalogs>>,
    /// Groups of what Braze knows of a user that are given whole: a name that one of them does
    /// not have is a mistake, and nothing that only Braze would know.
    pub known_groups: &'static [&'static str],
    /// Makes harmless what a filter decodes out of a value that was harmless before.
    pub inert: Option<fn(&str) -> String>,
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRendered {
    /// A loop, most likely.
    #[error("the template does too much: look for a loop over too many items")]
    Steps,
    /// Too long a text.
    #[error(
        "the template comes to too long a text: look for a loop, or for a text that grows in one"
    )]
    Bytes,
    /// The message says itself that it is not to be sent.
    #[error("the message would not be sent: {0}")]
    Aborted(String),
    /// Something that the template language refuses.
    #[error("{0}")]
    Refused(String),
}

/// A text, and what its author should know of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// The text.
    pub text: String,
    /// What nobody would want to read.
    pub faults: Vec<Fault>,
    /// What only Braze knows, and was therefore missing.
    pub missing: BTreeSet<String>,
    /// Pairs of `message_extras`.
    pub extras: Vec<(String, String)>,
}

/// What a template could do with values that are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exploration {
    /// The text of all branches.
    pub text: String,
    /// Outputs that can never be right.
    pub faults: Vec<Fault>,
    /// Names that nothing has, wherever they stand.
    pub unknown_names: Vec<Fault>,
    /// Fields that are printed with neither a default nor a condition on them.
    pub bare: BTreeSet<String>,
    /// Columns of catalogs that are looked at.
    pub columns: BTreeSet<Column>,
    /// Catalogs that items are taken of, each with its line; `None` where its name does not stand
    /// in the template.
    pub catalogs: BTreeSet<(usize, Option<String>)>,
    /// Columns that are printed with neither a default nor a condition on them.
    pub bare_columns: BTreeSet<Column>,
    /// Something finer than a day is shown of a value that is not known.
    pub shows_time: bool,
    /// A value that is not known is looked at: the text is not always the same.
    pub meets_unknown: bool,
}

/// Any value of a field, for [`Template::explore`].
pub fn unknown_value(field: &str) -> Value {
    unknown::of([field.to_owned()])
}

/// A template that can be rendered.
#[derive(Debug)]
pub struct Template {
    template: liquid_core::Template,
    source: String,
    outside: BTreeSet<String>,
    set: BTreeSet<String>,
    has_catalogs: bool,
    notes: Vec<Fault>,
}

impl Template {
    /// Reads a template that has no content blocks.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        Self::parse_with(text, &|_| None)
    }

    /// Reads a template whose content blocks are found by their names.
    pub fn parse_with(
        text: &str,
        blocks: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Fault>> {
        Self::parse_at(text, (blocks, None), None)
    }

    /// Reads a template that may include texts by `{% render 'name' %}`; `parts` has them by
    /// their names, or says what is wrong with a name.
    pub fn parse_including(
        text: &str,
        parts: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, Vec<Fault>> {
        Self::parse_at(text, (&|_| None, Some(parts)), None)
    }

    /// Reads a template that stands in a tag of another, in this line: what is said of it is
    /// said of that line.
    fn parse_inside(text: &str, line: usize) -> Result<Self, Vec<Fault>> {
        Self::parse_at(text, (&|_| None, None), Some(line))
    }

    fn parse_at(
        text: &str,
        (blocks, parts): (notation::ContentBlocks<'_>, Option<notation::Parts<'_>>),
        line: Option<usize>,
    ) -> Result<Self, Vec<Fault>> {
        if text.len() > MAX_TEMPLATE_BYTES {
            let reason = format!("is longer than {MAX_TEMPLATE_BYTES} bytes");
            return Err(vec![Fault::new(1, reason)]);
        }
        let mut written = notation::write(text, blocks, parts);
        if let Some(line) = line {
            written.places.iter_mut().for_each(|place| place.line = line);
        }
        if !written.faults.is_empty() {
            written.faults.sort();
            written.faults.truncate(MAX_FAULTS);
            return Err(written.faults);
        }
        let tables = tags::Tables { texts: written.texts, places: written.places };
        let parsed = liquid_core::parser::parse(&written.template, &tags::language(tables));
        let parsed = parsed.map_err(|error| vec![Fault::new(1, reason_of(&error))])?;
        let template = liquid_core::Template::new(parsed);
        written.notes.truncate(MAX_FAULTS);
        let notation::Written { outside, set, has_catalogs, notes, .. } = written;
        Ok(Self { template, source: text.to_owned(), outside, set, has_catalogs, notes })
    }

    /// Whether it asks for items of catalogs, somewhere.
    pub fn has_catalogs(&self) -> bool {
        self.has_catalogs
    }

    /// The groups of what Braze knows that it names, such as `custom_attribute`.
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.outside
    }

    /// The line that says a name first.
    pub fn line_of(&self, name: &str) -> usize {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let says = |line: &str| line.split(|c| !is_word(c)).any(|word| word == name);
        self.source.lines().position(says).map_or(1, |line| line + 1)
    }

    /// Renders the text.
    pub fn render(&self, scene: &Scene<'_>) -> Result<String, NotRendered> {
        self.rendered(scene, Purpose::Text).map(|(text, _)| text)
    }

    /// Renders the text, and says what its author should know.
    pub fn preview(&self, scene: &Scene<'_>) -> Result<Preview, NotRendered> {
        let (text, state) = self.rendered(scene, Purpose::Preview)?;
        let missing = state.missed.iter().filter(|miss| miss.is_outside(&state.outside));
        let missing = missing.map(|miss| expression::as_written(&miss.path)).collect();
        let mistakes = state.missed.iter().filter_map(|miss| miss.mistake(&state.outside));
        let mut faults: BTreeSet<Fault> =
            mistakes.map(|(name, reason)| Fault::new(self.line_of(name), reason)).collect();
        faults.extend(state.faults.into_iter().map(|(line, reason)| Fault::new(line, reason)));
        faults.extend(self.notes.iter().cloned());
        faults.extend(braze::too_long(&state.extras).map(|reason| Fault::new(0, reason)));
        let faults = faults.into_iter().collect();
        Ok(Preview { text, faults, missing, extras: state.extras })
    }

    /// Takes every branch over values of which some are not known.
    pub fn explore(&self, scene: &Scene<'_>) -> Result<Exploration, NotRendered> {
        let (text, state) = self.rendered(scene, Purpose::Exploration)?;
        let faults = state.faults.into_iter().map(|(line, reason)| Fault::new(line, reason));
        let unknown = state.missed.iter().filter(|miss| miss.is_unknown(&state.outside));
        let unknown_names: BTreeSet<Fault> = unknown
            .map(|miss| {
                let (name, reason) = miss.explained();
                Fault::new(self.line_of(name), reason)
            })
            .collect();
        Ok(Exploration {
            text,
            faults: faults.collect(),
            unknown_names: unknown_names.into_iter().collect(),
            bare_columns: state.bare.iter().filter_map(|name| unknown::column(name)).collect(),
            bare: state.bare.into_iter().filter(|name| !unknown::is_item(name)).collect(),
            columns: state.columns,
            catalogs: state.named_catalogs,
            shows_time: state.shows_time,
            meets_unknown: state.has_met_unknown,
        })
    }

    fn rendered(
        &self,
        scene: &Scene<'_>,
        purpose: Purpose,
    ) -> Result<(String, State), NotRendered> {
        let variables = Variables::new(scene.given, purpose, scene.limits.max_steps);
        state::with(&variables, |state| {
            *state = State {
                purpose,
                now: scene.now,
                steps_left: scene.limits.max_steps,
                max_bytes: scene.limits.max_bytes,
                calls: scene.calls.clone(),
                catalogs: scene.catalogs.clone(),
                known_groups: scene.known_groups,
                inert: scene.inert,
                outside: self.outside_of(scene.known_groups),
                set: if purpose == Purpose::Exploration {
                    self.set.clone()
                } else {
                    BTreeSet::new()
                },
                ..State::default()
            };
        });
        let mut text = Bounded::new(scene.limits.max_bytes);
        let result = self.template.render_to(&mut text, &variables);
        let state = variables.into_state();
        let stop = if text.is_exceeded { Some(Stop::Bytes) } else { state.stop.clone() };
        match (stop, result) {
            (Some(Stop::Steps), _) => Err(NotRendered::Steps),
            (Some(Stop::Bytes), _) => Err(NotRendered::Bytes),
            (Some(Stop::Aborted(reason)), _) => Err(NotRendered::Aborted(reason)),
            (None, Err(error)) => Err(NotRendered::Refused(reason_of(&error))),
            (None, Ok(())) => Ok((text.into_text(), state)),
        }
    }

    /// The groups that only Braze knows.
    fn outside_of(&self, known_groups: &[&str]) -> BTreeSet<String> {
        let is_outside = |group: &&String| !known_groups.contains(&group.as_str());
        self.outside.iter().filter(is_outside).cloned().collect()
    }

    /// Renders inside another rendering.
    fn inner(&self, runtime: &dyn Runtime) -> liquid_core::Result<String> {
        let max_bytes = state::with(runtime, |state| {
            state.outside.extend(self.outside_of(state.known_groups));
            state.max_bytes
        });
        let mut text = Bounded::new(max_bytes);
        let result = self.template.render_to(&mut text, runtime);
        if text.is_exceeded {
            return state::with(runtime, |state| state::stop(state, Stop::Bytes));
        }
        result.map(|()| text.into_text())
    }
}

/// What the template language says is wrong, on one line: it draws it over several.
fn reason_of(error: &liquid_core::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().find_map(|line| line.trim_start().strip_prefix("= "));
    let first = text.lines().next().unwrap_or_default();
    let reason = reason.unwrap_or_else(|| first.strip_prefix("liquid: ").unwrap_or(first));
    reason.trim().to_owned()
}
