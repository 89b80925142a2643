//! `connected_content`, `message_extras`, `abort_message`, and what is told of tags of messages
//! in prompts.

use std::io::Write;
use std::sync::Arc;

use liquid_core::error::ResultLiquidReplaceExt as _;
use liquid_core::parser::{Language, TagTokenIter};
use liquid_core::{ParseTag, Renderable, Result, Runtime, TagReflection};

use super::catalog::CatalogTag;
use super::{Tables, print, wrong};
use crate::braze::{self, Call};
use crate::notation::Place;
use crate::state::{self, Purpose, Stop};
use crate::vocabulary::CATALOG_ITEMS;
use crate::{catalogs, json};

/// Where Braze puts what is not saved under a name.
const CONNECTED: &str = "connected";

/// Where Braze puts the status of a call into what it saves.
const STATUS: &str = "__http_status_code__";

/// The status of every answer that gets here: Braze saves none of an error.
const SUCCESS: i64 = 200;

/// Which tag it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Call,
    Extras,
    Abort,
    /// The items of a catalog.
    Catalog,
    /// What only Braze knows: selections and codes.
    Outside(&'static str),
}

/// A tag whose arguments the parser has no words for.
#[derive(Debug, Clone)]
pub(super) struct BrazeTag {
    pub(super) kind: Kind,
    pub(super) tables: Arc<Tables>,
}

/// A tag that means something in a message only, of which nothing is explored.
#[derive(Debug)]
struct OfMessage {
    name: &'static str,
    line: usize,
    inner: Box<dyn Renderable>,
}

#[derive(Debug)]
struct CallTag {
    line: usize,
    url: crate::Template,
    call: Call,
}

#[derive(Debug)]
struct Extras {
    line: usize,
    key: crate::Template,
    value: crate::Template,
    /// The value, as it is written.
    written: String,
}

#[derive(Debug)]
struct Abort(String);

#[derive(Debug)]
struct Items {
    tag: CatalogTag,
    /// Where nobody knows catalogs.
    outside: OfMessage,
}

#[derive(Debug)]
struct Outside {
    name: &'static str,
    place: Place,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [
        Self::Call,
        Self::Extras,
        Self::Abort,
        Self::Catalog,
        Self::Outside("catalog_selection_items"),
        Self::Outside("promotion"),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Call => "connected_content",
            Self::Extras => "message_extras",
            Self::Abort => "abort_message",
            Self::Catalog => CATALOG_ITEMS,
            Self::Outside(name) => name,
        }
    }
}

impl TagReflection for BrazeTag {
    fn tag(&self) -> &str {
        self.kind.name()
    }

    fn description(&self) -> &str {
        ""
    }
}

impl ParseTag for BrazeTag {
    fn parse(&self, mut tokens: TagTokenIter<'_>, _: &Language) -> Result<Box<dyn Renderable>> {
        let place = self.tables.places.get(print::number(&mut tokens)?).cloned();
        let Some(place) = place else { return wrong("a tag without a place") };
        let arguments = place.written.as_str();
        let parsed = |text: &str| {
            let parsed = crate::Template::parse_inside(text, place.line);
            parsed.or_else(|faults| wrong(faults.first().map_or("", |fault| fault.reason.as_str())))
        };
        let (name, line) = (self.kind.name(), place.line);
        let inner: Box<dyn Renderable> = match self.kind {
            Kind::Catalog => {
                if let Some(reason) = catalogs::wrong(arguments) {
                    return wrong(reason);
                }
                let tag = CatalogTag::new(&place, parsed(arguments)?);
                let inner = Box::new(Outside { name, place });
                return Ok(Box::new(Items { tag, outside: OfMessage { name, line, inner } }));
            }
            Kind::Call => {
                let call = braze::call(arguments).or_else(wrong)?;
                Box::new(CallTag { line: place.line, url: parsed(&call.url)?, call })
            }
            Kind::Extras => {
                let (key, value) = braze::extras(arguments).or_else(wrong)?;
                let (line, written) = (place.line, value.to_owned());
                Box::new(Extras { line, key: parsed(key)?, value: parsed(value)?, written })
            }
            Kind::Abort => Box::new(Abort(braze::reason(arguments).or_else(wrong)?)),
            Kind::Outside(name) => Box::new(Outside { name, place: place.clone() }),
        };
        Ok(Box::new(OfMessage { name, line, inner }))
    }

    fn reflection(&self) -> &dyn TagReflection {
        self
    }
}

impl Renderable for OfMessage {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        if super::is_exploring(runtime) {
            let reason =
                format!("{} is a tag of messages, and does nothing in a prompt", self.name);
            state::with(runtime, |state| state.faults.insert((self.line, reason)));
            return Ok(());
        }
        self.inner.render_to(writer, runtime)
    }
}

impl Renderable for CallTag {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        state::spend(runtime, 1)?;
        let url = self.url.inner(runtime)?;
        let calls = state::with(runtime, |state| state.calls.clone());
        let call = Call { url, ..self.call.clone() };
        if let Some(calls) = &calls {
            state::tell(runtime, self.line, || calls.notes(&call));
        }
        let not_called = || format!("{} is not called here, so its answer is nothing", call.url);
        let answer = match calls.map_or_else(|| Err(not_called()), |calls| calls.answer(&call)) {
            Ok(answer) => answer,
            Err(reason) => {
                state::tell(runtime, self.line, || Some(reason));
                if let Some(name) = call.save {
                    runtime.set_global(name.into(), liquid_core::model::Value::Nil);
                }
                return Ok(());
            }
        };
        state::fits(runtime, answer.len())?;
        match serde_json::from_str::<serde_json::Value>(&answer) {
            Ok(mut value) => {
                if let serde_json::Value::Object(object) = &mut value {
                    object.insert(STATUS.to_owned(), SUCCESS.into());
                }
                let name = call.save.unwrap_or_else(|| CONNECTED.to_owned());
                runtime.set_global(name.into(), json::value(&value));
            }
            Err(_) => match call.save {
                Some(name) => {
                    let answer = liquid_core::model::Value::scalar(answer);
                    runtime.set_global(name.into(), answer);
                }
                None => writer.write_all(answer.as_bytes()).replace("cannot be written")?,
            },
        }
        Ok(())
    }
}

impl Renderable for Extras {
    fn render_to(&self, _: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        state::spend(runtime, 1)?;
        let (key, value) = (self.key.inner(runtime)?, self.value.inner(runtime)?);
        if value.trim().is_empty() {
            state::tell(runtime, self.line, || {
                Some(format!("the message extra {key} is empty: {} prints nothing", self.written))
            });
        }
        state::with(runtime, |state| {
            // The first of several equal keys counts.
            if state.extras.iter().all(|(other, _)| *other != key) {
                state.extras.push((key, value));
            }
        });
        Ok(())
    }
}

impl Renderable for Abort {
    fn render_to(&self, _: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let reason = self.0.clone();
        state::with(runtime, |state| state::stop(state, Stop::Aborted(reason)))
    }
}

impl Renderable for Items {
    fn render_to(&self, writer: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        let catalogs = state::with(runtime, |state| state.catalogs.clone());
        match catalogs {
            Some(catalogs) => self.tag.set(&catalogs, runtime),
            None => self.outside.render_to(writer, runtime),
        }
    }
}

impl Renderable for Outside {
    fn render_to(&self, _: &mut dyn Write, runtime: &dyn Runtime) -> Result<()> {
        if state::spend(runtime, 1)? != Purpose::Text {
            let Place { line, written } = &self.place;
            let reason =
                format!("{} {written}: only Braze knows it, and it is nothing here", self.name);
            state::with(runtime, |state| state.faults.insert((*line, reason)));
        }
        Ok(())
    }
}
