//! Renders a campaign's prompt over a user's events.
//!
//! Guarantees: the template sees allow-listed fields only, and their values are
//! data — capped in length, without control characters, and unable to close the
//! delimiters that the template puts around them. "now" is the time of the newest event, so
//! that equal events make equal prompts.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use dialect::NotRendered;
use dialect::{Exploration, Fault, Limits, Object, Preview, Scene, Template, Value};

use crate::past::{MAX_DEPTH, MAX_ENTRIES, MAX_VALUE_CHARS, Past};
use crate::{field, safe_text};

/// What a template can include by `{% render 'name' %}`, or what is wrong with a name.
pub type Parts<'p> = &'p dyn Fn(&str) -> Result<String, String>;

/// Events that a template is explored with: as many as a prompt ever sees.
const EXPLORED_EVENTS: usize = 25;

/// Pairs of times an hour, a few minutes and a second apart. In no time zone does the day change within both.
const EXPLORED_TIMES: [(i64, i64); 2] =
    [(1_768_479_010, 1_768_483_411), (1_768_500_610, 1_768_505_011)];

/// A time of another day, week, month and year.
const ANOTHER_DAY: i64 = 1_802_000_000;

/// A compiled prompt.
#[derive(Debug)]
pub struct Prompt {
    template: Template,
    fields: BTreeSet<String>,
    /// The fields that the template prints with nothing in their place where they are
    /// missing: no default, and no condition on them.
    pub(crate) printed_bare: BTreeSet<String>,
    /// It differs between two events of a day, though all their fields are the same.
    pub(crate) shows_time: bool,
    /// It differs between events: it shows a field, or asks for one, or shows the day.
    pub(crate) shows_events: bool,
}

impl Prompt {
    /// Compiles a template and explores it, so that what can never be right fails at start
    /// and not in production: names that are not on the list, in every branch, and outputs
    /// that print nothing, or a whole object.
    pub fn compile(
        text: &str,
        fields: &BTreeSet<String>,
        parts: Parts<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let template = Template::parse_including(text, parts)?;
        let mut prompt = Self {
            template,
            fields: fields.clone(),
            printed_bare: BTreeSet::new(),
            shows_time: false,
            shows_events: false,
        };
        let explored = prompt.explored(EXPLORED_TIMES[0].0, EXPLORED_TIMES[0].0)?;
        let faults = told(&explored, "; correct it, or add the field to fields in campaign.toml");
        if !faults.is_empty() {
            return Err(faults);
        }
        if safe_text::shows_nothing(&explored.text) {
            let reason = "says nothing: write what the model is asked, with the fields of events";
            return Err(vec![Fault { line: 1, reason: reason.to_owned() }]);
        }
        // A time by itself, and the time between two events.
        let (mut of_all, mut of_newest) = (true, true);
        for (one, other) in EXPLORED_TIMES {
            let text = prompt.explored(one, one)?.text;
            of_all &= text != prompt.explored(other, other)?.text;
            of_newest &= text != prompt.explored(one, other)?.text;
        }
        prompt.shows_time = of_all || of_newest || explored.shows_time;
        let later = prompt.explored(ANOTHER_DAY, ANOTHER_DAY)?;
        prompt.shows_events = explored.meets_unknown || explored.text != later.text;
        prompt.printed_bare = explored.bare.intersection(fields).cloned().collect();
        Ok(prompt)
    }

    /// What is wrong with a template whose fields nobody can tell.
    pub(crate) fn faults_of_syntax(text: &str, parts: Parts<'_>) -> Result<(), Vec<Fault>> {
        Template::parse_including(text, parts).map(drop)
    }

    /// What the template could do with events whose fields hold anything, all at one time but
    /// for the newest.
    fn explored(&self, time: i64, newest: i64) -> Result<Exploration, Vec<Fault>> {
        let mut event = Object::new();
        event.insert("time".into(), Value::scalar(time));
        event.insert("type".into(), dialect::unknown_value("type"));
        for path in &self.fields {
            insert(&mut event, path, dialect::unknown_value(path));
        }
        let mut events = vec![Value::Object(event.clone()); EXPLORED_EVENTS - 1];
        event.insert("time".into(), Value::scalar(newest));
        events.push(Value::Object(event));
        let given = given(events);
        let explored = self.template.explore(&scene(&given, Some(newest)));
        explored.map_err(|error| vec![Fault { line: 1, reason: error.to_string() }])
    }

    /// Renders the prompt over events, oldest first.
    pub fn render(&self, events: &[Past]) -> Result<String, NotRendered> {
        let given = self.given(events);
        self.template.render(&scene(&given, events.last().map(|event| event.time)))
    }

    /// Renders the prompt, and says what nobody would want a model to read.
    pub fn preview(&self, events: &[Past]) -> Result<Preview, NotRendered> {
        let given = self.given(events);
        self.template.preview(&scene(&given, events.last().map(|event| event.time)))
    }

    fn given(&self, events: &[Past]) -> Object {
        given(events.iter().map(|event| Value::Object(self.visible(event))).collect())
    }

    /// The allow-listed fields of an event.
    fn visible(&self, event: &Past) -> Object {
        let mut visible = Object::new();
        visible.insert("time".into(), Value::scalar(event.time));
        visible.insert("type".into(), Value::scalar(inert_text(&event.event_type)));
        for path in &self.fields {
            if let Some(value) = field(&event.fields, path) {
                insert(&mut visible, path, inert(value, 0));
            }
        }
        visible
    }
}

/// Renders standing instructions, which are the same for every user and at all times.
pub fn instructions(text: &str, parts: Parts<'_>) -> Result<String, Vec<Fault>> {
    let template = Template::parse_including(text, parts)?;
    let given = Object::new();
    let failed = |error: NotRendered| vec![Fault { line: 1, reason: error.to_string() }];
    let explored = template.explore(&scene(&given, None)).map_err(failed)?;
    let faults = told(&explored, "; instructions see no event");
    if !faults.is_empty() {
        return Err(faults);
    }
    template.render(&scene(&given, None)).map_err(failed)
}

/// Everything that is wrong, with a remedy for names that nothing has.
fn told(explored: &Exploration, remedy: &str) -> Vec<Fault> {
    let named = |fault: &Fault| Fault { reason: format!("{}{remedy}", fault.reason), ..*fault };
    let mut faults: Vec<Fault> = explored.unknown_names.iter().map(named).collect();
    faults.extend(explored.faults.iter().cloned());
    faults.sort();
    faults
}

fn given(events: Vec<Value>) -> Object {
    Object::from_iter([("events".into(), Value::Array(events))])
}

fn scene(given: &Object, now: Option<i64>) -> Scene<'_> {
    Scene { given, now, limits: Limits::PROMPT, calls: None, inert: Some(without_delimiters) }
}

fn insert(object: &mut Object, path: &str, value: Value) {
    let Some((name, rest)) = path.split_once('.') else {
        object.insert(path.to_owned().into(), value);
        return;
    };
    let mut inner = match object.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Object::new(),
    };
    insert(&mut inner, rest, value);
    object.insert(name.to_owned().into(), Value::Object(inner));
}

/// Makes a value that can only be read as data.
fn inert(value: &serde_json::Value, depth: usize) -> Value {
    use serde_json::Value as Json;
    match value {
        _ if depth > MAX_DEPTH => Value::Nil,
        Json::String(text) => Value::scalar(inert_text(text)),
        Json::Array(values) => {
            Value::Array(values.iter().take(MAX_ENTRIES).map(|v| inert(v, depth + 1)).collect())
        }
        Json::Object(map) => {
            let entries = map.iter().take(MAX_ENTRIES);
            Value::Object(
                entries.map(|(k, v)| (inert_text(k).into(), inert(v, depth + 1))).collect(),
            )
        }
        plain => dialect::json::value(plain),
    }
}

fn inert_text(text: &str) -> String {
    text.chars().take(MAX_VALUE_CHARS).map(harmless).collect()
}

/// A text of any length that can close no delimiters.
pub(crate) fn without_delimiters(text: &str) -> String {
    text.chars().map(harmless).collect()
}

fn harmless(c: char) -> char {
    match c {
        '<' => '‹',
        '>' => '›',
        '"' => '”',
        c if c.is_control() => ' ',
        c => c,
    }
}
