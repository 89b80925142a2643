//! One event as JSON: the fields of Currents, and its type as `event_type`.

use std::borrow::Cow;

use contract::attributes::{CUSTOM_ATTRIBUTES, PROFILE_UPDATE};
use contract::event_id;
use contract::user_record::{Event, UserRecord, VERSION};
use contract::wanted::Wanted;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::object::{Object, quoted};
use super::required::{event_type, text_in, time, user_id};
use super::value;
use crate::event_types::is_personal;
use crate::read::{MAX_AHEAD_SECS, MAX_EVENT_BYTES, embedded};

/// Most fields of an event; those of Currents have 70 at most.
pub const MAX_EVENT_FIELDS: usize = 1_000;

/// Longest name of a field, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Shortest line whose event can be too large: no value takes five times its text.
const LARGE_LINE_BYTES: usize = MAX_EVENT_BYTES / 5;

/// What stands around the fields of an event: its id, escaped, and its time.
const LARGEST_REST_BYTES: usize = 1_024;

/// An event, as its line says it.
#[derive(Debug)]
pub struct Line<'t> {
    /// The line itself.
    pub text: &'t str,
    /// The type of the event.
    pub event_type: String,
    /// The Braze id.
    pub user_id: String,
    /// Identifies the event.
    pub id: String,
    /// When it happened, in UNIX seconds.
    pub time: i64,
    /// All other fields that are not null, personal ones too.
    pub(super) fields: Vec<(String, Content<'t>)>,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Content<'t> {
    /// A text of JSON, as Currents has the properties.
    Properties(Cow<'t, str>),
    /// Anything else.
    Plain(Value),
}

/// Why a line is no event.
#[derive(Debug)]
pub(super) struct Wrong {
    /// What is wrong, and what would be right.
    pub(super) what: String,
    /// Whether the line ends in the middle of its JSON.
    pub(super) is_cut: bool,
}

impl<W: Into<String>> From<W> for Wrong {
    fn from(what: W) -> Self {
        Self { what: what.into(), is_cut: false }
    }
}

impl Wrong {
    /// Says what the JSON library says of a line, and what is likely meant.
    pub(super) fn not_json(text: &str, error: &serde_json::Error) -> Self {
        let is_cut = error.classify() == Category::Eof;
        let rest = text.get(error.column().saturating_sub(1)..).unwrap_or_default();
        let said = told(error);
        let likely = match rest.bytes().next() {
            _ if is_cut => String::new(),
            Some(b',') if rest.len() == 1 => ": leave the comma at its end out".to_owned(),
            Some(b'{') if said.starts_with("trailing") => {
                ": these are several events, `jq -c .` writes one a line".to_owned()
            }
            Some(_) if said.starts_with("key must be") => {
                ": names stand in double quotes".to_owned()
            }
            Some(b'\'') => ": texts stand in double quotes".to_owned(),
            Some(byte) if byte.is_ascii_alphabetic() && said.starts_with("expected value") => {
                let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
                format!(": JSON has no {}", word.chars().take(16).collect::<String>())
            }
            _ => String::new(),
        };
        Self { what: format!("is not JSON: {said} (column {}){likely}", error.column()), is_cut }
    }
}

/// What the JSON library says, without the place.
pub(super) fn told(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(" at line ") {
        Some(("recursion limit exceeded", _)) => "it is nested too deeply".to_owned(),
        Some((what, _)) => what.to_owned(),
        None => said,
    }
}

impl<'t> Line<'t> {
    /// Reads a line; tells everything that is wrong with it.
    pub(super) fn parse(text: &'t [u8]) -> Result<Self, Wrong> {
        let text = std::str::from_utf8(text).map_err(|error| Wrong {
            what: format!("is not UTF-8 at byte {}: write it as UTF-8", error.valid_up_to() + 1),
            is_cut: error.error_len().is_none(),
        })?;
        let mut object = Object::parse(text)?;
        if object.has("events") && !object.has("event_type") {
            let what = "holds a list of events, and one event a line is wanted: write it with \
                        `jq -c '.events[]'`";
            return Err(what.into());
        }
        let mut faults = Vec::new();
        let event_type = noted(event_type(&mut object), &mut faults);
        let user_id = noted(user_id(&mut object), &mut faults);
        let id = noted(text_in(&mut object, "id"), &mut faults);
        let time = noted(time(&mut object), &mut faults);
        let fields = fields(object, &mut faults);
        let (Some(event_type), Some(user_id), Some(id), Some(time), true) =
            (event_type, user_id, id, time, faults.is_empty())
        else {
            return Err(faults.join("; ").into());
        };
        let line = Self { text, event_type, user_id, id, time, fields };
        if text.len() > LARGE_LINE_BYTES && line.is_too_large() {
            let what =
                format!("has more than {MAX_EVENT_BYTES} bytes: Braze exports none above 900 KB");
            return Err(what.into());
        }
        Ok(line)
    }

    /// The event as it is on the stream; `wanted` may pass, `uploaded_at_ms` is when its file came.
    pub fn user_record(&self, wanted: &Wanted, uploaded_at_ms: u64) -> UserRecord {
        let uploaded_at = i64::try_from(uploaded_at_ms / 1_000).unwrap_or(i64::MAX);
        let event_type = self.event_type.as_str();
        let passes = |name: &str| wanted.passes(event_type, name, is_personal(event_type, name));
        let mut fields = self.fields_that(passes);
        if event_type == PROFILE_UPDATE {
            keep_custom(wanted, &mut fields);
        }
        let event = Event {
            id: event_id::kept(&self.id).into_owned(),
            time: self.time.min(uploaded_at.saturating_add(MAX_AHEAD_SECS)),
            fields,
        };
        UserRecord {
            v: VERSION,
            user_id: self.user_id.clone(),
            event_type: self.event_type.clone(),
            uploaded_at_ms,
            origin: String::new(),
            redriven_at_ms: None,
            events: vec![event],
        }
    }

    fn fields_that(&self, passes: impl Fn(&str) -> bool) -> Map<String, Value> {
        let fields = self.fields.iter().filter(|(name, _)| passes(name));
        fields.map(|(name, content)| (name.clone(), content.value())).collect()
    }

    /// Tells whether the event is larger than a stream record takes.
    fn is_too_large(&self) -> bool {
        let fields = serde_json::to_vec(&self.fields_that(|_| true)).map_or(0, |json| json.len());
        fields + LARGEST_REST_BYTES > MAX_EVENT_BYTES
    }
}

/// Leaves those of a user's custom attributes that are wanted; what is no object says nothing
/// of any.
pub fn keep_custom(wanted: &Wanted, fields: &mut Map<String, Value>) {
    let custom = match fields.remove(CUSTOM_ATTRIBUTES) {
        Some(Value::String(text)) => embedded(&text),
        Some(value) => value,
        None => return,
    };
    if let Value::Object(mut custom) = custom {
        wanted.keep_custom(&mut custom);
        fields.insert(CUSTOM_ATTRIBUTES.to_owned(), Value::Object(custom));
    }
}

impl Content<'_> {
    fn value(&self) -> Value {
        match self {
            Self::Properties(text) => embedded(text),
            Self::Plain(value) => value.clone(),
        }
    }
}

fn noted<T>(read: Result<T, String>, faults: &mut Vec<String>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

/// All other fields.
fn fields<'t>(object: Object<'t>, faults: &mut Vec<String>) -> Vec<(String, Content<'t>)> {
    let rest = object.rest();
    if rest.len() > MAX_EVENT_FIELDS {
        faults.push(format!("has more than {MAX_EVENT_FIELDS} fields"));
        return Vec::new();
    }
    let mut fields = Vec::with_capacity(rest.len());
    for (name, value) in rest {
        if name.len() > MAX_NAME_BYTES {
            faults.push(format!("a field's name has more than {MAX_NAME_BYTES} bytes"));
            continue;
        }
        match content(&name, value) {
            Ok(Some(content)) => fields.push((name, content)),
            Ok(None) => {}
            Err(fault) => faults.push(format!("{} {fault}", quoted(&name))),
        }
    }
    fields
}

fn content<'t>(name: &str, value: &'t RawValue) -> Result<Option<Content<'t>>, String> {
    if name != "properties" {
        return Ok(value::plain(value)?.map(Content::Plain));
    }
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => {
            let text: String = serde_json::from_str(text)
                .map_err(|error| format!("cannot be read: {}", told(&error)))?;
            Some(Content::Properties(Cow::Owned(text)))
        }
        _ => Some(Content::Properties(Cow::Borrowed(text))),
    })
}
