//! The items of the content table, to DynamoDB's attributes and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use serde_json::{Map, Value};

use crate::attributes::Profile;
use crate::eligibility::{Memory, State, WrittenFor};
use crate::store::{Asked, Cause, Key, Packed, ProfileWrite, TableError, WaitingAsk, Write};

use super::form::{Change, Fields, Form};

/// An item of DynamoDB.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The key of a user's item.
pub(super) fn key(user_id: &str, item: String) -> Item {
    HashMap::from([
        (content::USER_ID.to_owned(), AttributeValue::S(user_id.to_owned())),
        (content::ITEM.to_owned(), AttributeValue::S(item)),
    ])
}

/// What a write stores in the place of what is there.
pub(super) fn item(place: &Key, write: &Write, form: Form) -> Result<Item, TableError> {
    let mut item = key(&place.user_id, content::item_key(&place.campaign));
    let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
    set(content::REVISION, AttributeValue::N(write.revision.to_string()));
    set(content::EXPIRES_AT, number(write.expires_at));
    for (name, at) in notes(write) {
        set(name, at);
    }
    if let Some(language) = &write.language {
        set(content::LANGUAGE, AttributeValue::S(language.clone()));
    }
    if let (WaitingAsk::Until(until_ms), None) = (write.ask, &write.content) {
        set(content::PARKED_UNTIL, AttributeValue::N(until_ms.to_string()));
    }
    if let Some(content) = &write.content {
        set(content::DATA, map_attribute(content.data.clone()));
        set(content::EVENT_ID, AttributeValue::S(content.event_id.clone()));
        set(content::EVENT_TIME, number(content.event_time));
        set(content::OLDEST_EVENT_TIME, number(write.oldest_event_time()));
        set(content::MODEL_ID, AttributeValue::S(content.model_id.clone()));
        set(content::PROMPT_HASH, AttributeValue::S(content.prompt_hash.clone()));
        set(content::INPUT_TOKENS, AttributeValue::N(content.input_tokens.to_string()));
        set(content::OUTPUT_TOKENS, AttributeValue::N(content.output_tokens.to_string()));
        set(content::GENERATED_AT, number(content.generated_at));
        if !content.origin.is_empty() {
            set(content::ORIGIN, AttributeValue::S(content.origin.clone()));
        }
        if content.publication > 0 {
            set(content::PUBLICATION, AttributeValue::N(content.publication.to_string()));
        }
        if !content.campaigns_version.is_empty() {
            let version = AttributeValue::S(content.campaigns_version.clone());
            set(content::CAMPAIGNS_VERSION, version);
        }
    }
    // Content takes the place of all that was packed.
    let Change { set, .. } = form.lay_out(item, &write.memory.history, &Packed::new())?;
    Ok(set)
}

/// What is stored of a user's attributes.
pub(super) fn profile_item(user_id: &str, write: &ProfileWrite) -> Result<Item, TableError> {
    let values = serde_json::to_string(&write.known);
    let values =
        values.map_err(|_| TableError::passing("attributes were not stored", Cause::NotJson))?;
    let mut item = key(user_id, content::ATTRIBUTES.to_owned());
    item.insert(content::REVISION.to_owned(), AttributeValue::N(write.revision.to_string()));
    item.insert(content::VALUES.to_owned(), AttributeValue::S(values));
    item.insert(content::EXPIRES_AT.to_owned(), number(write.expires_at));
    Ok(item)
}

/// What is kept of what the model was asked, whose oldest event happened then.
pub(super) fn asked_item(place: &Key, asked: &Asked, oldest_event_time: i64) -> Item {
    let mut item = key(&place.user_id, content::asked_key(&place.campaign));
    item.insert(content::EVENT_ID.to_owned(), AttributeValue::S(asked.event_id.clone()));
    item.insert(content::OLDEST_EVENT_TIME.to_owned(), number(oldest_event_time));
    item.insert(content::PROMPT.to_owned(), AttributeValue::S(asked.prompt.clone()));
    item.insert(content::ANSWER.to_owned(), map_attribute(asked.answer.clone()));
    item.insert(content::EXPIRES_AT.to_owned(), number(asked.expires_at));
    item
}

/// What is remembered beside the events.
pub(super) fn notes(write: &Write) -> impl Iterator<Item = (&'static str, AttributeValue)> {
    let Memory { unless_at, retracted_at, paced_until, .. } = write.memory;
    let notes = [
        (content::UNLESS_AT, unless_at),
        (content::RETRACTED_AT, retracted_at),
        (content::PACED_UNTIL, paced_until),
    ];
    notes.into_iter().filter_map(|(name, at)| Some((name, number(at?))))
}

/// What an item is.
pub(super) enum Found {
    Item(Key, State),
    Tombstone(String, i64),
    Profile(String, Profile),
    /// What was asked, with the time of its oldest event.
    Asked(Key, i64),
    /// What only another version knows, by its sort key.
    Unknown(String),
}

/// Reads an item back; `None` for one without a key.
///
/// What of an item cannot be read counts as absent and as older than any deletion, so that
/// one item of a foreign shape is replaced or removed, and stops nobody else's.
pub(super) fn found(item: &Item) -> Option<Found> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
    let user_id = text(content::USER_ID)?.clone();
    let sort_key = text(content::ITEM)?;
    if sort_key == content::TOMBSTONE {
        // A deletion whose time cannot be read beats everything.
        return Some(Found::Tombstone(user_id, number(content::DELETED_AT).unwrap_or(i64::MAX)));
    }
    let revision = number(content::REVISION).and_then(|n| u64::try_from(n).ok());
    if sort_key == content::ATTRIBUTES {
        // Attributes that cannot be read are none, and give way to the next that come.
        let known = text(content::VALUES).and_then(|json| serde_json::from_str(json).ok());
        let (revision, known) = (Some(revision.unwrap_or_default()), known.unwrap_or_default());
        return Some(Found::Profile(user_id, Profile { revision, known, deleted_at: None }));
    }
    if let Some(campaign) = sort_key.strip_prefix(content::ASKED_PREFIX) {
        let oldest = number(content::OLDEST_EVENT_TIME).unwrap_or(i64::MIN);
        return Some(Found::Asked(Key { user_id, campaign: campaign.to_owned() }, oldest));
    }
    let Some(campaign) = sort_key.strip_prefix(content::ITEM_PREFIX) else {
        return Some(Found::Unknown(sort_key.clone()));
    };
    let campaign = campaign.to_owned();
    let fields = Fields::of(item);
    if fields.is_foreign {
        tracing::warn!(campaign, "an item has a foreign shape and will be replaced");
    }
    let (text, number) = (|name| fields.text(name), |name| fields.number(name));
    let written_for =
        number(content::EVENT_TIME).zip(text(content::EVENT_ID)).map(|(event_time, event_id)| {
            WrittenFor {
                event_id: event_id.to_owned(),
                event_time,
                oldest_event_time: number(content::OLDEST_EVENT_TIME).unwrap_or(i64::MIN),
                generated_at: number(content::GENERATED_AT).unwrap_or_default(),
            }
        });
    let (unless_at, retracted_at) = (number(content::UNLESS_AT), number(content::RETRACTED_AT));
    let paced_until = number(content::PACED_UNTIL);
    let parked_until_ms = number(content::PARKED_UNTIL).and_then(|n| u64::try_from(n).ok());
    let Fields { beside, history, is_foreign, .. } = fields;
    let history = history.unwrap_or_default();
    let state = State {
        revision: Some(revision.unwrap_or_default()),
        written_for,
        memory: Memory { history, unless_at, retracted_at, paced_until },
        parked_until_ms,
        deleted_at: None,
        is_foreign,
        packed: beside,
    };
    Some(Found::Item(Key { user_id, campaign }, state))
}

pub(crate) fn number(n: i64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}

fn map_attribute(map: Map<String, Value>) -> AttributeValue {
    let entries = map.into_iter().map(|(name, value)| (name, attribute(value)));
    AttributeValue::M(entries.collect())
}

pub(super) fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(map) => map_attribute(map),
    }
}
