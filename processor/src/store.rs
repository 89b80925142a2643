//! The content table: state read in batches, content written under a condition.
//!
//! The condition decides every race: newer wins over older, and a deletion wins
//! over everything that is not newer than it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use contract::content;
use serde_json::{Map, Value};

use crate::eligibility::Stored;

/// Most keys of one BatchGetItem (AWS limit).
const MAX_KEYS: usize = 100;

/// Attempts at the keys that DynamoDB left unprocessed.
const MAX_READ_ATTEMPTS: u32 = 6;

/// Wait before unprocessed keys are asked for again, times the attempt.
const READ_BACKOFF: Duration = Duration::from_millis(50);

/// How long a deletion refuses older events, in seconds: SDK events can be days
/// late, and a replay of old files must not bring a user back.
pub const TOMBSTONE_SECS: i64 = 400 * 24 * 3_600;

/// Seconds in a day.
pub const DAY_SECS: i64 = 24 * 3_600;

/// Writes when nothing newer is there.
const IF_NEWER: &str = "attribute_not_exists(user_id) \
     OR (attribute_exists(deleted_at) AND deleted_at < :time) \
     OR (attribute_not_exists(deleted_at) \
         AND (event_time < :time OR (event_time = :time AND event_id < :id)))";

/// Deletes what is not newer than the deletion.
const IF_NOT_NEWER: &str = "attribute_not_exists(user_id) \
     OR (attribute_exists(deleted_at) AND deleted_at < :time) \
     OR (attribute_not_exists(deleted_at) AND event_time <= :time)";

/// Reads and writes content.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
}

/// Place of one content item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The Braze id of the user.
    pub user_id: String,
    /// Name of the campaign.
    pub campaign: String,
}

/// Content with where it comes from.
#[derive(Debug)]
pub struct Content {
    /// What Braze will show.
    pub data: Map<String, Value>,
    /// Id of the event that it was written for.
    pub event_id: String,
    /// Time of that event, in UNIX seconds.
    pub event_time: i64,
    /// Model that wrote it.
    pub model_id: String,
    /// Hash of what the model was asked.
    pub prompt_hash: String,
    /// Input tokens that the service counted.
    pub input_tokens: u64,
    /// Output tokens that the service counted.
    pub output_tokens: u64,
    /// Now, in UNIX seconds.
    pub generated_at: i64,
    /// When it stops being served, in UNIX seconds.
    pub expires_at: i64,
}

/// What became of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// Something newer was there.
    Superseded,
}

/// DynamoDB did not do it.
#[derive(Debug, thiserror::Error)]
#[error("content table: {attempted}: {reason}")]
pub struct StoreError {
    attempted: &'static str,
    reason: String,
    /// Every repeat would fail alike: DynamoDB finds the item itself wrong.
    pub is_final: bool,
}

impl Store {
    /// Works on the table `table`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads what is stored under many keys; absent keys are absent in the answer.
    ///
    /// Consistently, because a repeat that reads too early would pay for a
    /// second generation.
    pub async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, Stored>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(MAX_KEYS) {
            self.load_chunk(keys, &mut found).await?;
        }
        Ok(found)
    }

    async fn load_chunk(
        &self,
        keys: &[Key],
        found: &mut HashMap<Key, Stored>,
    ) -> Result<(), StoreError> {
        let failed = |reason: String| StoreError {
            attempted: "state was not read",
            reason,
            is_final: false,
        };
        let mut wanted = KeysAndAttributes::builder()
            .consistent_read(true)
            .projection_expression("#user, #item, event_id, event_time, deleted_at")
            .expression_attribute_names("#user", content::USER_ID)
            .expression_attribute_names("#item", content::ITEM)
            .set_keys(Some(keys.iter().map(Key::attributes).collect()))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        for attempt in 1..=MAX_READ_ATTEMPTS {
            let request = self.client.batch_get_item().request_items(&self.table, wanted);
            let mut answer =
                request.send().await.map_err(|e| failed(DisplayErrorContext(e).to_string()))?;
            let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
            found.extend(items.into_iter().flatten().filter_map(|item| stored(&item)));
            let rest = answer.unprocessed_keys.as_mut().and_then(|keys| keys.remove(&self.table));
            let Some(rest) = rest else { return Ok(()) };
            wanted = rest;
            tokio::time::sleep(READ_BACKOFF * attempt).await;
        }
        Err(failed(format!("keys were left unprocessed {MAX_READ_ATTEMPTS} times")))
    }

    /// Stores content unless something newer, or a deletion, is there.
    pub async fn put(&self, key: &Key, content: Content) -> Result<Written, StoreError> {
        let number = |n: i64| AttributeValue::N(n.to_string());
        let tokens = |n: u64| AttributeValue::N(n.to_string());
        let write = self
            .write(key)
            .condition_expression(IF_NEWER)
            .expression_attribute_values(":time", number(content.event_time))
            .expression_attribute_values(":id", AttributeValue::S(content.event_id.clone()))
            .item(content::DATA, map_attribute(content.data))
            .item(content::EVENT_ID, AttributeValue::S(content.event_id))
            .item(content::EVENT_TIME, number(content.event_time))
            .item(content::MODEL_ID, AttributeValue::S(content.model_id))
            .item(content::PROMPT_HASH, AttributeValue::S(content.prompt_hash))
            .item(content::INPUT_TOKENS, tokens(content.input_tokens))
            .item(content::OUTPUT_TOKENS, tokens(content.output_tokens))
            .item(content::GENERATED_AT, number(content.generated_at))
            .item(content::EXPIRES_AT, number(content.expires_at));
        written(write, "content was not stored").await
    }

    /// Puts a deletion in the content's place unless newer content is there.
    pub async fn delete(
        &self,
        key: &Key,
        deleted_at: i64,
        now: i64,
    ) -> Result<Written, StoreError> {
        let number = |n: i64| AttributeValue::N(n.to_string());
        let write = self
            .write(key)
            .condition_expression(IF_NOT_NEWER)
            .expression_attribute_values(":time", number(deleted_at))
            .item(content::DELETED_AT, number(deleted_at))
            .item(content::EXPIRES_AT, number(now + TOMBSTONE_SECS));
        written(write, "content was not deleted").await
    }

    fn write(&self, key: &Key) -> PutItemFluentBuilder {
        let write = self.client.put_item().table_name(&self.table);
        key.attributes().into_iter().fold(write, |write, (name, value)| write.item(name, value))
    }
}

impl Key {
    fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (content::USER_ID.to_owned(), AttributeValue::S(self.user_id.clone())),
            (content::ITEM.to_owned(), AttributeValue::S(content::item_key(&self.campaign))),
        ])
    }
}

async fn written(
    write: PutItemFluentBuilder,
    attempted: &'static str,
) -> Result<Written, StoreError> {
    match write.send().await {
        Ok(_) => Ok(Written::Stored),
        Err(SdkError::ServiceError(error))
            if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
        {
            Ok(Written::Superseded)
        }
        Err(error) => {
            let is_final = error.code() == Some("ValidationException");
            Err(StoreError { attempted, reason: DisplayErrorContext(error).to_string(), is_final })
        }
    }
}

fn stored(item: &HashMap<String, AttributeValue>) -> Option<(Key, Stored)> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<i64>().ok();
    let campaign = text(content::ITEM)?.strip_prefix(&content::item_key(""))?;
    let key = Key { user_id: text(content::USER_ID)?.clone(), campaign: campaign.to_owned() };
    let stored = match number(content::DELETED_AT) {
        Some(deleted_at) => Stored::Tombstone { deleted_at },
        None => Stored::Content {
            event_time: number(content::EVENT_TIME)?,
            event_id: text(content::EVENT_ID)?.clone(),
        },
    };
    Some((key, stored))
}

fn map_attribute(map: Map<String, Value>) -> AttributeValue {
    let entries = map.into_iter().map(|(name, value)| (name, attribute(value)));
    AttributeValue::M(entries.collect())
}

fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(map) => map_attribute(map),
    }
}
