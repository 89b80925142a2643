//! The body of a post: what it holds, by its form.

use serde_json::{Map, Value};

/// The fields of one message.
pub(super) type Fields = Map<String, Value>;

/// What a body holds.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) entries: Vec<Entry>,
}

/// One event or message.
#[derive(Debug)]
pub(super) enum Entry {
    /// An event as Currents' custom HTTP connector sends it.
    Event(Fields),
    /// A message of a Braze webhook.
    Message(Fields),
    /// Neither: what is wrong with it.
    Wrong(&'static str),
}

/// What a body is not.
const FORMS: &str = "a body is JSON: {\"events\": [...]} as Currents sends it, or a message with user_id and attributes";

/// Fields by which a body's form is told; each belongs to another.
const FORM_NAMES: [&str; 3] = ["events", "messages", "user_id"];

impl Body {
    /// Reads a body. One that is empty holds nothing: so Braze tries credentials.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self { entries: Vec::new() });
        }
        let body: Value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("{FORMS}; what came ends to be JSON at line {line}, column {column}")
        })?;
        let Value::Object(mut body) = body else { return Err(FORMS.to_owned()) };
        if body.is_empty() {
            return Ok(Self { entries: Vec::new() });
        }
        // One of them would be lost, and 200 be said.
        if FORM_NAMES.iter().filter(|name| body.contains_key(**name)).count() > 1 {
            return Err(format!("a body has one of {}, not several", FORM_NAMES.join(", ")));
        }
        let lists = [("events", Entry::Event as fn(Fields) -> Entry), ("messages", Entry::Message)];
        for (name, entry) in lists {
            match body.remove(name) {
                None => {}
                Some(Value::Array(list)) => {
                    let entries = list.into_iter().map(|each| match each {
                        Value::Object(fields) => entry(fields),
                        _ => Entry::Wrong("is no object"),
                    });
                    return Ok(Self { entries: entries.collect() });
                }
                Some(_) => return Err(format!("{name} must be a list of objects")),
            }
        }
        Ok(Self { entries: vec![Entry::Message(body)] })
    }
}
