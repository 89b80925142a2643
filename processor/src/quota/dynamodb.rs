//! Lanes on DynamoDB, in the table that the instances share.
//!
//! The item `quota#<model>#<lane>` holds `busy_until`, `resumed_at` and `idle`
//! (microseconds), the number of `slices`, the pace as `pace_part`, `pace_from` and
//! `pace_ceiling`, the tokens of a day under `day_<days since 1970>`, and what was learnt of
//! the campaigns (`learnt`); days and periods that are past are removed by whoever sees
//! them. A slice is one conditional update: of a busy lane it moves `busy_until` on,
//! whatever it is; of an idle one it sets it anew. Which of the two fits is known from the
//! update before; where it was the other, the refusal brings the item, so nothing is ever
//! read.

mod learnt;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure,
};
use contract::content::COORDINATION_KEY;

use super::estimate::{Learnt, period};
use super::lane::{Ask, Lane, Refused, never_busy_us};
use super::pace::Pace;
use super::table::{LaneName, QuotaTable, Seen, Taken};
use crate::store::TableError;
use crate::store::dynamodb::{Item, failed, refused};

/// Updates of one slice: one that fits, after one that did not, and one more because the
/// lane changed in between.
const MAX_UPDATES: usize = 3;

/// What is removed with one update.
const MAX_REMOVED: usize = 60;

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
        if is_busy {
            self.update(name)
                .update_expression(
                    "SET busy_until = busy_until + :length, expires_at = :expires_at",
                )
                .condition_expression("busy_until BETWEEN :now AND :latest")
                .expression_attribute_values(":latest", number(ask.latest_us))
                .expression_attribute_values(":length", number(ask.length_us))
        } else {
            let resumes_us = ask.resumes_us.unwrap_or(ask.now_us);
            let (idle, since, since_us) = match ask.resumes_us {
                None => {
                    let idle = ":now - if_not_exists(busy_until, :never)";
                    (idle, ":never", never_busy_us(ask.now_us))
                }
                Some(_) => (":zero", ":zero", 0),
            };
            let set = format!(
                "SET idle = {idle}, resumed_at = :resumes, busy_until = :end, \
                 expires_at = :expires_at"
            );
            self.update(name)
                .update_expression(set)
                .condition_expression("(attribute_not_exists(busy_until) OR busy_until < :now)")
                .expression_attribute_values(":resumes", number(resumes_us))
                .expression_attribute_values(":end", number(resumes_us + ask.length_us))
                .expression_attribute_values(since, number(since_us))
        }
    }

    /// Completes the update of a slice with what is counted beside its time.
    fn counted(
        slice: UpdateItemFluentBuilder,
        ask: &Ask,
        learnt: &[Learnt],
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
        let mut expression = format!("{set} ADD #today :tokens, slices :one");
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
        learnt: &[Learnt],
        seen: Option<&Seen>,
    ) -> Result<Taken, TableError> {
        let mut is_busy = seen.is_some_and(|seen| seen.lane.busy_until_us >= ask.now_us);
        let past = seen.map_or(&[] as &[String], |seen| &seen.past);
        for _ in 0..MAX_UPDATES {
            let slice = self.slice(name, ask, is_busy);
            let item = match send(Self::counted(slice, ask, learnt, past), TAKE).await? {
                Updated::Done(item) => return self::seen(&item, ask).map(Taken::Slice),
                Updated::Not(Some(item)) if !item.contains_key("busy_until") => None,
                Updated::Not(item) => item,
            };
            let seen = item.map(|item| self::seen(&item, ask)).transpose()?;
            let lane = seen.as_ref().map(|seen| seen.lane);
            // The same rule, to know which part of the condition did not hold.
            match (Lane::take(lane.as_ref(), ask), seen) {
                (Err(Refused::Busy(_)), Some(seen)) => return Ok(Taken::Busy(seen)),
                (Err(_), _) => return Ok(Taken::DayUsedUp),
                (Ok(_), _) => is_busy = lane.is_some_and(|lane| lane.busy_until_us >= ask.now_us),
            }
        }
        Err(failed(TAKE, format!("it changed {MAX_UPDATES} times")))
    }

    async fn give_back(
        &self,
        name: &LaneName,
        slice: &Lane,
        from_us: u64,
    ) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression("SET busy_until = :from")
            .condition_expression("busy_until = :to AND slices = :slices")
            .expression_attribute_values(":from", number(from_us))
            .expression_attribute_values(":to", number(slice.busy_until_us))
            .expression_attribute_values(":slices", number(slice.slices));
        send(update, "slice of the quota was not given back").await.map(drop)
    }

    async fn slow_down(&self, name: &LaneName, now_us: u64, pace: Pace) -> Result<(), TableError> {
        let update = self
            .update(name)
            .update_expression(
                "SET pace_part = :part, pace_from = :from, pace_ceiling = :ceiling, \
                 expires_at = :expires_at",
            )
            .expression_attribute_values(":expires_at", number(now_us / 1_000_000 + KEPT_SECS))
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

fn seen(item: &Item, ask: &Ask) -> Result<Seen, TableError> {
    let lane = lane(item, ask.day)?;
    let (learnt, mut past) = learnt::read(item, period(ask.now_us));
    // Clocks differ around midnight, so yesterday stays.
    past.extend(item.keys().filter(|name| is_past_day(name, ask.day)).cloned());
    past.sort();
    Ok(Seen { lane, learnt, past })
}

fn is_past_day(name: &str, today: u64) -> bool {
    let day = name.strip_prefix("day_").and_then(|day| day.parse::<u64>().ok());
    day.is_some_and(|day| day + 1 < today)
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
        slices: count("slices").unwrap_or_default(),
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
