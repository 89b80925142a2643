//! A campaign's condition, in the Common Expression Language.
//!
//! The expression sees one variable, `event`: the fields of the event as JSON. An event
//! without a field that it names does not fulfil it.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map as CelMap};
use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::{Map, Value};

/// Deepest nesting of a field's value that an expression sees.
const MAX_DEPTH: usize = 16;

/// A compiled condition.
#[derive(Debug)]
pub struct Condition(Program);

/// The condition could not be evaluated for an event.
#[derive(Debug, thiserror::Error)]
#[error("condition could not be evaluated: {0}")]
pub struct NotEvaluated(&'static str);

impl Condition {
    /// Compiles a condition, or says what is wrong in which line of `campaign.toml`.
    pub(super) fn compile(
        condition: &contract::campaign::Condition,
    ) -> Result<Self, Vec<(usize, String)>> {
        let program = Program::compile(&condition.text).map_err(|errors| {
            let wrong = errors.errors.into_iter().map(|error| {
                let below = usize::try_from(error.pos.0 - 1).unwrap_or_default();
                (condition.line + below, format!("condition: {}", error.msg))
            });
            wrong.collect::<Vec<_>>()
        })?;
        let references = program.references();
        let unknown: Vec<(usize, String)> = references
            .variables()
            .into_iter()
            .filter(|name| *name != "event")
            .map(|name| {
                let reason = format!("condition: unknown name \"{name}\": write event.{name}");
                (condition.line, reason)
            })
            .collect();
        if unknown.is_empty() { Ok(Self(program)) } else { Err(unknown) }
    }

    /// Tells whether an event with these fields fulfils it.
    pub fn holds(&self, fields: &Map<String, Value>) -> Result<bool, NotEvaluated> {
        let mut context = Context::default();
        context.add_variable_from_value("event", object(fields, 0));
        match self.0.execute(&context) {
            Ok(Cel::Bool(holds)) => Ok(holds),
            Ok(_) => Err(NotEvaluated("it is neither true nor false")),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            // The error's own text can quote the event.
            Err(_) => Err(NotEvaluated("its operators do not fit the values")),
        }
    }
}

fn object(map: &Map<String, Value>, depth: usize) -> Cel {
    let entries = map
        .iter()
        .map(|(name, value)| (Key::String(Arc::new(name.clone())), cel(value, depth + 1)));
    Cel::Map(CelMap { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
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
        let condition = contract::campaign::Condition { text: text.to_owned(), line: 1 };
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        Condition::compile(&condition).expect("compiles").holds(&fields)
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
        ];
        for (text, expected) in cases {
            assert_eq!(holds(text, event()).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_condition_that_does_not_fit_the_event_is_not_met_and_says_so() {
        assert!(holds("event.name > 1", json!({ "name": "a" })).is_err());
        assert!(holds("event.name", json!({ "name": "a" })).is_err());
    }

    #[test]
    fn a_name_that_is_not_the_events_is_refused_at_start() {
        let condition = contract::campaign::Condition { text: "name == 'a'".to_owned(), line: 9 };

        let wrong = Condition::compile(&condition).expect_err("event. is missing");

        assert_eq!(wrong, [(9, "condition: unknown name \"name\": write event.name".to_owned())]);
    }
}
