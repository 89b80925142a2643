//! `capture`.

use std::io::Write;

use liquid_core::error::ResultLiquidReplaceExt as _;
use liquid_core::model::{KString, Value};
use liquid_core::parser::{Language, TagBlock, TagTokenIter};
use liquid_core::{
    BlockReflection, ParseBlock, Renderable, Result, Runtime, Template, ValueView as _,
};

use crate::bounded::Bounded;
use crate::expression::plain_name;
use crate::{state, unknown};

/// Keeps what a part of a template comes to.
#[derive(Debug, Clone)]
pub(super) struct CaptureBlock;

#[derive(Debug)]
struct Capture {
    name: KString,
    inside: Template,
}

impl BlockReflection for CaptureBlock {
    fn start_tag(&self) -> &str {
        "capture"
    }

    fn end_tag(&self) -> &str {
        "endcapture"
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseBlock for CaptureBlock {
    fn parse(
        &self,
        mut tokens: TagTokenIter<'_>,
        mut block: TagBlock<'_, '_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let name = tokens.expect_next("capture is written {% capture name %}")?;
        // Ruby takes a text for a name.
        let name = match name.expect_identifier() {
            liquid_core::parser::TryMatchToken::Matches(name) => {
                KString::from_ref(plain_name(name))
            }
            liquid_core::parser::TryMatchToken::Fails(token) => {
                let name = token.expect_literal();
                let name = name.into_result_custom_msg("capture is written {% capture name %}")?;
                name.to_kstr().into_owned()
            }
        };
        tokens.expect_nothing()?;
        let inside = Template::new(block.parse_all(language)?);
        block.assert_empty();
        Ok(Box::new(Capture { name, inside }))
    }

    fn reflection(&self) -> &dyn BlockReflection {
        self
    }
}

impl Renderable for Capture {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let around = state::with(runtime, |state| {
            (std::mem::take(&mut state.bare), std::mem::take(&mut state.has_printed_unknown))
        });
        let mut captured = Bounded::new(state::with(runtime, |state| state.max_bytes));
        let rendered = self.inside.render_to(&mut captured, runtime);
        if captured.is_exceeded {
            return state::with(runtime, |state| state::stop(state, state::Stop::Bytes));
        }
        rendered?;
        let text = captured.into_text();
        let (inside, is_unknown) = state::with(runtime, |state| {
            let inside = std::mem::replace(&mut state.bare, around.0);
            (inside, std::mem::replace(&mut state.has_printed_unknown, around.1))
        });
        if is_unknown {
            // What it needs it needs where it is shown; what it shows of times counts here.
            writer.write_all(text.as_bytes()).replace("cannot be written")?;
            runtime.set_global(self.name.clone(), unknown::of(inside));
        } else {
            runtime.set_global(self.name.clone(), Value::scalar(text));
        }
        Ok(())
    }
}
