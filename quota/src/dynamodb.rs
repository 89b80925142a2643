//! Lanes on DynamoDB, in the table that the instances share.
//!
//! The item `quota#<model>#<lane>` holds `busy_until`, `resumed_at` and `idle`
//! (microseconds), the number of `slices`, the pace as `pace_part`, `pace_from` and
//! `pace_ceiling`, the tokens of a day under `day_<days since 1970>`, and what was learnt of
//! the kinds (`learnt`); days and periods that are past are removed by whoever sees
//! them. A slice is one conditional update: of a busy lane it moves `busy_until` on,
//! whatever it is; of an idle one it sets it anew. Which of the two fits is known from the
//! update before; where it was the other, the refusal brings the item, so nothing is ever
//! read. A small quota's calls are beside it (`tally`).

mod learnt;
mod tally;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use contract::content::{COORDINATION_KEY, EXPIRES_AT};
use program::aws::CallError;

use crate::estimate::{Lesson, period};
use crate::lane::{Ask, Lane, Refusal, never_busy_us};
use crate::pace::Pace;
use crate::table::{Cause, LaneItem, LaneName, QuotaTable, Reply, TableError};
use crate::tally::Entering;

/// Updates of one slice: one that fits, after one that did not, and one more because the
/// lane changed in between.
const MAX_UPDATES: usize = 3;

/// What is removed with one update.
const MAX_REMOVED: usize = 60;

/// How long an item stays that nobody uses, in seconds: two days, for the day's tokens.
const KEPT_SECS: u64 = 2 * 24 * 3_600;

const TAKE: &str = "slice of the quota was not taken";

// The attributes of a lane.
const BUSY_UNTIL: &str = "busy_until";
const RESUMED_AT: &str = "resumed_at";
const IDLE: &str = "idle";
const SLICES: &str = "slices";
const PACE_PART: &str = "pace_part";
const PACE_FROM: &str = "pace_from";
const PACE_CEILING: &str = "pace_ceiling";
const DAY: &str = "day_";

/// An item of DynamoDB.
type Item = HashMap<String, AttributeValue>;

/// Lanes on DynamoDB.
#[derive(Debug, Clone)]
pub struct Lanes {
    client: Client,
    table: String,
}

/// What came of an update.
enum Updated {
    Done(Item),
    /// The condition did not hold; the item as it is, if it is there.
    Not(Option<Item>),
}

impl Lanes {
    /// Works on the table `table`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    fn update(&self, name: &LaneName) -> UpdateItemFluentBuilder {
        let key = format!("quota#{}#{}", name.model_id, name.number);
        self.client
            .update_item()
            .table_name(&self.table)
            .key(COORDINATION_KEY, AttributeValue::S(key))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }

    /// The update by which a slice is taken: [`Lane::take`] as an expression. That the two
    /// agree is held by a test, which gives both the same calls (`tests/it/table.rs`).
    fn slice(&self, name: &LaneName, ask: &Ask, is_busy: bool) -> UpdateItemFluentBuilder {
        if is_busy {
            self.update(name)
                .update_expression(format!(
                    "SET {BUSY_UNTIL} = {BUSY_UNTIL} + :length, {EXPIRES_AT} = :expires_at"
                ))
                .condition_expression(format!("{BUSY_UNTIL} BETWEEN :now AND :latest"))
                .expression_attribute_values(":latest", number(ask.latest_us))
                .expression_attribute_values(":length", number(ask.length_us))
        } else {
            let resumes_us = ask.resumes_us.unwrap_or(ask.now_us);
            let (idle, since, since_us) = match ask.resumes_us {
                None => {
                    let idle = format!(":now - if_not_exists({BUSY_UNTIL}, :never)");
                    (idle, ":never", never_busy_us(ask.now_us))
                }
                Some(_) => (":zero".to_owned(), ":zero", 0),
            };
            let set = format!(
                "SET {IDLE} = {idle}, {RESUMED_AT} = :resumes, {BUSY_UNTIL} = :end, \
                 {EXPIRES_AT} = :expires_at"
            );
            self.update(name)
                .update_expression(set)
                .condition_expression(format!(
                    "(attribute_not_exists({BUSY_UNTIL}) OR {BUSY_UNTIL} < :now)"
                ))
                .expression_attribute_values(":resumes", number(resumes_us))
                .expression_attribute_values(":end", number(resumes_us + ask.length_us))
                .expression_attribute_values(since, number(since_us))
        }
    }

    /// Completes the update of a slice with what is counted beside its time.
    fn counted(
        slice: UpdateItemFluentBuilder,
        ask: &Ask,
        learnt: &[Lesson],
        past: &[String],
    ) -> UpdateItemFluentBuilder {
        let set = slice.get_update_expression().clone().unwrap_or_default();
        let mut condition = slice.get_condition_expression().clone().unwrap_or_default();
        let mut update = slice
            .expression_attribute_names("#today", day(ask.day))
            .expression_attribute_values(":tokens", number(ask.tokens))
            .expression_attribute_values(":now", number(ask.now_us))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":expires_at", number(ask.now_us / 1_000_000 + KEPT_SECS));
        if let Some(limit) = ask.tokens_per_day {
            condition += " AND (attribute_not_exists(#today) OR #today <= :most)";
            let most = i128::from(limit) - i128::from(ask.tokens);
            let most = AttributeValue::N(most.to_string());
            update = update.expression_attribute_values(":most", most);
        }
        let mut expression = format!("{set} ADD #today :tokens, {SLICES} :one");
        for (place, (name, value)) in learnt::attributes(learnt).enumerate() {
            expression += &format!(", #learnt{place} :learnt{place}");
            update = update
                .expression_attribute_names(format!("#learnt{place}"), name)
                .expression_attribute_values(format!(":learnt{place}"), value);
        }
        for (place, name) in past.iter().take(MAX_REMOVED).enumerate() {
            expression += if place == 0 { " REMOVE " } else { ", " };
            expression += &format!("#past{place}");
            update = update.expression_attribute_names(format!("#past{place}"), name);
        }
        update.update_expression(expression).condition_expression(condition)
    }
}

#[async_trait]
impl QuotaTable for Lanes {
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        learnt: &[Lesson],
        seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        let mut is_busy = seen.is_some_and(|seen| seen.lane.busy_until_us >= ask.now_us);
        let past = seen.map_or(&[] as &[String], |seen| &seen.past);
        for _ in 0..MAX_UPDATES {
            let slice = self.slice(name, ask, is_busy);
            let item = match send(Self::counted(slice, ask, learnt, past), TAKE).await? {
                Updated::Done(item) => {
                    return seen_at(&item, ask.now_us, ask.day).map(Reply::Slice);
                }
                Updated::Not(Some(item)) if !item.contains_key(BUSY_UNTIL) => None,
                Updated::Not(item) => item,
            };
            let seen = item.map(|item| seen_at(&item, ask.now_us, ask.day)).transpose()?;
            let lane = seen.as_ref().map(|seen| seen.lane);
            // The same rule, to know which part of the condition did not hold.
            match (Lane::take(lane.as_ref(), ask), seen) {
                (Err(Refusal::Busy(_)), Some(seen)) => return Ok(Reply::Busy(seen)),
                (Err(_), _) => return Ok(Reply::DayUsedUp),
                (Ok(_), _) => is_busy = lane.is_some_and(|lane| lane.busy_until_us >= ask.now_us),
            }
        }
        Err(TableError { attempted: TAKE, cause: Cause::KeptChanging(MAX_UPDATES) })
    }

    async fn enter(
        &self,
        name: &LaneName,
        entering: &Entering,
        seen: Option<&LaneItem>,
    ) -> Result<Reply, TableError> {
        tally::enter(self, name, entering, seen).await
    }

    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression(format!("SET {BUSY_UNTIL} = :from"))
            .condition_expression(format!("{BUSY_UNTIL} = :to AND {SLICES} = :slices"))
            .expression_attribute_values(":from", number(from_us))
            .expression_attribute_values(":to", number(slice.busy_until_us))
            .expression_attribute_values(":slices", number(slice.slices));
        send(update, "slice of the quota was not given back").await.map(drop)
    }

    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression(format!(
                "SET {PACE_PART} = :part, {PACE_FROM} = :from, {PACE_CEILING} = :ceiling, \
                 {EXPIRES_AT} = :expires_at"
            ))
            .expression_attribute_values(":expires_at", number(now_us / 1_000_000 + KEPT_SECS))
            .condition_expression(format!(
                "attribute_not_exists({PACE_FROM}) OR {PACE_FROM} <= :now"
            ))
            .expression_attribute_values(":part", AttributeValue::N(pace.part.to_string()))
            .expression_attribute_values(":from", number(pace.from_us))
            .expression_attribute_values(":ceiling", AttributeValue::N(pace.ceiling.to_string()))
            .expression_attribute_values(":now", number(now_us));
        send(update, "pace was not set").await.map(drop)
    }
}

async fn send(
    update: UpdateItemFluentBuilder,
    attempted: &'static str,
) -> Result<Updated, TableError> {
    match update.send().await {
        Ok(output) => Ok(Updated::Done(output.attributes.unwrap_or_default())),
        Err(SdkError::ServiceError(error)) => match error.err() {
            UpdateItemError::ConditionalCheckFailedException(refusal) => {
                Ok(Updated::Not(refusal.item().cloned()))
            }
            _ => Err(failed(attempted, &SdkError::ServiceError(error))),
        },
        Err(error) => Err(failed(attempted, &error)),
    }
}

fn failed(attempted: &'static str, error: &SdkError<UpdateItemError>) -> TableError {
    TableError { attempted, cause: CallError::from(error).into() }
}

fn seen_at(item: &Item, now_us: u64, today: u64) -> Result<LaneItem, TableError> {
    let (lane, tally) = (lane(item, today)?, tally::read(item)?);
    let (learnt, mut past) = learnt::read(item, period(now_us));
    // Clocks differ around midnight, so yesterday stays.
    past.extend(item.keys().filter(|name| is_past_day(name, today)).cloned());
    past.sort();
    Ok(LaneItem { lane, tally, learnt, past })
}

fn is_past_day(name: &str, today: u64) -> bool {
    let day = name.strip_prefix(DAY).and_then(|day| day.parse::<u64>().ok());
    day.is_some_and(|day| day + 1 < today)
}

fn lane(item: &Item, today: u64) -> Result<Lane, TableError> {
    let count = |name| count(item, name);
    let part = |name| text(item, name).and_then(|text| text.parse::<f64>().ok());
    let busy_until_us =
        count(BUSY_UNTIL).ok_or(TableError { attempted: TAKE, cause: Cause::ForeignShape })?;
    let pace = match (part(PACE_PART), count(PACE_FROM), part(PACE_CEILING)) {
        (Some(part), Some(from_us), Some(ceiling)) => Pace { part, from_us, ceiling },
        _ => Pace::default(),
    };
    Ok(Lane {
        busy_until_us,
        resumed_at_us: count(RESUMED_AT).unwrap_or_default(),
        idle_us: count(IDLE).unwrap_or_default(),
        slices: count(SLICES).unwrap_or_default(),
        pace,
        day_tokens: count(&day(today)).unwrap_or_default(),
    })
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name).and_then(|value| value.as_n().ok())
}

fn count(item: &Item, name: &str) -> Option<u64> {
    text(item, name).and_then(|text| text.parse().ok())
}

fn day(day: u64) -> String {
    format!("{DAY}{day}")
}

fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}
