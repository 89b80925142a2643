//! The filters, by name: Ruby's, as far as Braze has them, and Braze's own.
//!
//! None of them fails for a value: what is no number counts as 0, what is no text as what it
//! prints, what is no list as a list of itself, as in Ruby.

mod digest;
mod encoding;
mod list;
mod number;
mod text;
mod time;

use std::borrow::Cow;
use std::fmt;

use liquid_core::model::Value;
use liquid_core::parser::FilterArguments;
use liquid_core::{Error, Expression, Result, Runtime, ValueView};

use crate::ruby::{self, Kind, Number};
use crate::state::{self, Purpose};
use crate::{moment, unknown};

/// One filter.
#[derive(Debug)]
pub(crate) struct Filter {
    /// As templates call it.
    pub(crate) name: &'static str,
    /// Fewest and most arguments.
    pub(crate) arguments: (usize, usize),
    /// What it makes of a value.
    pub(crate) apply: fn(&Call<'_>) -> Result<Value>,
    /// The items of a list stay the same items.
    pub(crate) keeps_items: bool,
}

/// A filter whose result is new.
const fn filter(
    name: &'static str,
    arguments: (usize, usize),
    apply: fn(&Call<'_>) -> Result<Value>,
) -> Filter {
    Filter { name, arguments, apply, keeps_items: false }
}

/// A filter that chooses or orders the items of a list.
const fn choosing(
    name: &'static str,
    arguments: (usize, usize),
    apply: fn(&Call<'_>) -> Result<Value>,
) -> Filter {
    Filter { name, arguments, apply, keeps_items: true }
}

/// Filters that Braze does not have, with what helps instead.
pub(crate) const MISSING: [(&str, &str); 16] = [
    ("lstrip", "use strip"),
    ("rstrip", "use strip"),
    ("find", "use where and first"),
    ("find_index", "use for and forloop.index0"),
    ("has", "use where and size"),
    ("reject", "use for and unless"),
    ("sum", "add with plus in a for"),
    ("json", "use as_json_string"),
    ("pluralize", "use if"),
    ("camelize", "use capitalize"),
    ("camelcase", "use capitalize"),
    ("handle", "use downcase and replace"),
    ("handleize", "use downcase and replace"),
    ("money_with_currency", "use money and write the currency"),
    ("money_without_currency", "use money"),
    ("money_without_trailing_zeros", "use round"),
];

/// The filters, by what they are about.
const TABLES: [(&str, &[Filter]); 6] = [
    ("texts", text::FILTERS),
    ("numbers", number::FILTERS),
    ("lists", list::FILTERS),
    ("times", time::FILTERS),
    ("digests", digest::FILTERS),
    ("encodings", encoding::FILTERS),
];

/// All filters.
pub(crate) fn all() -> impl Iterator<Item = &'static Filter> {
    TABLES.into_iter().flat_map(|(_, table)| table)
}

/// The filters, by what they are about.
pub(crate) fn tables() -> impl Iterator<Item = (&'static str, &'static [Filter])> {
    TABLES.into_iter()
}

/// Names of all filters.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|filter| filter.name)
}

/// The filter of a name.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    all().find(|filter| filter.name == name)
}

/// What a filter is called with.
pub(crate) struct Call<'c> {
    input: &'c dyn ValueView,
    arguments: &'c [Value],
    named: &'c [(String, Value)],
    runtime: &'c dyn Runtime,
}

impl<'c> Call<'c> {
    /// The value, as it prints.
    fn text(&self) -> Cow<'c, str> {
        ruby::text(self.input)
    }

    /// The value, as a number. Who previews a template is told of a text that is one only by
    /// its beginning, or not at all.
    fn number(&self) -> Number {
        let number = Number::of(self.input);
        if !ruby::is_number(self.input) && !unknown::is_unknown(self.input) {
            let counted = ruby::text(&number.value()).into_owned();
            state::note(self.runtime, || {
                let what = match ruby::kind(self.input) {
                    ruby::Kind::Nil => "a value that is not there".to_owned(),
                    _ => format!("\"{}\"", ruby::text(self.input)),
                };
                format!("{what} is no number, and counts as {counted}")
            });
        }
        number
    }

    /// An argument, or nothing.
    fn argument(&self, n: usize) -> &dyn ValueView {
        self.arguments.get(n).map_or(&Value::Nil, |value| value as &dyn ValueView)
    }

    /// An argument, as it prints.
    fn text_of(&self, n: usize) -> Cow<'_, str> {
        ruby::text(self.argument(n))
    }

    /// An argument as a whole number, or what stands for none.
    fn whole(&self, n: usize, otherwise: i64) -> i64 {
        match self.arguments.get(n).map(|value| Number::of(value)) {
            None => otherwise,
            Some(Number::Integer(number)) => number,
            Some(Number::Float(number)) => number as i64,
        }
    }

    /// A named argument.
    fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The items of the value: of lists in it too; anything else is its own item.
    fn items(&self) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        flatten(self.input, &mut items);
        state::spend(self.runtime, items.len())?;
        Ok(items)
    }

    /// Refuses a result that would be too long.
    fn fits(&self, bytes: usize) -> Result<()> {
        state::fits(self.runtime, bytes)
    }

    /// A text that was decoded, and may hold what was not visible in the value.
    fn decoded(&self, text: &str) -> String {
        let inert = state::with(self.runtime, |state| state.inert);
        inert.map_or_else(|| text.to_owned(), |inert| inert(text))
    }

    /// Tells an author what the filter could not do.
    fn complain(&self, reason: String) {
        state::with(self.runtime, |state| {
            if state.purpose == Purpose::Preview {
                state.faults.insert((0, reason));
            }
        });
    }
}

fn flatten(value: &dyn ValueView, items: &mut Vec<Value>) {
    match ruby::kind(value) {
        Kind::Nil => {}
        Kind::List(list) => list.values().for_each(|item| match item.as_array() {
            Some(_) => flatten(item, items),
            None => items.push(item.to_value()),
        }),
        _ => items.push(value.to_value()),
    }
}

fn as_text(text: impl Into<String>) -> Result<Value> {
    Ok(Value::scalar(text.into()))
}

/// A filter, for the parser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known(pub(crate) &'static Filter);

/// A filter where it stands in a template.
#[derive(Debug)]
struct Applied {
    filter: &'static Filter,
    arguments: Vec<Expression>,
    named: Vec<(String, Expression)>,
}

impl liquid_core::FilterReflection for Known {
    fn name(&self) -> &str {
        self.0.name
    }

    fn description(&self) -> &str {
        ""
    }

    fn positional_parameters(&self) -> &'static [liquid_core::parser::ParameterReflection] {
        &[]
    }

    fn keyword_parameters(&self) -> &'static [liquid_core::parser::ParameterReflection] {
        &[]
    }
}

impl liquid_core::ParseFilter for Known {
    fn parse(&self, arguments: FilterArguments<'_>) -> Result<Box<dyn liquid_core::Filter>> {
        let named = arguments.keyword.map(|(name, value)| (name.to_owned(), value)).collect();
        let arguments: Vec<Expression> = arguments.positional.collect();
        let (fewest, most) = self.0.arguments;
        if !(fewest..=most).contains(&arguments.len()) {
            let takes = match (fewest, most) {
                (0, 0) => "no argument".to_owned(),
                (fewest, most) if fewest == most => {
                    format!("{most} argument{}", if most == 1 { "" } else { "s" })
                }
                (fewest, most) => format!("{fewest} to {most} arguments"),
            };
            let reason =
                format!("the filter {} takes {takes}, and has {}", self.0.name, arguments.len());
            return Err(Error::with_msg(reason));
        }
        Ok(Box::new(Applied { filter: self.0, arguments, named }))
    }

    fn reflection(&self) -> &dyn liquid_core::FilterReflection {
        self
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.filter.name)
    }
}

impl liquid_core::Filter for Applied {
    fn evaluate(&self, input: &dyn ValueView, runtime: &dyn Runtime) -> Result<Value> {
        let purpose = state::spend(runtime, 1 + ruby::weight(input))?;
        let mut arguments = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            arguments.push(argument.evaluate(runtime)?.into_owned());
        }
        let mut named = Vec::with_capacity(self.named.len());
        for (name, value) in &self.named {
            named.push((name.clone(), value.evaluate(runtime)?.into_owned()));
        }
        let call = Call { input, arguments: &arguments, named: &named, runtime };
        if purpose == Purpose::Exploration
            && let Some(explored) = self.explored(&call)
        {
            return Ok(explored);
        }
        let result = (self.filter.apply)(&call)?;
        call.fits(ruby::length(&result))?;
        // An object is written with quotes, which a text of a user never has.
        let mut all =
            std::iter::once(input).chain(arguments.iter().map(|value| value as &dyn ValueView));
        if result.type_name() == ruby::TEXT && all.any(ruby::has_object) {
            return as_text(call.decoded(&ruby::text(&result)));
        }
        Ok(result)
    }
}

impl Applied {
    /// What the filter makes of a value that is not known; `None` where everything is.
    fn explored(&self, call: &Call<'_>) -> Option<Value> {
        let arguments = call.arguments.iter().map(|argument| argument as &dyn ValueView);
        let known = |value: &dyn ValueView| !unknown::is_unknown(value);
        if self.filter.keeps_items && known(call.input) && arguments.clone().all(known) {
            list::look_at_property(call);
            return Some(call.input.to_value());
        }
        let is_list = call.input.is_array();
        let is_empty = call.input.as_array().is_some_and(|list| list.size() == 0);
        match self.filter.name {
            "size" if is_list => return Some(unknown::size()),
            "first" | "last" if is_empty => return Some(unknown::of([])),
            _ => {}
        }
        if known(call.input) && arguments.clone().all(known) {
            return None;
        }
        if self.filter.name == "default" {
            return Some(unknown::of([]));
        }
        if self.filter.name == "date" && moment::is_fine(&call.text_of(0)) {
            state::with(call.runtime, |state| state.shows_time = true);
        }
        let all = std::iter::once(call.input).chain(arguments);
        Some(unknown::of(all.flat_map(unknown::fields)))
    }
}
