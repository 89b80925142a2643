//! `assign`.

use std::io::Write;

use liquid_core::model::{KString, Value};
use liquid_core::parser::{FilterChain, Language, TagTokenIter, TryMatchToken};
use liquid_core::{
    Expression, ParseTag, Renderable, Result, Runtime, TagReflection, ValueView as _,
};

use super::each;
use crate::expression::plain_name;
use crate::state::{self, Purpose};
use crate::{ruby, unknown};

/// Sets a variable.
#[derive(Debug, Clone)]
pub(super) struct AssignTag;

#[derive(Debug)]
struct Assign {
    name: KString,
    value: Set,
}

#[derive(Debug)]
enum Set {
    Value(FilterChain),
    Range(Expression, Expression),
}

impl TagReflection for AssignTag {
    fn tag(&self) -> &str {
        "assign"
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for AssignTag {
    fn parse(
        &self,
        mut tokens: TagTokenIter<'_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let name = tokens.expect_next("assign is written {% assign name = value %}")?;
        let name = name.expect_identifier();
        let name = name.into_result_custom_msg("assign takes a name of letters, digits and _")?;
        let is = tokens.expect_next("assign is written {% assign name = value %}")?;
        is.expect_str("=").into_result_custom_msg("assign is written {% assign name = value %}")?;
        let value = tokens.expect_next("assign is written {% assign name = value %}")?;
        let value = match value.expect_range() {
            TryMatchToken::Matches((first, last)) => Set::Range(first, last),
            TryMatchToken::Fails(value) => Set::Value(super::chain(value, language)?),
        };
        if let Some(token) = tokens.next() {
            let reason = format!(
                "{} stands behind the value of {name}: assign takes one value and filters",
                token.as_str()
            );
            return Err(token.raise_custom_error(&reason));
        }
        Ok(Box::new(Assign { name: KString::from_ref(plain_name(name)), value }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

impl Renderable for Assign {
    fn render_to(&self, _: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let purpose = state::spend(runtime, 1)?;
        let mut value = match &self.value {
            Set::Value(value) => value.evaluate(runtime)?.into_owned(),
            Set::Range(first, last) => {
                let numbers = each::range(first, last, (0, None), runtime)?;
                Value::array(numbers.into_iter().map(|number| number.into_owned()))
            }
        };
        if purpose == Purpose::Exploration && unknown::is_unknown(&value) {
            // Where a field is there, what is made of it is there.
            value = unknown::of(state::with(runtime, |state| state::unguarded(state, &value)));
        }
        if purpose == Purpose::Text {
            runtime.set_global(self.name.clone(), value);
        } else {
            explore(&self.name, value, runtime);
        }
        Ok(())
    }
}

/// Sets a variable while a template is explored: where it may have been set to something else
/// before, it is not known which of the two it holds.
pub(super) fn explore(name: &KString, value: Value, runtime: &dyn Runtime) {
    let is_certain = state::with(runtime, |state| {
        state.purpose != Purpose::Exploration || state.conditions == 0
    });
    let Some(previous) = runtime.set_global(name.clone(), value.clone()) else { return };
    if is_certain || ruby::is_equal(&previous, &value) || previous.is_nil() {
        return;
    }
    let both = unknown::of(
        [&previous, &value]
            .into_iter()
            .flat_map(|of| state::with(runtime, |state| state::unguarded(state, of))),
    );
    runtime.set_global(name.clone(), if value.is_nil() { previous } else { both });
}
