//! The tags: Ruby's, with lookups that do not fail and loops that end, and Braze's own.

mod braze_tags;
mod capture;
mod catalog;
mod choice;
mod condition;
mod each;
mod print;
mod set;

use std::sync::Arc;

pub(crate) use catalog::ITEMS;

use liquid_core::parser::{BlockElement, FilterChain, Language, TagBlock, TagToken, TryMatchToken};
use liquid_core::{Error, Renderable, Result, Runtime, Template};
use liquid_lib::stdlib;

use crate::filters::Known;
use crate::notation::Place;
use crate::reason_of;
use crate::state::{self, Purpose};

/// What the tags of one template refer to by number.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Texts between tags.
    pub(crate) texts: Vec<String>,
    /// Outputs, and tags with arguments of their own.
    pub(crate) places: Vec<Place>,
}

/// The language of one template.
pub(crate) fn language(tables: Tables) -> Language {
    let tables = Arc::new(tables);
    let mut language = Language::empty();
    for filter in crate::filters::all() {
        language.filters.register(filter.name.to_owned(), Box::new(Known(filter)));
    }
    let tags = &mut language.tags;
    tags.register("text".to_owned(), Box::new(print::TextTag(Arc::clone(&tables))));
    tags.register("print".to_owned(), Box::new(print::PrintTag(Arc::clone(&tables))));
    tags.register("assign".to_owned(), Box::new(set::AssignTag));
    tags.register("increment".to_owned(), Box::new(stdlib::IncrementTag));
    tags.register("decrement".to_owned(), Box::new(stdlib::DecrementTag));
    tags.register("cycle".to_owned(), Box::new(stdlib::CycleTag));
    tags.register("break".to_owned(), Box::new(stdlib::BreakTag));
    tags.register("continue".to_owned(), Box::new(stdlib::ContinueTag));
    for kind in braze_tags::Kind::ALL {
        let tag = braze_tags::BrazeTag { kind, tables: Arc::clone(&tables) };
        tags.register(kind.name().to_owned(), Box::new(tag));
    }
    let blocks = &mut language.blocks;
    blocks.register("if".to_owned(), Box::new(condition::IfBlock::IF));
    blocks.register("unless".to_owned(), Box::new(condition::IfBlock::UNLESS));
    blocks.register("case".to_owned(), Box::new(choice::CaseBlock));
    blocks.register("for".to_owned(), Box::new(each::EachBlock::FOR));
    blocks.register("tablerow".to_owned(), Box::new(each::EachBlock::TABLEROW));
    blocks.register("capture".to_owned(), Box::new(capture::CaptureBlock));
    language
}

/// A part of a block, and the tag that ends it.
struct Part<'a> {
    elements: Vec<Box<dyn Renderable>>,
    end: Option<liquid_core::parser::Tag<'a>>,
}

/// Parses a block up to one of these tags, or to its end.
fn part<'a>(block: &mut TagBlock<'a, '_>, language: &Language, ends: &[&str]) -> Result<Part<'a>> {
    let mut elements = Vec::new();
    while let Some(element) = block.next()? {
        match element {
            BlockElement::Tag(tag) if ends.contains(&tag.name()) => {
                return Ok(Part { elements, end: Some(tag) });
            }
            BlockElement::Tag(tag) => elements.push(tag.parse(block, language)?),
            element => elements.push(element.parse(block, language)?),
        }
    }
    Ok(Part { elements, end: None })
}

/// Renders branches of which only some are taken, when a template is explored: all of them.
/// What an event must have is what all branches print, where a value decides which is taken.
fn explore_branches(
    branches: &[&Template],
    has_else: bool,
    compares: bool,
    writer: &mut dyn std::io::Write,
    runtime: &dyn Runtime,
) -> Result<()> {
    let before = state::with(runtime, |state| {
        state.conditions += 1;
        std::mem::take(&mut state.bare)
    });
    let mut each = Vec::new();
    for branch in branches {
        branch.render_to(writer, runtime)?;
        // A `break` ends a round, and here every branch is looked at.
        runtime.registers().get_mut::<liquid_core::runtime::InterruptRegister>().reset();
        each.push(state::with(runtime, |state| std::mem::take(&mut state.bare)));
    }
    let all = if !compares {
        each.into_iter().flatten().collect()
    } else if has_else {
        let common = each.into_iter().reduce(|a, b| &a & &b);
        common.unwrap_or_default()
    } else {
        Default::default()
    };
    state::with(runtime, |state| {
        state.conditions -= 1;
        state.bare = &before | &all;
    });
    Ok(())
}

fn is_exploring(runtime: &dyn Runtime) -> bool {
    state::purpose(runtime) == Purpose::Exploration
}

/// A value and its filters.
fn chain(token: TagToken<'_>, language: &Language) -> Result<FilterChain> {
    let output = format!("{{{{ {} }}}}", token.as_str());
    match token.expect_filter_chain(language) {
        TryMatchToken::Matches(chain) => Ok(chain),
        // Why not is told only of an output.
        TryMatchToken::Fails(token) => {
            let reason = liquid_core::parser::parse(&output, language).err();
            let reason = reason.map_or("is no value".to_owned(), |error| reason_of(&error));
            Err(token.raise_custom_error(&reason))
        }
    }
}

/// A fault at a tag that the parser's own words would not explain.
fn wrong<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::with_msg(reason.into()))
}
