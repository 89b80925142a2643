//! A condition of a campaign, in the Common Expression Language.
//!
//! The expression sees one variable, `event`: the fields of the event as JSON, and its
//! `id`, `time` and `type`. An event without a field that it names does not fulfil it.

mod event_types;
mod explanation;
mod kinds;
mod names;
mod numbers;
mod question;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod truth;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use contract::user_record::Event;
use serde_json::{Map, Value};

use crate::config::Expression;
use crate::reference::Root;
pub(crate) use kinds::{Kind, Kinds};
use names::Names;
pub(crate) use question::{Question, Unanswered};
use syntax::Mistake;
use truth::Truth;

/// Deepest nesting of a field's value that an expression sees.
const MAX_DEPTH: usize = 16;

/// The macros, which are written like functions.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "filter", "has", "map"];

/// What an event is about, and is not among its fields.
const USER_ID: &str = "user_id";

/// The standard functions. To declare them takes longer than to evaluate a condition.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    event_types: Option<BTreeSet<String>>,
    fields: BTreeSet<String>,
    paths: BTreeSet<String>,
    truths: BTreeSet<String>,
}

/// The condition could not be evaluated for an event.
#[derive(Debug, thiserror::Error)]
#[error("condition could not be evaluated: {0}")]
pub struct NotEvaluated(&'static str);

impl Condition {
    /// Compiles the condition of a setting, or says what is wrong in which line of
    /// `campaign.toml`.
    pub(crate) fn compile(
        setting: &str,
        expression: &Expression,
    ) -> Result<Self, Vec<(usize, String)>> {
        let program = parsed(setting, expression)?;
        let names = Names::of(program.expression(), &[Root::Event]);
        if let Some(reason) = bare_type(&expression.text) {
            return Err(vec![(expression.line, format!("{setting}: {reason}"))]);
        }
        let mut wrong = wrong_names(&names);
        let truth = Truth::of(program.expression());
        wrong.extend(never_met(&truth, &names));
        let event_types = event_types::of(&program.expression().expr);
        if event_types.as_ref().is_some_and(BTreeSet::is_empty) {
            let one = "an event has one type, so it is never met: write || between types, or event.type in [...]";
            wrong.push(one.to_owned());
        }
        if wrong.is_empty() {
            let (fields, paths) = (names.fields(), names.paths());
            return Ok(Self { program, event_types, fields, paths, truths: truth.fields });
        }
        let wrong =
            wrong.into_iter().map(|reason| (expression.line, format!("{setting}: {reason}")));
        Err(wrong.collect())
    }

    /// The event types that it names, without one of which no event fulfils it; `None` if it
    /// can be any.
    pub fn event_types(&self) -> Option<&BTreeSet<String>> {
        self.event_types.as_ref()
    }

    /// The top-level fields of the event that it looks at.
    pub fn fields(&self) -> &BTreeSet<String> {
        &self.fields
    }

    /// The fields that it looks at, by their paths.
    pub(crate) fn paths(&self) -> &BTreeSet<String> {
        &self.paths
    }

    /// What is said of comparisons with texts that are numbers.
    pub(crate) fn numbers_as_texts(&self) -> Vec<String> {
        numbers::as_texts(&self.program.expression().expr)
    }

    /// The fields, by their paths, that stand by themselves and must be true or false.
    pub(crate) fn truths(&self) -> &BTreeSet<String> {
        &self.truths
    }

    /// What it sees in an event, a line for each field and what it is compared with. It
    /// quotes the event: for a person's screen, and never for a log.
    pub fn explain(&self, event_type: &str, event: &Event) -> Vec<String> {
        let value_of = |path: &[&str]| match path {
            ["id"] => Some(Value::from(event.id.as_str())),
            ["time"] => Some(Value::from(event.time)),
            ["type"] => Some(Value::from(event_type)),
            [first, rest @ ..] => {
                let first = event.fields.get(*first)?;
                rest.iter().try_fold(first, |value, name| value.get(name)).cloned()
            }
            [] => None,
        };
        let mut lines = Vec::new();
        explanation::lines(&self.program.expression().expr, &value_of, &mut lines);
        lines
    }

    /// Tells whether an event fulfils it.
    pub fn holds(&self, event_type: &str, event: &Event) -> Result<bool, NotEvaluated> {
        if self.event_types.as_ref().is_some_and(|types| !types.contains(event_type)) {
            return Ok(false);
        }
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        let mut seen = entries(&event.fields, 0);
        let mut add = |name: &str, value| drop(seen.insert(key(name), value));
        add("id", Cel::String(Arc::new(event.id.clone())));
        add("time", Cel::Int(event.time));
        add("type", Cel::String(Arc::new(event_type.to_owned())));
        context.add_variable_from_value("event", Cel::Map(CelMap { map: Arc::new(seen) }));
        match self.program.execute(&context) {
            Ok(Cel::Bool(holds)) => Ok(holds),
            Ok(_) => Err(NotEvaluated("it is neither true nor false")),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            // The error's own text can quote the event.
            Err(_) => Err(NotEvaluated("its operators do not fit the values")),
        }
    }
}

/// Parses the expression of a setting, or says what is wrong in which line of `campaign.toml`.
fn parsed(setting: &str, expression: &Expression) -> Result<Program, Vec<(usize, String)>> {
    Program::compile(&expression.text).map_err(|errors| {
        let mistakes = syntax::mistakes(&expression.text, &errors).into_iter();
        let told = mistakes.map(|Mistake { line, column, reason }| {
            (expression.line + line - 1, format!("{setting} {line}:{column}: {reason}"))
        });
        told.collect()
    })
}

/// What stands where only true or false can, and is neither.
fn never_met(truth: &Truth, names: &Names) -> Vec<String> {
    // What a function that is not there comes to, nobody can tell.
    let is_known = |what: &&String| {
        let function = what.split_once("()").map_or("", |(function, _)| function);
        !names.unknown_functions.contains(function)
    };
    let never = truth.wrong.iter().filter(is_known).map(|what| {
        format!("{what} is neither true nor false, so it is never met: compare it with something")
    });
    never.collect()
}

/// What is wrong with the names in a condition.
fn wrong_names(names: &Names) -> Vec<String> {
    let mut wrong: Vec<String> = names.unknown.iter().map(|name| unknown(name)).collect();
    wrong.extend(names.unknown_functions.iter().map(|name| unknown_function(name)));
    if names.fields().contains(USER_ID) {
        wrong.push(format!("event.{USER_ID} is not there: a condition is the same for all users"));
    }
    // A field that nobody can tell would be dropped if it is a personal one.
    if names.whole.contains(&Root::Event) {
        wrong.push("event must be followed by the name of a field: write event.name".to_owned());
    }
    wrong
}

/// What is said of an event type that stands in place of a condition.
fn bare_type(text: &str) -> Option<String> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let text = text.trim();
    let (space, last) = text.rsplit_once('.')?;
    let is_type = space.starts_with("users.") || last.starts_with(|c: char| c.is_ascii_uppercase());
    let is_type = is_type && !text.starts_with("event.") && text.split('.').all(is_part);
    is_type.then(|| format!("is an event type and no condition: write event.type == \"{text}\""))
}

/// What is said of a name that is not there.
fn unknown(name: &str) -> String {
    let meant = match name.to_lowercase().as_str() {
        literal @ ("true" | "false" | "null") => literal.to_owned(),
        "none" | "nil" | "undefined" => "null".to_owned(),
        _ => format!("event.{name}"),
    };
    format!("unknown name \"{name}\": write {meant}")
}

/// What is said of a function that is not there.
fn unknown_function(name: &str) -> String {
    let remedy = match name {
        "matches" => {
            ": there are no regular expressions; write startsWith, endsWith or contains".to_owned()
        }
        name => match dialect::did_you_mean(name, names::FUNCTIONS.into_iter().chain(MACROS)) {
            meant if meant.is_empty() => format!(": there is {}", names::FUNCTIONS.join(", ")),
            meant => meant,
        },
    };
    format!("unknown function \"{name}\"{remedy}")
}

fn object(map: &Map<String, Value>, depth: usize) -> Cel {
    Cel::Map(CelMap { map: Arc::new(entries(map, depth)) })
}

fn entries(map: &Map<String, Value>, depth: usize) -> HashMap<Key, Cel> {
    map.iter().map(|(name, value)| (key(name), cel(value, depth + 1))).collect()
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn cel(value: &Value, depth: usize) -> Cel {
    match value {
        _ if depth > MAX_DEPTH => Cel::Null,
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cel::Int(integer),
            None => Cel::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(values) => {
            Cel::List(Arc::new(values.iter().map(|value| cel(value, depth + 1)).collect()))
        }
        Value::Object(map) => object(map, depth),
    }
}
