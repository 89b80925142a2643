//! An expression over several roots: what a campaign asks of an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

use super::kinds::{self, KindOf};
use super::names::Names;
use super::truth::Truth;
use super::{FUNCTIONS, cel, never_met, parsed, unknown_function};
use crate::config::Expression;
use crate::reference::{Reference, Root};

/// A compiled expression that is true or false.
#[derive(Debug)]
pub(crate) struct Question {
    program: Program,
    places: BTreeSet<Reference>,
    whole: BTreeSet<Root>,
    columns: BTreeMap<String, String>,
}

/// Why there is neither true nor false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Something that it looks at is not there.
    Missing,
    /// Its operators do not fit the values.
    Misfit,
}

impl Question {
    /// Compiles the expression of a setting, or says what is wrong in which line of
    /// `campaign.toml`.
    pub(crate) fn compile(
        setting: &str,
        expression: &Expression,
    ) -> Result<Self, Vec<(usize, String)>> {
        let program = parsed(setting, expression)?;
        let names = Names::of(program.expression(), &Root::ALL);
        let mut wrong: Vec<String> = names.unknown.iter().map(|name| unknown(name)).collect();
        wrong.extend(names.unknown_functions.iter().map(|name| unknown_function(name)));
        wrong.extend(never_met(&Truth::of(program.expression()), &names));
        if wrong.is_empty() {
            let Names { places, whole, columns, .. } = names;
            return Ok(Self { program, places, whole, columns });
        }
        let told = wrong.into_iter();
        Err(told.map(|reason| (expression.line, format!("{setting}: {reason}"))).collect())
    }

    /// The places that it looks at.
    pub(crate) fn places(&self) -> &BTreeSet<Reference> {
        &self.places
    }

    /// The roots that it looks at as a whole, so that nobody can tell what it reads of them.
    pub(crate) fn whole(&self) -> &BTreeSet<Root> {
        &self.whole
    }

    /// The columns of items that it looks at, by how they are written.
    pub(crate) fn columns(&self) -> &BTreeMap<String, String> {
        &self.columns
    }

    /// What of it can never fit, where `kind_of` tells of which kinds the values of places are.
    pub(crate) fn misfits(&self, kind_of: KindOf<'_>) -> BTreeSet<String> {
        kinds::misfits(&self.program.expression().expr, kind_of)
    }

    /// All roots that it looks at.
    pub(crate) fn roots(&self) -> BTreeSet<Root> {
        self.places.iter().map(|place| place.root).chain(self.whole.iter().copied()).collect()
    }

    /// Tells whether it is true, where `seen` says what each of its roots is.
    pub(crate) fn is_met<'v>(
        &self,
        seen: impl IntoIterator<Item = (Root, &'v Value)>,
    ) -> Result<bool, Unanswered> {
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        for (root, value) in seen {
            context.add_variable_from_value(root.name(), cel(value, 0));
        }
        match self.program.execute(&context) {
            Ok(Cel::Bool(is_met)) => Ok(is_met),
            Err(ExecutionError::NoSuchKey(_) | ExecutionError::IndexOutOfBounds(_)) => {
                Err(Unanswered::Missing)
            }
            Ok(_) | Err(_) => Err(Unanswered::Misfit),
        }
    }
}

/// What is said of a name that is no root.
fn unknown(name: &str) -> String {
    let roots = || Root::ALL.into_iter().map(Root::name);
    match name.to_lowercase().as_str() {
        literal @ ("true" | "false" | "null") => {
            format!("unknown name \"{name}\": write {literal}")
        }
        "none" | "nil" | "undefined" => format!("unknown name \"{name}\": write null"),
        "item" => format!("unknown name \"{name}\": write items[0]"),
        _ => match dialect::did_you_mean(name, roots()) {
            meant if meant.is_empty() => format!(
                "unknown name \"{name}\": begin with one of answer, event, attributes, items, such as answer.{name}"
            ),
            meant => format!("unknown name \"{name}\"{meant}"),
        },
    }
}
