//! `case` and `when`.

use std::io::Write;

use liquid_core::parser::{Language, TagBlock, TagTokenIter};
use liquid_core::{BlockReflection, Expression, ParseBlock, Renderable, Result, Runtime, Template};

use super::{condition, explore_branches, is_exploring, part};
use crate::{ruby, state, unknown};

/// Chooses by one value.
#[derive(Debug, Clone)]
pub(super) struct CaseBlock;

#[derive(Debug)]
struct Case {
    value: Expression,
    whens: Vec<(Vec<Expression>, Template)>,
    otherwise: Option<Template>,
}

impl BlockReflection for CaseBlock {
    fn start_tag(&self) -> &str {
        "case"
    }

    fn end_tag(&self) -> &str {
        "endcase"
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseBlock for CaseBlock {
    fn parse(
        &self,
        mut tokens: TagTokenIter<'_>,
        mut block: TagBlock<'_, '_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let value = condition::value(tokens.expect_next("case takes a value")?)?;
        tokens.expect_nothing()?;
        let (mut whens, mut otherwise) = (Vec::new(), None);
        // What stands in front of the first `when` is shown never.
        let mut end = part(&mut block, language, &["when", "else"])?.end;
        while let Some(tag) = end {
            let is_when = tag.name() == "when";
            let values = if is_when { values(tag.into_tokens())? } else { Vec::new() };
            let part = part(&mut block, language, &["when", "else"])?;
            let template = Template::new(part.elements);
            if is_when {
                whens.push((values, template));
            } else {
                otherwise = Some(template);
            }
            end = part.end;
        }
        block.assert_empty();
        Ok(Box::new(Case { value, whens, otherwise }))
    }

    fn reflection(&self) -> &dyn BlockReflection {
        self
    }
}

/// Values with commas or `or` between them.
fn values(mut tokens: TagTokenIter<'_>) -> Result<Vec<Expression>> {
    let mut values = vec![condition::value(tokens.expect_next("when takes a value")?)?];
    while let Some(token) = tokens.next() {
        if ![",", "or"].contains(&token.as_str()) {
            return Err(token.raise_custom_error("values of when have , or or between them"));
        }
        values.push(condition::value(tokens.expect_next("when takes a value")?)?);
    }
    Ok(values)
}

impl Renderable for Case {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        state::spend(runtime, 1)?;
        let value = self.value.evaluate(runtime)?;
        if is_exploring(runtime) {
            return self.explore(&value, writer, runtime);
        }
        let mut is_found = false;
        for (values, template) in &self.whens {
            // Ruby shows every branch that fits, as often as it fits.
            for when in values {
                state::spend(runtime, 1)?;
                if ruby::is_equal(&value, &when.evaluate(runtime)?) {
                    is_found = true;
                    template.render_to(writer, runtime)?;
                }
            }
        }
        match &self.otherwise {
            Some(otherwise) if !is_found => otherwise.render_to(writer, runtime),
            _ => Ok(()),
        }
    }
}

impl Case {
    fn explore(
        &self,
        value: &dyn liquid_core::ValueView,
        writer: &mut dyn Write,
        runtime: &dyn Runtime,
    ) -> Result<()> {
        for when in self.whens.iter().flat_map(|(values, _)| values) {
            when.evaluate(runtime)?;
        }
        let fields = unknown::fields(value);
        state::with(runtime, |state| state.guarded.extend(fields.iter().cloned()));
        let branches: Vec<&Template> =
            self.whens.iter().map(|(_, template)| template).chain(&self.otherwise).collect();
        explore_branches(&branches, self.otherwise.is_some(), true, writer, runtime)?;
        state::with(runtime, |state| state.guarded.truncate(state.guarded.len() - fields.len()));
        Ok(())
    }
}
