//! `assign`.

use std::io::Write;

use liquid_core::model::KString;
use liquid_core::parser::{FilterChain, Language, TagTokenIter};
use liquid_core::{ParseTag, Renderable, Result, Runtime, TagReflection, ValueView as _};

use crate::notation::plain_name;
use crate::state::{self, Purpose};
use crate::unknown;

/// Sets a variable.
#[derive(Debug, Clone)]
pub(super) struct AssignTag;

#[derive(Debug)]
struct Assign {
    name: KString,
    value: FilterChain,
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
        let value = super::chain(value, language)?;
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
        let mut value = self.value.evaluate(runtime)?.into_owned();
        if purpose == Purpose::Exploration && unknown::is_unknown(&value) {
            // Where a field is there, what is made of it is there.
            value = unknown::of(state::with(runtime, |state| state::unguarded(state, &value)));
        }
        let is_nil = value.is_nil();
        let previous = runtime.set_global(self.name.clone(), value);
        // All branches are explored, one after the other: the one that sets nothing is not the
        // one that decides.
        let is_kept = is_nil && purpose == Purpose::Exploration;
        if let Some(previous) = previous.filter(|_| is_kept) {
            runtime.set_global(self.name.clone(), previous);
        }
        Ok(())
    }
}
