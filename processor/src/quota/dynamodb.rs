//! Lanes on DynamoDB, in the table that the instances share.
//!
//! The item `quota#<model>#<lane>` holds `busy_until`, `resumed_at` and `idle`
//! (microseconds), the pace as `pace_part`, `pace_from` and `pace_ceiling`, and the tokens
//! of a day under `day_<days since 1970>`. A slice is one conditional update: of a busy
//! lane it moves `busy_until` on, whatever it is; of an idle one it sets it anew. Which of
//! the two fits is known from the update before; where it was the other, the refusal
//! brings the item, so nothing is ever read.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use contract::content::COORDINATION_KEY;

use super::lane::{Ask, Lane, Refused, never_busy_us};
use super::pace::Pace;
use super::table::{LaneName, QuotaTable};
use crate::store::TableError;
use crate::store::dynamodb::{Item, failed, refused};

/// Updates of one slice: one that fits, after one that did not, and one more because the
/// lane changed in between.
const MAX_UPDATES: usize = 3;

/// How long an item stays that nobody uses, in seconds: two days, for the day's tokens.
const KEPT_SECS: u64 = 2 * 24 * 3_600;

const TAKE: &str = "slice of the quota was not taken";

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

    fn slice(&self, name: &LaneName, ask: &Ask, is_busy: bool) -> UpdateItemFluentBuilder {
        let (set, mut condition) = if is_busy {
            let condition = "busy_until BETWEEN :now AND :latest".to_owned();
            (
                "SET busy_until = busy_until + :length, expires_at = :expires_at".to_owned(),
                condition,
            )
        } else {
            let idle = if ask.is_idle_unused {
                ":now - if_not_exists(busy_until, :never)"
            } else {
                ":zero"
            };
            let set = format!(
                "SET idle = {idle}, resumed_at = :now, busy_until = :end, expires_at = :expires_at"
            );
            (set, "(attribute_not_exists(busy_until) OR busy_until < :now)".to_owned())
        };
        if ask.tokens_per_day.is_some() {
            condition += " AND (attribute_not_exists(#today) OR #today <= :most)";
        }
        let mut update = self
            .update(name)
            .update_expression(format!("{set} ADD #today :tokens REMOVE #past"))
            .condition_expression(condition)
            .expression_attribute_names("#today", day(ask.day))
            .expression_attribute_names("#past", day(ask.day.saturating_sub(2)))
            .expression_attribute_values(":now", number(ask.now_us))
            .expression_attribute_values(":tokens", number(ask.tokens))
            .expression_attribute_values(":expires_at", number(ask.now_us / 1_000_000 + KEPT_SECS));
        if let Some(limit) = ask.tokens_per_day {
            let most = i128::from(limit) - i128::from(ask.tokens);
            let most = AttributeValue::N(most.to_string());
            update = update.expression_attribute_values(":most", most);
        }
        if is_busy {
            update
                .expression_attribute_values(":latest", number(ask.latest_us))
                .expression_attribute_values(":length", number(ask.length_us))
        } else {
            let update =
                update.expression_attribute_values(":end", number(ask.now_us + ask.length_us));
            if ask.is_idle_unused {
                update.expression_attribute_values(":never", number(never_busy_us(ask.now_us)))
            } else {
                update.expression_attribute_values(":zero", number(0))
            }
        }
    }
}

#[async_trait]
impl QuotaTable for Lanes {
    async fn take(
        &self,
        name: &LaneName,
        ask: &Ask,
        seen: Option<&Lane>,
    ) -> Result<Result<Lane, Refused>, TableError> {
        let mut is_busy = seen.is_some_and(|lane| lane.busy_until_us >= ask.now_us);
        for _ in 0..MAX_UPDATES {
            let item = match send(self.slice(name, ask, is_busy), TAKE).await? {
                Updated::Done(item) => return lane(&item, ask.day).map(Ok),
                Updated::Not(Some(item)) if !item.contains_key("busy_until") => None,
                Updated::Not(item) => item,
            };
            let lane = item.map(|item| lane(&item, ask.day)).transpose()?;
            // The same rule, to know which part of the condition did not hold.
            match Lane::take(lane.as_ref(), ask) {
                Err(refused) => return Ok(Err(refused)),
                Ok(_) => is_busy = lane.is_some_and(|lane| lane.busy_until_us >= ask.now_us),
            }
        }
        Err(failed(TAKE, format!("it changed {MAX_UPDATES} times")))
    }

    async fn give_back(&self, name: &LaneName, from_us: u64, to_us: u64) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression("SET busy_until = :from")
            .condition_expression("busy_until = :to")
            .expression_attribute_values(":from", number(from_us))
            .expression_attribute_values(":to", number(to_us));
        send(update, "slice of the quota was not given back").await.map(drop)
    }

    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression("SET pace_part = :part, pace_from = :from, pace_ceiling = :ceiling")
            .condition_expression("attribute_not_exists(pace_from) OR pace_from <= :now")
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
            _ => Err(refused(attempted, &SdkError::ServiceError(error))),
        },
        Err(error) => Err(refused(attempted, &error)),
    }
}

fn lane(item: &Item, today: u64) -> Result<Lane, TableError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_n().ok());
    let count = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let part = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let busy_until_us = count("busy_until")
        .ok_or_else(|| failed(TAKE, "the item has a foreign shape".to_owned()))?;
    let pace = match (part("pace_part"), count("pace_from"), part("pace_ceiling")) {
        (Some(part), Some(from_us), Some(ceiling)) => Pace { part, from_us, ceiling },
        _ => Pace::default(),
    };
    Ok(Lane {
        busy_until_us,
        resumed_at_us: count("resumed_at").unwrap_or_default(),
        idle_us: count("idle").unwrap_or_default(),
        pace,
        day_tokens: count(&day(today)).unwrap_or_default(),
    })
}

fn day(day: u64) -> String {
    format!("day_{day}")
}

fn number(n: u64) -> AttributeValue {
    AttributeValue::N(n.to_string())
}
