//! What the instances agree on, on DynamoDB: one table with a key and a time to live.

mod item;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use contract::content::{COORDINATION_KEY, EXPIRES_AT, answer_key};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use program::aws::CallError;
use program::causes;
use tokio::time::sleep;

use item::{
    ANSWER, ATTEMPTS, BEGUN, DETAIL, FAILED_CALLS, GIVEN_UP_AT, INPUT_TOKENS, LAST_FAILURE,
    LAST_SPENT, LEASE_UNTIL, OUTPUT_TOKENS, OWNER, REASON, SPENT, UNTIL, begun_key, budget_key,
    end_after, end_of, entry, failed_before, key, mark_key, notice_key,
};

use super::{BudgetOfDay, Coordination, Entry, Failures, Lease, LeaseReply, Spending};
use crate::store::dynamodb::{Item, number, refused};
use crate::store::{Cause, TableError};

/// Most keys of one BatchGetItem (AWS limit).
const MAX_KEYS: usize = 100;

/// BatchGetItems at a time.
const CONCURRENT_READS: usize = 4;

/// Waits before a budget is spent of again, when it is known that the attempt before did not.
const SPEND_BACKOFF: ExponentialBuilder =
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(50)).with_max_times(2);

/// How long an item waits that only another version can read, before somebody looks again, in
/// milliseconds: a deployment and a rollback take minutes.
const UNKNOWN_MS: u64 = 600_000;

/// The coordination table on DynamoDB.
#[derive(Debug, Clone)]
pub struct SharedTable {
    client: Client,
    table: String,
}

impl SharedTable {
    /// Works on the table `table`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn budget(&self, budget: &BudgetOfDay) -> Result<Item, TableError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(key(budget_key(budget))));
        let got = get.send().await.map_err(|error| refused("budget was not read", &error))?;
        Ok(got.item.unwrap_or_default())
    }

    async fn read(&self, hashes: &[String]) -> Result<Vec<Item>, TableError> {
        let keys = hashes.iter().map(|hash| key(answer_key(hash))).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build();
        let wanted = wanted
            .map_err(|_| TableError::passing("answers were not read", CallError::NotBuilt))?;
        let request = self.client.batch_get_item().request_items(&self.table, wanted);
        let mut answer =
            request.send().await.map_err(|error| refused("answers were not read", &error))?;
        // What is left unprocessed counts as unknown: the lease will tell.
        let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
        Ok(items.unwrap_or_default())
    }
}

#[async_trait]
impl Coordination for SharedTable {
    async fn answers(
        &self,
        hashes: &[String],
        now: i64,
    ) -> Result<HashMap<String, Entry>, TableError> {
        let reads: Vec<_> = hashes.chunks(MAX_KEYS).map(|chunk| self.read(chunk)).collect();
        let items: Vec<Vec<Item>> =
            stream::iter(reads).buffer_unordered(CONCURRENT_READS).try_collect().await?;
        let known = items.into_iter().flatten().filter_map(|item| {
            let expires_at: i64 = item.get(EXPIRES_AT)?.as_n().ok()?.parse().ok()?;
            if expires_at <= now {
                return None;
            }
            let hash = item.get(COORDINATION_KEY)?.as_s().ok()?.strip_prefix(&answer_key(""))?;
            Some((hash.to_owned(), entry(&item)?))
        });
        Ok(known.collect())
    }

    async fn lease(&self, hash: &str, lease: &Lease) -> Result<LeaseReply, TableError> {
        let attempted = "lease was not taken";
        let now = i64::try_from(lease.now_ms / 1_000).unwrap_or(i64::MAX);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(answer_key(hash))))
            .update_expression(format!(
                "SET #{OWNER} = :owner, {LEASE_UNTIL} = :until, {EXPIRES_AT} = :expires_at \
                 ADD {FAILED_CALLS} :one \
                 REMOVE {ANSWER}, {INPUT_TOKENS}, {OUTPUT_TOKENS}, \
                 #{REASON}, {DETAIL}, {ATTEMPTS}, {GIVEN_UP_AT}",
            ))
            .condition_expression(format!(
                "attribute_not_exists(#{COORDINATION_KEY}) OR {EXPIRES_AT} <= :now \
                 OR {LEASE_UNTIL} <= :now_ms OR {GIVEN_UP_AT} < :retry_before \
                 OR #{OWNER} = :owner",
            ))
            .expression_attribute_names(format!("#{COORDINATION_KEY}"), COORDINATION_KEY)
            .expression_attribute_names(format!("#{OWNER}"), OWNER)
            .expression_attribute_names(format!("#{REASON}"), REASON)
            .expression_attribute_values(":owner", AttributeValue::S(lease.owner.clone()))
            .expression_attribute_values(":until", AttributeValue::N(lease.until_ms.to_string()))
            .expression_attribute_values(":expires_at", number(end_after(lease.until_ms)))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(
                ":retry_before",
                AttributeValue::N(lease.retry_given_up_before_ms.to_string()),
            )
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":now_ms", AttributeValue::N(lease.now_ms.to_string()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(updated) => Ok(LeaseReply::Ours(
                updated.attributes.as_ref().map(failed_before).unwrap_or_default(),
            )),
            Err(SdkError::ServiceError(error)) => match error.err() {
                UpdateItemError::ConditionalCheckFailedException(refusal) => {
                    let item = refusal.item().ok_or_else(|| {
                        TableError::passing(
                            attempted,
                            Cause::Other("no item came with the refusal"),
                        )
                    })?;
                    // Another version knows what this is: it counts as somebody's turn.
                    let until_ms = lease.now_ms + UNKNOWN_MS;
                    Ok(LeaseReply::Taken(
                        entry(item).unwrap_or(Entry::Leased { until_ms, job: None }),
                    ))
                }
                _ => Err(refused(attempted, &SdkError::ServiceError(error))),
            },
            Err(error) => Err(refused(attempted, &error)),
        }
    }

    async fn extend(&self, hash: &str, lease: &Lease) -> Result<bool, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(answer_key(hash))))
            .update_expression(format!("SET {LEASE_UNTIL} = :until, {EXPIRES_AT} = :expires_at"))
            .condition_expression(format!("#{OWNER} = :owner"))
            .expression_attribute_names(format!("#{OWNER}"), OWNER)
            .expression_attribute_values(":owner", AttributeValue::S(lease.owner.clone()))
            .expression_attribute_values(":until", AttributeValue::N(lease.until_ms.to_string()))
            .expression_attribute_values(":expires_at", number(end_after(lease.until_ms)));
        is_met(update.send().await, "lease was not extended")
    }

    async fn finish(&self, hash: &str, outcome: &Entry, expires_at: i64) -> Result<(), TableError> {
        let mut item = key(answer_key(hash));
        let mut set = |name: &str, value| drop(item.insert(name.to_owned(), value));
        set(EXPIRES_AT, number(expires_at));
        match outcome {
            Entry::Answered { data, usage } => {
                let json = serde_json::to_string(data)
                    .map_err(|_| TableError::passing("answer was not kept", Cause::NotJson))?;
                set(ANSWER, AttributeValue::S(json));
                set(INPUT_TOKENS, AttributeValue::N(usage.input_tokens.to_string()));
                set(OUTPUT_TOKENS, AttributeValue::N(usage.output_tokens.to_string()));
            }
            Entry::GivenUp { reason, detail, attempts, at_ms } => {
                set(GIVEN_UP_AT, AttributeValue::N(at_ms.to_string()));
                set(REASON, AttributeValue::S(reason.clone()));
                set(DETAIL, AttributeValue::S(detail.clone()));
                set(ATTEMPTS, AttributeValue::N(attempts.to_string()));
            }
            Entry::Leased { until_ms, .. } => {
                set(LEASE_UNTIL, AttributeValue::N(until_ms.to_string()));
            }
        }
        // The first answer stands, so that whoever asks later gets the same.
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists({ANSWER})"));
        is_met(put.send().await, "answer was not kept").map(drop)
    }

    async fn release(
        &self,
        hash: &str,
        owner: &str,
        failed: &Failures,
        expires_at: i64,
    ) -> Result<(), TableError> {
        let attempted = "lease was not given back";
        let owner = AttributeValue::S(owner.to_owned());
        if failed.calls == 0 {
            let delete = self
                .client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(key(answer_key(hash))))
                .condition_expression(format!("#{OWNER} = :owner"))
                .expression_attribute_names(format!("#{OWNER}"), OWNER)
                .expression_attribute_values(":owner", owner);
            return is_met(delete.send().await, attempted).map(drop);
        }
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(answer_key(hash))))
            .update_expression(format!(
                "SET {FAILED_CALLS} = :calls, {LAST_FAILURE} = :last, {LEASE_UNTIL} = :zero, \
                 {EXPIRES_AT} = :expires_at REMOVE #{OWNER}",
            ))
            .condition_expression(format!("#{OWNER} = :owner"))
            .expression_attribute_names(format!("#{OWNER}"), OWNER)
            .expression_attribute_values(":owner", owner)
            .expression_attribute_values(":calls", number(failed.calls.into()))
            .expression_attribute_values(":last", AttributeValue::S(failed.last.clone()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":expires_at", number(expires_at));
        is_met(update.send().await, attempted).map(drop)
    }

    async fn spend(
        &self,
        budget: &BudgetOfDay,
        amount: u64,
        name: &str,
    ) -> Result<Spending, TableError> {
        let Some(most_before) = budget.limit.checked_sub(amount) else {
            return Ok(Spending::Refused);
        };
        let mut waits = SPEND_BACKOFF.build();
        loop {
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key(budget_key(budget))))
                .update_expression(format!(
                    "ADD #{SPENT} :amount SET {EXPIRES_AT} = :expires_at, {LAST_SPENT} = :name",
                ))
                .condition_expression(format!(
                    "attribute_not_exists(#{SPENT}) OR #{SPENT} <= :most_before"
                ))
                .expression_attribute_names(format!("#{SPENT}"), SPENT)
                .expression_attribute_values(":name", AttributeValue::S(name.to_owned()))
                .expression_attribute_values(":amount", AttributeValue::N(amount.to_string()))
                .expression_attribute_values(
                    ":most_before",
                    AttributeValue::N(most_before.to_string()),
                )
                .expression_attribute_values(":expires_at", number(end_of(budget)));
            let error = match update.customize().config_override(once()).send().await {
                Ok(_) => return Ok(Spending::Granted),
                Err(error) if error.code() == Some(CONDITION_FAILED) => {
                    return Ok(Spending::Refused);
                }
                Err(error) => error,
            };
            let refusal = refused("budget was not spent", &error);
            if is_not_done(&error) {
                let Some(wait) = waits.next() else { return Err(refusal) };
                sleep(wait).await;
                continue;
            }
            // It may have been spent: what spent last tells, unless somebody did since.
            // Then it counts as spent, because a second time would be worse.
            tracing::debug!(error = causes::told(&refusal), "looking whether the budget was spent");
            let item = self.budget(budget).await?;
            let last = item.get(LAST_SPENT).and_then(|last| last.as_s().ok());
            return match last {
                Some(_) => Ok(Spending::Granted),
                None => Err(refusal),
            };
        }
    }

    async fn correct(&self, budget: &BudgetOfDay, by: i64) -> Result<(), TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(budget_key(budget))))
            .update_expression(format!("ADD #{SPENT} :by"))
            .expression_attribute_names(format!("#{SPENT}"), SPENT)
            .expression_attribute_values(":by", number(by));
        // Sent once: a repeat after a lost reply would give the same amount back twice.
        let sent = update.customize().config_override(once()).send().await;
        sent.map(drop).map_err(|error| refused("budget was not corrected", &error))
    }

    async fn notices(&self, names: &[String]) -> Result<HashMap<String, u64>, TableError> {
        let keys = names.iter().map(|name| key(notice_key(name))).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build();
        let wanted = wanted
            .map_err(|_| TableError::passing("notices were not read", CallError::NotBuilt))?;
        let request = self.client.batch_get_item().request_items(&self.table, wanted);
        let mut answer =
            request.send().await.map_err(|error| refused("notices were not read", &error))?;
        // What is left unprocessed counts as not given: whoever acts on it finds out.
        let items = answer.responses.as_mut().and_then(|tables| tables.remove(&self.table));
        let notices = items.unwrap_or_default().into_iter().filter_map(|item| {
            let name = item.get(COORDINATION_KEY)?.as_s().ok()?.strip_prefix(&notice_key(""))?;
            Some((name.to_owned(), item.get(UNTIL)?.as_n().ok()?.parse().ok()?))
        });
        Ok(notices.collect())
    }

    async fn give_notice(
        &self,
        name: &str,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<bool, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(notice_key(name))))
            .update_expression(format!("SET #{UNTIL} = :until, {EXPIRES_AT} = :expires_at"))
            .expression_attribute_names(format!("#{UNTIL}"), UNTIL)
            .expression_attribute_values(":until", AttributeValue::N(until_ms.to_string()))
            .expression_attribute_values(":expires_at", number(end_after(until_ms)))
            .return_values(ReturnValue::UpdatedOld);
        let given = update.send().await.map_err(|error| refused("notice was not given", &error))?;
        let before = given.attributes.as_ref().and_then(|item| item.get(UNTIL));
        let before = before.and_then(|until| until.as_n().ok()?.parse::<u64>().ok());
        Ok(before.is_none_or(|before| before <= now_ms))
    }

    async fn begin(&self, name: &str, expires_at: i64) -> Result<u32, TableError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(begun_key(name))))
            .update_expression(format!("ADD #{BEGUN} :one SET {EXPIRES_AT} = :expires_at"))
            .expression_attribute_names(format!("#{BEGUN}"), BEGUN)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":expires_at", number(expires_at))
            .return_values(ReturnValue::UpdatedOld);
        let begun =
            update.send().await.map_err(|error| refused("beginning was not noted", &error))?;
        let before = begun.attributes.as_ref().and_then(|item| item.get(BEGUN));
        Ok(before.and_then(|count| count.as_n().ok()?.parse().ok()).unwrap_or_default())
    }

    async fn end(&self, name: &str) -> Result<(), TableError> {
        let delete =
            self.client.delete_item().table_name(&self.table).set_key(Some(key(begun_key(name))));
        delete.send().await.map(drop).map_err(|error| refused("end was not noted", &error))
    }

    async fn is_marked(&self, name: &str) -> Result<bool, TableError> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .set_key(Some(key(mark_key(name))));
        let got = get.send().await.map_err(|error| refused("mark was not read", &error))?;
        Ok(got.item.is_some())
    }

    async fn mark(&self, name: &str, expires_at: i64) -> Result<(), TableError> {
        let mut item = key(mark_key(name));
        item.insert(EXPIRES_AT.to_owned(), number(expires_at));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| refused("mark was not written", &error))
    }
}

/// DynamoDB's code for a condition that does not hold.
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// Tells whether the condition of a write held, and the write was done.
fn is_met<T, E: ProvideErrorMetadata, R>(
    answer: Result<T, SdkError<E, R>>,
    attempted: &'static str,
) -> Result<bool, TableError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(CONDITION_FAILED) => Ok(false),
        Err(error) => Err(refused(attempted, &error)),
    }
}

/// A call that the SDK does not repeat by itself.
fn once() -> aws_sdk_dynamodb::config::Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

/// Tells whether DynamoDB surely did not do what failed: it said so, or never heard of it.
fn is_not_done<E, R>(error: &SdkError<E, R>) -> bool
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => !failure.is_io() && !failure.is_timeout(),
        // Its own failures (InternalServerError) can come after the deed.
        SdkError::ServiceError(_) => error
            .code()
            .is_some_and(|code| code != "InternalServerError" && code != "InternalFailure"),
        _ => false,
    }
}
