//! What a rendering knows besides its variables: the time, what is left of its limits, and
//! what it is to remember for the author.

use std::collections::BTreeSet;
use std::rc::Rc;

use liquid_core::model::ScalarCow;
use liquid_core::{Error, Runtime, ValueView};

use crate::braze::Calls;
use crate::catalogs::{Catalogs, Column};
use crate::expression::{ATTRIBUTES, as_written};
use crate::ruby::{self, Kind};
use crate::suggestion::{did_you_mean, misspelt};
use crate::unknown;
use crate::vocabulary::{GROUPS_OF_BRAZE, OF_BRAZE};

/// Bytes that any rendering may hold.
const ALWAYS_FITS: usize = 4_096;

/// What a rendering is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The text.
    #[default]
    Text,
    /// The text, and what an author should know of it.
    Preview,
    /// What the template could do: every branch is taken, every loop goes round once.
    Exploration,
}

/// Why a rendering was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It did too much.
    Steps,
    /// It came to too much text.
    Bytes,
    /// The message says that it is not to be sent.
    Aborted(String),
}

/// Most notes without a line of one rendering: a loop makes many.
const MAX_NOTES: usize = 50;

/// Most names that are said to be there.
const MAX_NAMES: usize = 30;

/// The state of one rendering.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) purpose: Purpose,
    /// What "now" means, in UNIX seconds; without it there is no "now".
    pub(crate) now: Option<i64>,
    pub(crate) steps_left: u64,
    pub(crate) max_bytes: usize,
    pub(crate) stop: Option<Stop>,
    pub(crate) calls: Option<Rc<dyn Calls>>,
    pub(crate) catalogs: Option<Rc<dyn Catalogs>>,
    /// Groups of what Braze knows that are given whole.
    pub(crate) known_groups: &'static [&'static str],
    /// Makes harmless what a filter decodes.
    pub(crate) inert: Option<fn(&str) -> String>,
    /// Pairs of `message_extras`.
    pub(crate) extras: Vec<(String, String)>,
    /// What is known of nobody here, such as `custom_attribute`.
    pub(crate) outside: BTreeSet<String>,
    /// Variables that the template sets, somewhere.
    pub(crate) set: BTreeSet<String>,
    /// Branches and loops around, of which it is not known whether they are taken.
    pub(crate) conditions: usize,
    /// A value that is not known was printed.
    pub(crate) has_printed_unknown: bool,
    /// What was looked up and was not there.
    pub(crate) missed: Vec<Miss>,
    /// Line and reason of what an author should mend.
    pub(crate) faults: BTreeSet<(usize, String)>,
    /// What is printed of an event without a default, and without a condition on it.
    pub(crate) bare: BTreeSet<String>,
    /// Fields that a condition around asks for.
    pub(crate) guarded: Vec<String>,
    /// Columns of catalogs that were looked at.
    pub(crate) columns: BTreeSet<Column>,
    /// Catalogs that items were taken of, each with the line of its tag; `None` where the name is
    /// made on the way.
    pub(crate) named_catalogs: BTreeSet<(usize, Option<String>)>,
    /// Something finer than a day is printed of a time that is not known.
    pub(crate) shows_time: bool,
    /// A value that is not known was looked up.
    pub(crate) has_met_unknown: bool,
}

/// Something that was looked up and was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Miss {
    /// What was looked up, such as `last.properties.shwo`.
    pub(crate) path: String,
    /// The names beside which it was looked for.
    pub(crate) beside: Option<Vec<String>>,
    /// The whole variable is not there.
    is_variable: bool,
}

impl Miss {
    /// A variable that nobody set.
    pub(crate) fn variable(path: &[ScalarCow<'_>], names: impl Iterator<Item = String>) -> Self {
        Self { path: joined(path), beside: Some(names.collect()), is_variable: true }
    }

    /// A name that `value` does not have.
    pub(crate) fn inside(value: &dyn ValueView, path: &[ScalarCow<'_>]) -> Self {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let beside = match (ruby::kind(value), path.last().map(|index| ruby::kind(index))) {
            // What stands in the brackets is not there: that was told.
            (_, Some(Kind::Text(name))) if name.is_empty() => None,
            (Kind::List(_), Some(Kind::Text(_))) => names(&["first", "last", "size"]),
            (Kind::Map(map), _) => {
                let mut names: Vec<String> = map.keys().map(|name| name.to_string()).collect();
                names.sort();
                Some(names)
            }
            _ => None,
        };
        Self { path: joined(path), beside, is_variable: false }
    }

    /// Tells whether only Braze knows it.
    pub(crate) fn is_outside(&self, outside: &BTreeSet<String>) -> bool {
        outside.contains(self.root())
    }

    fn root(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or_default()
    }

    /// Tells whether it is a name that cannot be there.
    pub(crate) fn is_unknown(&self, outside: &BTreeSet<String>) -> bool {
        self.beside.is_some() && !self.is_outside(outside)
    }

    /// The name that is not there, and what is said of it.
    pub(crate) fn explained(&self) -> (&str, String) {
        let (whole, name) = self.parts();
        let names = self.beside.as_deref().unwrap_or_default();
        let meant = did_you_mean(name, names.iter().map(String::as_str));
        let names: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| *name != ATTRIBUTES)
            .take(MAX_NAMES)
            .collect();
        let known = match names.as_slice() {
            [] => String::new(),
            names => format!(" (there is {})", names.join(", ")),
        };
        (name, format!("{whole}{meant}{known}"))
    }

    /// The name that is not there by mistake, wherever it stands, with what is said of it: it
    /// is a slip of the hand, Braze's in another notation, or what is looked into and nobody
    /// set. Whether anything is under another name, a template may ask.
    pub(crate) fn mistake(&self, outside: &BTreeSet<String>) -> Option<(&str, String)> {
        if !self.is_unknown(outside) {
            return None;
        }
        let (whole, name) = self.parts();
        if self.is_variable
            && let Some(meant) = self.of_braze()
        {
            return Some((name, format!("{whole}: did you mean {meant}?")));
        }
        let names = self.beside.as_deref().unwrap_or_default();
        match misspelt(name, names.iter().map(String::as_str)) {
            Some(meant) => Some((name, format!("{whole}: did you mean {meant}?"))),
            None if self.is_variable && self.path != self.root() => Some(self.explained()),
            None => None,
        }
    }

    /// How Braze's notation is for what it knows by this name.
    fn of_braze(&self) -> Option<String> {
        match self.path.split_once('.') {
            Some((group, name)) if GROUPS_OF_BRAZE.contains(&group) => {
                Some(format!("{group}.${{{name}}}"))
            }
            None if OF_BRAZE.contains(&self.path.as_str()) => Some(format!("${{{}}}", self.path)),
            _ => None,
        }
    }

    /// What is not there, in words, and its name.
    fn parts(&self) -> (String, &str) {
        match self.path.rsplit_once('.') {
            Some((group, name)) if !self.is_variable && is_of_braze(group) => {
                (format!("there is no {}", as_written(&self.path)), name)
            }
            Some((whole, name)) if !self.is_variable => (format!("{whole} has no {name}"), name),
            _ => (format!("there is no {}", self.root()), self.root()),
        }
    }

    /// Something that is there and is nothing.
    pub(crate) fn nil(path: &[ScalarCow<'_>]) -> Self {
        Self { path: joined(path), beside: None, is_variable: false }
    }
}

/// Tells whether it is a group of what Braze knows.
fn is_of_braze(group: &str) -> bool {
    group == ATTRIBUTES || GROUPS_OF_BRAZE.contains(&group)
}

fn joined(path: &[ScalarCow<'_>]) -> String {
    let mut text = String::new();
    for index in path {
        match ruby::kind(index) {
            Kind::Integer(place) => text.push_str(&format!("[{place}]")),
            _ if text.is_empty() => text.push_str(&ruby::text(index)),
            _ => text.push_str(&format!(".{}", ruby::text(index))),
        }
    }
    text
}

/// Does something with the state of a rendering.
pub(crate) fn with<T>(runtime: &dyn Runtime, act: impl FnOnce(&mut State) -> T) -> T {
    act(&mut runtime.registers().get_mut::<State>())
}

/// Tells who previews a template what its author should look at, wherever it stands.
pub(crate) fn note(runtime: &dyn Runtime, reason: impl FnOnce() -> String) {
    with(runtime, |state| {
        if state.purpose == Purpose::Preview && state.faults.len() < MAX_NOTES {
            state.faults.insert((0, reason()));
        }
    });
}

/// Tells who previews a template what its author should look at in a line.
pub(crate) fn tell<I: IntoIterator<Item = String>>(
    runtime: &dyn Runtime,
    line: usize,
    reasons: impl FnOnce() -> I,
) {
    with(runtime, |state| {
        if state.purpose == Purpose::Preview {
            state.faults.extend(reasons().into_iter().map(|reason| (line, reason)));
        }
    });
}

/// What a rendering is for.
pub(crate) fn purpose(runtime: &dyn Runtime) -> Purpose {
    with(runtime, |state| state.purpose)
}

/// Remembers what was not there, where that is wanted.
pub(crate) fn missed(runtime: &dyn Runtime, miss: impl FnOnce() -> Miss) {
    if purpose(runtime) != Purpose::Text {
        let miss = miss();
        with(runtime, |state| state.missed.push(miss));
    }
}

/// Takes so many steps of those that are left, and tells what the rendering is for.
pub(crate) fn spend(runtime: &dyn Runtime, steps: usize) -> Result<Purpose, Error> {
    with(runtime, |state| match state.steps_left.checked_sub(steps as u64) {
        Some(left) => {
            state.steps_left = left;
            Ok(state.purpose)
        }
        None => stop(state, Stop::Steps),
    })
}

/// Refuses a text that is longer than any that may come of a rendering.
pub(crate) fn fits(runtime: &dyn Runtime, bytes: usize) -> Result<(), Error> {
    if bytes <= ALWAYS_FITS {
        return Ok(());
    }
    with(runtime, |state| if bytes > state.max_bytes { stop(state, Stop::Bytes) } else { Ok(()) })
}

/// Ends a rendering.
pub(crate) fn stop<T>(state: &mut State, why: Stop) -> Result<T, Error> {
    state.stop.get_or_insert(why);
    Err(Error::with_msg("stopped"))
}

/// Whether a value came from a field that an event may lack.
pub(crate) fn unguarded(state: &State, value: &dyn ValueView) -> Vec<String> {
    let fields = unknown::fields(value);
    fields.into_iter().filter(|field| !state.guarded.contains(field)).collect()
}
