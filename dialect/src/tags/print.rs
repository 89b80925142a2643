//! `{{ value }}`, and the text around it.

use std::io::Write;
use std::sync::Arc;

use liquid_core::error::ResultLiquidReplaceExt as _;
use liquid_core::parser::{FilterChain, Language, TagTokenIter};
use liquid_core::{ParseTag, Renderable, Result, Runtime, TagReflection, ValueView as _};

use super::{Tables, wrong};
use crate::notation::{PRINT, Place, TEXT};
use crate::ruby::{self, Kind};
use crate::state::{self, Purpose, State};
use crate::{expression, moment, unknown};

/// Shows a text of the table.
#[derive(Debug, Clone)]
pub(super) struct TextTag(pub(super) Arc<Tables>);

/// Prints a value.
#[derive(Debug, Clone)]
pub(super) struct PrintTag(pub(super) Arc<Tables>);

#[derive(Debug)]
struct Text {
    tables: Arc<Tables>,
    number: usize,
}

#[derive(Debug)]
struct Print {
    place: Place,
    value: FilterChain,
}

impl TagReflection for TextTag {
    fn tag(&self) -> &str {
        TEXT
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for TextTag {
    fn parse(&self, mut tokens: TagTokenIter<'_>, _: &Language) -> Result<Box<dyn Renderable>> {
        let number = number(&mut tokens)?;
        Ok(Box::new(Text { tables: Arc::clone(&self.0), number }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

impl Renderable for Text {
    fn render_to(&self, writer: &mut dyn Write, _: &dyn Runtime) -> Result<()> {
        let text = self.tables.texts.get(self.number).map_or("", String::as_str);
        writer.write_all(text.as_bytes()).replace("cannot be written")
    }
}

impl TagReflection for PrintTag {
    fn tag(&self) -> &str {
        PRINT
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for PrintTag {
    fn parse(
        &self,
        mut tokens: TagTokenIter<'_>,
        language: &Language,
    ) -> Result<Box<dyn Renderable>> {
        let place = self.0.places.get(number(&mut tokens)?).cloned();
        let Some(place) = place else { return wrong("an output without a place") };
        let value = tokens.expect_next("a value is expected")?;
        let value = super::chain(value, language)?;
        if let Some(token) = tokens.next() {
            let reason = format!(
                "{} stands behind a value, where only | and a filter can; arguments of a filter follow a :",
                token.as_str()
            );
            return Err(token.raise_custom_error(&reason));
        }
        Ok(Box::new(Print { place, value }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

/// The number of an entry of the tables.
pub(super) fn number(tokens: &mut TagTokenIter<'_>) -> Result<usize> {
    let token = tokens.expect_next("a number is expected")?;
    let number = token.expect_literal().into_result()?;
    let number = number.as_scalar().and_then(|scalar| scalar.to_integer());
    number.and_then(|number| usize::try_from(number).ok()).map_or_else(|| wrong("no number"), Ok)
}

impl Renderable for Print {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let purpose = state::spend(runtime, 1)?;
        let misses = match purpose {
            Purpose::Text => 0,
            _ => state::with(runtime, |state| state.missed.len()),
        };
        let value = self.value.evaluate(runtime)?;
        match purpose {
            Purpose::Text => {}
            Purpose::Preview => {
                state::with(runtime, |state| self.previewed(&value, misses, state));
            }
            Purpose::Exploration => {
                state::with(runtime, |state| self.explored(&value, misses, state));
            }
        }
        let view = value.as_view();
        if purpose == Purpose::Text && view.type_name() == ruby::TEXT {
            return writer.write_all(view.to_kstr().as_bytes()).replace("cannot be written");
        }
        let mut text = ruby::text(view);
        if ruby::has_object(view)
            && let Some(inert) = state::with(runtime, |state| state.inert)
        {
            // An object is written with quotes, which a text of a user never has.
            text = inert(&text).into();
        }
        writer.write_all(text.as_bytes()).replace("cannot be written")
    }
}

impl Print {
    /// Tells an author what nobody would want to read.
    fn previewed(&self, value: &dyn liquid_core::ValueView, misses: usize, state: &mut State) {
        let reason = match ruby::kind(value) {
            Kind::Nil => match state.missed[misses..].last() {
                // It is told with everything that is looked up in vain.
                Some(miss) if miss.mistake(&state.outside).is_some() => return,
                Some(miss) if miss.is_unknown(&state.outside) => {
                    format!("prints nothing: {}", miss.explained().1)
                }
                _ => "prints nothing: the value is not there".to_owned(),
            },
            Kind::Text(text) if text.is_empty() => "prints nothing: the text is empty".to_owned(),
            Kind::Map(_) if !moment::is_time(value) => "prints a whole object".to_owned(),
            Kind::List(list) if list.values().any(|item| item.is_object()) => {
                "prints a whole list of objects".to_owned()
            }
            _ => return,
        };
        self.fault(state, &reason);
    }

    /// Tells an author what can never be right, and remembers what an event must have.
    fn explored(&self, value: &dyn liquid_core::ValueView, misses: usize, state: &mut State) {
        if unknown::is_unknown(value) {
            let bare = state::unguarded(state, value);
            state.bare.extend(bare);
            state.has_printed_unknown = true;
            state.has_met_unknown = true;
            return;
        }
        if let Kind::List(list) = ruby::kind(value) {
            let has_unknown = list.values().any(unknown::is_unknown);
            state.has_printed_unknown |= has_unknown;
            state.has_met_unknown |= has_unknown;
        }
        match ruby::kind(value) {
            Kind::Nil => {
                let reason = match state.missed[misses..].last() {
                    // It is told with everything that is looked up in vain.
                    Some(miss) if miss.is_unknown(&state.outside) => return,
                    Some(miss) if miss.is_outside(&state.outside) => {
                        let name = expression::as_written(&miss.path);
                        format!("prints nothing: only Braze knows {name}, so give it a default")
                    }
                    Some(miss) => format!("prints nothing: {} is never there", miss.path),
                    None => "prints nothing".to_owned(),
                };
                self.fault(state, &reason);
            }
            Kind::Map(map) if !moment::is_time(value) => {
                let names: Vec<String> = map.keys().map(|name| name.to_string()).collect();
                let reason = format!("prints a whole object: name one of {}", names.join(", "));
                self.fault(state, &reason);
            }
            Kind::List(list) if list.values().any(|item| item.is_object()) => {
                self.fault(
                    state,
                    "prints a whole list of objects: go through it with for, or take first or last",
                );
            }
            _ => {}
        }
    }

    fn fault(&self, state: &mut State, reason: &str) {
        let reason = format!("{} {reason}", self.place.written);
        state.faults.insert((self.place.line, reason));
    }
}
