//! A campaign's condition, in the Common Expression Language.
//!
//! The expression sees one variable, `event`: the fields of the event as JSON, and its
//! `id`, `time` and `type`. An event without a field that it names does not fulfil it.

mod explanation;
mod names;
mod truth;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use contract::user_record::Event;
use serde_json::{Map, Value};

use crate::config::Expression;
use names::Names;
use truth::Truth;

/// Deepest nesting of a field's value that an expression sees.
const MAX_DEPTH: usize = 16;

/// What an event is about, and is not among its fields.
const USER_ID: &str = "user_id";

/// The standard functions. To declare them takes longer than to evaluate a condition.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    fields: BTreeSet<String>,
    truths: BTreeSet<String>,
}

/// The condition could not be evaluated for an event.
#[derive(Debug, thiserror::Error)]
#[error("condition could not be evaluated: {0}")]
pub struct NotEvaluated(&'static str);

impl Condition {
    /// Compiles a condition, or says what is wrong in which line of `campaign.toml`.
    pub(crate) fn compile(expression: &Expression) -> Result<Self, Vec<(usize, String)>> {
        let program = Program::compile(&expression.text).map_err(|errors| {
            let wrong = errors.errors.into_iter().map(|error| {
                let below = usize::try_from(error.pos.0 - 1).unwrap_or_default();
                (expression.line + below, format!("condition: {}", error.msg))
            });
            wrong.collect::<Vec<_>>()
        })?;
        let names = Names::of(program.expression());
        let mut wrong = wrong_names(&names);
        let Truth { fields: truths, wrong: never } = Truth::of(program.expression());
        wrong.extend(never.into_iter().map(|what| {
            format!(
                "{what} is neither true nor false, so it is never met: compare it with something"
            )
        }));
        if wrong.is_empty() {
            return Ok(Self { program, fields: names.fields, truths });
        }
        let wrong =
            wrong.into_iter().map(|reason| (expression.line, format!("condition: {reason}")));
        Err(wrong.collect())
    }

    /// The top-level fields of the event that it looks at.
    pub fn fields(&self) -> &BTreeSet<String> {
        &self.fields
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

/// What is wrong with the names in a condition.
fn wrong_names(names: &Names) -> Vec<String> {
    let unknown = names.unknown.iter();
    let mut wrong: Vec<String> =
        unknown.map(|name| format!("unknown name \"{name}\": write event.{name}")).collect();
    wrong.extend(names.unknown_functions.iter().map(|name| {
        format!("unknown function \"{name}\": the standard functions of CEL but matches are there")
    }));
    if names.fields.contains(USER_ID) {
        wrong.push(format!("event.{USER_ID} is not there: a condition is the same for all users"));
    }
    // A field that nobody can tell would be dropped if it is a personal one.
    if names.has_whole_event {
        wrong.push("event must be followed by the name of a field: write event.name".to_owned());
    }
    wrong
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(text: &str, fields: Value) -> Result<bool, NotEvaluated> {
        let condition = Expression { text: text.to_owned(), line: 1 };
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        let event = Event { id: "e1".to_owned(), time: 1_700_000_000, fields };
        Condition::compile(&condition).expect("compiles").holds("users.custom", &event)
    }

    fn refused(text: &str) -> String {
        let condition = Expression { text: text.to_owned(), line: 1 };
        match Condition::compile(&condition) {
            Ok(_) => panic!("{text} is accepted"),
            Err(wrong) => wrong.into_iter().map(|(_, reason)| reason).collect(),
        }
    }

    #[test]
    fn a_condition_compares_fields_of_any_depth() {
        let event = || json!({ "name": "watched", "properties": { "season": 3, "score": 1.5 } });

        let cases = [
            ("event.name == 'watched' && event.properties.season >= 2", true),
            ("event.properties.season in [1, 2]", false),
            ("event.properties.score > 1.0", true),
            ("event.name.startsWith('wat')", true),
            ("has(event.properties.genre)", false),
            ("event.properties.genre == 'drama'", false),
            ("event.absent.deep == 1", false),
            ("event // why\n .name == 'watched'", true),
        ];
        for (text, expected) in cases {
            assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_condition_looks_into_lists_and_sees_id_time_and_type() {
        let event = || json!({ "name": "a", "properties": { "genres": ["drama", "crime"] } });

        let cases = [
            (r#"event.properties.genres.exists(g, g == "drama")"#, true),
            (r#"event.properties.genres.all(g, g.startsWith("d"))"#, false),
            (r#"event.properties.genres.exists(g, g == event.name)"#, false),
            (r#"size(event.properties.genres.filter(g, g != "crime")) == 1"#, true),
            (r#"event["name"] == "a""#, true),
            ("event.time > 1600000000 && event.id == 'e1' && event.type == 'users.custom'", true),
        ];
        for (text, expected) in cases {
            assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_condition_that_could_never_be_met_is_refused_with_a_remedy() {
        for (text, reason) in [
            (r#"event.name.startWith("a")"#, "unknown function \"startWith\""),
            (r#"event.name.matches("a")"#, "unknown function \"matches\""),
            ("event.list.exists(x, y == 1)", "unknown name \"y\""),
            ("[1].exists(x, x == 1) && x == 1", "unknown name \"x\""),
            ("event.user_id == 'u'", "event.user_id is not there"),
            ("event[event.name] == 1", "event must be followed by"),
            ("'name' in event", "event must be followed by"),
            ("20", "a number alone is neither true nor false"),
            ("event.total + 1", "a value of + alone is neither"),
            ("event.name == 'a' && size(event.list)", "size() alone is neither"),
            ("event.list.filter(x, x > 1)", "a list alone is neither"),
            ("event.a == 1 ? 'yes' : 'no'", "a text alone is neither"),
        ] {
            let said = refused(text);
            assert!(said.contains(reason), "{text}: {said}");
        }
    }

    #[test]
    fn every_function_that_is_accepted_is_one_that_the_interpreter_has() {
        for (text, expected) in [
            ("bool('true') && int('1') == 1 && double('1.5') > 1.0 && uint(1) == 1u", true),
            ("string(1) == '1' && size(bytes('ab')) == 2 && dyn(1) == 1", true),
            ("type(1) == type(2)", true),
            ("'abc'.contains('b') && 'abc'.endsWith('c') && 'abc'.startsWith('a')", true),
        ] {
            assert_eq!(holds(text, json!({})).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_condition_says_what_it_saw_and_what_that_was_compared_with() {
        let explained = |text: &str, fields: Value| {
            let Value::Object(fields) = fields else { panic!("fields are an object") };
            let event = Event { id: "e1".to_owned(), time: 1, fields };
            let expression = Expression { text: text.to_owned(), line: 1 };
            Condition::compile(&expression).expect("compiles").explain("t", &event).join("; ")
        };
        let event = || json!({ "name": "cart", "properties": { "total": "249,00", "l": [1, 2] } });

        for (text, expected) in [
            (
                "event.name == 'cart' && event.properties.total > 20",
                "event.name is the text \"cart\", compared with \"cart\"; \
                 event.properties.total is the text \"249,00\", compared with 20",
            ),
            ("20 < event.properties.sum", "event.properties.sum is missing, compared with 20"),
            (
                "event.name in ['a', 'b']",
                "event.name is the text \"cart\", compared with one of \"a\", \"b\"",
            ),
            (
                "event.properties.l.exists(x, x > 1) && !event.properties.gift",
                "event.properties.l is a list of 2; event.properties.gift is missing",
            ),
            ("event['type'].startsWith('u')", "event.type is the text \"t\""),
        ] {
            assert_eq!(explained(text, event()), expected, "{text}");
        }
    }

    #[test]
    fn a_condition_that_does_not_fit_the_event_is_not_met_and_says_so() {
        assert!(holds("event.name > 1", json!({ "name": "a" })).is_err());
        assert!(holds("event.name", json!({ "name": "a" })).is_err());
    }

    #[test]
    fn a_name_that_is_not_the_events_is_refused_at_start() {
        let condition = Expression { text: "name == 'a'".to_owned(), line: 9 };

        let wrong = Condition::compile(&condition).expect_err("event. is missing");

        assert_eq!(wrong, [(9, "condition: unknown name \"name\": write event.name".to_owned())]);
    }

    #[test]
    fn a_condition_tells_the_fields_that_it_looks_at_however_it_is_written() {
        let text = "event.email_address != '' && event [ 'city' ] == 'Graz' && has(event.a.b) \
                    && 'event.secret' != event // why\n .name";
        let expression = Expression { text: text.to_owned(), line: 1 };

        let condition = Condition::compile(&expression).expect("compiles");

        let fields: Vec<&str> = condition.fields().iter().map(String::as_str).collect();
        assert_eq!(fields, ["a", "city", "email_address", "name"]);
    }
}
