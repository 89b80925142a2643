//! Renders a campaign's prompt over a user's events, attributes and catalog items.
//!
//! Guarantees: the template sees allow-listed fields and attributes only, and all values are
//! data — capped in length, without control characters, and unable to close the
//! delimiters that the template puts around them. "now" is the time of the newest event, so
//! that equal events make equal prompts. Items that are wanted and not known are told, and
//! what is rendered without them is no prompt yet.

mod items;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeSet;
use std::rc::Rc;

use contract::attributes::CUSTOM_PREFIX;
use contract::catalog::ItemKey;
pub use dialect::NotRendered;
use dialect::{
    ATTRIBUTES, Column, Exploration, Fault, Limits, Object, Preview, Scene, Template, Value,
};

use crate::grounds::Grounds;
use crate::past::Past;
use crate::{field, safe_text};
pub(crate) use items::Used;
use items::{Anything, Lookup};
pub(crate) use values::without_delimiters;
use values::{EVENT, inert, inert_text};

/// What a template can include by `{% render 'name' %}`, or what is wrong with a name.
pub type Parts<'p> = &'p dyn Fn(&str) -> Result<String, String>;

/// Events that a template is explored with: as many as a prompt ever sees.
const EXPLORED_EVENTS: usize = 25;

/// Pairs of times an hour, a few minutes and a second apart. In no time zone does the day change within both.
const EXPLORED_TIMES: [(i64, i64); 2] =
    [(1_768_479_010, 1_768_483_411), (1_768_500_610, 1_768_505_011)];

/// A time of another day, week, month and year.
const ANOTHER_DAY: i64 = 1_802_000_000;

/// The group of custom attributes, `custom_attribute.${genre}`.
const CUSTOM_ATTRIBUTE: &str = "custom_attribute";

/// The group of the newest event's properties, `event_properties.${show}`.
const EVENT_PROPERTIES: &str = "event_properties";

/// The field of an event that these are.
const PROPERTIES: &str = "properties";

/// Groups of what Braze knows that a prompt sees as far as the campaign lists it.
const GROUPS: [&str; 3] = [ATTRIBUTES, CUSTOM_ATTRIBUTE, EVENT_PROPERTIES];

/// A compiled prompt.
#[derive(Debug)]
pub struct Prompt {
    template: Template,
    fields: BTreeSet<String>,
    attributes: BTreeSet<String>,
    /// Attributes that are printed bare, as fields are.
    pub(crate) bare_attributes: BTreeSet<String>,
    /// Columns of catalogs that the template looks at, each with its line.
    pub(crate) columns: Vec<(usize, Column)>,
    /// Those that are printed bare.
    pub(crate) bare_columns: BTreeSet<Column>,
    /// Catalogs that the template takes items of, each with its line; `None` where the name is
    /// made on the way.
    pub(crate) catalogs: BTreeSet<(usize, Option<String>)>,
    /// The fields that the template prints with nothing in their place where they are
    /// missing: no default, and no condition on them.
    pub(crate) printed_bare: BTreeSet<String>,
    /// It differs between two events of a day, though all their fields are the same.
    pub(crate) shows_time: bool,
    /// It differs between events: it shows a field, or asks for one, or shows the day.
    pub(crate) shows_events: bool,
}

/// A prompt, and the items that it used.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    /// The items, in the order in which they were used, and those that are in no catalog.
    pub(crate) used: Vec<Used>,
}

impl Rendered {
    /// The items that are in no catalog.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &ItemKey> {
        let missing = self.used.iter().filter(|used| used.item.is_none());
        missing.filter_map(|used| used.key.as_ref())
    }
}

/// What came of a rendering.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// These items are wanted and not known.
    Wants(BTreeSet<ItemKey>),
    /// A prompt that all is known for.
    Done(Rendered),
}

impl Prompt {
    /// Compiles a template and explores it, so that what can never be right fails at start
    /// and not in production: names that are not on the list, in every branch, and outputs
    /// that print nothing, or a whole object.
    pub fn compile(
        text: &str,
        (fields, attributes): (&BTreeSet<String>, &BTreeSet<String>),
        parts: Parts<'_>,
    ) -> Result<Self, Vec<Fault>> {
        let template = Template::parse_including(text, parts)?;
        let mut prompt = Self {
            template,
            fields: fields.clone(),
            attributes: attributes.clone(),
            bare_attributes: BTreeSet::new(),
            columns: Vec::new(),
            catalogs: BTreeSet::new(),
            bare_columns: BTreeSet::new(),
            printed_bare: BTreeSet::new(),
            shows_time: false,
            shows_events: false,
        };
        let explored = prompt.explored(EXPLORED_TIMES[0].0, EXPLORED_TIMES[0].0)?;
        let faults = told(&explored, &remedy);
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
        let is_bare = |name: &&String| explored.bare.contains(&as_written(name));
        prompt.bare_attributes = attributes.iter().filter(is_bare).cloned().collect();
        let line_of = |(_, name): &Column| prompt.template.line_of(name);
        prompt.columns = explored.columns.into_iter().map(|each| (line_of(&each), each)).collect();
        prompt.catalogs = explored.catalogs;
        prompt.bare_columns = explored.bare_columns;
        Ok(prompt)
    }

    /// Whether it asks for items of catalogs, somewhere.
    pub fn has_catalogs(&self) -> bool {
        self.template.has_catalogs()
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
        let events = vec![Value::Object(event.clone()); EXPLORED_EVENTS - 1];
        event.insert("time".into(), Value::scalar(newest));
        let any = |name: &str| Some(dialect::unknown_value(&as_written(name)));
        let given = self.given(events, event, &any);
        let mut scene = scene(&given, Some(newest));
        scene.catalogs = self.template.has_catalogs().then(|| Rc::new(Anything) as _);
        let explored = self.template.explore(&scene);
        explored.map_err(|error| vec![Fault { line: 1, reason: error.to_string() }])
    }

    /// Renders the prompt over what is known of a user.
    pub(crate) fn render(&self, grounds: &Grounds<'_>) -> Result<Outcome, NotRendered> {
        let given = self.given_by(grounds);
        let mut scene = scene(&given, grounds.events.last().map(|event| event.time));
        if !self.template.has_catalogs() {
            let text = self.template.render(&scene)?;
            return Ok(Outcome::Done(Rendered { text, used: Vec::new() }));
        }
        let lookup = Lookup::new(grounds.items);
        scene.catalogs = Some(Rc::clone(&lookup) as _);
        let rendered = self.template.render(&scene);
        let wanted = lookup.wanted();
        if !wanted.is_empty() {
            // What came of it without them decides nothing.
            return Ok(Outcome::Wants(wanted));
        }
        Ok(Outcome::Done(Rendered { text: rendered?, used: lookup.used() }))
    }

    /// Renders the prompt, and says what nobody would want a model to read; items that are not
    /// known count as missing.
    pub fn preview(&self, grounds: &Grounds<'_>) -> Result<Preview, NotRendered> {
        let given = self.given_by(grounds);
        let mut scene = scene(&given, grounds.events.last().map(|event| event.time));
        scene.catalogs = self.template.has_catalogs().then(|| Lookup::new(grounds.items) as _);
        self.template.preview(&scene)
    }

    /// What the template is rendered over.
    fn given_by(&self, grounds: &Grounds<'_>) -> Object {
        let events = grounds.events.iter().map(|event| self.visible(event));
        let mut events: Vec<Value> = events.map(Value::Object).collect();
        let newest = match events.pop() {
            Some(Value::Object(newest)) => newest,
            _ => Object::new(),
        };
        let value_of = |name: &str| Some(inert(grounds.attributes.get(name)?, &EVENT, 0));
        let mut given = self.given(events, newest, &value_of);
        if grounds.events.is_empty() {
            given.insert("events".into(), Value::Array(Vec::new()));
        }
        given
    }

    /// The variables: events, of which the newest comes last, and the groups of what Braze
    /// knows.
    fn given(
        &self,
        mut events: Vec<Value>,
        newest: Object,
        value_of: &dyn Fn(&str) -> Option<Value>,
    ) -> Object {
        let (mut own, mut custom) = (Object::new(), Object::new());
        for name in &self.attributes {
            let Some(value) = value_of(name) else { continue };
            match name.strip_prefix(CUSTOM_PREFIX) {
                Some(name) => custom.insert(name.to_owned().into(), value),
                None => own.insert(name.clone().into(), value),
            };
        }
        let groups = self.template.groups();
        let mut given = Object::new();
        if groups.contains(EVENT_PROPERTIES) {
            let none = || Value::Object(Object::new());
            let properties = newest.get(PROPERTIES).cloned().unwrap_or_else(none);
            given.insert(EVENT_PROPERTIES.into(), properties);
        }
        for (group, names) in [(ATTRIBUTES, own), (CUSTOM_ATTRIBUTE, custom)] {
            if groups.contains(group) {
                given.insert(group.into(), Value::Object(names));
            }
        }
        events.push(Value::Object(newest));
        given.insert("events".into(), Value::Array(events));
        given
    }

    /// The allow-listed fields of an event.
    fn visible(&self, event: &Past) -> Object {
        let mut visible = Object::new();
        visible.insert("time".into(), Value::scalar(event.time));
        visible.insert("type".into(), Value::scalar(inert_text(&event.event_type)));
        for path in &self.fields {
            if let Some(value) = field(&event.fields, path) {
                insert(&mut visible, path, inert(value, &EVENT, 0));
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
    let faults = told(&explored, &|_| "; instructions see no event".to_owned());
    if !faults.is_empty() {
        return Err(faults);
    }
    template.render(&scene(&given, None)).map_err(failed)
}

/// Everything that is wrong, with a remedy for names that nothing has.
fn told(explored: &Exploration, remedy: &dyn Fn(&str) -> String) -> Vec<Fault> {
    let named = |fault: &Fault| {
        let reason = format!("{}{}", fault.reason, remedy(&fault.reason));
        Fault { reason, ..*fault }
    };
    let mut faults: Vec<Fault> = explored.unknown_names.iter().map(named).collect();
    faults.extend(explored.faults.iter().cloned());
    faults.sort();
    faults
}

/// What is done about a name that nothing has, by what is said of it.
fn remedy(reason: &str) -> String {
    let list = match () {
        () if reason.contains(&format!("{EVENT_PROPERTIES}.${{")) => "fields, as properties.NAME,",
        () if reason.contains("${") => "attributes",
        () => "fields",
    };
    let what = if list == "attributes" { "the attribute" } else { "the field" };
    format!("; correct it, or add {what} to {list} in campaign.toml")
}

/// An attribute as Braze's users write it.
pub(crate) fn as_written(attribute: &str) -> String {
    match attribute.strip_prefix(CUSTOM_PREFIX) {
        Some(name) => format!("{CUSTOM_ATTRIBUTE}.${{{name}}}"),
        None => format!("${{{attribute}}}"),
    }
}

fn scene(given: &Object, now: Option<i64>) -> Scene<'_> {
    Scene {
        given,
        now,
        limits: Limits::PROMPT,
        calls: None,
        catalogs: None,
        known_groups: &GROUPS,
        inert: Some(without_delimiters),
    }
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
