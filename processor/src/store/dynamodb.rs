//! The content table on DynamoDB.

mod form;
mod item;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem,
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::content::{
    self, DELETED_AT, EXPIRES_AT, ITEM, LANGUAGE, OLDEST_EVENT_TIME, PARKED_UNTIL, REVISION,
    SERVED_UNTIL, USER_ID,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use program::aws::CallError;

use super::{
    Cause, ContentTable, Key, OfUser, ProfileWrite, TableError, WaitingAsk, Write, WriteResult,
};
use crate::attributes::Profile;
use crate::eligibility::State;
use form::Change;
pub use form::{Form, plain_item};
use item::{Found, asked_item, found, item, key, notes, profile_item};
pub(crate) use item::{Item, number};

/// Most keys of one BatchGetItem (AWS limit).
const MAX_KEYS: usize = 100;

/// BatchGetItems at a time.
const CONCURRENT_READS: usize = 4;

/// Attempts at the keys that DynamoDB left unprocessed.
const MAX_READ_ATTEMPTS: usize = 6;

/// Waits before unprocessed keys are asked for again.
const READ_BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_millis(300))
    .with_max_times(MAX_READ_ATTEMPTS - 1);

/// Attributes that decide what happens next; the content itself is not among them.
const STATE: [&str; 15] = [
    content::USER_ID,
    content::ITEM,
    content::EVENT_ID,
    content::EVENT_TIME,
    content::OLDEST_EVENT_TIME,
    content::GENERATED_AT,
    content::PACED_UNTIL,
    content::HISTORY,
    content::PACKED,
    content::PARKED_UNTIL,
    content::UNLESS_AT,
    content::RETRACTED_AT,
    content::REVISION,
    content::DELETED_AT,
    content::VALUES,
];

/// What is said where content could not be stored.
const NOT_STORED: &str = "content was not stored";

/// Holds if an item is as its writer saw it. One without a revision is not of this
/// program's making, and gets one.
fn unchanged() -> String {
    format!(
        "{REVISION} = :seen OR (attribute_exists({USER_ID}) AND attribute_not_exists({REVISION}))"
    )
}

/// Why a transaction is canceled when somebody else was there.
const CONFLICTS: [&str; 2] = ["ConditionalCheckFailed", "TransactionConflict"];

/// The content table on DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
    form: Form,
}

/// Items of a campaign.
#[derive(Debug)]
pub struct Page {
    /// Each with its state.
    pub items: Vec<(Key, State)>,
    /// Where to go on, if there is more.
    pub next: Option<Start>,
}

/// Where in the table to go on.
#[derive(Debug, Clone)]
pub struct Start(Item);

impl DynamoDb {
    /// Works on the table `table`, and writes plain items.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, form: Form::default() }
    }

    /// The same, which writes items of this form.
    #[must_use]
    pub fn writing(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The items of a campaign that a Scan of the next megabyte of the table finds, with where
    /// to go on after `from`. Who was deleted meanwhile, it does not know.
    pub async fn page(&self, campaign: &str, from: Option<Start>) -> Result<Page, TableError> {
        let names = STATE.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(format!("#{ITEM} = :item"))
            .projection_expression(projection())
            .set_expression_attribute_names(Some(names))
            .expression_attribute_values(":item", AttributeValue::S(content::item_key(campaign)))
            .set_exclusive_start_key(from.map(|Start(key)| key));
        let page = scan.send().await.map_err(|error| refused("items were not listed", &error))?;
        let found = page.items().iter().filter_map(|item| match found(item) {
            Some(Found::Item(key, state)) => Some((key, state)),
            Some(_) | None => None,
        });
        let (items, next) = (found.collect(), page.last_evaluated_key().cloned().map(Start));
        Ok(Page { items, next })
    }

    async fn load_chunk(&self, keys: &[(&str, String)]) -> Result<Vec<Item>, TableError> {
        let failed = |cause: Cause| TableError::passing("state was not read", cause);
        let keys = keys.iter().map(|(user_id, item)| key(user_id, item.clone())).collect();
        let mut wanted = projected(KeysAndAttributes::builder().consistent_read(true))
            .set_keys(Some(keys))
            .build()
            .map_err(|_| failed(CallError::NotBuilt.into()))?;
        let mut found = Vec::new();
        let mut waits = READ_BACKOFF.build();
        loop {
            let request = self.client.batch_get_item().request_items(&self.table, wanted);
            let mut answer =
                request.send().await.map_err(|error| failed(CallError::from(&error).into()))?;
            let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
            found.extend(items.into_iter().flatten());
            let rest = answer.unprocessed_keys.as_mut().and_then(|keys| keys.remove(&self.table));
            let Some(rest) = rest else { return Ok(found) };
            wanted = rest;
            match waits.next() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(failed(Cause::Unprocessed(MAX_READ_ATTEMPTS))),
            }
        }
    }

    /// Creates an item beside a check of the user's tombstone, which must be older than
    /// `oldest` (UNIX seconds); with it what the model was asked, if that is kept.
    async fn create(
        &self,
        (user_id, created): (&str, Item),
        oldest: i64,
        asked: Option<Item>,
        attempted: &'static str,
    ) -> Result<WriteResult, TableError> {
        let not_built = |_| TableError::passing(attempted, CallError::NotBuilt);
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key(user_id, content::TOMBSTONE.to_owned())))
            .condition_expression(format!("{} OR {DELETED_AT} < :oldest", is_absent(DELETED_AT)))
            .expression_attribute_values(":oldest", number(oldest))
            .build()
            .map_err(not_built)?;
        let check = TransactWriteItem::builder().condition_check(check).build();
        let put = Put::builder().condition_expression(is_absent(USER_ID));
        let puts = self.puts((put, created), asked).map_err(not_built)?;
        self.transact([vec![check], puts].concat(), attempted).await
    }

    /// A conditional put, and one of what the model was asked.
    fn puts(
        &self,
        (put, item): (PutBuilder, Item),
        asked: Option<Item>,
    ) -> Result<Vec<TransactWriteItem>, BuildError> {
        let asked = asked.map(|asked| Put::builder().set_item(Some(asked)));
        let puts = [Some(put.set_item(Some(item))), asked].into_iter().flatten();
        let puts = puts.map(|put| {
            let put = put.table_name(&self.table).build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        puts.collect()
    }

    /// Writes several items or none.
    async fn transact(
        &self,
        items: Vec<TransactWriteItem>,
        attempted: &'static str,
    ) -> Result<WriteResult, TableError> {
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match sent {
            Ok(_) => Ok(WriteResult::Done),
            Err(SdkError::ServiceError(error)) if is_canceled_for(error.err(), &CONFLICTS) => {
                Ok(WriteResult::Conflict)
            }
            Err(error) => {
                let is_invalid = matches!(&error, SdkError::ServiceError(error)
                    if is_canceled_for(error.err(), &["ValidationError"]));
                let failure = refused(attempted, &error);
                Err(TableError { is_final: failure.is_final || is_invalid, ..failure })
            }
        }
    }

    /// Writes what is remembered beside content that stays, if the revision is still `seen`.
    async fn remember(
        &self,
        place: &Key,
        seen: AttributeValue,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        let Change { set, unpack, remove } = changes(write, self.form)?;
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&place.user_id, content::item_key(&place.campaign))))
            .condition_expression(unchanged())
            .expression_attribute_values(":seen", seen);
        let (mut sets, mut removes) = (Vec::new(), Vec::new());
        let anew = set.into_iter().map(|set| (set, false));
        let set = anew.chain(unpack.into_iter().map(|set| (set, true)));
        for (n, ((name, value), is_older)) in set.enumerate() {
            sets.push(match is_older {
                true => format!("#s{n} = if_not_exists(#s{n}, :s{n})"),
                false => format!("#s{n} = :s{n}"),
            });
            update = update
                .expression_attribute_names(format!("#s{n}"), name)
                .expression_attribute_values(format!(":s{n}"), value);
        }
        // What waits must not end before its turn, and content not be served for longer.
        if write.outlives_content() {
            sets.push(format!("{SERVED_UNTIL} = if_not_exists({SERVED_UNTIL}, {EXPIRES_AT})"));
        }
        for (n, name) in remove.into_iter().enumerate() {
            removes.push(format!("#r{n}"));
            update = update.expression_attribute_names(format!("#r{n}"), name);
        }
        let expression = format!("SET {} REMOVE {}", sets.join(", "), removes.join(", "));
        written(update.update_expression(expression).send().await, "history was not stored")
    }

    /// Removes an item, if its revision is still `seen`.
    async fn delete(
        &self,
        place: Item,
        seen: u64,
        attempted: &'static str,
    ) -> Result<WriteResult, TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(place))
            .condition_expression(format!("{} OR {REVISION} = :seen", is_absent(REVISION)))
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        written(delete.send().await, attempted)
    }

    /// The items of so many keys, hundred at a time. DynamoDB refuses a read that names a key
    /// twice, and two asks for one user may come up together.
    async fn load_all<'k>(
        &self,
        wanted: impl Iterator<Item = (&'k str, String)>,
    ) -> Result<Vec<Item>, TableError> {
        let wanted: BTreeSet<(&str, String)> = wanted.collect();
        let wanted: Vec<(&str, String)> = wanted.into_iter().collect();
        let reads: Vec<_> = wanted.chunks(MAX_KEYS).map(|keys| self.load_chunk(keys)).collect();
        let items: Vec<Vec<Item>> =
            stream::iter(reads).buffer_unordered(CONCURRENT_READS).try_collect().await?;
        Ok(items.into_iter().flatten().collect())
    }
}

#[async_trait]
impl ContentTable for DynamoDb {
    async fn load(&self, keys: &[Key]) -> Result<HashMap<Key, State>, TableError> {
        let users: BTreeSet<&str> = keys.iter().map(|key| key.user_id.as_str()).collect();
        let tombstones = users.into_iter().map(|user| (user, content::TOMBSTONE.to_owned()));
        let items = keys.iter().map(|k| (k.user_id.as_str(), content::item_key(&k.campaign)));
        let items = self.load_all(items.chain(tombstones)).await?;
        let mut states: HashMap<Key, State> =
            keys.iter().map(|key| (key.clone(), State::default())).collect();
        let mut deleted: HashMap<String, i64> = HashMap::new();
        for item in items {
            match found(&item) {
                Some(Found::Item(key, state)) => drop(states.insert(key, state)),
                Some(Found::Tombstone(user_id, at)) => drop(deleted.insert(user_id, at)),
                Some(Found::Profile(..) | Found::Asked(..) | Found::Unknown(_)) | None => {}
            }
        }
        for (key, state) in &mut states {
            state.deleted_at = deleted.get(&key.user_id).copied();
        }
        Ok(states)
    }

    async fn write(
        &self,
        place: &Key,
        seen: Option<u64>,
        write: &Write,
    ) -> Result<WriteResult, TableError> {
        let asked = write.asked.as_ref().filter(|_| write.content.is_some());
        let oldest = write.oldest_event_time();
        let asked = asked.map(|asked| asked_item(place, asked, oldest));
        let Some(seen) = seen else {
            let created = item(place, write, self.form)?;
            let created = (place.user_id.as_str(), created);
            return self.create(created, oldest, asked, NOT_STORED).await;
        };
        let seen = AttributeValue::N(seen.to_string());
        if write.content.is_some() && asked.is_some() {
            let put = Put::builder()
                .condition_expression(unchanged())
                .expression_attribute_values(":seen", seen);
            let puts = self.puts((put, item(place, write, self.form)?), asked);
            let puts = puts.map_err(|_| TableError::passing(NOT_STORED, CallError::NotBuilt))?;
            return self.transact(puts, NOT_STORED).await;
        }
        if write.content.is_some() {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item(place, write, self.form)?))
                .condition_expression(unchanged())
                .expression_attribute_values(":seen", seen);
            return written(put.send().await, NOT_STORED);
        }
        self.remember(place, seen, write).await
    }

    async fn entomb(
        &self,
        user_id: &str,
        deleted_at: i64,
        expires_at: i64,
    ) -> Result<(), TableError> {
        let mut tombstone = key(user_id, content::TOMBSTONE.to_owned());
        tombstone.insert(content::DELETED_AT.to_owned(), number(deleted_at));
        tombstone.insert(content::EXPIRES_AT.to_owned(), number(expires_at));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(tombstone))
            .condition_expression(format!("{} OR {DELETED_AT} < :at", is_absent(DELETED_AT)))
            .expression_attribute_values(":at", number(deleted_at));
        match put.send().await {
            Ok(_) => Ok(()),
            // A later deletion is noted already. A transaction that checks the tombstone
            // at this very moment is another matter: the deletion must be noted.
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
            Err(error) => Err(refused("deletion was not noted", &error)),
        }
    }

    async fn profiles(&self, users: &[String]) -> Result<HashMap<String, Profile>, TableError> {
        let sort_keys = [content::ATTRIBUTES, content::TOMBSTONE];
        let keys = users.iter().flat_map(|user| sort_keys.map(|key| (&**user, key.to_owned())));
        let mut profiles: HashMap<String, Profile> = HashMap::new();
        for item in self.load_all(keys).await? {
            match found(&item) {
                Some(Found::Profile(user_id, profile)) => {
                    let known = profiles.entry(user_id).or_default();
                    *known = Profile { deleted_at: known.deleted_at, ..profile };
                }
                Some(Found::Tombstone(user_id, at)) => {
                    profiles.entry(user_id).or_default().deleted_at = Some(at);
                }
                Some(Found::Item(..) | Found::Asked(..) | Found::Unknown(_)) | None => {}
            }
        }
        Ok(profiles)
    }

    async fn write_profile(
        &self,
        user_id: &str,
        seen: Option<u64>,
        write: &ProfileWrite,
    ) -> Result<WriteResult, TableError> {
        const ATTEMPTED: &str = "attributes were not stored";
        let item = profile_item(user_id, write)?;
        let Some(seen) = seen else {
            let oldest = write.known.values().map(|known| known.time).min().unwrap_or(0);
            return self.create((user_id, item), oldest, None, ATTEMPTED).await;
        };
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(unchanged())
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        written(put.send().await, ATTEMPTED)
    }

    async fn remove_profile(&self, user_id: &str, seen: u64) -> Result<WriteResult, TableError> {
        let place = key(user_id, content::ATTRIBUTES.to_owned());
        self.delete(place, seen, "attributes were not deleted").await
    }

    async fn remove_asked(&self, place: &Key) -> Result<(), TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(&place.user_id, content::asked_key(&place.campaign))));
        let sent = delete.send().await;
        sent.map(drop).map_err(|error| refused("what was asked was not deleted", &error))
    }

    async fn remove_unknown(
        &self,
        user_id: &str,
        sort_key: &str,
        deleted_at: i64,
    ) -> Result<(), TableError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(user_id, sort_key.to_owned())))
            .condition_expression(format!(
                "{} OR {OLDEST_EVENT_TIME} <= :deleted_at",
                is_absent(OLDEST_EVENT_TIME)
            ))
            .expression_attribute_values(":deleted_at", number(deleted_at));
        // One that is newer stays.
        written(delete.send().await, "an item of another version was not deleted").map(drop)
    }

    async fn of_user(&self, user_id: &str) -> Result<OfUser, TableError> {
        let names = STATE.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(format!("#{USER_ID} = :user"))
            .projection_expression(projection())
            .set_expression_attribute_names(Some(names))
            .expression_attribute_values(":user", AttributeValue::S(user_id.to_owned()))
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| refused("items were not listed", &error))?;
        let mut of_user = OfUser::default();
        for item in items {
            match found(&item) {
                Some(Found::Item(key, state)) => of_user.items.push((key, state)),
                Some(Found::Profile(_, profile)) => of_user.profile = profile,
                Some(Found::Asked(key, oldest)) => of_user.asked.push((key, oldest)),
                Some(Found::Unknown(sort_key)) => of_user.unknown.push(sort_key),
                Some(Found::Tombstone(..)) | None => {}
            }
        }
        Ok(of_user)
    }

    async fn remove(&self, place: &Key, seen: u64) -> Result<WriteResult, TableError> {
        let place = key(&place.user_id, content::item_key(&place.campaign));
        self.delete(place, seen, "content was not deleted").await
    }

    async fn touch(
        &self,
        place: &Key,
        seen: u64,
        revision: u64,
    ) -> Result<WriteResult, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&place.user_id, content::item_key(&place.campaign))))
            .update_expression(format!("SET {REVISION} = :revision"))
            .condition_expression(unchanged())
            .expression_attribute_values(":revision", AttributeValue::N(revision.to_string()))
            .expression_attribute_values(":seen", AttributeValue::N(seen.to_string()));
        written(update.send().await, "content was not marked")
    }
}

/// What a write without content changes.
fn changes(write: &Write, form: Form) -> Result<Change, TableError> {
    let mut set = Item::from_iter(notes(write).map(|(name, at)| (name.to_owned(), at)));
    set.insert(REVISION.to_owned(), AttributeValue::N(write.revision.to_string()));
    if let Some(language) = &write.language {
        set.insert(LANGUAGE.to_owned(), AttributeValue::S(language.clone()));
    }
    if let WaitingAsk::Until(until_ms) = write.ask {
        set.insert(PARKED_UNTIL.to_owned(), AttributeValue::N(until_ms.to_string()));
    }
    let is_announced = write.ask == WaitingAsk::Unchanged && write.is_announced;
    if write.outlives_content() || (!write.keeps_content && !is_announced) {
        set.insert(EXPIRES_AT.to_owned(), number(write.expires_at));
    }
    let mut change = form.lay_out(set, &write.memory.history, &write.packed)?;
    if write.ask == WaitingAsk::Over {
        change.remove.push(PARKED_UNTIL);
    }
    Ok(change)
}

fn is_absent(attribute: &str) -> String {
    format!("attribute_not_exists({attribute})")
}

fn projection() -> String {
    STATE.map(|name| format!("#{name}")).join(", ")
}

fn projected(
    keys: aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder,
) -> aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder {
    let names = STATE.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
    keys.projection_expression(projection()).set_expression_attribute_names(Some(names))
}

/// Tells whether a transaction was canceled for some of these reasons and no other.
fn is_canceled_for(error: &TransactWriteItemsError, expected: &[&str]) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(error) = error else {
        return false;
    };
    let reasons = error.cancellation_reasons().iter().filter_map(|reason| reason.code());
    let mut reasons = reasons.filter(|code| *code != "None").peekable();
    reasons.peek().is_some() && reasons.all(|code| expected.contains(&code))
}

/// Tells a condition that was not met from a failure.
fn written<T, E: ProvideErrorMetadata, R>(
    sent: Result<T, SdkError<E, R>>,
    attempted: &'static str,
) -> Result<WriteResult, TableError> {
    match sent {
        Ok(_) => Ok(WriteResult::Done),
        Err(error) => match error.code() {
            Some("ConditionalCheckFailedException" | "TransactionConflictException") => {
                Ok(WriteResult::Conflict)
            }
            _ => Err(refused(attempted, &error)),
        },
    }
}

pub(crate) fn refused<E: ProvideErrorMetadata, R>(
    attempted: &'static str,
    error: &SdkError<E, R>,
) -> TableError {
    let is_final = error.code() == Some("ValidationException");
    TableError { attempted, cause: CallError::from(error).into(), is_final }
}
