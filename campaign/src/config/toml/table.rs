//! A table of `campaign.toml`: every setting is taken by itself, with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde::de::IntoDeserializer as _;

use super::places::{self, Elsewhere};
use super::value::{self, Setting};
use crate::folder::Found;
use crate::lines::line_at;

/// What is wrong with the settings.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<Found>,
    /// What must be there and is not: its name, and what is said of it.
    missing: Vec<(String, Found)>,
    /// Settings that stand where they do not belong, or are misspelt: they are not missing.
    elsewhere: BTreeSet<String>,
}

impl Faults {
    /// Remembers a fault.
    pub(super) fn add(&mut self, line: Option<usize>, reason: impl Into<String>) {
        self.found.push((line, reason.into()));
    }

    /// Remembers that something is missing.
    fn missing(&mut self, name: &str, line: Option<usize>, remedy: &str) {
        let reason = format!("{name} is missing{remedy}");
        self.missing.push((name.to_owned(), (line, reason)));
    }

    /// Everything, where `is_whole` says that all of the file could be read: what could not
    /// be read is not missing.
    pub(super) fn all(self, is_whole: bool) -> Vec<Found> {
        let elsewhere = self.elsewhere;
        let missing = self.missing.into_iter().filter(|(name, _)| !elsewhere.contains(name));
        let missing = missing.filter(|_| is_whole).map(|(_, found)| found);
        self.found.into_iter().chain(missing).collect()
    }
}

/// The settings that were not asked for yet.
pub(super) struct Table<'t, 'f> {
    pub(super) text: &'t str,
    pub(super) line: Option<usize>,
    name: Option<&'static str>,
    settings: BTreeMap<String, (usize, Spanned<DeValue<'t>>)>,
    faults: &'f mut Faults,
}

impl<'t, 'f> Table<'t, 'f> {
    /// The file as a whole.
    pub(super) fn root(text: &'t str, table: DeTable<'t>, faults: &'f mut Faults) -> Self {
        Self { text, line: None, name: None, settings: settings(text, table), faults }
    }

    /// Tells whether a setting is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// A table in it.
    pub(super) fn table(&mut self, name: &'static str) -> Option<Table<'t, '_>> {
        let Some((line, value)) = self.settings.remove(name) else {
            self.faults.missing(name, None, &format!(": add a table [{name}]"));
            return None;
        };
        match value.into_inner() {
            DeValue::Table(table) => Some(Table {
                text: self.text,
                line: Some(line),
                name: Some(name),
                settings: settings(self.text, table),
                faults: self.faults,
            }),
            _ => {
                self.fault(Some(line), format!("{name} must be one table: [{name}]"));
                // What would be in it is not missing.
                self.faults.elsewhere.extend(places::of_table(name).map(str::to_owned));
                None
            }
        }
    }

    /// Tells what `take` takes of each table of a list `[[name]]`, counted from 1.
    pub(super) fn each_table(
        &mut self,
        name: &'static str,
        mut take: impl FnMut(usize, Table<'t, '_>),
    ) {
        let Some((line, value)) = self.settings.remove(name) else { return };
        let reason = format!("{name} is a list of tables: write [[{name}]]");
        let DeValue::Array(tables) = value.into_inner() else {
            return self.fault(Some(line), reason);
        };
        for (n, value) in tables.into_iter().enumerate() {
            let line = line_at(self.text, value.span().start);
            let DeValue::Table(table) = value.into_inner() else {
                return self.fault(Some(line), reason);
            };
            let (text, settings) = (self.text, settings(self.text, table));
            take(
                n + 1,
                Table { text, line: Some(line), name: Some(name), settings, faults: self.faults },
            );
        }
    }

    /// Takes all that was not asked for yet, with their lines.
    pub(super) fn rest(&mut self) -> BTreeMap<String, (usize, Spanned<DeValue<'t>>)> {
        std::mem::take(&mut self.settings)
    }

    /// Remembers that a setting is missing.
    pub(super) fn missing(&mut self, name: &str, remedy: &str) {
        self.faults.missing(name, self.line, remedy);
    }

    /// A setting that must be there, with its line.
    pub(super) fn required<T: Setting<'t>>(&mut self, name: &str) -> Option<(usize, T)> {
        if !self.has(name) {
            self.faults.missing(name, self.line, "");
        }
        self.optional(name)
    }

    /// A setting, with its line.
    pub(super) fn optional<T: Setting<'t>>(&mut self, name: &str) -> Option<(usize, T)> {
        let (line, value) = self.settings.remove(name)?;
        match T::deserialize(value.clone().into_deserializer()) {
            Ok(value) => Some((line, value)),
            Err(_) => {
                self.fault(Some(line), value::wrong(name, T::KIND, value.get_ref()));
                None
            }
        }
    }

    /// The value of a setting, which must lie in a range.
    pub(super) fn within<T: PartialOrd + Display>(
        &mut self,
        name: &str,
        setting: Option<(usize, T)>,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let (line, value) = setting?;
        if !range.contains(&value) {
            let reason = format!("{name} must be {} to {}", range.start(), range.end());
            self.fault(Some(line), reason);
        }
        Some(value)
    }

    /// Texts, each with its line.
    pub(super) fn with_lines(&self, texts: Vec<Spanned<String>>) -> Vec<(usize, String)> {
        let line = |text: &Spanned<String>| line_at(self.text, text.span().start);
        texts.into_iter().map(|text| (line(&text), text.into_inner())).collect()
    }

    pub(super) fn fault(&mut self, line: Option<usize>, reason: impl Into<String>) {
        self.faults.add(line, reason);
    }

    /// Tells what was never asked for.
    pub(super) fn finish(mut self) {
        for (name, (line, value)) in std::mem::take(&mut self.settings) {
            let inside = match value.get_ref() {
                DeValue::Table(table) => Some(table.keys().map(|key| &**key.get_ref()).collect()),
                _ => None,
            };
            let Elsewhere { reason, meant } = places::told(self.name, &name, inside);
            self.fault(Some(line), reason);
            self.faults.elsewhere.extend(meant);
        }
    }
}

fn settings<'t>(text: &str, table: DeTable<'t>) -> BTreeMap<String, (usize, Spanned<DeValue<'t>>)> {
    let settings = table.into_iter().map(|(key, value)| {
        let line = line_at(text, key.span().start);
        (key.into_inner().into_owned(), (line, value))
    });
    settings.collect()
}
