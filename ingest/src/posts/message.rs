//! What an event or a message tells, as the events that files would tell.

use contract::attributes::{
    CAMPAIGN, CUSTOM_ATTRIBUTES, CUSTOM_PREFIX, PROFILE_UPDATE, STANDARD, WEBHOOK,
};
use contract::user_record::{Event, is_user_id};
use contract::wanted::Wanted;
use contract::{digest, event_id};
use currents::lines::keep_custom;
use currents::read::{MAX_AHEAD_SECS, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES, embedded};
use serde_json::Value;

use super::body::{Entry, Fields};

/// From here on a time counts milliseconds, and no seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Seconds of a day, within which equal messages without an id are one.
const DAY_SECS: u64 = 24 * 3_600;

/// Where the connector puts the properties of custom events and purchases.
const OWN_PROPERTIES: [&str; 2] = ["custom_properties", "purchase_properties"];

/// The field that these are in files.
const PROPERTIES: &str = "properties";

/// Names of attributes in Braze's REST API, and those in its Liquid.
const ALIASES: [(&str, &str); 2] = [("email", "email_address"), ("phone", "phone_number")];

/// Fields that carry nothing of anybody, also in types of events that nobody here knows.
const IMPERSONAL: [&str; 2] = [PROPERTIES, "name"];

/// One event of a user.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) event_type: String,
    /// Empty where the event names no user.
    pub(super) user_id: String,
    pub(super) event: Event,
}

/// Tells whether a field counts as personal: as the table of Currents says, and where that does
/// not have it, all do but those that carry nothing of anybody.
pub(super) fn is_personal(event_type: &str, field: &str) -> bool {
    !IMPERSONAL.contains(&field) && currents::may_be_personal(event_type, field)
}

/// What is wrong with an entry.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) reason: String,
    /// What it tells all the same.
    pub(super) rest: Vec<Told>,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Self {
        Self { reason, rest: Vec::new() }
    }
}

impl Entry {
    /// The events that it tells, or what is wrong with it.
    pub(super) fn told(
        self,
        wanted: &Wanted,
        campaigns: &[String],
        now_ms: u64,
    ) -> Result<Vec<Told>, Wrong> {
        let told = match self {
            Self::Event(fields) => vec![event(fields, wanted, now_ms)?],
            Self::Message(fields) => message(fields, wanted, campaigns, now_ms)?,
            Self::Wrong(reason) => return Err(reason.to_owned().into()),
        };
        let size = |told: &Told| serde_json::to_vec(&told.event).map_or(0, |json| json.len());
        if told.iter().any(|told| size(told) > MAX_EVENT_BYTES) {
            return Err(format!("has more than {MAX_EVENT_BYTES} bytes").into());
        }
        Ok(told)
    }
}

/// An event of the connector.
fn event(mut event: Fields, wanted: &Wanted, now_ms: u64) -> Result<Told, String> {
    let event_type = text(&mut event, "event_type")?;
    if event.contains_key("user_id") {
        return Err(
            "user_id stands in user, as the connector sends it: {\"user\": {\"user_id\": ...}}"
                .to_owned(),
        );
    }
    if event_type.len() > MAX_EVENT_TYPE_BYTES {
        return Err(format!("event_type has more than {MAX_EVENT_TYPE_BYTES} bytes"));
    }
    let id = text(&mut event, "id")?;
    let time = match event.remove("time") {
        None => return Err("has no time".to_owned()),
        Some(time) => time_of(&time, now_ms)?,
    };
    let mut fields = match event.remove(PROPERTIES) {
        None | Some(Value::Null) => Fields::new(),
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err("properties must be an object".to_owned()),
    };
    for name in OWN_PROPERTIES {
        match fields.remove(name) {
            // Read as leniently as that of a file.
            Some(Value::String(text)) => {
                drop(fields.insert(PROPERTIES.to_owned(), embedded(&text)))
            }
            Some(own) => drop(fields.insert(PROPERTIES.to_owned(), own)),
            None => {}
        }
    }
    let mut user_id = String::new();
    match event.remove("user") {
        None | Some(Value::Null) => {}
        Some(Value::Object(mut user)) => {
            user_id = match user.remove("user_id") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(id)) => id,
                Some(_) => return Err("user.user_id must be a text".to_owned()),
            };
            fields.extend(user);
        }
        Some(_) => return Err("user must be an object".to_owned()),
    }
    if !user_id.is_empty() && !is_user_id(&user_id) {
        return Err("user.user_id is too long".to_owned());
    }
    fields.retain(|name, value| !value.is_null() && super::is_wanted(wanted, &event_type, name));
    if event_type == PROFILE_UPDATE {
        keep_custom(wanted, &mut fields);
    }
    let event = Event { id: event_id::kept(&id).into_owned(), time, fields };
    Ok(Told { event_type, user_id, event })
}

/// A message of a webhook: attributes of a user, and perhaps the wish for content.
fn message(
    mut message: Fields,
    wanted: &Wanted,
    campaigns: &[String],
    now_ms: u64,
) -> Result<Vec<Told>, Wrong> {
    let whole = Value::Object(message.clone()).to_string();
    let time = message.remove("time");
    let user_id = text(&mut message, "user_id")?;
    if !is_user_id(&user_id) {
        return Err("user_id is too long".to_owned().into());
    }
    let id = match message.remove("id") {
        None | Some(Value::Null) => unnamed(&whole, now_ms),
        Some(Value::String(id)) if id.is_empty() => unnamed(&whole, now_ms),
        Some(Value::String(id)) => event_id::kept(&id).into_owned(),
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => return Err("id must be a text".to_owned().into()),
    };
    let time = match time {
        None | Some(Value::Null) => seconds(now_ms),
        Some(time) => time_of(&time, now_ms)?,
    };
    let attributes = object(&mut message, "attributes")?;
    let properties = object(&mut message, PROPERTIES)?;
    // A campaign may have been renamed since: that is no reason to lose what is told beside it.
    let (campaign, unknown) = match message.remove(CAMPAIGN) {
        None | Some(Value::Null) => (None, None),
        Some(Value::String(name)) if name.is_empty() => (None, None),
        Some(Value::String(name)) if campaigns.contains(&name) => (Some(name), None),
        Some(Value::String(_)) => {
            (None, Some(format!("campaign is none of {}", campaigns.join(", "))))
        }
        Some(_) => (None, Some("campaign must be a text".to_owned())),
    };
    if let Some(name) = message.keys().next() {
        let known = ["user_id", "attributes", "campaign", PROPERTIES, "id", "time"];
        return Err(format!(
            "has a field that it cannot have ({}): there is {}",
            name.chars().take(40).collect::<String>(),
            known.join(", ")
        )
        .into());
    }
    let reason = match (&campaign, &attributes) {
        _ if unknown.is_some() => unknown,
        (None, _) if properties.is_some() => {
            Some("has properties, which belong to a campaign, and names none".to_owned())
        }
        (None, None) => Some("says nothing: it has neither attributes nor campaign".to_owned()),
        _ => None,
    };
    let of = |event_type: &str, fields: Fields| Told {
        event_type: event_type.to_owned(),
        user_id: user_id.clone(),
        event: Event { id: id.clone(), time, fields },
    };
    let update = attributes.map(|attributes| of(PROFILE_UPDATE, profile(attributes, wanted)));
    let wish = campaign.map(|campaign| {
        let mut fields = Fields::from_iter([(CAMPAIGN.to_owned(), Value::String(campaign))]);
        fields.extend(properties.map(|own| (PROPERTIES.to_owned(), Value::Object(own))));
        of(WEBHOOK, fields)
    });
    let told = update.into_iter().chain(wish).collect();
    match reason {
        Some(reason) => Err(Wrong { reason, rest: told }),
        None => Ok(told),
    }
}

/// Attributes as the fields of a profile: those that are wanted, by Currents' names. One that
/// Liquid printed nothing for, an empty text, is one that the user does not have.
fn profile(attributes: Fields, wanted: &Wanted) -> Fields {
    let (mut fields, mut custom) = (Fields::new(), Fields::new());
    for (name, value) in attributes {
        let value = if value == "" { Value::Null } else { value };
        let alias = ALIASES.iter().find(|(alias, _)| name == *alias);
        let name = alias.map_or(name, |(_, of_liquid)| (*of_liquid).to_owned());
        match STANDARD.iter().find(|(of_liquid, field)| name == *of_liquid || name == *field) {
            Some((of_liquid, field)) if wanted.attributes.contains(*of_liquid) => {
                fields.insert((*field).to_owned(), value);
            }
            Some(_) => {}
            None => {
                let name = name.strip_prefix(CUSTOM_PREFIX).unwrap_or(&name).to_owned();
                custom.insert(name, value);
            }
        }
    }
    wanted.keep_custom(&mut custom);
    if !custom.is_empty() {
        fields.insert(CUSTOM_ATTRIBUTES.to_owned(), Value::Object(custom));
    }
    fields
}

/// The id of a message that has none: equal messages of a day are one.
fn unnamed(whole: &str, now_ms: u64) -> String {
    let day = now_ms / 1_000 / DAY_SECS;
    digest::hex(format!("{day}\n{whole}"))
}

fn text(fields: &mut Fields, name: &str) -> Result<String, String> {
    match fields.remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        None | Some(Value::Null | Value::String(_)) => Err(format!("has no {name}")),
        Some(_) => Err(format!("{name} must be a text")),
    }
}

fn object(fields: &mut Fields, name: &str) -> Result<Option<Fields>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        // Braze's pairs of keys and values make a text of everything.
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(object) => Ok(Some(object)),
            Err(_) => Err(format!("{name} must be an object, or a text that holds one")),
        },
        Some(_) => Err(format!("{name} must be an object")),
    }
}

/// A time in UNIX seconds, no further ahead than those of files may be.
fn time_of(time: &Value, now_ms: u64) -> Result<i64, String> {
    let number = time.as_i64().or_else(|| time.as_str()?.trim().parse().ok());
    match number {
        Some(time) if (0..MILLISECONDS_FROM).contains(&time) => {
            Ok(time.min(seconds(now_ms).saturating_add(MAX_AHEAD_SECS)))
        }
        Some(time) if time > 0 => Err("time counts milliseconds: send UNIX seconds".to_owned()),
        _ => Err("time must be whole UNIX seconds".to_owned()),
    }
}

fn seconds(now_ms: u64) -> i64 {
    i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX)
}
